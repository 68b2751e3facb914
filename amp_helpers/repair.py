"""Repairs of a clip: offered, made only when asked for, and recorded in ``Motion.source``."""

from dataclasses import replace

import numpy as np

from amp_helpers.motion import Motion
from amp_helpers.motion_checks import root_speeds

MAX_FIRST_FRAMES = 3
"""Frames that a tracker's start may spoil. More is another fault, which dropping frames would hide."""


def drop_first_jump(motion: Motion) -> Motion:
    """The clip without the first frames from which its root jumps away, as retargeting from a rest pose leaves them.

    A clip that does not jump there, or keeps jumping, comes back as it is.
    """
    if motion.num_frames < 2:
        return motion
    speed, _, jumps = root_speeds(motion)
    # Jumps after frames 0, 1, ... without a gap are one flight from the wrong place.
    spoilt = int(np.argmin(np.append(jumps, -1) == np.arange(len(jumps) + 1)))
    if not 0 < spoilt <= MAX_FIRST_FRAMES or spoilt >= motion.num_frames:
        return motion
    metres = speed[:spoilt].max() * motion.dt
    what = "frame" if spoilt == 1 else f"{spoilt} frames"
    note = f"repaired: first {what} dropped, from which the root jumped {metres:.2f} m"
    told = motion.source.endswith(")") and " (" in motion.source
    source = f"{motion.source.removesuffix(')')}; {note})" if told else f"{motion.source or 'motion'} ({note})"
    return replace(motion.trim((spoilt - 0.5) * motion.dt), source=source)
