"""Gait metrics during training, at the cost of one small copy a step.

The first environments are measured as they train: with exploration noise, pushes, changing commands and reference state
initialization. ``python -m amp_helpers.evaluate`` has none of these, so its metrics are better; the ones here show
early how a run develops.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.joints import JointOrder
from amp_helpers.metrics.frames import settled_frames
from amp_helpers.metrics.gait import gait_frequency
from amp_helpers.metrics.poses import pose_distances
from amp_helpers.motion.motion import Motion

if TYPE_CHECKING:
    from amp_helpers.env.wrapper import AmpEnv

PROBE_ENVS, PROBE_SECONDS = 16, 4.0
"""Environments in a measurement, and its simulated time, s."""
MAX_FRAMES, MAX_CLIPS = 5000, 100
"""Frames and clips of a large dataset that a measurement compares with, evenly spread, so that it takes a moment."""
SETTLE_S = 1.0
"""Time left out after a reset, and at the beginning of a measurement, which cannot see earlier resets, s."""


class GaitProbe:
    """Records a few environments and measures their gait whenever a few seconds are complete.

    Several clips are one reference: a pose is compared with the nearest of them all, coverage is that of all their
    poses, and the frequency is compared with the mean of theirs, by weight.

    Args:
        joint_names: (J) columns of :meth:`record`'s joint positions.
        clips: the clips to compare with, at least one; joints that they lack are ignored.
        dt: control step, s.
        num_envs: environments to record, the first ones.
        seconds: simulated time of a measurement.
    """

    def __init__(
        self,
        joint_names: tuple[str, ...],
        clips: Motion | Sequence[Motion],
        dt: float,
        num_envs: int = PROBE_ENVS,
        seconds: float = PROBE_SECONDS,
    ) -> None:
        clips = [clips] if isinstance(clips, Motion) else clips
        self._names = tuple(name for name in joint_names if name in clips[0].joint_names)
        self._columns = JointOrder(self._names).indices_from(joint_names)
        self._dt, self._envs = dt, num_envs
        self._reference = _all_poses(clips)
        self._reference_hz = _mean_frequency(clips)
        self._length = round(seconds / dt)
        self._steps: list[tuple[torch.Tensor, ...]] = []

    def record(self, joint_pos: torch.Tensor, terminated: torch.Tensor, truncated: torch.Tensor) -> None:
        """Record a step: joint positions (E, J) rad, terminated (E,) and truncated (E,) bool."""
        if len(self._steps) < self._length:
            self._steps.append(tuple(part[: self._envs].clone() for part in (joint_pos, terminated, truncated)))

    def measure(self) -> dict[str, float | None] | None:
        """Measure the time since the last measurement; ``None`` while it is too short.

        The metrics are some of :func:`amp_helpers.metrics.evaluate_rollout`, under the same names. An undefined one,
        for instance because of constant falls, is ``None``.
        """
        if len(self._steps) < self._length:
            return None
        joint_pos, terminated, truncated = (
            torch.stack(parts, dim=1).cpu().numpy() for parts in zip(*self._steps, strict=True)
        )
        self._steps.clear()
        joint_pos = joint_pos[..., self._columns]
        keep = settled_frames(terminated | truncated, self._dt, SETTLE_S)
        hertz = gait_frequency(joint_pos, self._names, self._dt, keep)
        pose, coverage = pose_distances(joint_pos[keep], self._names, self._reference)
        numbers = {
            "falls_per_env_10s": float(terminated.mean() / self._dt * 10),
            "gait_frequency_hz": hertz,
            "gait_frequency_ratio": hertz / self._reference_hz,
            "pose_rmse_rad": pose,
            "coverage_rmse_rad": coverage,
        }
        return {name: round(value, 5) if math.isfinite(value) else None for name, value in numbers.items()}


def _all_poses(clips: Sequence[Motion]) -> Motion:
    """The frames of all clips as one, thinned out to at most ``MAX_FRAMES``; only its poses mean anything."""
    step = math.ceil(sum(clip.num_frames for clip in clips) / MAX_FRAMES)

    def joined(part: Callable[[Motion], np.ndarray]) -> np.ndarray:
        return np.concatenate([part(clip) for clip in clips])[::step]

    order = JointOrder(clips[0].joint_names)
    return replace(
        clips[0],
        joint_pos=joined(lambda clip: order.reorder(clip.joint_pos, clip.joint_names)),
        root_pos=joined(lambda clip: clip.root_pos),
        root_quat=joined(lambda clip: clip.root_quat),
    )


def _mean_frequency(clips: Sequence[Motion]) -> float:
    """Mean stride frequency of the clips that have one, by weight, Hz; NaN where none has."""
    step = math.ceil(len(clips) / MAX_CLIPS)
    found = [(gait_frequency(clip.joint_pos[None], clip.joint_names, clip.dt), clip.weight) for clip in clips[::step]]
    found = [(hertz, weight) for hertz, weight in found if math.isfinite(hertz)]
    return (
        float(np.average([hertz for hertz, _ in found], weights=[weight for _, weight in found])) if found else math.nan
    )


def watch_gait(env: "AmpEnv", clips: Sequence[Motion]) -> GaitProbe:
    """Create a probe that records every step of ``env``."""
    robot = scene_robot(env.lab)
    probe = GaitProbe(tuple(robot.joint_names), clips, env.lab.step_dt)
    env.on_step.append(lambda terminated, truncated: probe.record(robot.data.joint_pos.torch, terminated, truncated))
    return probe
