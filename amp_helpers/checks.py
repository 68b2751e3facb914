"""Preflight: every silent mistake as a named check with a verdict, the numbers behind it, and a remedy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from amp_helpers import motion_checks as ask
from amp_helpers.check_table import SEVERITY, Check, CheckTable, format_table
from amp_helpers.dataset import MotionDataset
from amp_helpers.joints import JointOrder
from amp_helpers.motion import Motion
from amp_helpers.robots import Robot

__all__ = ["Check", "CheckTable", "check_dataset", "check_motion", "format_table"]

MAX_GROUND_FRAMES = 6000
"""Frames of a motion, or of all motions of a dataset together, whose feet are computed (about a second)."""


def check_motion(motion: Motion, robot: Robot, max_ground_frames: int = MAX_GROUND_FRAMES) -> CheckTable:
    """Everything that can be wrong with a clip for a robot, whatever its frame rate.

    Joints that the robot lacks are set aside, as conversion does. ``max_ground_frames`` bounds the frames whose feet
    are computed.
    """
    joints = ask.joint_set(motion, robot)
    kept = [name for name in robot.joint_names if name in motion.joint_names]
    if not kept:
        return CheckTable([joints])
    motion = motion.select(kept)
    checks: list[Callable[[Motion, Robot], Check]] = [ask.units, ask.quaternion, ask.frame_rate, ask.limits, ask.offset]
    if motion.num_frames > 1:
        checks += [ask.joint_speed, ask.root_speed, ask.movement, ask.loop_seam]
    table = CheckTable([joints, *(check(motion, robot) for check in checks)])
    # Degrees or a pelvis on its head would only repeat themselves as feet in the ground.
    if motion.num_frames > 1 and all(check.verdict != "fail" for check in table[:3]):
        table += ask.ground(motion, robot, max_ground_frames)
    return table


def check_dataset(
    dataset: MotionDataset,
    robot: Robot,
    env_joint_names: Sequence[str] | None = None,
    env_default_pose: Mapping[str, float] | None = None,
    env_step_dt: float | None = None,
) -> CheckTable:
    """Every motion's checks, the worst of each kind, and how the dataset fits the environment.

    Args:
        dataset: the dataset.
        robot: the robot it should be for.
        env_joint_names: the simulator's joint order; what concerns the environment is left out without it.
        env_default_pose: the environment's default joint positions, rad by joint name.
        env_step_dt: the environment's control step, s.
    """
    clips = dataset.clips()
    frames = max(100, MAX_GROUND_FRAMES // len(clips))
    worst: dict[str, Check] = {}
    for clip in clips:
        for check in check_motion(clip, robot, frames):
            if len(clips) > 1:
                check = replace(check, evidence=f"{clip.source.partition(' (')[0]}: {check.evidence}")
            if check.name not in worst or SEVERITY[check.verdict] > SEVERITY[worst[check.name].verdict]:
                worst[check.name] = check
    table = CheckTable(check for check in worst.values() if check.name != "frame rate")
    table.append(_control_step(dataset, env_step_dt))
    if env_joint_names is not None:
        table.append(_env_order(dataset, env_joint_names))
    if env_default_pose is not None:
        table.append(_env_default_pose(dataset, robot, env_default_pose))
    return table


def _control_step(dataset: MotionDataset, env_step_dt: float | None) -> Check:
    rates = sorted({f"{fps:.4g}" for fps in dataset.fps_source}, key=float)
    evidence = f"pairs are {dataset.dt * 1000:.4g} ms apart, resampled from {', '.join(rates)} fps"
    if env_step_dt is None:
        return Check("control step", "ok", evidence)
    evidence += f"; the environment steps {env_step_dt * 1000:.4g} ms"
    if abs(dataset.dt - env_step_dt) > 1e-6:
        remedy = f"convert again with --control_dt {env_step_dt:g}."
        return Check("control step", "fail", evidence, remedy)
    return Check("control step", "ok", evidence)


def _env_order(dataset: MotionDataset, env_joint_names: Sequence[str]) -> Check:
    report = JointOrder(dataset.joint_names).compare(env_joint_names)
    if report.missing:
        evidence = f"the environment's robot lacks {', '.join(report.missing)}"
        return Check("joint order", "fail", evidence, "convert for the environment's robot with --robot.")
    if report.moved:
        name, here, there = report.moved[0]
        evidence = (
            f"{len(report.moved)} of {len(dataset.joint_names)} joints have another index in the environment, first "
            f"{name}: {here} here, {there} there; AmpState maps them by name"
        )
    else:
        evidence = "the environment uses the same order"
    if report.extra:
        evidence += f"; not in the dataset: {', '.join(report.extra)}"
    return Check("joint order", "ok", evidence)


def _env_default_pose(dataset: MotionDataset, robot: Robot, env_default_pose: Mapping[str, float]) -> Check:
    shared = [name for name in dataset.joint_names if name in env_default_pose]
    expected = dict(zip(robot.joint_names, robot.default_pose().tolist(), strict=True))
    differing = [name for name in shared if abs(env_default_pose[name] - expected.get(name, 0.0)) > 1e-3]
    if not differing:
        evidence = f"the environment's default pose is {robot.name}'s in all {len(shared)} joints; it is the AMP offset"
        return Check("default pose", "ok", evidence)
    name = max(differing, key=lambda joint: abs(env_default_pose[joint] - expected.get(joint, 0.0)))
    evidence = (
        f"{len(differing)} of {len(shared)} joints differ from {robot.name}'s recipe, most {name}: "
        f"{env_default_pose[name]:+.3f} rad there, {expected.get(name, 0.0):+.3f} in the recipe"
    )
    remedy = "nothing is baked into the dataset, so this is fine if meant; otherwise set init_state.joint_pos."
    return Check("default pose", "warn", evidence, remedy)
