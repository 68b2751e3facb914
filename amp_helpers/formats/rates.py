"""The frame rate that stored velocities imply: that at which they are the differences of the stored positions."""

import numpy as np

RESIDUAL = 0.1
"""Largest share of the velocities' energy that the differences may leave unexplained."""


def rate_of_velocities(positions: object, velocities: object) -> float | None:
    """Estimate frames per second; None where the velocities are not differences of the positions.

    Writers take forward, backward or central differences; the kind that fits best counts.

    Args:
        positions: table (N, D), rad or m.
        velocities: table (N, D) per second, of the same columns.
    """
    with np.errstate(all="ignore"):
        try:
            place, speed = (np.asarray(table, dtype=np.float64) for table in (positions, velocities))
        except (TypeError, ValueError):
            return None
        if place.ndim != 2 or place.shape != speed.shape or len(place) < 4:
            return None
        step = np.diff(place, axis=0)
        kinds = ((step, speed[:-1]), (step, speed[1:]), ((place[2:] - place[:-2]) / 2, speed[1:-1]))
        best, rate = min(_fit(difference, stored) for difference, stored in kinds)
    if not best < RESIDUAL:
        return None
    # Rounded velocities give 29.9999; rates such as 29.97 are kept.
    return float(round(rate)) if abs(rate - round(rate)) < 2e-4 * rate else float(rate)


def _fit(difference: np.ndarray, stored: np.ndarray) -> tuple[float, float]:
    """Fit velocities by a rate times differences; return the unexplained share and the rate."""
    energy, scale = float((stored**2).sum()), float((difference**2).sum())
    if not (np.isfinite(energy) and np.isfinite(scale) and energy > 0 and scale > 0):
        return np.inf, 0.0
    rate = float((difference * stored).sum()) / scale
    return float(((stored - rate * difference) ** 2).sum()) / energy, rate
