"""The edit list of a clip, a cache of the clips that it results in, and an overlay of two images."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from amp_helpers.feet.edits import Edit, apply_edits
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics

_CUTS = ("trim", "loop", "mirror")
_CACHE_SIZE = 24


@dataclass(frozen=True)
class Refinement:
    """A list of edits; undoing removes the last one."""

    edits: tuple[Edit, ...] = ()

    def with_edit(self, edit: Edit) -> "Refinement":
        """Append an edit."""
        return replace(self, edits=(*self.edits, edit))

    def undone(self) -> "Refinement":
        """Remove the last edit, if there is one."""
        return replace(self, edits=self.edits[:-1])

    @property
    def cuts(self) -> tuple[Edit, ...]:
        """The edits that select frames or exchange sides; of a loop, only its cut."""
        chosen = (edit for edit in self.edits if edit.name in _CUTS)
        return tuple(Edit("trim", edit.values) if edit.name == "loop" else edit for edit in chosen)

    def __str__(self) -> str:
        return ", ".join(map(str, self.edits)) or "no edits"


class EditCache:
    """A source clip and the results of recent edit lists.

    Args:
        source: the clip.
        kinematics: kinematics of its robot.
    """

    def __init__(self, source: Motion, kinematics: Kinematics) -> None:
        self.source, self.kinematics = source, kinematics
        self._results: OrderedDict[tuple[Edit, ...], Motion] = OrderedDict()

    def motion(self, edits: Sequence[Edit]) -> Motion:
        """Return the source after ``edits``; repeated calls return the same object.

        Raises:
            InputError: an edit does not fit the clip.
        """
        edits = tuple(edits)
        if not edits:
            return self.source
        if edits not in self._results:
            self._results[edits] = apply_edits(self.motion(edits[:-1]), edits[-1:], self.kinematics)
            while len(self._results) > _CACHE_SIZE:
                self._results.popitem(last=False)
        return self._results[edits]

    def pair(self, refinement: Refinement) -> tuple[Motion, Motion]:
        """Return the clip before and after the edits, both with the frames that the cuts select."""
        return self.motion(refinement.cuts), self.motion(refinement.edits)


def overlay(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the image ``after`` (H, W, 3) uint8, tinted blue where ``before`` differs."""
    difference = np.abs(before.astype(int) - after).max(axis=2, keepdims=True) / 255
    tint = np.minimum(3 * difference, 0.6)
    return (after * (1 - tint) + np.array([0, 114, 178]) * tint).astype(np.uint8)
