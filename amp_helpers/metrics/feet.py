"""Contact quality of feet, in rollouts and in clips."""

import numpy as np

from amp_helpers.metrics.frames import mean

CONTACT_HEIGHT_M = 0.02
"""Height below which a sole counts as in contact, m; for clips, which have no contact sensor."""


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
