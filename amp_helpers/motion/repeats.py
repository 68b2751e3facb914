"""Clips that are in several files: a pickle, and the dataset made from it."""

import numpy as np

from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion

_STEP_S = 0.1
"""Common frame times of clips at 10, 20, 30, 50, 60, 100 and 120 frames per second."""
_SAME_RAD, _SAME_M, _SAME_S = 0.01, 0.01, 0.05
"""Differences of joints, of the root's path and of the duration that resampling explains."""


class ClipIndex:
    """Finds clips that repeat an earlier one: the same joint positions on the same path, at any frame rate.

    A clip may have fewer joints than the one that it repeats. Another height is another clip.
    """

    def __init__(self) -> None:
        self._seen: dict[int, list[Motion]] = {}

    def repeated(self, motion: Motion) -> str | None:
        """Label of the earlier clip that this one repeats; ``None`` for a new clip, which is remembered."""
        slot = round(motion.duration_s / _SAME_S)
        sample = motion.resample(_STEP_S)
        for near in (slot - 1, slot, slot + 1):
            for earlier in self._seen.get(near, ()):
                if _same(sample, earlier):
                    return earlier.label
        self._seen.setdefault(slot, []).append(sample)
        return None


def _same(one: Motion, other: Motion) -> bool:
    names = tuple(name for name in one.joint_names if name in other.joint_names)
    frames = min(one.num_frames, other.num_frames)
    if len(names) < min(len(one.joint_names), len(other.joint_names)):
        return False
    joints, paths = [], []
    for clip in (one, other):
        joints.append(JointOrder(names).reorder(clip.joint_pos[:frames], clip.joint_names))
        paths.append(clip.root_pos[:frames] - clip.root_pos[0] * (1, 1, 0))
    return bool(np.abs(joints[0] - joints[1]).max() < _SAME_RAD and np.abs(paths[0] - paths[1]).max() < _SAME_M)
