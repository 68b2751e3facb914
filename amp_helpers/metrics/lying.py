"""Robots that lie, where their task does not end the episode."""

from collections.abc import Iterable

import numpy as np

from amp_helpers.metrics.conditions import WARMUP_S
from amp_helpers.metrics.frames import mean
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import projected_gravity

LYING_RAD = 1.0
"""A root that tilts by this much more than in any clip lies, rad."""


def lying_share(rollout: Rollout, clips: Iterable[Motion], warmup_s: float = WARMUP_S) -> float:
    """Share of the measured frames in which the robot lies; NaN where none is measured.

    Falls count what a task terminates. A robot that lies where no termination sees it has none, and a fair pose.

    Args:
        rollout: frames of the policy.
        clips: the references. A clip that itself lies down, as a roll does, allows it.
        warmup_s: time left out after a start, s.
    """
    allowed = max(float(_tilt(clip.root_quat).max()) for clip in clips) + LYING_RAD
    return mean(_tilt(rollout.root_quat)[rollout.settled(warmup_s)] > allowed)


def _tilt(root_quat: np.ndarray) -> np.ndarray:
    """Angle (...) between the root's vertical axis and the world's, rad."""
    return np.arccos(np.clip(-projected_gravity(root_quat)[..., 2], -1.0, 1.0))
