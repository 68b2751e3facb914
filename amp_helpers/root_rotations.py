"""Which way round a file's quaternions are: the reading that keeps the pelvis upright and the feet at the ground."""

from collections.abc import Callable

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.rotations import rotate_inverse

OTHER = {"xyzw": "wxyz", "wxyz": "xyzw"}


def read_quaternions(
    stored: np.ndarray,
    reading: str,
    velocity: np.ndarray,
    *,
    said: bool = False,
    convention: str = "xyzw",
    whose: str = "GMR's",
    feet: Callable[[np.ndarray], float] | None = None,
    links: Callable[[np.ndarray], float] | None = None,
) -> tuple[np.ndarray, str]:
    """Unit xyzw quaternions, and a phrase saying how they were read.

    Args:
        stored: (N, 4) unit, as in the file.
        reading: ``xyzw`` or ``wxyz``, or ``auto``: the one that keeps the pelvis upright and the feet at the ground.
        velocity: (N-1, 3) m/s of the root in the world; tells front from back.
        said: whether ``reading`` is what the file itself says, rather than the user.
        convention: the format's order, taken when the evidence does not decide.
        whose: whose convention that is.
        feet: how far from the ground, m, the lowest sole is on average with root rotations (N, 4) xyzw; None where no
            model can say.
        links: likewise how far from where the file has them the links are; None where it has none in the world.
    """
    if reading not in ("auto", *OTHER):
        raise InputError(f"quaternion reading '{reading}' not found; available: auto, xyzw, wxyz")
    readings = {"xyzw": stored, "wxyz": stored[:, [1, 2, 3, 0]]}
    # How far up the pelvis' own z axis points, on average: 1 upright, 0 lying, -1 upside down.
    up = {name: float(np.mean(1 - 2 * (quat[:, 0] ** 2 + quat[:, 1] ** 2))) for name, quat in readings.items()}
    evidence = f"pelvis up {up['xyzw']:.2f} as xyzw, {up['wxyz']:.2f} as wxyz"
    off = {name: feet(quat) for name, quat in readings.items()} if feet else None
    if off:
        evidence += f", soles {off['xyzw'] * 100:.1f} cm off the ground as xyzw, {off['wxyz'] * 100:.1f} as wxyz"
    placed = {name: links(quat) for name, quat in readings.items()} if links else None
    if placed:
        evidence += f", links {placed['xyzw'] * 100:.1f} cm off as xyzw, {placed['wxyz'] * 100:.1f} as wxyz"
    decided = _nearer(placed) or _by_pelvis(up) or _by_feet(up, off)
    if reading != "auto":
        finding = f"quaternion {reading} as {'the file has it' if said else 'told'}, {evidence}"
        if decided == OTHER[reading]:
            finding += f", which speaks for {decided}"
    elif decided:
        reading, finding = decided, f"quaternion {decided}, {evidence}"
    else:
        # Near yaw 0 the two readings differ by half a turn, so both stand upright, but one walks backwards. Seen the
        # other way round this proves nothing: some clips do walk backwards.
        reading, other = convention, OTHER[convention]
        ahead = {name: _forward_speed(quat, velocity) for name, quat in readings.items()}
        evidence += f", walking forward at {ahead['xyzw']:.2f} m/s as xyzw, {ahead['wxyz']:.2f} as wxyz"
        forward = up[reading] > 0.5 and ahead[reading] > 0.1 > -0.1 > ahead[other]
        finding = f"quaternion {reading}{'' if forward else f' by {whose} convention, undecided'}, {evidence}"
    return readings[reading], finding


def _by_pelvis(up: dict[str, float]) -> str | None:
    return next((name for name, other in OTHER.items() if up[name] > 0.5 and up[name] > up[other] + 0.3), None)


def _by_feet(up: dict[str, float], off: dict[str, float] | None) -> str | None:
    """The reading with the feet clearly nearer to the ground; of two upright ones, the tilt of the pelvis decides."""
    return None if min(up.values()) < -0.5 < 0.5 < max(up.values()) else _nearer(off)


def _nearer(off: dict[str, float] | None) -> str | None:
    """The reading that is clearly nearer, by half and a centimetre."""
    if off is None:
        return None
    near = min(off, key=off.__getitem__)
    return near if off[near] < 0.5 * off[OTHER[near]] and off[OTHER[near]] - off[near] > 0.01 else None


def _forward_speed(quat: np.ndarray, velocity: np.ndarray) -> float:
    """Median speed along the root's own x axis, m/s; the median, because first frames may jump metres."""
    return float(np.median(rotate_inverse(quat[:-1], velocity)[:, 0])) if len(velocity) else 0.0
