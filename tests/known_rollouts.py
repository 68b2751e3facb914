"""Rollouts and references whose metrics are known by construction."""

import numpy as np

from amp_helpers.metrics import Rollout
from amp_helpers.motion.motion import Motion

JOINTS = (
    "left_hip_pitch_joint",
    "left_knee_joint",
    "left_ankle_pitch_joint",
    "right_hip_pitch_joint",
    "right_knee_joint",
    "right_wrist_roll_joint",
)
DT = 0.02


def stride(time_s: np.ndarray, frequency_hz: float) -> np.ndarray:
    """Joint positions (..., 6), rad, of a walk whose knees bend twice a stride."""
    left = 2 * np.pi * frequency_hz * time_s
    sides = []
    for phase in (left, left + np.pi):
        hip = 0.35 * np.sin(phase) - 0.2
        knee = 0.5 + 0.35 * np.sin(phase + 1) + 0.33 * np.sin(2 * phase)
        sides.append((hip, knee))
    still = np.zeros_like(left)
    return np.stack([*sides[0], still, *sides[1], still], axis=-1)


def make_rollout(envs: int = 3, steps: int = 500, frequency_hz: float = 0.8, **changes) -> Rollout:
    time_s = np.arange(steps) * DT + np.arange(envs)[:, None] * 0.1
    zeros = np.zeros((envs, steps, 6))
    content = {
        "joint_names": JOINTS,
        "joint_pos": stride(time_s, frequency_hz),
        "joint_vel": zeros,
        "joint_torque": zeros,
        "actions": zeros,
        "root_pos": np.zeros((envs, steps, 3)),
        "root_quat": np.tile([0.0, 0, 0, 1], (envs, steps, 1)),
        "root_lin_vel": np.zeros((envs, steps, 3)),
        "root_ang_vel": np.zeros((envs, steps, 3)),
        "foot_pos": np.zeros((envs, steps, 2, 3)),
        "foot_contact": np.zeros((envs, steps, 2), dtype=bool),
        "fell": np.zeros((envs, steps), dtype=bool),
        "dt": DT,
        "command": 0.8,
    }
    return Rollout(**(content | changes))


def make_reference(frequency_hz: float = 0.8, frames: int = 300, fps: float = 30.0) -> Motion:
    time_s = np.arange(frames) / fps
    return Motion(
        fps=fps,
        joint_names=JOINTS,
        joint_pos=stride(time_s, frequency_hz),
        root_pos=np.zeros((frames, 3)),
        root_quat=np.tile([0.0, 0, 0, 1], (frames, 1)),
    )
