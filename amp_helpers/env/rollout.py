"""Record what a policy does, and choose the reference clip that it is compared with."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.dataset import MotionDataset, check_joints
from amp_helpers.env.held_command import check_command, set_command
from amp_helpers.env.recorder import StepRecorder
from amp_helpers.errors import InputError
from amp_helpers.metrics.grid import check_speeds
from amp_helpers.metrics.references import recorded_dataset
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_23DOF, Robot

Policy = Callable[[torch.Tensor], torch.Tensor]
"""Actions (E, A) for observations (E, O) of the ``policy`` group."""


def record_rollout(
    env: ManagerBasedRLEnv,
    policy: Policy,
    velocity: float | None,
    seconds: float,
    robot: Robot = G1_23DOF,
    turn: float = 0.0,
) -> Rollout:
    """Run a policy in an open environment and record it.

    Args:
        env: the environment; it is reset, and its time limit raised, because a time-out would look like a fall.
        policy: actions for observations.
        velocity: forward speed that the environment commands, m/s; recorded, not set. ``None`` or NaN for a task
            without a velocity command.
        seconds: length of the rollout, s.
        robot: the model whose feet are recorded.
        turn: turning speed that the environment commands, rad/s; recorded, not set.

    Raises:
        InputError: the environment lacks one of the feet, or the ``contact_forces`` sensor on it.
    """
    if velocity is None:
        velocity = turn = math.nan
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
        InputError: see :func:`.grid.check_speeds`, and :func:`reference_dataset`.
    """
    check_speeds(0.0 if velocity is None else velocity, turn)
    loaded = reference_dataset(config, dataset, env)
    return loaded.middle() if velocity is None else loaded.nearest((velocity, turn))


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
    loaded = recorded_dataset(config, dataset, env.step_dt if env else None)
    if env:
        check_joints(loaded, scene_robot(env))
    return loaded
