"""Preflight: check a motion, a dataset, an environment or a training run.

Every check has a name, a verdict, evidence with numbers, and a remedy; :mod:`amp_helpers.checks.registry` lists them.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from amp_helpers.agent.health import Health
from amp_helpers.checks.checked_motion import MAX_FRAMES, CheckedMotion
from amp_helpers.checks.dataset import CheckedDataset
from amp_helpers.checks.registry import (
    CHECKS,
    DATASET_CHECKS,
    ENVIRONMENT_CHECKS,
    MOTION_CHECKS,
    RUN_CHECKS,
    TASK_CHECKS,
    run_checks,
)
from amp_helpers.checks.run import CheckedRun
from amp_helpers.checks.sampling import DiagnosedClips
from amp_helpers.checks.table import SEVERITY, CheckResult, CheckTable
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.lookup import robot_with
from amp_helpers.robots.robot import Robot
from amp_helpers.training.dropped_joints import drop_patterns
from amp_helpers.training.run_folder import read_run

if TYPE_CHECKING:  # these load torch and Isaac Lab
    from isaaclab.envs import ManagerBasedRLEnv

    from amp_helpers.checks.environment_probe import FrameReader

NUM_UPDATES = 20
"""Updates at the end of a run over which its health is averaged."""

_BEFORE_RESAMPLING = ("repeated frames", "missing frames")
"""Checks of the recording that a resampled clip no longer shows."""


def check_motion(
    motion: Motion, robot: Robot, max_frames: int = MAX_FRAMES, env_joint_names: Sequence[str] | None = None
) -> CheckTable:
    """Check a clip for a robot, at any frame rate.

    Args:
        motion: the clip; joints that the robot lacks are ignored, as in conversion.
        robot: the robot.
        max_frames: bound of the frames whose feet are computed; a longer clip is sampled in stretches.
        env_joint_names: an order in which the columns may be although they are named otherwise.
    """
    return _check_clip(CheckedMotion(motion, robot, max_frames, env_joint_names))


def _check_clip(clip: CheckedMotion) -> CheckTable:
    return run_checks(MOTION_CHECKS if clip.shared_joints else [CHECKS["joint set"]], clip)


def check_dataset(
    dataset: MotionDataset,
    robot: Robot,
    env_joint_names: Sequence[str] | None = None,
    env_default_pose: Mapping[str, float] | None = None,
    env_step_dt: float | None = None,
) -> CheckTable:
    """Check every motion of a dataset, keeping the worst result of each check, and its fit to the environment.

    Of more than 100 motions, order, sides, signs and offset are tested in the 50 that fit the robot worst, in the 30
    with a joint that moves most against clips like it, and in 20 from the first to the last; the table's note says so.
    Signs are compared between all motions.

    Args:
        dataset: the dataset.
        robot: the robot that it is for.
        env_joint_names: joint order of the environment; checks of facts that are not given are left out.
        env_default_pose: joint -> default position in the environment, rad.
        env_step_dt: control step of the environment, s.
    """
    checked = CheckedDataset(dataset, robot, env_joint_names, env_default_pose, env_step_dt)
    motions = checked.motions
    max_frames = max(100, MAX_FRAMES // len(motions))
    clips = [CheckedMotion(motion, robot, max_frames, env_joint_names) for motion in motions]
    sample = DiagnosedClips.of(clips)
    found: dict[str, list[tuple[str, CheckResult]]] = {}
    for index, (clip, fps) in enumerate(zip(clips, dataset.fps_source, strict=True)):
        resampled = abs(clip.original.fps - fps) > 1e-3
        for result in _check_clip(replace(clip, diagnosed=index in sample.indices)):
            if not _of_the_recording(result, resampled):
                found.setdefault(result.name, []).append((clip.original.label, result))
    worst = [_worst(results, len(clips)) for results in found.values()]
    return CheckTable([*worst, *run_checks(DATASET_CHECKS, checked)], sample.note)


def _of_the_recording(result: CheckResult, resampled: bool) -> bool:
    """Whether a result says nothing of a dataset's clip, whose frame rate is that of control."""
    if result.name == "frame rate":
        return "fall_mps2" not in result.values  # by which a wrong rate of the file is seen at any other
    return resampled and result.name in _BEFORE_RESAMPLING


def _worst(results: Sequence[tuple[str, CheckResult]], clips: int) -> CheckResult:
    """The first of the worst results of a check, with its clip's label and the number of other clips as bad."""
    label, worst = max(results, key=lambda entry: SEVERITY[entry[1].verdict])
    if clips == 1:
        return worst
    as_bad = sum(result.verdict == worst.verdict for _, result in results)
    others = f" and {as_bad - 1} other clips" if worst.verdict != "ok" and as_bad > 1 else ""
    return replace(worst, evidence=f"{label}{others}: {worst.evidence}")


def check_environment(
    env: "ManagerBasedRLEnv", dataset: MotionDataset, group: str | None = None, reader: "FrameReader | None" = None
) -> CheckTable:
    """Check the AMP states of an environment: feature columns, noise, history and terminal frames.

    Args:
        env: open environment; its state is overwritten.
        dataset: dataset that the discriminator compares with.
        group: observation group that AMP states come from; ``None`` for the simulator's state.
        reader: your own code in place of :class:`amp_helpers.amp_state.AmpSource`, see
            :class:`amp_helpers.checks.environment_probe.EnvironmentProbe`.

    Raises:
        InputError: there is no such group, or its terms are not concatenated into one vector.
    """
    from amp_helpers.amp_state.asset import scene_robot  # loads torch and Isaac Lab
    from amp_helpers.checks.environment_probe import EnvironmentProbe, amp_features

    features = amp_features(env, group)
    if not set(dataset.joint_names) & set(scene_robot(env).joint_names):
        evidence, remedy = "they have no joint in common", "convert for the environment's robot with --robot."
        return CheckTable([CheckResult("feature columns", "fail", evidence, remedy)])
    try:
        probe = EnvironmentProbe(env, dataset, group, features, reader)
    except InputError as error:
        remedy = "change the observation group, or read the simulator's state (no --amp_group)."
        return CheckTable([CheckResult("feature columns", "fail", str(error), remedy)])
    try:
        return run_checks(ENVIRONMENT_CHECKS, probe)
    finally:
        probe.close()


def check_task(
    env: "ManagerBasedRLEnv",
    dataset: MotionDataset,
    judged: Sequence[str] | None = None,
    *,
    robot: Robot | None = None,
    reset: bool = True,
) -> CheckTable:
    """Check what a task does with its robot: which articulation, its start, actions, motors, commands and resets.

    Args:
        env: open environment.
        dataset: dataset that the discriminator compares with.
        judged: joints that the discriminator sees; ``None`` for those of the dataset that move.
        robot: the model whose lowest point is looked for at the start; by default the smallest built-in robot that has
            the dataset's joints.
        reset: reset the environment to see how an episode starts; otherwise the robot's default state is taken.
    """
    from amp_helpers.checks.task_facts import read_task  # loads torch and Isaac Lab

    if judged is None:
        judged = JointOrder(dataset.joint_names).without(drop_patterns(("still",), None, dataset)).names
    model = robot or robot_with(dataset.joint_names)
    return run_checks(TASK_CHECKS, read_task(env, dataset.clips(), judged, model, reset=reset))


def check_run(folder: str | os.PathLike[str]) -> CheckTable:
    """Check the reward shares and the discriminator over the last updates of a run folder.

    Raises:
        InputError: there is no such run, or it has made no update yet.
    """
    updates = read_run(os.fspath(folder)).updates[-NUM_UPDATES:]
    if not updates:
        raise InputError(f"{folder}: has no update yet; wait for the first one, or name another run folder")
    return check_health([update.health for update in updates])


def check_health(records: Sequence[Health]) -> CheckTable:
    """Check the mean of health records, at least one, as :func:`check_run` does."""
    return run_checks(RUN_CHECKS, CheckedRun(records))
