"""Contact quality of a clip's feet: penetration, floating and foot skate."""

from dataclasses import dataclass

import numpy as np

from amp_helpers.feet.lock import find_stance
from amp_helpers.metrics.feet import foot_quality
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics


@dataclass(frozen=True, kw_only=True)
class FeetReport:
    """Contact quality of the feet against the ground at z = 0."""

    penetration_mean_m: float
    """Penetration depth of the lower sole, m, mean over all frames (0 above the ground)."""
    penetration_max_m: float
    """Maximum penetration depth, m."""
    float_mean_m: float
    """Height of the lower sole above the ground, m, mean over all frames (0 below it)."""
    skate_mps: float
    """Horizontal speed of the lower foot's ankle while its sole is below 2 cm, m/s; includes rolling."""
    slip_mps: float
    """Horizontal speed of a sole's lowest point during stance, m/s, without rolling; NaN without a stance."""
    stance_share: float
    """Share of frames with a foot in stance."""

    def named(self) -> dict[str, float]:
        """Return the numbers by name and unit, lengths in mm, rounded to three decimals."""
        named = {
            "maximum penetration, mm": 1000 * self.penetration_max_m,
            "mean penetration, mm": 1000 * self.penetration_mean_m,
            "mean height above the ground, mm": 1000 * self.float_mean_m,
            "slip of the sole in stance, m/s": self.slip_mps,
            "speed of the ankle in stance, m/s": self.skate_mps,
            "share of frames in stance": self.stance_share,
        }
        return {name: round(value, 3) for name, value in named.items()}


def feet_report(motion: Motion, kinematics: Kinematics) -> FeetReport:
    """Measure the contact quality of a clip's feet.

    Uses :func:`amp_helpers.metrics.foot_quality` and the soles of :mod:`amp_helpers.robots.soles`.

    Raises:
        InputError: the clip has fewer than two frames, or a joint that the robot lacks.
    """
    feet = find_stance(motion, kinematics)
    quality = foot_quality(kinematics.foot_points(motion), feet.sole_height, motion.dt)
    slip = feet.sliding[:-1]
    slip = slip[np.isfinite(slip)]
    return FeetReport(
        **quality | {"stance_share": float(feet.stance.any(axis=1).mean())},
        slip_mps=float(slip.mean()) if slip.size else float("nan"),
    )
