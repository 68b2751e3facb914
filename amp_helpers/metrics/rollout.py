"""What a policy did: a record of E environments over T control steps."""

import os
from dataclasses import dataclass

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.utils.npz import write_npz


@dataclass(frozen=True, kw_only=True, eq=False)
class Rollout:
    """T control steps of E environments at one command; frame t is the state after step t."""

    joint_names: tuple[str, ...]
    """(J)."""
    joint_pos: np.ndarray
    """(E, T, J) rad."""
    joint_vel: np.ndarray
    """(E, T, J) rad/s."""
    joint_torque: np.ndarray
    """(E, T, J) N m, applied torque, after the actuator's limits."""
    actions: np.ndarray
    """(E, T, A), the policy's output before scale and offset."""
    root_pos: np.ndarray
    """(E, T, 3) m, world frame."""
    root_quat: np.ndarray
    """(E, T, 4) xyzw."""
    root_lin_vel: np.ndarray
    """(E, T, 3) m/s, root frame."""
    foot_pos: np.ndarray
    """(E, T, F, 3) m, world frame, in the order of the robot's ``foot_bodies``."""
    foot_contact: np.ndarray
    """(E, T, F) bool."""
    fell: np.ndarray
    """(E, T) bool: the step ended in a fall, after which the environment was reset."""
    dt: float
    """Control step, s."""
    command: float
    """Commanded forward speed, m/s."""

    def __post_init__(self) -> None:
        envs, steps = np.shape(self.fell)
        joints, feet = len(self.joint_names), np.shape(self.foot_contact)[-1]
        shapes = {
            "joint_pos": (envs, steps, joints),
            "joint_vel": (envs, steps, joints),
            "joint_torque": (envs, steps, joints),
            "root_pos": (envs, steps, 3),
            "root_quat": (envs, steps, 4),
            "root_lin_vel": (envs, steps, 3),
            "foot_pos": (envs, steps, feet, 3),
            "foot_contact": (envs, steps, feet),
        }
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise InputError(f"rollout: {name} has shape {np.shape(getattr(self, name))}; expected {shape}")

    def save(self, path: str | os.PathLike) -> None:
        """Write ``rollout.npz`` atomically: joint_names, joint_pos, root_pos, root_quat (xyzw), dt, command."""
        keys = ("joint_names", "joint_pos", "root_pos", "root_quat", "dt", "command")
        write_npz(path, {key: np.asarray(getattr(self, key)) for key in keys})
