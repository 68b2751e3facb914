"""Repairs of a clip: found by name, applied only on request, and recorded in ``Motion.findings``."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import conjugate, multiply, rotation_vector, slerp

MAX_FIRST_FRAMES = 3
"""Largest number of bad frames at the start of a clip; more are another defect, which dropping frames would hide."""
MAX_RUN = 5
"""Largest number of consecutive frames repeated or lost; a longer rest is real, and a longer gap is not filled in."""
SAME = 1e-6
"""Largest difference between repeated frames, rad and m."""


@dataclass(frozen=True)
class Defect:
    """A defect of a clip, and the repaired clip."""

    what: str
    """Description of the repair, such as ``2 repeated frames dropped``."""
    frames: np.ndarray
    """Frames affected, (F)."""
    repaired: Motion


@dataclass(frozen=True)
class Repair:
    """A kind of repair."""

    help: str
    """Help text: what the repair does, in one line."""
    find: Callable[[Motion], Defect | None] | None
    """Finds the defect in a clip; None for repairs that reading the file makes."""


def find_first_jump(motion: Motion) -> Defect | None:
    """Find first frames from which the root jumps away, as retargeting from a rest pose produces.

    A clip that keeps jumping does not have this defect.
    """
    if motion.num_frames < 2:
        return None
    speed, _, jumps = root_speeds(motion)
    # Jumps after frames 0, 1, ... without a gap lead from one wrong place.
    bad = int(np.argmin(np.append(jumps, -1) == np.arange(len(jumps) + 1)))
    if not 0 < bad <= MAX_FIRST_FRAMES or bad >= motion.num_frames:
        return None
    meters = speed[:bad].max() * motion.dt
    what = "frame" if bad == 1 else f"{bad} frames"
    kept = motion.trim((bad - 0.5) * motion.dt)
    return Defect(f"first {what} dropped, from which the root jumped {meters:.2f} m", np.arange(bad), kept)


def find_duplicates(motion: Motion) -> Defect | None:
    """Find frames that repeat the previous one within a movement.

    Repeats followed by a longer step, and those of a motion recorded at a lower rate and held, took time: they are
    filled in between their neighbors. Other repeats are dropped.
    """
    size = _step_sizes(motion)
    still = size <= SAME
    starts = np.flatnonzero(np.diff(still.astype(int), prepend=0) == 1)
    ends = np.flatnonzero(np.diff(still.astype(int), append=0) == -1) + 1
    # Only within a movement: a clip may begin, end or pause with a rest.
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
    return Defect(what, repeats, _retime(motion, kept, ticks[kept]))


def find_gaps(motion: Motion) -> Defect | None:
    """Find steps in which frames are missing.

    At such a step, the two frames before and the two after lie on one parabola in time, in all joints at once, only if
    the step takes the time of several frames. A clip with many such steps was recorded at an uneven rate, for which its
    mean rate already accounts, and does not have this defect.
    """
    if motion.num_frames < 4:
        return None
    angles = motion.joint_pos.astype(np.float64)
    around = np.lib.stride_tricks.sliding_window_view(angles, 4, axis=0)
    misfit = np.stack([_parabola_misfit(around, ticks) for ticks in range(1, MAX_RUN + 2)])
    ticks = misfit.argmin(axis=0) + 1
    size = np.sqrt((np.diff(angles, axis=0) ** 2).mean(axis=1))
    before, here, after = size[:-2], size[1:-1], size[2:]
    # A longer step alone is acceleration, next to a rest it is a start; and among tiny steps every parabola fits.
    alike = (np.minimum(before, after) > 0.4 * np.maximum(before, after)) & (before + after > 0.008)
    gaps = (ticks > 1) & (misfit[0] > 2 * misfit.min(axis=0)) & (here > 0.7 * (before + after)) & alike
    if not 0 < np.count_nonzero(gaps) <= 0.05 * motion.num_frames:
        return None
    where = np.flatnonzero(gaps) + 1
    missing = np.zeros(motion.num_frames, dtype=int)
    missing[where + 1] = ticks[gaps] - 1
    placed = np.arange(motion.num_frames) + np.cumsum(missing)
    what = f"{_count(int(missing.sum()), 'missing frame')} filled in"
    return Defect(what, where, _retime(motion, np.arange(motion.num_frames), placed))


def _parabola_misfit(around: np.ndarray, ticks: int) -> np.ndarray:
    """Compute how far four frames (N, J, 4), the middle two ``ticks`` apart, are from a parabola in time, rad, (N,)."""
    times = np.vander(np.array([-1.0, 0.0, ticks, ticks + 1]), 3)
    # Four points and three coefficients leave a one-dimensional null space; the component along it is the misfit.
    free = np.linalg.svd(times.T)[2][-1]
    return np.linalg.norm(around @ free, axis=1)


REPAIRS: dict[str, Repair] = {
    "quaternion_norm": Repair("scale root quaternions to unit length", None),
    "quaternion_sign": Repair(
        "even out root quaternions that change sign between frames; the rotation stays the same", None
    ),
    "first_jump": Repair("drop first frames from which the root jumps away", find_first_jump),
    "duplicate_frames": Repair("drop repeated frames, or fill them in where they took time", find_duplicates),
    "missing_frames": Repair("fill in missing frames, where one step spans several", find_gaps),
}
"""Repairs by name, in the order of application. The first two are applied when the file is read."""


def check_repairs(names: Collection[str]) -> tuple[str, ...]:
    """Return the names in the order of ``REPAIRS``.

    Raises:
        InputError: a name is not among them; the message lists them.
    """
    unknown = [name for name in names if name not in REPAIRS]
    if unknown:
        raise InputError(f"repair '{unknown[0]}' not found; available: {', '.join(REPAIRS)}")
    return tuple(name for name in REPAIRS if name in names)


def find_defects(motion: Motion) -> dict[str, Defect]:
    """Find the defects of a clip that could be repaired, by the repair's name."""
    found = {name: repair.find(motion) for name, repair in REPAIRS.items() if repair.find}
    return {name: defect for name, defect in found.items() if defect}


def apply_repairs(motion: Motion, names: Collection[str]) -> Motion:
    """Apply the named repairs where a clip needs them, and record them in its findings.

    Raises:
        InputError: a name is not among ``REPAIRS``.
    """
    for name in check_repairs(names):
        find = REPAIRS[name].find
        defect = find(motion) if find else None
        if defect:
            motion = replace(defect.repaired, findings=motion.findings.with_repair(name, defect.what))
    return motion


def root_speeds(motion: Motion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the root's speed between neighboring frames, m/s and rad/s, (N-1) each, and the frames before jumps."""
    speed = np.linalg.norm(np.diff(motion.root_pos, axis=0), axis=1) * motion.fps
    turn = np.linalg.norm(rotation_vector(multiply(conjugate(motion.root_quat[:-1]), motion.root_quat[1:])), axis=1)
    turn *= motion.fps
    # Faster than a sprint or a pirouette: two takes were joined, or tracking was lost.
    return speed, turn, np.flatnonzero((speed > 8) | (turn > 20))


def _step_sizes(motion: Motion) -> np.ndarray:
    """Compute the largest change of joints, root position and root rotation between neighboring frames, (N-1)."""
    turn = rotation_vector(multiply(conjugate(motion.root_quat[:-1]), motion.root_quat[1:]))
    changes = (np.diff(motion.joint_pos.astype(np.float64), axis=0), np.diff(motion.root_pos, axis=0), turn)
    return np.max([np.abs(change).max(axis=1, initial=0) for change in changes], axis=0)


def _retime(motion: Motion, rows: np.ndarray, ticks: np.ndarray) -> Motion:
    """Place the frames ``rows`` at integer ``ticks`` of the clip's frame rate, and interpolate between them."""
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
