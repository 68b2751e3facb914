"""Contact quality of feet, in rollouts and in clips."""

import numpy as np

from amp_helpers.metrics.frames import mean, unbroken

CONTACT_FORCE_N = 1.0
"""Normal force above which a foot counts as in contact, N; in rollouts, in every simulator."""
CONTACT_HEIGHT_M = 0.02
"""Height below which a sole counts as in contact, m; for clips, which have no contact sensor."""

SHORTEST_SWING_S = 0.06
"""Shortest time without contact that counts as a step, s."""


def foot_skate(foot_pos: np.ndarray, contact: np.ndarray, dt: float, pairs: np.ndarray | None = None) -> float:
    """Mean horizontal speed of feet between neighboring frames that are both in contact, m/s.

    Cannot see slip between a frame in contact and one without. If ``foot_pos`` is a point above the sole, such as the
    ankle, a foot that rolls over its toes without slipping counts as well.

    Args:
        foot_pos: (..., T, F, 3) m, world frame.
        contact: (..., T, F) bool.
        dt: seconds between frames.
        pairs: (..., T-1) bool, pairs of neighbors to use; all by default.

    Returns:
        m/s; NaN if no foot stays in contact.
    """
    speed = np.linalg.norm(np.diff(foot_pos[..., :2], axis=-3), axis=-1) / dt
    standing = contact[..., 1:, :] & contact[..., :-1, :]
    if pairs is not None:
        standing = standing & pairs[..., None]
    return mean(speed[standing])


def lift_offs(contact: np.ndarray, dt: float, keep: np.ndarray | None = None) -> float:
    """Number of times that a foot leaves the ground, per environment and 10 s; 0 for a robot that stands still.

    A foot has left the ground when it is without contact for at least ``SHORTEST_SWING_S`` after a frame in contact;
    shorter gaps are the noise of the contact sensor. Cannot see feet that slide or turn on the ground, and counts a
    step of a stride as much as a stumble.

    Args:
        contact: (E, T, F) bool.
        dt: seconds between frames.
        keep: (E, T) bool, frames to use; all by default.

    Returns:
        Lift-offs per environment and 10 s; NaN without frames.
    """
    keep = np.ones(contact.shape[:2], dtype=bool) if keep is None else keep
    swing = max(1, round(SHORTEST_SWING_S / dt))
    whole = unbroken(keep, swing + 1)
    if not whole.any():
        return float("nan")
    air = np.moveaxis(~contact, 1, 2)
    left = contact[:, : -swing or None].swapaxes(1, 2) & unbroken(air, swing)[..., 1:]
    return float((left & whole[:, None]).sum() / (whole.sum() * dt) * 10)


def foot_quality(foot_pos: np.ndarray, sole_height: np.ndarray, dt: float) -> dict[str, float]:
    """Penetration, floating and skate of the feet of a clip.

    Stance is assumed for the lowest foot if its sole is below 2 cm; clips have no contact sensor. Cannot see the second
    foot in double support, and takes the flight phases of a run for floating.

    Args:
        foot_pos: (N, F, 3) m, world frame.
        sole_height: height of the lowest point of each foot, (N, F) m; negative below the ground.
        dt: seconds between frames.

    Returns:
        ``penetration_mean_m``, ``penetration_max_m``: depth of the lowest foot below the ground, over all frames;
        ``float_mean_m``: height of the lowest foot above the ground, over all frames;
        ``skate_mps``: mean horizontal speed of the stance foot; ``stance_share``: share of frames with a stance foot.
    """
    lowest = sole_height.min(axis=1)
    # A swinging foot may pass low, or below the ground in a clip that sinks.
    stance = (sole_height < CONTACT_HEIGHT_M) & (sole_height <= lowest[:, None])
    return {
        "penetration_mean_m": float(np.maximum(-lowest, 0).mean()),
        "penetration_max_m": float(np.maximum(-lowest, 0).max()),
        "float_mean_m": float(np.maximum(lowest, 0).mean()),
        "skate_mps": foot_skate(foot_pos, stance, dt),
        "stance_share": float(stance.any(axis=1).mean()),
    }
