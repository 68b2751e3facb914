"""Record in Isaac Lab what a robot's sensors would measure, beside what the task's own managers compute from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.amp_state.commands import velocity_commands
from amp_helpers.deploy.sensor_log import SensorLog
from amp_helpers.env.held_command import set_command
from amp_helpers.env.rollout import Policy
from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder


def record_sensors(
    env: ManagerBasedRLEnv, policy: Policy, joint_names: Sequence[str], profile: np.ndarray
) -> list[SensorLog]:
    """Run a policy under a command and record every environment, until the first robot falls.

    Args:
        env: environment opened for measuring, whose actions are one term of joint position targets.
        policy: actions (E, A) for observations (E, O).
        joint_names: order of the bundle.
        profile: forward and turning speed of each step, (T, 2) m/s and rad/s; a change is observed a step later. Zeros
            for a task without a velocity command.

    Raises:
        InputError: the task has no velocity command, and one is asked for; or see :func:`amp_helpers.env.set_command`.
    """
    data = scene_robot(env).data
    index = list(JointOrder(tuple(joint_names)).indices_from(tuple(scene_robot(env).joint_names)))
    command_name = next((name for name, _ in velocity_commands(env.cfg)), None)
    if command_name is None and np.any(profile):
        raise InputError("the task has no velocity command, and the profile has one; give a profile of zeros")
    action_term: Any = env.action_manager.get_term(env.action_manager.active_terms[0])
    sensors: list[dict[str, np.ndarray]] = []
    results: list[tuple[np.ndarray, ...]] = []
    nothing = torch.zeros(env.num_envs, 3)
    set_command(env, *profile[0])
    seen, _ = env.reset()
    with torch.inference_mode():
        for step in range(len(profile)):
            observed: Any = seen["policy"]
            measured = {
                "gyro": data.root_ang_vel_b.torch,
                "gravity": data.projected_gravity_b.torch,
                "joint_pos": data.joint_pos.torch[:, index],
                "joint_vel": data.joint_vel.torch[:, index],
                "command": env.command_manager.get_command(command_name) if command_name else nothing,
                "base_lin_vel": data.root_lin_vel_b.torch,
                "heading": data.heading_w.torch,
            }
            sensors.append({name: values.cpu().numpy().copy() for name, values in measured.items()})
            observation = observed.cpu().numpy().copy()
            if step + 1 < len(profile) and (profile[step + 1] != profile[step]).any():
                set_command(env, *profile[step + 1])
            chosen = policy(observed)
            actions = chosen.cpu().numpy().copy()
            seen, _, terminated, _, _ = env.step(chosen)
            if terminated.any():  # the state is that after the reset
                break
            results.append((observation, actions, action_term.processed_actions.cpu().numpy().copy()))
    return [_log(sensors[: len(results)], results, number) for number in range(env.num_envs)]


def _log(sensors: list[dict[str, np.ndarray]], results: list[tuple[np.ndarray, ...]], env: int) -> SensorLog:
    observations, actions, targets = (np.stack([row[env] for row in part]) for part in zip(*results, strict=True))
    measured = {name: np.stack([row[name][env] for row in sensors]) for name in sensors[0]}
    return SensorLog(sensors=measured, observations=observations, actions=actions, targets=targets)
