"""Signs of joints, compared between the clips of a dataset: a wrong one moves against what clips like it do.

Clips alike are those whose joints move as much, whatever their signs. The poses of the nearest ones have a mean and
covariance; the distance of a pose from them (Mahalanobis 1936) counts how joints go together, which hip swings with
which arm. A clip with a wrong sign is one of them once the sign is changed. No kinematics are needed, so that each of
thousands of clips is compared in a second.
"""

from collections.abc import Sequence

import numpy as np

from amp_helpers.checks.dataset import CheckedDataset
from amp_helpers.checks.table import Outcome, ok, warn
from amp_helpers.motion.motion import Motion

FEWEST_CLIPS = 20
"""Number of clips from which they say what is usual."""
ODD_GAIN = 5.0
"""Gain of a wrong sign. The largest of 2,000 pieces of eleven sound clips was below 0.1, of 105 pieces of a kick, a
crawl, a dance and fourteen other kinds of motion 3.0."""
_NEIGHBORS = 40
_SPREAD_RAD = 0.05
"""Differences that mean nothing, rad: added to the deviation of each joint, also of those that never move."""
_STILL_RAD = 0.02
"""Movement that counts as none when clips are compared, rad."""
_ALIKE = 1.5
"""Largest mean squared deviation a joint of a clip that is like its neighbors; their own is about 1."""
_ROWS = 500
"""Clips whose neighbors are searched at once, for the memory of their distances."""


def sign_gains(motions: Sequence[Motion]) -> np.ndarray:
    """Compute how much nearer to clips like it each clip would be with a joint's sign changed.

    Args:
        motions: clips (K) with the same joints (J) in one order.

    Returns:
        (K, J) decrease of the mean squared Mahalanobis distance of the clip's poses; 0 where the clip would not be like
        its neighbors then either.
    """
    angles = [motion.joint_pos.astype(np.float64) for motion in motions]
    means = np.stack([rows.mean(axis=0) for rows in angles])
    moments = np.stack([rows.T @ rows / len(rows) for rows in angles])
    gains = np.zeros_like(means)
    for clip, near in enumerate(_neighbors(moments)):
        center = means[near].mean(axis=0)
        covariance = moments[near].mean(axis=0) - np.outer(center, center) + _SPREAD_RAD**2 * np.eye(len(center))
        inverse = np.linalg.inv(covariance)
        pull = inverse @ center
        terms = inverse * moments[clip]
        gain = 4 * (terms.sum(axis=1) - np.diag(terms) - pull * means[clip])
        distance = terms.sum() - 2 * pull @ means[clip] + pull @ center
        gains[clip] = np.where(distance - gain < _ALIKE * len(center), gain, 0.0)
    return gains


def _neighbors(moments: np.ndarray) -> np.ndarray:
    """Find the clips whose joints move most nearly as much: (K, N) indices, by second moments (K, J, J)."""
    count = len(moments)
    movement = np.log(np.sqrt(np.einsum("kjj->kj", moments)) + _STILL_RAD)
    squares = np.square(movement).sum(axis=1)
    nearest = []
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        apart = squares[rows, None] + squares - 2 * movement[rows] @ movement.T
        apart[np.arange(len(rows)), rows] = np.inf
        nearest.append(np.argsort(apart, axis=1, kind="stable")[:, : min(_NEIGHBORS, count - 1)])
    return np.concatenate(nearest)


def odd_signs(checked: CheckedDataset) -> Outcome | None:
    """Find the clip in which a joint moves as in clips like it with the opposite sign; no outcome for a few clips."""
    motions = checked.motions
    if len(motions) < FEWEST_CLIPS:
        return None
    gains = sign_gains(motions)
    clip, joint = np.unravel_index(gains.argmax(), gains.shape)
    odd = int((gains.max(axis=1) > ODD_GAIN).sum())
    if not odd:
        return ok(f"no joint of {len(motions)} clips moves against clips like its own", gain=float(gains.max()))
    name, others = motions[0].joint_names[joint], f" and {odd - 1} other clips" if odd > 1 else ""
    return warn(
        f"{motions[clip].label}{others}: {name} moves against clips like this one, as they do with the opposite sign",
        f"look at this clip: where {name} is wrong, negate it in the file and convert again; else leave it.",
        gain=float(gains.max()),
    )
