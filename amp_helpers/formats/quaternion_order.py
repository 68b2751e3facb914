"""Which way round a file's quaternions are: the reading that keeps the pelvis upright and the feet at the ground."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.motion.findings import ByOrder, QuaternionOrderFinding
from amp_helpers.motion.rotations import rotate_inverse

OTHER = {"xyzw": "wxyz", "wxyz": "xyzw"}


def quaternion_order(
    readings: Mapping[str, np.ndarray],
    velocity: np.ndarray,
    *,
    told: str | None = None,
    said: str | None = None,
    convention: str = "xyzw",
    whose: str = "GMR's",
    feet: Mapping[str, float] | None = None,
    links: Mapping[str, float] | None = None,
) -> QuaternionOrderFinding:
    """Whether quaternions are ``xyzw`` or ``wxyz``, and the evidence for it.

    Args:
        readings: order -> the root's rotations as xyzw, (N, 4) unit, were they stored so.
        velocity: (N-1, 3) m/s of the root in the world; tells front from back.
        told: the order that the user gives; it goes before all else.
        said: the order that the file itself gives, or None.
        convention: the format's order, taken when the evidence does not decide.
        whose: whose convention that is.
        feet: order -> how far the lowest sole is from the ground on average, m; None where no model can say.
        links: order -> how far the links are from where the file has them, m; None where it has none in the world.
    """
    if told is not None and told not in OTHER:
        raise InputError(f"quaternion reading '{told}' not found; available: auto, xyzw, wxyz")
    # How far up the pelvis' own z axis points, on average: 1 upright, 0 lying, -1 upside down.
    up = {name: float(np.mean(1 - 2 * (quat[:, 0] ** 2 + quat[:, 1] ** 2))) for name, quat in readings.items()}
    decided = _nearer(links) or _by_pelvis(up) or _by_feet(up, feet)
    finding = QuaternionOrderFinding(
        order=told or said or decided or convention,
        basis="user" if told else "file" if said else "evidence" if decided else "convention",
        pelvis_up=_rounded(up),
        sole_error_m=_rounded(feet) if feet else None,
        link_error_m=_rounded(links) if links else None,
        favored=decided or "",
    )
    if finding.decided:
        return finding
    # Near yaw 0 the two readings differ by half a turn, so both stand upright, but one walks backwards. Seen the other
    # way round this proves nothing: some clips do walk backwards.
    ahead = {name: _forward_speed(quat, velocity) for name, quat in readings.items()}
    forward = up[convention] > 0.5 and ahead[convention] > 0.1 > -0.1 > ahead[OTHER[convention]]
    return replace(
        finding,
        basis="evidence" if forward else "convention",
        forward_speed_mps=_rounded(ahead),
        favored=convention if forward else "",
        convention="" if forward else whose,
    )


def _rounded(values: Mapping[str, float]) -> ByOrder:
    # Digits beyond the eighth are rounding noise of the machine, and would differ between otherwise equal datasets.
    return ByOrder(*(round(float(values[name]), 8) for name in ("xyzw", "wxyz")))


def _by_pelvis(up: Mapping[str, float]) -> str | None:
    return next((name for name, other in OTHER.items() if up[name] > 0.5 and up[name] > up[other] + 0.3), None)


def _by_feet(up: Mapping[str, float], off: Mapping[str, float] | None) -> str | None:
    """The reading with the feet clearly nearer to the ground; of two upright ones, the tilt of the pelvis decides."""
    return None if min(up.values()) < -0.5 < 0.5 < max(up.values()) else _nearer(off)


def _nearer(off: Mapping[str, float] | None) -> str | None:
    """The reading that is clearly nearer, by half and a centimetre."""
    if off is None:
        return None
    near = min(off, key=off.__getitem__)
    return near if off[near] < 0.5 * off[OTHER[near]] and off[OTHER[near]] - off[near] > 0.01 else None


def _forward_speed(quat: np.ndarray, velocity: np.ndarray) -> float:
    """Median speed along the root's own x axis, m/s; the median, because first frames may jump metres."""
    return float(np.median(rotate_inverse(quat[:-1], velocity)[:, 0])) if len(velocity) else 0.0
