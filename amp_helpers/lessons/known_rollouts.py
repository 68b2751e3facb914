"""Rollouts whose metrics are known by construction, to try each metric on before it is trusted."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import conjugate, from_rotation_vector, multiply, rotate, rotate_inverse, yaw_part

Speed = float | Sequence[float] | np.ndarray
"""One value, (T,) over time, (E, 1) over environments, or (E, T)."""


def move_root(
    forward: Speed,
    turn: Speed = 0.0,
    sideways: Speed = 0.0,
    lean: Speed = 0.0,
    *,
    command: tuple[float, float] = (0.0, 0.0),
    profile: np.ndarray | None = None,
    clip: Motion | None = None,
    seconds: float = 13.0,
    dt: float = 0.02,
) -> Rollout:
    """Rollout of a root that moves exactly as told, with the joints and the tilt of a clip.

    Args:
        forward: speed along the heading, m/s.
        turn: turning speed, rad/s, left positive.
        sideways: speed to the left of the heading, m/s.
        lean: lean forward beyond the clip's, rad.
        command: commanded forward speed, m/s, and turning speed, rad/s.
        profile: (T, 2) command that changes, in place of ``command``; sets the length.
        clip: joints over time, repeated; ``None`` for an upright root and one still joint.
        seconds: length where neither a speed nor ``profile`` has one.
        dt: seconds between frames.
    """
    given = [np.atleast_2d(np.asarray(value, dtype=float)) for value in (forward, turn, sideways, lean)]
    length = np.empty((1, 1 if profile is None else len(profile)))
    envs, steps = np.broadcast_shapes(*(value.shape for value in given), length.shape)
    steps = round(seconds / dt) if steps == 1 else steps
    forward, turn, sideways, lean = (np.broadcast_to(value, (envs, steps)) for value in given)
    names, joint_pos, tilt = _clip_frames(clip, steps, dt)
    yaw = np.cumsum(turn, axis=1) * dt
    axis = np.array([0.0, 1.0, 0.0])
    quat = multiply(_about_z(yaw), multiply(from_rotation_vector(lean[..., None] * axis), tilt))
    velocity = np.stack([forward, sideways, np.zeros_like(yaw)], axis=-1)
    in_world = rotate(_about_z(yaw), velocity)
    joints, zeros = np.broadcast_to(joint_pos, (envs, *joint_pos.shape)), np.zeros((envs, steps, 1))
    return Rollout(
        joint_names=names,
        joint_pos=joints,
        joint_vel=np.gradient(joints, dt, axis=1),
        joint_torque=np.zeros_like(joints),
        actions=zeros,
        # The heading turns within a step; the displacement is along its middle.
        root_pos=np.cumsum(rotate(_about_z(yaw - turn * dt / 2), velocity), axis=1) * dt,
        root_quat=quat,
        root_lin_vel=rotate_inverse(quat, in_world),
        root_ang_vel=rotate_inverse(quat, np.stack([0 * yaw, 0 * yaw, turn], axis=-1)),
        foot_pos=np.zeros((envs, steps, 1, 3)),
        foot_contact=np.ones((envs, steps, 1), dtype=bool),
        fell=np.zeros((envs, steps), dtype=bool),
        dt=dt,
        command=command[0] if profile is None else float(profile[0, 0]),
        command_turn=command[1] if profile is None else float(profile[0, 1]),
        command_profile=profile,
    )


def approach(profile: np.ndarray, seconds: float, dt: float = 0.02) -> np.ndarray:
    """Forward speed (T,), m/s, that follows a profile's each step at a constant rate within ``seconds``."""
    speed = profile[:, 0].astype(float)
    count = max(1, round(seconds / dt))
    for begin in np.flatnonzero(np.diff(profile[:, 0])) + 1:
        part = speed[begin : begin + count]
        part[:] = np.linspace(profile[begin - 1, 0], profile[begin, 0], count)[: len(part)]
    return speed


def _clip_frames(clip: Motion | None, steps: int, dt: float) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names, joints (T, J) and tilt (T, 4) of a clip that is repeated."""
    if clip is None:
        return ("waist_yaw_joint",), np.zeros((steps, 1)), np.array([0.0, 0.0, 0.0, 1.0])
    frames = replace(clip, command=None).resample(dt)
    rows = np.arange(steps) % (frames.num_frames - 1)  # the last frame of a cycle is its first
    tilt = multiply(conjugate(yaw_part(frames.root_quat)), frames.root_quat)
    return frames.joint_names, frames.joint_pos[rows], tilt[rows]


def _about_z(angle: np.ndarray) -> np.ndarray:
    return from_rotation_vector(angle[..., None] * np.array([0.0, 0.0, 1.0]))
