"""Record what a policy does, and choose the reference clip that it is compared with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.utils.math import quat_apply

from amp_helpers.dataset import MotionDataset, check_joints
from amp_helpers.errors import InputError
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_23DOF, Robot
from amp_helpers.utils.resources import find_data, read_recorded_path

WARMUP_S = 3.0
"""Time from standing to a steady gait, left out of every metric but the falls."""
CONTACT_FORCE_N = 1.0
"""A foot counts as in contact above this force."""


def record_rollout(
    env: ManagerBasedRLEnv,
    policy: Callable[[torch.Tensor], torch.Tensor],
    velocity: float,
    seconds: float,
    robot: Robot = G1_23DOF,
) -> Rollout:
    """Run a policy in an open environment and record it.

    Args:
        env: the environment; it is reset, and its time limit raised, because a time-out would look like a fall.
        policy: actions (E, A) for observations (E, O) of the ``policy`` group.
        velocity: forward speed that the environment commands, m/s; recorded, not set.
        seconds: length of the rollout, s.
        robot: the model whose feet are recorded.

    Raises:
        InputError: the environment lacks one of the feet, or the ``contact_forces`` sensor on it.
    """
    articulation = env.scene["robot"]
    feet = _indices(robot.foot_bodies, articulation.body_names, "the task's robot has no foot", "name it with --robot")
    sensor: Any = env.scene.sensors.get("contact_forces")  # its names and forces are not part of SensorBase
    sensed = sensor.sensor_names if sensor else ()
    remedy = "add a ContactSensorCfg of that name to the scene"
    contacts = _indices(robot.foot_bodies, sensed, "the task has no 'contact_forces' sensor on", remedy)
    points = torch.tensor(robot.foot_points or [(0.0, 0.0, 0.0)] * len(feet), device=env.device)
    points = points.expand(env.num_envs, -1, -1)
    steps = round(seconds / env.step_dt)
    env.cfg.episode_length_s = seconds + 1.0
    frames: dict[str, list[np.ndarray]] = {}
    observations, _ = env.reset()
    with torch.inference_mode():
        for _ in range(steps):
            actions = policy(cast(torch.Tensor, observations["policy"]))
            observations, _, terminated, _, _ = env.step(actions)
            data, forces = articulation.data, sensor.data.net_normal_forces_w.torch
            frame = {
                "joint_pos": data.joint_pos.torch,
                "joint_vel": data.joint_vel.torch,
                "joint_torque": data.applied_torque.torch,
                "actions": actions,
                "root_pos": data.root_link_pos_w.torch - env.scene.env_origins,
                "root_quat": data.root_link_quat_w.torch,
                "root_lin_vel": data.root_link_lin_vel_b.torch,
                "foot_pos": data.body_link_pos_w.torch[:, feet]
                + quat_apply(data.body_link_quat_w.torch[:, feet], points)
                - env.scene.env_origins[:, None],
                "foot_contact": forces[:, contacts].norm(dim=-1) > CONTACT_FORCE_N,
                "fell": terminated,
            }
            for name, value in frame.items():
                frames.setdefault(name, []).append(value.cpu().numpy().copy())
    arrays: dict[str, Any] = {name: np.stack(values, axis=1) for name, values in frames.items()}
    return Rollout(joint_names=tuple(articulation.joint_names), dt=float(env.step_dt), command=velocity, **arrays)


def _indices(names: Sequence[str], available: Sequence[str], problem: str, remedy: str) -> list[int]:
    missing = [name for name in names if name not in available]
    if missing:
        raise InputError(f"{problem} {', '.join(missing)}; {remedy}; available: {', '.join(available) or 'none'}")
    return [list(available).index(name) for name in names]


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
) -> Motion:
    """Return the reference clip for a policy: the one whose speed is nearest to ``velocity``.

    Args:
        config: the run's configuration, which names the dataset that the policy imitates.
        dataset: dataset to take the clip from instead.
        env: environment that the dataset has to fit.
        velocity: commanded forward speed, m/s; ``None`` selects the first clip.

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
        check_joints(loaded, env.scene["robot"])
    clips = loaded.clips()
    return clips[0] if velocity is None else min(clips, key=lambda clip: abs(clip.forward_speed - velocity))
