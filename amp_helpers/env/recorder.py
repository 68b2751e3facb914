"""Record every step of an open environment in host memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.utils.math import quat_apply

from amp_helpers.amp_state.asset import root_lin_vel_b, scene_robot
from amp_helpers.errors import InputError
from amp_helpers.metrics.feet import CONTACT_FORCE_N
from amp_helpers.metrics.rollout import Rollout, check_rollout
from amp_helpers.robots.robot import Robot

CHUNK_STEPS = 64
"""Steps that are kept on the device before they are copied to the host: one copy waits for the simulator, not 64."""


class StepRecorder:
    """Records states, actions and contacts of every step.

    Args:
        env: the environment.
        robot: the model whose feet are recorded.
        steps: number of steps that will be recorded, T.

    Raises:
        InputError: the environment lacks one of the feet, or the ``contact_forces`` sensor on it; or the steps would
            take more memory than the machine has.
    """

    def __init__(self, env: ManagerBasedRLEnv, robot: Robot, steps: int) -> None:
        self._env, self._steps = env, steps
        self._asset = scene_robot(env)
        self._feet = _indices(
            robot.foot_bodies, self._asset.body_names, "the task's robot has no foot", "name it with --robot"
        )
        # Its names and forces are not part of SensorBase.
        self._sensor: Any = env.scene.sensors.get("contact_forces")
        sensed = sensed_bodies(self._sensor) if self._sensor else ()
        remedy = "add a ContactSensorCfg of that name to the scene"
        self._contacts = _indices(robot.foot_bodies, sensed, "the task has no 'contact_forces' sensor on", remedy)
        points = torch.tensor(robot.foot_points or [(0.0, 0.0, 0.0)] * len(self._feet), device=env.device)
        self._foot_points = points.expand(env.num_envs, -1, -1)
        check_rollout(steps, env.num_envs, 3 * len(scene_robot(env).joint_names) + env.action_manager.total_action_dim)
        self._chunk: dict[str, torch.Tensor] = {}
        self._arrays: dict[str, np.ndarray] = {}
        self._count = 0

    def step(self, actions: torch.Tensor, terminated: torch.Tensor) -> None:
        """Record the state after a step, its actions (E, A), and the mask (E,) of environments that fell in it."""
        data, origins = self._asset.data, self._env.scene.env_origins
        forces = self._sensor.data.net_normal_forces_w.torch
        frame = {
            "joint_pos": data.joint_pos.torch,
            "joint_vel": data.joint_vel.torch,
            "joint_torque": data.applied_torque.torch,
            "actions": actions,
            "root_pos": data.root_link_pos_w.torch - origins,
            "root_quat": data.root_link_quat_w.torch,
            "root_lin_vel": root_lin_vel_b(self._asset),
            "root_ang_vel": data.root_link_ang_vel_b.torch,
            "foot_pos": data.body_link_pos_w.torch[:, self._feet]
            + quat_apply(data.body_link_quat_w.torch[:, self._feet], self._foot_points)
            - origins[:, None],
            "foot_contact": forces[:, self._contacts].norm(dim=-1) > CONTACT_FORCE_N,
            "fell": terminated,
        }
        row = self._count % CHUNK_STEPS
        for name, value in frame.items():
            if name not in self._chunk:
                self._chunk[name] = value.new_empty((CHUNK_STEPS, *value.shape))
            self._chunk[name][row] = value
        self._count += 1
        if row == CHUNK_STEPS - 1 or self._count == self._steps:
            self._copy(row + 1)

    def _copy(self, count: int) -> None:
        for name, chunk in self._chunk.items():
            part = chunk[:count].transpose(0, 1).cpu().numpy()
            if name not in self._arrays:
                self._arrays[name] = np.empty((part.shape[0], self._steps, *part.shape[2:]), part.dtype)
            self._arrays[name][:, self._count - count : self._count] = part

    def rollout(
        self, forward: float, turn: float, envs: slice = slice(None), profile: np.ndarray | None = None
    ) -> Rollout:
        """Return what some of the environments did, as views of the recorded arrays, with the command they had."""
        return Rollout(
            joint_names=tuple(self._asset.joint_names),
            dt=float(self._env.step_dt),
            command=forward,
            command_turn=turn,
            command_profile=profile,
            **{name: array[envs] for name, array in self._arrays.items()},
        )


def sensed_bodies(sensor: Any) -> list[str]:
    """Names of the bodies of a contact sensor, which Newton's sensor calls sensors."""
    return sensor.sensor_names if hasattr(sensor, "sensor_names") else sensor.body_names


def _indices(names: Sequence[str], available: Sequence[str], problem: str, remedy: str) -> list[int]:
    missing = [name for name in names if name not in available]
    if missing:
        raise InputError(f"{problem} {', '.join(missing)}; {remedy}; available: {', '.join(available) or 'none'}")
    return [list(available).index(name) for name in names]
