"""Robots: joint names, feet and default pose, and the model files, fetched and built on first use.

MuJoCo is imported inside the functions that read a model. Importing it fails where ``MUJOCO_GL`` names a library that
the machine lacks, and files should convert there too: that needs joint names only.
"""

import functools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.joints import expand_patterns, match_joints
from amp_helpers.robots.assets import USD_VERSION, build_ground, build_usd, cached_folder
from amp_helpers.robots.mjlab import FORMAT_VERSION, mjlab_folder

_USD_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)

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
"""Pattern -> rad: knees bent, soles level to 0.01 rad (the pitch angles of a leg add up to -0.01)."""


@dataclass(frozen=True, eq=False)
class Robot:
    """A robot by its names; its model files are fetched and built when a path is first read.

    The paths raise :class:`~amp_helpers.errors.InputError` if the model cannot be fetched or converted.
    """

    name: str
    joint_names: tuple[str, ...]
    """(J), in the order of datasets: depth-first."""
    feet_joints: tuple[str, ...]
    """Joints that feet removal drops: the ankles of a humanoid."""
    foot_bodies: tuple[str, ...]
    """Links with the soles, (F): left and right for a humanoid."""
    default_joint_pos: Mapping[str, float]
    """Pattern -> rad, as in Isaac Lab's ``InitialStateCfg.joint_pos``; joints without a pattern are at 0."""
    default_root_height: float = 0.8
    """Height of the root at reset, m."""
    foot_points: tuple[tuple[float, float, float], ...] = ()
    """Contact point of each foot in its link's frame, (F, 3), m; empty: the links' origins."""
    model_file: Path | None = None
    """MJCF file of your own robot; ``None`` for a robot from mjlab."""
    mjlab_file: str = ""
    """MJCF of a robot from mjlab, below its ``asset_zoo/robots``; joints other than ``joint_names`` are made rigid."""
    missing_meshes: tuple[str, ...] = ()
    """Meshes that the file names but that do not exist: drawn without them, and not converted to USD."""
    shapeless_feet: tuple[str, ...] = ()
    """Feet that lack the shapes of their soles because meshes are missing; measured at the links' origins."""
    remarks: tuple[str, ...] = ()
    """What was assumed about the robot, each with what to do if it is wrong."""

    def __post_init__(self) -> None:
        if self.model_file is None and not self.mjlab_file:
            raise InputError(f"robot '{self.name}': has no model; give model_file, or make it with Robot.from_file")

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
        """Read a robot from its MJCF or URDF file; what is not given is found in the model.

        Args:
            path: file of the robot alone; every joint has a name, and an MJCF has a free root.
            name: by default the file's stem.
            foot_bodies: by default the links whose collision shapes are lowest in the default pose. Links whose
                meshes are missing count by their origins, which ``remarks`` then says.
            feet_joints: names or patterns; by default the joints next above the foot bodies.
            default_joint_pos: pattern -> rad, within the limits; a joint that is not named is at 0. By default the
                model's first keyframe, or 0 in every joint, moved into the limits.
            default_root_height: m; by default the height at which the lowest shape touches the ground.

        Raises:
            InputError: the file is not such a robot, a name is not in it, an angle is outside its joint's limits, or no
                feet are found.
        """
        from amp_helpers.robots.model import model_facts
        from amp_helpers.robots.model_file import read_robot
        from amp_helpers.robots.symmetry import counterparts

        path = Path(path).resolve()
        file = read_robot(path)
        facts = model_facts(path, file.model, feet=foot_bodies, pose=default_joint_pos, lost=file.lost_shapes)
        remarks = []
        shapeless = tuple(foot for foot in facts.feet if foot in file.lost_shapes)
        if facts.guessed:
            remarks.append(
                f"{path}: feet taken as {' '.join(facts.feet)} by the places of the links, and measured at the links' "
                f"origins, because {len(file.missing_meshes)} meshes are missing ({', '.join(file.missing_meshes[:2])}"
                ", ...); put them where the file names them, or name other feet with --feet"
            )
        elif shapeless:
            remarks.append(
                f"{path}: the meshes of {' '.join(shapeless)} are missing, so feet are measured at the links' origins; "
                "put the meshes where the file names them"
            )
        untouching = [foot for foot in facts.bare_feet if foot not in file.lost_shapes]
        if untouching:
            remarks.append(
                f"{path}: {' '.join(untouching)} have no collision shapes, by which soles are measured, so these feet "
                "are measured at the links' origins; give them collision shapes in the file, which a simulator needs "
                "too, unless the origin is the sole"
            )
        twins = counterparts([file.model.body(index).name for index in range(1, file.model.nbody)])
        alone = [foot for foot in facts.feet if twins.get(foot, foot) not in facts.feet]
        if alone and not foot_bodies:
            remarks.append(
                f"{path}: {alone[0]} is taken for a foot and {twins[alone[0]]} is not, because it is higher in the "
                "default pose; turn the root upright in the file, or name the feet with --feet"
            )
        pose = zip(facts.joint_names, facts.pose, strict=True)
        return cls(
            name=name or path.stem,
            joint_names=facts.joint_names,
            feet_joints=match_joints(feet_joints, facts.joint_names) if feet_joints else facts.feet_joints,
            foot_bodies=facts.feet,
            foot_points=facts.foot_points,
            default_joint_pos={re.escape(joint): float(value) for joint, value in pose if value},
            default_root_height=facts.root_height if default_root_height is None else default_root_height,
            model_file=file.mjcf,
            missing_meshes=file.missing_meshes,
            shapeless_feet=shapeless,
            remarks=tuple(remarks),
        )

    @property
    def num_joints(self) -> int:
        """J."""
        return len(self.joint_names)

    def default_pose(self) -> np.ndarray:
        """Default joint positions, (J,) float32, rad, in the order of ``joint_names``."""
        return expand_patterns(self.default_joint_pos, self.joint_names)

    def default_positions(self) -> dict[str, float]:
        """Default joint positions, rad by joint name."""
        return dict(zip(self.joint_names, self.default_pose().tolist(), strict=True))

    def joint_limits(self) -> np.ndarray:
        """Lower and upper limit of each joint, (J, 2) float32, rad, from the model; infinite without a limit."""
        from amp_helpers.robots.model import joint_limits
        from amp_helpers.robots.model_file import bare_model

        return joint_limits(bare_model(self.mjcf_path), self.joint_names)

    @property
    def mjcf_path(self) -> Path:
        """MJCF file beside its meshes."""
        if self.model_file is not None:
            return self.model_file
        # All variants are built at once, so that they share the meshes.
        variants = {robot.name: robot.joint_names for robot in ROBOTS.values() if robot.mjlab_file == self.mjlab_file}
        return mjlab_folder(self.mjlab_file, variants) / f"{self.name}.xml"

    @property
    def usd_path(self) -> Path:
        """The model as USD, for Isaac Lab.

        Raises:
            InputError: meshes are missing, USD would rename a joint or a foot, a link has several joints, or the model
                cannot be converted.
        """
        source = self.mjcf_path
        if renamed := [name for name in (*self.joint_names, *self.foot_bodies) if not _USD_NAME.fullmatch(name)]:
            shown = ", ".join(map(repr, renamed[:3])) + (", ..." if len(renamed) > 3 else "")
            raise InputError(
                f"{source}: has the names {shown}, and USD, which Isaac Lab reads, would change them; "
                "rename them in the robot's file, to ASCII letters, digits and _ alone, no digit first"
            )
        if self.missing_meshes:
            raise InputError(
                f"{source}: lacks the meshes {', '.join(self.missing_meshes)}, and a simulator needs them; "
                "put them at the paths that the robot's file names"
            )
        from amp_helpers.robots.model import shared_links
        from amp_helpers.robots.model_file import bare_model

        if shared := shared_links(bare_model(source)):
            link, joints = next(iter(shared.items()))
            others = f" ({len(shared) - 1} more links too)" if len(shared) > 1 else ""
            raise InputError(
                f"{source}: link '{link}' has {len(joints)} joints, {', '.join(joints)}{others}, and the simulator "
                "would make one of them, under other names; nest a link with a small <inertial> around it for each "
                "joint but the last"
            )
        content = self.name
        if self.model_file is not None:
            from amp_helpers.robots.model_file import model_digest

            content = f"robot-{model_digest(source)}"
        folder = cached_folder(f"{content}-usd-v{USD_VERSION}", functools.partial(build_usd, source))
        return next(folder.glob("*.usda"))

    @property
    def ground_usd_path(self) -> Path:
        """Flat ground plane for ``GroundPlaneCfg``, which by default downloads one."""
        return cached_folder(f"ground-v{FORMAT_VERSION}", build_ground) / "ground.usda"

    def build(self) -> "Robot":
        """Fetch and convert everything now; idempotent, and safe while another process does the same."""
        _ = self.mjcf_path, self.usd_path, self.ground_usd_path
        return self


def _g1(name: str, joint_names: tuple[str, ...]) -> Robot:
    return Robot(
        name=name,
        joint_names=joint_names,
        feet_joints=tuple(joint for joint in joint_names if "ankle" in joint),
        foot_bodies=("left_ankle_roll_link", "right_ankle_roll_link"),
        default_joint_pos=G1_DEFAULT_POSE,
        mjlab_file="unitree_g1/xmls/g1.xml",
    )


G1_23DOF = _g1("g1_23dof", _NAMES_23)
"""Unitree G1 with one waist joint (yaw) and one wrist joint (roll)."""
G1_29DOF = _g1("g1_29dof", _NAMES_29)
"""Unitree G1 with three waist and three wrist joints."""
ROBOTS: dict[str, Robot] = {robot.name: robot for robot in (G1_23DOF, G1_29DOF)}
"""The built-in robots by name, fewest joints first."""
JOINT_ORDERS: dict[str, tuple[str, ...]] = {
    **{robot.name: robot.joint_names for robot in reversed(ROBOTS.values())},
    "gmt_23": tuple(name for name in G1_29DOF.joint_names if "_wrist_" not in name),
}
"""Column orders of files without joint names. Two of them are 23 wide and hold different joints."""
