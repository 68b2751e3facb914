"""The stride at a command: its duration, and the phase that the legs are at."""

import math

import numpy as np
import torch

from amp_helpers.motion.motion import Motion
from amp_helpers.motion.stride import Pair, StrideLaw

G1_STRIDES = StrideLaw(
    walk_s=1.1085,
    walk_exponent=-0.5,
    run_s=0.977,
    run_exponent=-0.2,
    run_from=1.7,
    turn_radius=0.8,
    slowest=0.3,
    knee_share=0.5,
)
"""Strides of the clips of ``g1_locomotion`` (``datasets/locomotion.py``). A walker's step frequency grows with the
square root of the speed (Sekiya & Nagasaki 1998), a runner's with its fifth root (Cavanagh & Kram 1989)."""


def stride_duration(forward: torch.Tensor, turn: torch.Tensor, law: StrideLaw) -> torch.Tensor:
    """Return the duration of a stride at commands, (n,) s.

    Args:
        forward: (n,) m/s.
        turn: (n,) rad/s.
        law: durations over the command.
    """
    walk = torch.hypot(forward, law.turn_radius * turn).clamp(min=law.slowest)
    run = forward.clamp(min=law.run_from)
    return torch.where(forward < law.run_from, law.walk_s * walk**law.walk_exponent, law.run_s * run**law.run_exponent)


def leg_phase(
    joint_pos: torch.Tensor,
    joint_vel: torch.Tensor,
    stride_s: torch.Tensor,
    legs: tuple[Pair, Pair],
    knee_share: float,
) -> torch.Tensor:
    """Return the phase of a stride that the legs are at, (n,) in 0..1.

    The left foot comes down at 0 and the right one at 0.5, where the thighs are farthest apart. Turning on the spot
    hardly swings the thighs, but it bends a knee in the middle of each step.

    Args:
        joint_pos: (n, J) rad.
        joint_vel: (n, J) rad/s.
        stride_s: duration of a stride, (n,) s.
        legs: columns of the left and the right hip joint, negative forwards, and of the left and the right knee joint,
            positive bent.
        knee_share: weight of the knees, see :class:`~amp_helpers.motion.stride.StrideLaw`.
    """
    hips, knees = legs
    joint_vel = joint_vel * (stride_s / (2 * math.pi)).unsqueeze(1)

    def apart(values: torch.Tensor, joints: Pair) -> torch.Tensor:
        left, right = joints
        return values[:, right] - values[:, left]

    sine = knee_share * apart(joint_pos, knees) - apart(joint_vel, hips)
    cosine = apart(joint_pos, hips) + knee_share * apart(joint_vel, knees)
    return torch.atan2(sine, cosine) / (2 * math.pi) % 1


def poses_by_phase(clip: Motion, law: StrideLaw, legs: tuple[Pair, Pair], count: int) -> torch.Tensor:
    """Return the poses of a clip at evenly spaced phases of its stride, averaged over its strides, (count, J) rad.

    The phase grows evenly with time, and differs from that of the legs (:func:`leg_phase`) by nothing on average.

    Args:
        clip: whole strides at ``clip.command``; the last pose is the first one again.
        law: durations of strides over the command.
        legs: columns of the clip, as in :func:`leg_phase`.
        count: number of phases, from 0 on.
    """
    strides, lead = _lead(clip, law, legs)
    phase = torch.arange(count) / count + torch.arange(strides).unsqueeze(1)
    times = ((phase - lead.angle() / (2 * math.pi)) * clip.duration_s / strides % clip.duration_s).numpy()
    poses = [np.interp(times, np.arange(clip.num_frames) * clip.dt, joint) for joint in clip.joint_pos.T]
    return torch.tensor(np.stack(poses, axis=-1).mean(axis=0), dtype=torch.float32)


def keeps_to_strides(clip: Motion, law: StrideLaw, legs: tuple[Pair, Pair]) -> bool:
    """Return whether a clip stands or holds whole strides as long as the law's, as :func:`poses_by_phase` needs them.

    It then ends within 0.2 rad of its first pose, and the phase of its legs keeps to the time: the mean of
    ``exp(i angle)`` of their difference has a size of at least 0.8. The moving clips of ``g1_locomotion`` have 0.93 or
    more, and one of them that is cut in the middle of a stride has 0.66.
    """
    if not any(clip.reference_command):
        return True
    seam = np.abs(clip.joint_pos[0] - clip.joint_pos[-1]).max()
    return bool(seam < 0.2 and _lead(clip, law, legs)[1].abs() > 0.8)


def _lead(clip: Motion, law: StrideLaw, legs: tuple[Pair, Pair]) -> tuple[int, torch.Tensor]:
    """Return the number of strides of a clip, and the mean of exp(i angle) of its legs' phase less the time's."""
    forward, turn = torch.tensor(clip.reference_command, dtype=torch.float64).unsqueeze(1)
    strides = max(1, round(clip.duration_s / float(stride_duration(forward, turn, law))))
    stride_s = clip.duration_s / strides
    pos, vel = torch.tensor(clip.joint_pos[:-1]), torch.tensor(clip.joint_vel[:-1])
    seen = leg_phase(pos, vel, torch.full((len(pos),), stride_s), legs, law.knee_share)
    passed = torch.arange(len(pos)) * clip.dt / stride_s
    return strides, torch.exp(2j * math.pi * (seen - passed)).mean()
