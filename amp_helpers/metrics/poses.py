"""Distances between poses and those of a reference."""

import numpy as np

from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion

_CHUNK = 8192


def pose_distances(joint_pos: np.ndarray, joint_names: tuple[str, ...], reference: Motion) -> tuple[float, float]:
    """Mean distances between poses and a reference, in both directions.

    The distance of two poses is the RMS of their joint differences, without ankles and wrists. Cannot see the order or
    speed of poses, only which ones occur.

    Args:
        joint_pos: poses, (N, J) rad.
        joint_names: (J).
        reference: the clip; has the compared joints.

    Returns:
        Mean over poses of the distance to the nearest reference frame, and mean over reference frames of the distance
        to the nearest pose, rad; NaN if N is 0.

    Raises:
        InputError: the reference lacks a compared joint.
    """
    joints = tuple(name for name in joint_names if "ankle" not in name and "wrist" not in name)
    target = reference.select(joints).joint_pos.astype(np.float64)
    if not len(joint_pos):
        return float("nan"), float("nan")
    poses = joint_pos[:, JointOrder(joints).indices_from(joint_names)]
    target_squared = np.square(target).sum(axis=1)
    nearest = np.empty(len(poses))
    reached = np.full(len(target), np.inf)
    for start in range(0, len(poses), _CHUNK):
        chunk = poses[start : start + _CHUNK].astype(np.float64)
        squared = np.square(chunk).sum(axis=1)[:, None] + target_squared - 2 * chunk @ target.T
        nearest[start : start + _CHUNK] = squared.min(axis=1)
        np.minimum(reached, squared.min(axis=0), out=reached)

    def rms(squared: np.ndarray) -> float:
        # Rounding can make a distance of zero slightly negative.
        return float(np.sqrt(np.maximum(squared, 0) / len(joints)).mean())

    return rms(nearest), rms(reached)
