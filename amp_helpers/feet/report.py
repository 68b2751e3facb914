"""How far a clip's feet are from physics: floating, sinking and skating in numbers."""

from dataclasses import dataclass

import numpy as np

from amp_helpers.feet.lock import find_stance
from amp_helpers.metrics import foot_quality
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics


@dataclass(frozen=True, kw_only=True)
class FeetReport:
    """How well the feet of a clip meet the ground (z = 0)."""

    penetration_mean_m: float
    """Depth of the lower sole below the ground, mean over all frames."""
    penetration_max_m: float
    """The deepest."""
    float_mean_m: float
    """Height of the lower sole above the ground, mean over all frames."""
    skate_mps: float
    """Horizontal speed of the lower foot's ankle while its sole is below 2 cm; rolling over heel and toes counts."""
    slip_mps: float
    """Speed of the sole's lowest point over the ground while the foot stands; rolling does not count."""
    stance_share: float
    """Share of the frames in which a foot stands."""

    def named(self) -> dict[str, float]:
        """The numbers in words, lengths in mm, to three decimals."""
        named = {
            "deepest below the ground, mm": 1000 * self.penetration_max_m,
            "below the ground, mean, mm": 1000 * self.penetration_mean_m,
            "above the ground, mean, mm": 1000 * self.float_mean_m,
            "sliding of the standing sole, m/s": self.slip_mps,
            "speed of the standing ankle, m/s": self.skate_mps,
            "share of frames with a foot that stands": self.stance_share,
        }
        return {name: round(value, 3) for name, value in named.items()}


def feet_report(motion: Motion, kinematics: Kinematics) -> FeetReport:
    """The feet of a clip in numbers, see :func:`amp_helpers.metrics.foot_quality` and :mod:`amp_helpers.robots.soles`.

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
