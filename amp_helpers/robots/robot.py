"""The robots: joint names, feet, default pose, and the model files, fetched and built on first need."""

import functools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.joints import expand_patterns, match_joints
from amp_helpers.robots.assets import Wheel, build_ground, build_usd, cached_folder
from amp_helpers.utils.plugins import import_user_module

MJLAB = Wheel(
    project="mjlab",
    version="1.6.0",
    sha256="03d003854e2f44c48330c6dcf4c2253ff7641bb569747846825a21b9efa8540b",
    megabytes=14,
)
# Raise when the recipe below changes: it names the cached folders, so that older code's models are not used.
FORMAT_VERSION = 1

FILE_SUFFIXES = (".xml", ".mjcf", ".urdf")
"""Of robots' own files, in small letters."""

_LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
_ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
_WAIST = ("waist_yaw", "waist_roll", "waist_pitch")
# Depth-first along the kinematic tree: the order of GMR files, MuJoCo and Newton.
_NAMES_29 = tuple(
    f"{name}_joint"
    for name in (
        *(f"left_{part}" for part in _LEG),
        *(f"right_{part}" for part in _LEG),
        *_WAIST,
        *(f"left_{part}" for part in _ARM),
        *(f"right_{part}" for part in _ARM),
    )
)
_LOCKED_IN_23 = (
    "waist_roll",
    "waist_pitch",
    "left_wrist_pitch",
    "left_wrist_yaw",
    "right_wrist_pitch",
    "right_wrist_yaw",
)
_NAMES_23 = tuple(name for name in _NAMES_29 if name.removesuffix("_joint") not in _LOCKED_IN_23)

G1_DEFAULT_POSE: Mapping[str, float] = {
    ".*_hip_pitch_joint": -0.20,
    ".*_knee_joint": 0.42,
    ".*_ankle_pitch_joint": -0.23,
    ".*_shoulder_pitch_joint": 0.35,
    "left_shoulder_roll_joint": 0.16,
    "right_shoulder_roll_joint": -0.16,
}


@dataclass(frozen=True, eq=False)
class Robot:
    """A robot by its names; the model files behind it are fetched and built when a path is first asked for.

    The paths raise :class:`~amp_helpers.errors.InputError` when the model cannot be fetched or converted.
    """

    name: str
    joint_names: tuple[str, ...]
    """Joints in the dataset's order (depth-first), (J)."""
    feet_joints: tuple[str, ...]
    """The ankle joints, which feet removal drops."""
    foot_bodies: tuple[str, ...]
    """Links that carry the soles, (F): left and right for a humanoid."""
    default_joint_pos: Mapping[str, float]
    """Pattern -> rad, as in Isaac Lab's ``InitialStateCfg.joint_pos``; other joints are at 0."""
    default_root_height: float = 0.8
    """Height of the root at reset, m."""
    foot_points: tuple[tuple[float, float, float], ...] = ()
    """Where each foot meets the ground, in its link's frame (F, 3), m; the links' origins where nothing is said."""
    model_file: Path | None = None
    """MJCF file of a robot of one's own; ``None`` for those that this project fetches."""
    missing_meshes: tuple[str, ...] = ()
    """Meshes that its file names and that were not there: it is drawn without them, and not converted to USD."""

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike,
        *,
        name: str | None = None,
        foot_bodies: Sequence[str] = (),
        feet_joints: Sequence[str] = (),
        default_joint_pos: Mapping[str, float] | None = None,
        default_root_height: float | None = None,
    ) -> "Robot":
        """A robot out of its MJCF or URDF file; what is not given is found in the model.

        Args:
            path: the file, of the robot alone, with a name for every joint; in MJCF the root is free.
            name: by default the file's.
            foot_bodies: by default the links whose collision shapes are lowest in the default pose.
            feet_joints: names or patterns; by default the joints that move the foot bodies.
            default_joint_pos: pattern -> rad. By default the model's first keyframe, or 0 in every joint, moved into
                the joint's limits.
            default_root_height: by default that at which the lowest shape touches the ground, m.

        Raises:
            InputError: the file is no such robot, a name is not in it, or no feet are found.
        """
        from amp_helpers.robots import model as mjcf
        from amp_helpers.robots.model_file import read_robot

        path = Path(path).resolve()
        file = read_robot(path)
        names = mjcf.joint_names(path, file.model)
        given = None if default_joint_pos is None else expand_patterns(default_joint_pos, names)
        found = mjcf.model_facts(file.model, given, mjcf.check_bodies(path, file.model, foot_bodies))
        feet = found.feet
        if not feet or not all(feet):
            raise InputError(f"{path}: no feet found among its lowest links; name them with foot_bodies")
        own = mjcf.joints_above(file.model, feet)
        pose = {re.escape(joint): float(value) for joint, value in zip(names, found.pose, strict=True) if value}
        return cls(
            name=name or path.stem,
            joint_names=names,
            feet_joints=match_joints(feet_joints, names) if feet_joints else own,
            foot_bodies=feet,
            foot_points=found.foot_points,
            default_joint_pos=pose,
            default_root_height=found.root_height if default_root_height is None else default_root_height,
            model_file=file.mjcf,
            missing_meshes=file.missing_meshes,
        )

    @property
    def num_joints(self) -> int:
        """J."""
        return len(self.joint_names)

    def default_pose(self) -> np.ndarray:
        """Default joint positions, (J,) float32, rad, in the order of ``joint_names``."""
        return expand_patterns(self.default_joint_pos, self.joint_names)

    def joint_limits(self) -> np.ndarray:
        """Lower and upper limit of each joint, (J,2) float32, rad, read from the model."""
        return _joint_limits(self.mjcf_path, self.joint_names)

    @property
    def mjcf_path(self) -> Path:
        """The MuJoCo model (XML beside its meshes)."""
        if self.model_file is not None:
            return self.model_file
        return cached_folder(_folder_name("unitree_g1"), _build_mjcf) / f"{self.name}.xml"

    @property
    def usd_path(self) -> Path:
        """The same model as USD, for Isaac Lab."""
        source = self.mjcf_path
        if self.missing_meshes:
            raise InputError(
                f"{source}: lacks the meshes {', '.join(self.missing_meshes)}, and a simulator needs them; "
                "put them where the robot's file looks for them"
            )
        content = self.name
        if self.model_file is not None:
            from amp_helpers.robots.model_file import model_digest

            content = f"robot-{model_digest(source)}"
        folder = cached_folder(_folder_name(f"{content}-usd"), functools.partial(build_usd, source))
        return next(folder.glob("*.usda"))

    @property
    def ground_usd_path(self) -> Path:
        """A flat ground plane for ``GroundPlaneCfg``, in place of Isaac Lab's remote one."""
        return cached_folder(_folder_name("ground"), build_ground) / "ground.usda"

    def build(self) -> "Robot":
        """Fetch and convert everything now. Idempotent, and safe beside another process doing the same."""
        _ = self.mjcf_path, self.usd_path, self.ground_usd_path
        return self


def _g1(name: str, joint_names: tuple[str, ...]) -> Robot:
    return Robot(
        name=name,
        joint_names=joint_names,
        feet_joints=tuple(joint for joint in joint_names if "ankle" in joint),
        foot_bodies=("left_ankle_roll_link", "right_ankle_roll_link"),
        default_joint_pos=G1_DEFAULT_POSE,
    )


G1_23DOF = _g1("g1_23dof", _NAMES_23)
"""Unitree G1 with waist yaw alone and wrist roll alone."""
G1_29DOF = _g1("g1_29dof", _NAMES_29)
"""Unitree G1 with three waist and three wrist joints."""
ROBOTS: dict[str, Robot] = {robot.name: robot for robot in (G1_23DOF, G1_29DOF)}


def get_robot(name: str) -> Robot:
    """A robot by its name here, by its file (MJCF or URDF), or by where Python finds it: ``package.module:NAME``.

    Raises:
        InputError: no such robot, in which case the message lists the names; or the file cannot be used.
    """
    if name in ROBOTS:
        return ROBOTS[name]
    if name.lower().endswith(FILE_SUFFIXES):
        return Robot.from_file(name)
    module, colon, attribute = name.rpartition(":")
    if colon:
        robot = getattr(import_user_module(module, f"robot '{name}'", "NAME"), attribute, None)
        if isinstance(robot, Robot):
            return robot
        raise InputError(f"robot '{name}': module '{module}' has no Robot '{attribute}'; make one with Robot.from_file")
    raise InputError(
        f"robot '{name}' not found; available: {', '.join(ROBOTS)}, a path of an MJCF (.xml) or URDF file, or "
        "package.module:NAME"
    )


def go1_mjcf() -> Path:
    """MJCF of Unitree's Go1, which has four legs and 12 joints, as mjlab ships it: to try another robot with."""
    return cached_folder(_folder_name("unitree_go1"), functools.partial(_extract_model, "unitree_go1")) / "go1.xml"


def _folder_name(content: str) -> str:
    return f"{content}-v{FORMAT_VERSION}"


def _extract_model(model: str, folder: Path) -> None:
    """A robot of mjlab in ``folder``, beside the licence it came with."""
    prefix = f"mjlab/asset_zoo/robots/{model}/xmls/"

    def members(name: str) -> str | None:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
        return "LICENSE.mjlab" if name.endswith(".dist-info/licenses/LICENSE") else None

    MJLAB.extract(folder, members)


def _build_mjcf(folder: Path) -> None:
    """Both robots as MJCF in ``folder``, sharing the meshes."""
    import mujoco

    _extract_model("unitree_g1", folder)
    for robot in ROBOTS.values():
        spec = mujoco.MjSpec.from_file(str(folder / "g1.xml"))
        spec.modelname = robot.name
        kept = set(robot.joint_names)
        for joint in list(spec.joints):
            if joint.type != mujoco.mjtJoint.mjJNT_FREE and joint.name not in kept:
                spec.delete(joint)
        names = tuple(joint.name for joint in spec.joints if joint.type != mujoco.mjtJoint.mjJNT_FREE)
        if names != robot.joint_names:
            raise InputError(f"{MJLAB.project} {MJLAB.version}: the model's joints are {', '.join(names)}; report this")
        spec.compile()  # refuses a model whose sensors or exclusions name something deleted
        (folder / f"{robot.name}.xml").write_text(spec.to_xml())
    (folder / "g1.xml").unlink()


@functools.lru_cache
def _joint_limits(path: Path, joint_names: tuple[str, ...]) -> np.ndarray:
    from amp_helpers.robots import model as mjcf
    from amp_helpers.robots.model_file import bare_model

    limits = mjcf.joint_limits(bare_model(path), joint_names)
    limits.flags.writeable = False  # the cached array is shared
    return limits


JOINT_ORDERS: dict[str, tuple[str, ...]] = {
    "g1_29dof": G1_29DOF.joint_names,
    "g1_23dof": G1_23DOF.joint_names,
    "gmt_23": tuple(name for name in G1_29DOF.joint_names if "_wrist_" not in name),
}
"""Column orders that files without joint names use. Two of them are 23 wide and hold different joints."""


def robots_beside(robot: Robot | None) -> list[Robot]:
    """The robots that a file may be of: the one named, and those that this project knows."""
    return ([] if robot is None else [robot]) + [known for known in ROBOTS.values() if known is not robot]


def robot_with(names: Sequence[str], robot: Robot | None = None) -> Robot | None:
    """The first robot that has all these joints."""
    return next((known for known in robots_beside(robot) if set(names) <= set(known.joint_names)), None)
