"""Signs of joints, compared between the clips of a dataset: a wrong one moves against what all others do.

Poses have a mean and covariance over the clips; the distance of a pose from them (Mahalanobis 1936) counts how joints
go together, which hip swings with which arm. A clip with a wrong sign is nearer to the others once it is changed. No
kinematics are needed, so that every clip of thousands is compared in a moment.
"""

from collections.abc import Sequence

import numpy as np

from amp_helpers.checks.dataset import CheckedDataset
from amp_helpers.checks.table import Outcome, ok, warn
from amp_helpers.motion.motion import Motion

FEWEST_CLIPS = 20
"""Number of clips from which they say what is usual."""
ODD_GAIN = 8.0
"""Gain of a wrong sign. The largest of 2,000 pieces of eleven sound clips was 4.9; of a kick, a crawl, a dance or
another of seventeen kinds of motion among 41 walks, runs and turns, 5.7."""
_SPREAD_RAD = 0.05
"""Differences that mean nothing, rad: added to the deviation of each joint, also of those that never move."""


def sign_gains(motions: Sequence[Motion]) -> np.ndarray:
    """Compute how much nearer to the others each clip would be with a joint's sign changed.

    Args:
        motions: clips (K) with the same joints (J) in one order.

    Returns:
        (K, J) decrease of the mean squared Mahalanobis distance of the clip's poses.
    """
    angles = [motion.joint_pos.astype(np.float64) for motion in motions]
    means = np.stack([rows.mean(axis=0) for rows in angles])
    moments = np.stack([rows.T @ rows / len(rows) for rows in angles])
    center = means.mean(axis=0)
    covariance = moments.mean(axis=0) - np.outer(center, center) + _SPREAD_RAD**2 * np.eye(len(center))
    inverse = np.linalg.inv(covariance)
    others = inverse - np.diag(np.diag(inverse))
    return 4 * ((others * moments).sum(axis=2) - (inverse @ center) * means)


def odd_signs(checked: CheckedDataset) -> Outcome | None:
    """Find the clip in which a joint moves as in all others with the opposite sign; no outcome for a few clips."""
    motions = checked.motions
    if len(motions) < FEWEST_CLIPS:
        return None
    gains = sign_gains(motions)
    clip, joint = np.unravel_index(gains.argmax(), gains.shape)
    odd = int((gains.max(axis=1) > ODD_GAIN).sum())
    name, label = motions[0].joint_names[joint], motions[clip].label
    # Where many clips are odd, they are of several kinds.
    if not 0 < odd <= max(1, len(motions) // 50):
        return ok(f"no joint of a clip moves against the other {len(motions) - 1} clips", gain=float(gains.max()))
    others = f" and {odd - 1} other clips" if odd > 1 else ""
    return warn(
        f"{label}{others}: {name} moves against the other clips, and as they do with the opposite sign (nearer to "
        f"them by {gains[clip, joint]:.0f} squared deviations)",
        f"look at this clip: where {name} is wrong, negate it in the file and convert again; else leave it.",
        gain=float(gains.max()),
    )
