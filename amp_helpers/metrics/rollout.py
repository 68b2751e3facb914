"""What a policy did: a record of E environments over T control steps."""

import os
from dataclasses import dataclass

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.metrics.frames import settled_frames
from amp_helpers.utils.hardware import memory_gib
from amp_helpers.utils.npz import write_npz

SAVED = (
    "joint_names",
    "joint_pos",
    "joint_torque",
    "root_pos",
    "root_quat",
    "foot_contact",
    "dt",
    "command",
    "command_turn",
)
"""Arrays of ``rollout.npz``; quaternions xyzw."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rollout:
    """T control steps of E environments under one command; frame t is the state after step t."""

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
    root_ang_vel: np.ndarray
    """(E, T, 3) rad/s, root frame."""
    foot_pos: np.ndarray
    """(E, T, F, 3) m, world frame, in the order of the robot's ``foot_bodies``."""
    foot_contact: np.ndarray
    """(E, T, F) bool: the normal force exceeds :data:`.feet.CONTACT_FORCE_N`."""
    fell: np.ndarray
    """(E, T) bool: the step ended in a fall, after which the environment was reset."""
    dt: float
    """Control step, s."""
    command: float
    """Commanded forward speed, m/s; with a changing command, the first."""
    command_turn: float = 0.0
    """Commanded turning speed, rad/s, left positive; with a changing command, the first."""
    command_profile: np.ndarray | None = None
    """(T, 2) forward and turning speed at each step where the command changes, m/s and rad/s; else ``None``."""

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
            "root_ang_vel": (envs, steps, 3),
            "foot_pos": (envs, steps, feet, 3),
            "foot_contact": (envs, steps, feet),
        }
        if self.command_profile is not None:
            shapes["command_profile"] = (steps, 2)
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise InputError(f"rollout: {name} has shape {np.shape(getattr(self, name))}; expected {shape}")

    @property
    def commands(self) -> np.ndarray:
        """Commanded forward and turning speed at each step, (T, 2) m/s and rad/s."""
        if self.command_profile is not None:
            return self.command_profile
        return np.tile((float(self.command), float(self.command_turn)), (np.shape(self.fell)[1], 1))

    def settled(self, warmup_s: float) -> np.ndarray:
        """Mask (E, T) bool of :func:`settled_frames`."""
        return settled_frames(self.fell, self.dt, warmup_s)

    def save(self, path: str | os.PathLike) -> None:
        """Write ``rollout.npz`` atomically: the arrays of ``SAVED``, and a command that changes."""
        keys = SAVED if self.command_profile is None else (*SAVED, "command_profile")
        write_npz(path, {key: np.asarray(getattr(self, key)) for key in keys})


def check_rollout(steps: int, num_envs: int, numbers: int) -> None:
    """Check, before a rollout is recorded, that it fits the machine's memory.

    Args:
        steps: control steps.
        num_envs: environments.
        numbers: recorded in each step of each, 4 bytes each.

    Raises:
        InputError: it would take more than there is.
    """
    needed = 4.0 * numbers * steps * num_envs / 1024**3
    present = memory_gib()
    if needed > present:
        raise InputError(
            f"{steps} steps of {num_envs} environments take {needed:.3g} GiB of memory, of {present:.3g} GiB here; "
            "measure fewer environments for fewer seconds"
        )
