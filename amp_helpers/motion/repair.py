"""Repairs of a clip: offered by name, made only when asked for, and recorded in ``Motion.findings``."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import conjugate, multiply, rotation_vector, slerp

MAX_FIRST_FRAMES = 3
"""Frames that a tracker's start may spoil. More is another defect, which dropping frames would hide."""
MAX_RUN = 5
"""Frames in a row that a recorder repeats or loses. A longer rest is a rest, and a longer gap is not to be guessed."""
SAME = 1e-6
"""Change in rad and m up to which two frames are one."""


@dataclass(frozen=True)
class Defect:
    """What is wrong with a clip, and the clip without it."""

    what: str
    """In words, as the repair is recorded, such as ``2 repeated frames dropped``."""
    frames: np.ndarray
    """Frames affected, (F)."""
    repaired: Motion


@dataclass(frozen=True)
class Repair:
    """A defect that can be repaired."""

    help: str
    """What the repair does, one line."""
    find: Callable[[Motion], Defect | None] | None
    """The defect in a clip, None where there is none; None as a whole for what only reading the file can tell."""


def find_first_jump(motion: Motion) -> Defect | None:
    """First frames from which the root jumps away, as retargeting from a rest pose leaves them.

    A clip that keeps jumping has none.
    """
    if motion.num_frames < 2:
        return None
    speed, _, jumps = root_speeds(motion)
    # Jumps after frames 0, 1, ... without a gap are one flight from the wrong place.
    spoilt = int(np.argmin(np.append(jumps, -1) == np.arange(len(jumps) + 1)))
    if not 0 < spoilt <= MAX_FIRST_FRAMES or spoilt >= motion.num_frames:
        return None
    metres = speed[:spoilt].max() * motion.dt
    what = "frame" if spoilt == 1 else f"{spoilt} frames"
    kept = motion.trim((spoilt - 0.5) * motion.dt)
    return Defect(f"first {what} dropped, from which the root jumped {metres:.2f} m", np.arange(spoilt), kept)


def find_duplicates(motion: Motion) -> Defect | None:
    """Frames that repeat the one before within a movement.

    Where the next step makes up for the rest, or where repeats are so many that the motion was recorded at a lower rate
    and held, time has gone on: such frames are filled in between their neighbours. Other repeats are dropped.
    """
    size = _step_sizes(motion)
    still = size <= SAME
    starts = np.flatnonzero(np.diff(still.astype(int), prepend=0) == 1)
    ends = np.flatnonzero(np.diff(still.astype(int), append=0) == -1) + 1
    # A movement must surround them: a clip may well begin, end or pause with a rest.
    runs = [(a, b) for a, b in zip(starts, ends, strict=True) if a > 0 and b < len(size) and b - a <= MAX_RUN]
    if not runs:
        return None
    held = sum(b - a for a, b in runs) > 0.1 * motion.num_frames
    moving = np.flatnonzero(~still)
    repeats, dropped = [], np.zeros(motion.num_frames, dtype=bool)
    for start, end in runs:
        repeats += range(start + 1, end + 1)
        after = moving[moving > end][:1]
        usual = np.mean([size[start - 1], *size[after]])
        if not held and size[end] < (1 + (end - start) / 2) * usual:
            dropped[start + 1 : end + 1] = True
    repeats = np.array(repeats)
    kept = np.setdiff1d(np.arange(motion.num_frames), repeats)
    ticks = np.arange(motion.num_frames) - np.cumsum(dropped)
    counts = {"dropped": int(dropped.sum()), "filled in": len(repeats) - int(dropped.sum())}
    what = " and ".join(f"{_count(count, 'repeated frame')} {done}" for done, count in counts.items() if count)
    return Defect(what, repeats, _retimed(motion, kept, ticks[kept]))


def find_gaps(motion: Motion) -> Defect | None:
    """Steps with frames missing in them, which are filled in.

    There the two frames before and the two after lie on one parabola of time, in all joints at once, only when the step
    between them takes several frames' time. A clip with many such steps was recorded at an uneven pace, which its mean
    rate allows for already, and has no defect here.
    """
    if motion.num_frames < 4:
        return None
    angles = motion.joint_pos.astype(np.float64)
    around = np.lib.stride_tricks.sliding_window_view(angles, 4, axis=0)
    misfit = np.stack([_parabola_misfit(around, ticks) for ticks in range(1, MAX_RUN + 2)])
    ticks = misfit.argmin(axis=0) + 1
    size = np.sqrt((np.diff(angles, axis=0) ** 2).mean(axis=1))
    before, here, after = size[:-2], size[1:-1], size[2:]
    # A longer step alone is acceleration; beside a rest it is a start, and among frames that hardly move all fits.
    alike = (np.minimum(before, after) > 0.4 * np.maximum(before, after)) & (before + after > 0.008)
    gaps = (ticks > 1) & (misfit[0] > 2 * misfit.min(axis=0)) & (here > 0.7 * (before + after)) & alike
    if not 0 < np.count_nonzero(gaps) <= 0.05 * motion.num_frames:
        return None
    where = np.flatnonzero(gaps) + 1
    missing = np.zeros(motion.num_frames, dtype=int)
    missing[where + 1] = ticks[gaps] - 1
    placed = np.arange(motion.num_frames) + np.cumsum(missing)
    what = f"{_count(int(missing.sum()), 'missing frame')} filled in"
    return Defect(what, where, _retimed(motion, np.arange(motion.num_frames), placed))


def _parabola_misfit(around: np.ndarray, ticks: int) -> np.ndarray:
    """How far four frames (N, J, 4), the middle two ``ticks`` apart, are from a parabola in time, rad, (N,)."""
    times = np.vander(np.array([-1.0, 0.0, ticks, ticks + 1]), 3)
    # Four points and three coefficients leave one direction free: what is along it is misfit.
    free = np.linalg.svd(times.T)[2][-1]
    return np.linalg.norm(around @ free, axis=1)


REPAIRS: dict[str, Repair] = {
    "quaternion_norm": Repair("bring root quaternions that are not of unit length to it", None),
    "quaternion_sign": Repair("even out root quaternions that change sign between frames; they turn the same", None),
    "first_jump": Repair("drop first frames from which the root jumps away", find_first_jump),
    "duplicate_frames": Repair("drop repeated frames, or fill them in where time went on", find_duplicates),
    "missing_frames": Repair("fill in frames that are missing, where a step is several in one", find_gaps),
}
"""The repairs by name, in the order in which they are made. The first two are made when the file is read."""


def check_repairs(names: Collection[str]) -> tuple[str, ...]:
    """The names in the order of ``REPAIRS``.

    Raises:
        InputError: a name is none of them.
    """
    unknown = [name for name in names if name not in REPAIRS]
    if unknown:
        raise InputError(f"repair '{unknown[0]}' not found; available: {', '.join(REPAIRS)}")
    return tuple(name for name in REPAIRS if name in names)


def find_defects(motion: Motion) -> dict[str, Defect]:
    """What could be repaired in a clip, by the repair's name."""
    found = {name: repair.find(motion) for name, repair in REPAIRS.items() if repair.find}
    return {name: defect for name, defect in found.items() if defect}


def apply_repairs(motion: Motion, names: Collection[str]) -> Motion:
    """The clip with the named repairs made where it needs them; what was done is added to its findings.

    Raises:
        InputError: a name is none of ``REPAIRS``.
    """
    for name in check_repairs(names):
        find = REPAIRS[name].find
        defect = find(motion) if find else None
        if defect:
            motion = replace(defect.repaired, findings=motion.findings.with_repair(name, defect.what))
    return motion


def root_speeds(motion: Motion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The root's speed between neighbouring frames in m/s and in rad/s, (N-1) each, and the frames it jumps after."""
    speed = np.linalg.norm(np.diff(motion.root_pos, axis=0), axis=1) * motion.fps
    turn = np.linalg.norm(rotation_vector(multiply(conjugate(motion.root_quat[:-1]), motion.root_quat[1:])), axis=1)
    turn *= motion.fps
    # Faster than a sprint or a pirouette: two takes were joined, or the tracker lost the body.
    return speed, turn, np.flatnonzero((speed > 8) | (turn > 20))


def _step_sizes(motion: Motion) -> np.ndarray:
    """The largest change of any joint, of the root's place or its rotation between neighbouring frames, (N-1)."""
    turn = rotation_vector(multiply(conjugate(motion.root_quat[:-1]), motion.root_quat[1:]))
    changes = (np.diff(motion.joint_pos.astype(np.float64), axis=0), np.diff(motion.root_pos, axis=0), turn)
    return np.max([np.abs(change).max(axis=1, initial=0) for change in changes], axis=0)


def _retimed(motion: Motion, rows: np.ndarray, ticks: np.ndarray) -> Motion:
    """The frames ``rows`` placed at whole ``ticks`` of the clip's own rate, and what is between them filled in."""
    grid = np.arange(ticks[-1] + 1)
    before = np.clip(np.searchsorted(ticks, grid, side="right") - 1, 0, max(len(rows) - 2, 0))
    after = np.minimum(before + 1, len(rows) - 1)
    share = (grid - ticks[before]) / np.maximum(ticks[after] - ticks[before], 1)
    here, there, part = rows[before], rows[after], share[:, None]
    return replace(
        motion,
        joint_pos=motion.joint_pos[here] * (1 - part) + motion.joint_pos[there] * part,
        root_pos=motion.root_pos[here] * (1 - part) + motion.root_pos[there] * part,
        root_quat=slerp(motion.root_quat[here], motion.root_quat[there], share),
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
