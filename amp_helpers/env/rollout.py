"""Record what a policy does, and choose the reference clip that it is compared with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.dataset import MotionDataset, check_joints
from amp_helpers.env.measuring import check_command, set_command
from amp_helpers.env.recorder import StepRecorder
from amp_helpers.errors import InputError
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import conjugate, multiply, rotate, yaw_part
from amp_helpers.robots.robot import G1_23DOF, Robot
from amp_helpers.utils.resources import find_data, read_recorded_path

WARMUP_S = 3.0
"""Time from standing to a steady gait, left out of every metric but the falls."""

Policy = Callable[[torch.Tensor], torch.Tensor]
"""Actions (E, A) for observations (E, O) of the ``policy`` group."""


def record_rollout(
    env: ManagerBasedRLEnv,
    policy: Policy,
    velocity: float,
    seconds: float,
    robot: Robot = G1_23DOF,
    turn: float = 0.0,
) -> Rollout:
    """Run a policy in an open environment and record it.

    Args:
        env: the environment; it is reset, and its time limit raised, because a time-out would look like a fall.
        policy: actions for observations.
        velocity: forward speed that the environment commands, m/s; recorded, not set.
        seconds: length of the rollout, s.
        robot: the model whose feet are recorded.
        turn: turning speed that the environment commands, rad/s; recorded, not set.

    Raises:
        InputError: the environment lacks one of the feet, or the ``contact_forces`` sensor on it.
    """
    return _record(env, policy, round(seconds / env.step_dt), robot).rollout(velocity, turn)


def record_commands(
    env: ManagerBasedRLEnv,
    policy: Policy,
    commands: Sequence[tuple[float, float]],
    seconds: float,
    robot: Robot = G1_23DOF,
) -> list[Rollout]:
    """Run a policy under several commands side by side, each in an equal share of the environments.

    Args:
        env: environment opened for measuring; a number of environments that is a multiple of the commands'.
        policy: actions for observations.
        commands: forward speed, m/s, and turning speed, rad/s, left positive.
        seconds: length of the rollout, s.
        robot: the model whose feet are recorded.

    Returns:
        A rollout for each command.

    Raises:
        InputError: see :func:`record_rollout`, :func:`amp_helpers.env.set_command` and
            :func:`amp_helpers.env.check_command`.
    """
    share = env.num_envs // len(commands)
    if share * len(commands) != env.num_envs:
        raise InputError(f"{env.num_envs} environments cannot be shared by {len(commands)} commands; open a multiple")
    forward, turn = torch.tensor(commands, dtype=torch.float32).repeat_interleave(share, dim=0).T
    set_command(env, forward, turn)
    recorder = _record(env, policy, round(seconds / env.step_dt), robot)
    check_command(env, forward, turn)
    return [
        recorder.rollout(*command, slice(first, first + share))
        for command, first in zip(commands, range(0, env.num_envs, share), strict=True)
    ]


def record_profile(env: ManagerBasedRLEnv, policy: Policy, profile: np.ndarray, robot: Robot = G1_23DOF) -> Rollout:
    """Run a policy under a command that changes.

    Args:
        env: environment opened for measuring.
        policy: actions for observations.
        profile: forward and turning speed of each step, (T, 2) m/s and rad/s.
        robot: the model whose feet are recorded.

    Raises:
        InputError: see :func:`record_rollout` and :func:`amp_helpers.env.set_command`.
    """
    recorder = _record(env, policy, len(profile), robot, profile)
    return recorder.rollout(float(profile[0, 0]), float(profile[0, 1]), profile=profile)


def step_profile(speeds: Sequence[float], hold_s: float, dt: float) -> np.ndarray:
    """Profile (T, 2) of forward speeds, m/s, each held for ``hold_s`` seconds, straight ahead."""
    forward = np.repeat(np.asarray(speeds, dtype=float), round(hold_s / dt))
    return np.stack([forward, np.zeros_like(forward)], axis=-1)


def _record(
    env: ManagerBasedRLEnv, policy: Policy, steps: int, robot: Robot, profile: np.ndarray | None = None
) -> StepRecorder:
    recorder = StepRecorder(env, robot, steps)
    env.cfg.episode_length_s = steps * env.step_dt + 1.0
    if profile is not None:
        set_command(env, *profile[0])
    observations, _ = env.reset()
    with torch.inference_mode():
        for step in range(steps):
            if profile is not None and step and (profile[step] != profile[step - 1]).any():
                set_command(env, *profile[step])
            actions = policy(cast(torch.Tensor, observations["policy"]))
            observations, _, terminated, _, _ = env.step(actions)
            recorder.step(actions, terminated)
    return recorder


def rollout_motion(rollout: Rollout, env_index: int = 0, start_s: float = 0.0) -> Motion:
    """Return one environment of a rollout as a motion, from ``start_s`` seconds on."""
    first = round(start_s / rollout.dt)
    return Motion(
        fps=1.0 / rollout.dt,
        joint_names=rollout.joint_names,
        joint_pos=rollout.joint_pos[env_index, first:],
        root_pos=rollout.root_pos[env_index, first:],
        root_quat=rollout.root_quat[env_index, first:],
        name=f"policy at {rollout.command} m/s",
    )


def reference_motion(
    config: dict[str, Any],
    dataset: str | Path | None = None,
    env: ManagerBasedRLEnv | None = None,
    velocity: float | None = None,
    turn: float = 0.0,
) -> Motion:
    """Return the reference clip for a policy: the one whose command is nearest.

    Args:
        config: see :func:`reference_dataset`.
        dataset: see :func:`reference_dataset`.
        env: see :func:`reference_dataset`.
        velocity: commanded forward speed, m/s; ``None`` selects the middle of the speeds straight ahead.
        turn: commanded turning speed, rad/s, left positive.

    Raises:
        InputError: see :func:`reference_dataset`.
    """
    loaded = reference_dataset(config, dataset, env)
    return loaded.middle() if velocity is None else loaded.nearest((velocity, turn))


def profile_reference(references: MotionDataset, profile: np.ndarray, dt: float) -> Motion:
    """Return a clip that follows a changing command: each time the nearest clip, from where the last one ended.

    Clips are repeated as long as their command lasts. Poses jump where it changes.

    Args:
        references: the clips.
        profile: forward and turning speed of each step, (T, 2) m/s and rad/s.
        dt: seconds between steps.
    """
    begins = [0, *(np.flatnonzero((np.diff(profile, axis=0) != 0).any(axis=1)) + 1)]
    position, yaw = np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])
    parts = []
    for begin, end in zip(begins, [*begins[1:], len(profile)], strict=True):
        clip = references.nearest(tuple(profile[begin])).resample(dt)
        clip = clip.loop(-(-(end - begin) // (clip.num_frames - 1)))
        turned = multiply(yaw, conjugate(yaw_part(clip.root_quat[0])))
        travel = (clip.root_pos - clip.root_pos[0]) * (1, 1, 0)
        roots = rotate(turned, travel) + position + clip.root_pos * (0, 0, 1)
        quats = multiply(turned, clip.root_quat)
        parts.append((clip.joint_pos[: end - begin], roots[: end - begin], quats[: end - begin]))
        position, yaw = roots[end - begin] * (1, 1, 0), yaw_part(quats[end - begin])
    joint_pos, root_pos, root_quat = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Motion(
        fps=1.0 / dt,
        joint_names=references.joint_names,
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_quat=root_quat,
        name="reference",
    )


def reference_dataset(
    config: dict[str, Any], dataset: str | Path | None = None, env: ManagerBasedRLEnv | None = None
) -> MotionDataset:
    """Return the dataset that a policy imitates.

    Args:
        config: the run's configuration, which names it.
        dataset: another dataset to compare with.
        env: environment that the dataset has to fit.

    Raises:
        InputError: the dataset is missing, does not fit ``env``, or holds other motions than the configuration says.
    """
    path = find_data(dataset) if dataset else read_recorded_path(config["dataset"])
    if not path.is_file():
        raise InputError(f"{path}: the dataset that the policy imitates is not there; name it with --dataset")
    loaded = MotionDataset.load(path, control_dt=env.step_dt if env else None)
    if not dataset and config.get("dataset_sha256", list(loaded.sha256)) != list(loaded.sha256):
        raise InputError(
            f"{path}: holds other motions than those the policy was trained on; name the training data with --dataset, "
            "or this file, to compare with it all the same"
        )
    if env:
        check_joints(loaded, scene_robot(env))
    return loaded
