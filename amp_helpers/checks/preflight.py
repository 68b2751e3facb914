"""Preflight: every silent mistake as a named check with a verdict, the numbers behind it, and a remedy.

Each kind of evidence has a module: :mod:`amp_helpers.checks.motion` the numbers alone, :mod:`amp_helpers.checks.causes`
the robot's body, :mod:`amp_helpers.checks.ground` its feet, :mod:`amp_helpers.checks.dataset` what a dataset owes an
environment, :mod:`amp_helpers.checks.environment` the running one, :mod:`amp_helpers.checks.run` a training run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from amp_helpers.checks import motion as ask
from amp_helpers.checks.dataset import control_step, default_pose, env_joint_order
from amp_helpers.checks.table import SEVERITY, Check, CheckTable, format_table
from amp_helpers.dataset import MotionDataset
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import Robot

__all__ = ["CHECKS", "Check", "CheckTable", "check_dataset", "check_motion", "format_table"]

CHECKS: dict[str, str] = {
    "joint set": "does the clip have every joint of the robot?",
    "units": "are angles radians?",
    "quaternion norm": "were root quaternions of unit length?",
    "quaternion order": "is the root upright, and do the feet agree with the way it faces?",
    "frame rate": "is it a rate that motion is recorded at, for at least a stride?",
    "repeated frames": "did the recorder hold frames?",
    "missing frames": "did the recorder lose frames?",
    "joint limits": "can the robot take these poses?",
    "joint speed": "are there speeds and spikes that no motor makes?",
    "root jumps": "does the root teleport?",
    "movement": "does anything move?",
    "loop seam": "does the clip come round, and was it joined without a transition?",
    "column order": "do the columns hold the joints that they are named after?",
    "left and right": "are the sides exchanged, or mirrored without the root?",
    "mirrored axes": "does a joint turn the other way?",
    "default offset": "are angles absolute, or was the default pose subtracted or added?",
    "ground height": "is the ground at height 0?",
    "foot penetration": "do the feet sink into the ground?",
    "foot skate": "do standing feet slide?",
    "control step": "are pairs as far apart as the environment's steps?",
    "joint order": "does the environment have these joints, and in which order?",
    "offset sign": "has a default angle the wrong sign?",
    "default pose": "is the environment's default pose the robot's?",
    "feature columns": "do dataset and environment give the same AMP columns?",
    "observation noise": "do AMP states carry noise that the dataset has not?",
    "observation history": "which frame of a history do AMP states hold?",
    "terminal frames": "are terminal frames taken before the reset?",
    "reward shares": "does style drown the task, or the task style?",
    "discriminator": "does the discriminator still teach?",
}
"""Name -> the question, of every check there is."""

MAX_FRAMES = 30_000
"""Frames of a clip, or of all clips of a dataset together, whose feet are computed: ten minutes at 50 fps."""


def check_motion(
    motion: Motion, robot: Robot, max_frames: int = MAX_FRAMES, env_joint_names: Sequence[str] | None = None
) -> CheckTable:
    """Everything that can be wrong with a clip for a robot, whatever its frame rate.

    Args:
        motion: the clip; joints that the robot lacks are set aside, as conversion does.
        robot: the robot.
        max_frames: bounds the frames whose feet are computed; of a longer clip, stretches are looked at.
        env_joint_names: an order in which the columns may be although they are named otherwise.
    """
    joints = ask.joint_set(motion, robot)
    kept = [name for name in robot.joint_names if name in motion.joint_names]
    if not kept:
        return CheckTable([joints])
    whole, motion = motion, motion.select(kept)
    units = ask.units(motion, robot)
    table = CheckTable([joints, units, ask.quaternion_norm(motion, robot), ask.frame_rate(motion, robot)])
    if motion.num_frames > 1:
        table += ask.frame_faults(motion)
    table.append(ask.limits(motion, robot))
    if motion.num_frames > 1:
        table += [check(motion, robot) for check in (ask.joint_speed, ask.root_speed, ask.movement, ask.loop_seam)]
    table += _body_checks(whole, motion, robot, max_frames, env_joint_names, units.verdict == "fail")
    return table


def _body_checks(
    whole: Motion,
    motion: Motion,
    robot: Robot,
    max_frames: int,
    env_joint_names: Sequence[str] | None,
    no_angles: bool,
) -> list[Check]:
    """What the robot's body tells, where the clip moves its legs and the numbers are angles at all."""
    # MuJoCo is needed for the body only, and the data modules that import this one stay light.
    from amp_helpers.checks.body_fit import body_of
    from amp_helpers.checks.causes import cause_checks, quaternion_order
    from amp_helpers.checks.diagnosis import SAMPLE_FRAMES, diagnose
    from amp_helpers.checks.ground import ground

    if motion.num_frames < 2 or no_angles:
        return [quaternion_order(motion, None)]
    body = body_of(robot)
    if body.leg_joints - set(motion.joint_names):
        return [quaternion_order(motion, None)]
    diagnosis = diagnose(whole, body, env_joint_names, int(np.clip(max_frames // 10, 60, SAMPLE_FRAMES)))
    checks = cause_checks(motion, diagnosis)
    # A body that is put together wrongly has its feet in the ground, which would say the same again.
    if all(check.verdict != "fail" for check in checks):
        checks += ground(motion, body, max_frames)
    return checks


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
    frames = max(100, MAX_FRAMES // len(clips))
    worst: dict[str, Check] = {}
    for clip, fps in zip(clips, dataset.fps_source, strict=True):
        resampled = abs(clip.fps - fps) > 1e-3
        for check in check_motion(clip, robot, frames, env_joint_names):
            if check.name == "frame rate" or (resampled and check.name in ("repeated frames", "missing frames")):
                continue  # questions to the file, which resampling has blurred
            if len(clips) > 1:
                check = replace(check, evidence=f"{clip.label}: {check.evidence}")
            if check.name not in worst or SEVERITY[check.verdict] > SEVERITY[worst[check.name].verdict]:
                worst[check.name] = check
    table = CheckTable(worst.values())
    table.append(control_step(dataset, env_step_dt))
    if env_joint_names is not None:
        table.append(env_joint_order(dataset, env_joint_names))
    if env_default_pose is not None:
        table += default_pose(dataset, robot, env_default_pose)
    return table
