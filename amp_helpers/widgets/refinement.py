"""What is done to a clip, click by click: a list of edits, and the clips that come of it."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from amp_helpers.feet.edits import Edit, apply_edits
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics

_CUTS = ("trim", "loop", "mirror")
_KEPT = 24


@dataclass(frozen=True)
class Refinement:
    """What has been done to a clip: a list of edits, so that undoing is leaving the last one out."""

    edits: tuple[Edit, ...] = ()

    def then(self, edit: Edit) -> "Refinement":
        """With one more edit."""
        return replace(self, edits=(*self.edits, edit))

    def undone(self) -> "Refinement":
        """Without the last edit; the same when there is none."""
        return replace(self, edits=self.edits[:-1])

    @property
    def cuts(self) -> tuple[Edit, ...]:
        """The edits that say which frames are shown, and of which side; a loop counts as its cut alone."""
        chosen = (edit for edit in self.edits if edit.name in _CUTS)
        return tuple(Edit("trim", edit.values) if edit.name == "loop" else edit for edit in chosen)

    def __str__(self) -> str:
        return ", ".join(map(str, self.edits)) or "nothing yet"


class Bench:
    """A source clip and its refinements; what was made once is kept.

    Args:
        source: the clip.
        kinematics: of its robot.
    """

    def __init__(self, source: Motion, kinematics: Kinematics) -> None:
        self.source, self.kinematics = source, kinematics
        self._made: OrderedDict[tuple[Edit, ...], Motion] = OrderedDict()

    def motion(self, edits: Sequence[Edit]) -> Motion:
        """The source after ``edits``; the same object when asked again.

        Raises:
            InputError: an edit does not fit the clip.
        """
        edits = tuple(edits)
        if not edits:
            return self.source
        if edits not in self._made:
            self._made[edits] = apply_edits(self.motion(edits[:-1]), edits[-1:], self.kinematics)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return self._made[edits]

    def pair(self, refinement: Refinement) -> tuple[Motion, Motion]:
        """The clip before and after: the same frames, so that they can be laid over each other."""
        return self.motion(refinement.cuts), self.motion(refinement.edits)


def overlay(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Two pictures (H, W, 3) uint8 in one: the second as it is, blue where the first one differs."""
    apart = np.abs(before.astype(int) - after).max(axis=2, keepdims=True) / 255
    tint = np.minimum(3 * apart, 0.6)
    return (after * (1 - tint) + np.array([0, 114, 178]) * tint).astype(np.uint8)
