"""Start one motion in the phase of another, so that the two can be watched side by side."""

from collections.abc import Sequence

import numpy as np

from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion

_MOST_VALUES = 2_000_000
"""Joint angles compared at a time, which bounds the memory."""


def in_phase(reference: Motion, motion: Motion) -> Motion:
    """Return the reference from the instant at which its poses fit those of ``motion`` best, and as long.

    The instant minimizes the mean square difference of the joint positions over the whole of ``motion``, so a gait
    that is a little quicker or slower is ahead at one end by as much as it is behind at the other. The reference is
    repeated as often as necessary; one whose pose would jump there is only started where it need not be repeated, if it
    is long enough.

    Args:
        reference: the clip to shift.
        motion: the motion to watch it beside, with at least one joint in common.
    """
    if abs(reference.dt - motion.dt) > 1e-9:
        reference = reference.resample(motion.dt)
    frames, period = motion.num_frames, reference.num_frames - 1
    if period < 1:
        return reference
    starts = period
    if _jumps(reference) and reference.num_frames >= frames:
        starts = reference.num_frames - frames + 1
    looped = reference.loop(-(-(starts + frames - 1) // period))
    shared = [name for name in motion.joint_names if name in reference.joint_names]
    errors = _errors(_angles(looped, shared), _angles(motion, shared), starts)
    best = int(np.argmin(errors))
    return looped.trim(best * motion.dt, (best + frames - 1) * motion.dt)


def _jumps(motion: Motion) -> bool:
    """Whether a joint moves further from the last frame to the first than any does between neighboring frames."""
    steps = np.abs(np.diff(motion.joint_pos, axis=0))
    return bool(np.abs(motion.joint_pos[-1] - motion.joint_pos[0]).max() > steps.max())


def _angles(motion: Motion, joints: Sequence[str]) -> np.ndarray:
    return JointOrder(tuple(joints)).reorder(motion.joint_pos, motion.joint_names)


def _errors(reference: np.ndarray, wanted: np.ndarray, starts: int) -> np.ndarray:
    """Mean square difference between ``wanted`` (T, J) and ``reference`` (N, J) from each start on, (starts,)."""
    windows = np.lib.stride_tricks.sliding_window_view(reference, len(wanted), axis=0)[:starts]  # (starts, J, T)
    step = max(1, _MOST_VALUES // wanted.size)
    parts = [np.square(windows[first : first + step] - wanted.T).mean(axis=(1, 2)) for first in range(0, starts, step)]
    return np.concatenate(parts)
