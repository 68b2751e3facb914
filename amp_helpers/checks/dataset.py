"""Checks of a dataset against its environment: control step, joints, default pose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from amp_helpers.checks.body_fit import body_model
from amp_helpers.checks.table import Outcome, fail, ok, warn
from amp_helpers.dataset import MotionDataset
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import Robot

_SAME_ANGLE_RAD = 1e-3


@dataclass(frozen=True, eq=False)
class CheckedDataset:
    """A dataset, its robot, and what is known of the environment; a check of unknown facts has no outcome."""

    dataset: MotionDataset
    robot: Robot
    env_joint_names: Sequence[str] | None = None
    """Joint order of the environment."""
    env_default_pose: Mapping[str, float] | None = None
    """Joint -> default position in the environment, rad."""
    env_step_dt: float | None = None
    """Control step of the environment, s."""

    @cached_property
    def motions(self) -> list[Motion]:
        """The dataset's clips."""
        return self.dataset.clips()

    @property
    def robot_pose(self) -> dict[str, float]:
        """Joint -> default position of the robot, rad."""
        return self.robot.default_positions()


def control_step(checked: CheckedDataset) -> Outcome:
    """Compare the time between the states of a pair with the environment's control step."""
    dataset, env_step_dt = checked.dataset, checked.env_step_dt
    rates = sorted({f"{fps:.4g}" for fps in dataset.fps_source}, key=float)
    evidence = f"pairs are {dataset.dt * 1000:.4g} ms apart, resampled from {', '.join(rates)} fps"
    if env_step_dt is None:
        return ok(evidence)
    evidence += f"; the environment steps {env_step_dt * 1000:.4g} ms"
    if abs(dataset.dt - env_step_dt) > 1e-6:
        return fail(evidence, f"convert again with --control_dt {env_step_dt:g}.")
    return ok(evidence)


def joint_order(checked: CheckedDataset) -> Outcome | None:
    """Check that the environment has the dataset's joints; another order is mapped by name and ok."""
    if checked.env_joint_names is None:
        return None
    report = JointOrder(checked.dataset.joint_names).compare(checked.env_joint_names)
    if report.missing:
        evidence = f"the environment's robot lacks {', '.join(report.missing)}"
        return fail(evidence, "convert for the environment's robot with --robot.")
    if report.moved:
        name, here, there = report.moved[0]
        evidence = (
            f"{len(report.moved)} of {len(checked.dataset.joint_names)} joints have another index in the environment, "
            f"first {name}: {here} here, {there} there; AmpState maps them by name"
        )
    else:
        evidence = "the environment uses the same order"
    if report.extra:
        evidence += f"; not in the dataset: {', '.join(report.extra)}"
    return ok(evidence)


def offset_sign(checked: CheckedDataset) -> Outcome | None:
    """Find default angles whose sign contradicts the other side's or the robot's default pose."""
    pose, default = checked.env_default_pose, checked.robot_pose
    if pose is None:
        return None
    names = [name for name in checked.dataset.joint_names if name in pose and name in default]
    if not names:
        return None
    body = body_model(checked.robot)
    pairs = {name: other for name, other in body.pairs.items() if name in names and other in names}
    for name, other in pairs.items():
        mirrored = body.mirror_signs[name] * pose[other]
        # Where two sides differ in sign only, the wrong one is the one that also differs from the robot's default.
        wrong = abs(pose[name]) > _SAME_ANGLE_RAD and abs(pose[name] + mirrored) < _SAME_ANGLE_RAD
        if wrong and abs(pose[name] - default[name]) >= abs(pose[other] - default[other]):
            evidence = (
                f"{name} is {pose[name]:+.3f} rad by default and {other} {pose[other]:+.3f}, but the mirror image of "
                f"the latter is {mirrored:+.3f}"
            )
            remedy = f"set {name} to {mirrored:+.3f} in init_state.joint_pos, or {other} to {-pose[other]:+.3f}."
            return fail(evidence, remedy)
    flipped = [
        name
        for name in names
        if abs(default[name]) > _SAME_ANGLE_RAD and abs(pose[name] + default[name]) < _SAME_ANGLE_RAD
    ]
    if flipped:
        name = flipped[0]
        evidence = (
            f"{len(flipped)} joints have the opposite sign of {checked.robot.name}'s default pose, first {name}: "
            f"{pose[name]:+.3f} rad in the environment, {default[name]:+.3f} in the robot's"
        )
        return warn(evidence, "harmless if intended; otherwise correct the sign in init_state.joint_pos.")
    return ok(f"the default angles of {len(pairs) // 2} pairs of joints are mirror images")


def default_pose(checked: CheckedDataset) -> Outcome | None:
    """Compare the environment's default pose, which AmpState subtracts, with the robot's."""
    pose, default = checked.env_default_pose, checked.robot_pose
    if pose is None:
        return None
    shared = [name for name in checked.dataset.joint_names if name in pose]
    if not set(shared) & set(default):
        return None
    differences = {name: abs(pose[name] - default.get(name, 0.0)) for name in shared}
    differing = [name for name in shared if differences[name] > _SAME_ANGLE_RAD]
    if not differing:
        evidence = (
            f"the environment's default pose, the AMP offset, is {checked.robot.name}'s in all {len(shared)} joints"
        )
        return ok(evidence)
    name = max(differing, key=differences.__getitem__)
    evidence = (
        f"{len(differing)} of {len(shared)} joints differ from {checked.robot.name}'s default pose, most {name}: "
        f"{pose[name]:+.3f} rad in the environment, {default.get(name, 0.0):+.3f} in the robot's"
    )
    remedy = "harmless if intended, since the dataset holds absolute angles; otherwise set init_state.joint_pos."
    return warn(evidence, remedy)
