"""Which clips of a large dataset are diagnosed: a diagnosis evaluates some fifty corrections of each clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amp_helpers.checks.body_fit import ClipSample
from amp_helpers.checks.checked_motion import CheckedMotion
from amp_helpers.checks.odd_signs import sign_gains

MOST_DIAGNOSED = 100
"""Number of clips up to which all are diagnosed."""
WORST = 50
"""Clips that fit the robot worst, as stored; a wrong clip among sound ones of the same kind is one of them."""
ODD = 30
"""Clips with a joint that moves most against clips like it, see :mod:`amp_helpers.checks.odd_signs`."""
_FRAMES = 60


@dataclass(frozen=True)
class DiagnosedClips:
    """Indices of the clips that are diagnosed, and a remark that says which they are."""

    indices: frozenset[int]
    note: str = ""
    """Empty where all clips are diagnosed."""

    @classmethod
    def of(cls, clips: Sequence[CheckedMotion]) -> "DiagnosedClips":
        """Choose all clips, or of more than ``MOST_DIAGNOSED`` the worst-fitting ones and others from first to last."""
        count = len(clips)
        if count <= MOST_DIAGNOSED:
            return cls(frozenset(range(count)))
        misfits = np.array([misfit(clip) for clip in clips])
        by_misfit = np.argsort(-misfits, kind="stable")
        worst, rest = by_misfit[:WORST], by_misfit[WORST:]
        gains = sign_gains([clip.original for clip in clips]).max(axis=1)
        rest = rest[np.argsort(-gains[rest], kind="stable")]
        odd, rest = rest[:ODD], np.sort(rest[ODD:])
        spread = rest[np.linspace(0, len(rest) - 1, MOST_DIAGNOSED - WORST - ODD).astype(int)]
        note = (
            f"order, sides, signs and offset were tested in {MOST_DIAGNOSED} of {count} clips: the {WORST} that fit "
            f"the robot worst, {ODD} with a joint that moves most against clips like it, and {len(spread)} from the "
            "first to the last of the others; signs were compared between all clips"
        )
        return cls(frozenset(map(int, (*worst, *odd, *spread))), note)


def misfit(clip: CheckedMotion) -> float:
    """Misfit of a clip as stored, on about 60 frames; 0 where its feet cannot be computed."""
    return clip.body.fit(ClipSample.of(clip.motion, _FRAMES)).misfit if clip.fits_body else 0.0
