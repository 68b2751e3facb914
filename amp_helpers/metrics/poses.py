"""Distances between poses and those of a reference."""

from dataclasses import dataclass

import numpy as np

from amp_helpers.joints import JointOrder
from amp_helpers.metrics.frames import mean
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import projected_gravity

_CHUNK = 8192
_LEFT_OUT = ("ankle", "wrist")


@dataclass(frozen=True, eq=False)
class NearestPoses:
    """N poses beside the R frames of a reference."""

    distance: np.ndarray
    """(N,) rad, of each pose to the nearest frame of the reference."""
    frame: np.ndarray
    """(N,) that frame."""
    reached: np.ndarray
    """(R,) rad, of each frame of the reference to the nearest pose; NaN without poses."""


def nearest_poses(joint_pos: np.ndarray, joint_names: tuple[str, ...], reference: Motion) -> NearestPoses:
    """Find the nearest reference frame of each pose, and the distance of each reference frame to the nearest pose.

    The distance of two poses is the RMS of their joint differences, without those named ankle or wrist.

    Args:
        joint_pos: poses, (N, J) rad.
        joint_names: (J).
        reference: the clip; has the compared joints.

    Raises:
        InputError: the reference lacks a compared joint.
    """
    joints = tuple(name for name in joint_names if not any(part in name.lower() for part in _LEFT_OUT))
    target = reference.select(joints).joint_pos.astype(np.float64)
    poses = joint_pos[:, JointOrder(joints).indices_from(joint_names)]
    target_squared = np.square(target).sum(axis=1)
    nearest, frame = np.empty(len(poses)), np.empty(len(poses), dtype=np.int64)
    reached = np.full(len(target), np.inf if len(poses) else np.nan)
    for start in range(0, len(poses), _CHUNK):
        part = slice(start, start + _CHUNK)
        chunk = poses[part].astype(np.float64)
        squared = np.square(chunk).sum(axis=1)[:, None] + target_squared - 2 * chunk @ target.T
        frame[part] = squared.argmin(axis=1)
        nearest[part] = np.take_along_axis(squared, frame[part, None], axis=1)[:, 0]
        np.minimum(reached, squared.min(axis=0), out=reached)

    def rms(squared: np.ndarray) -> np.ndarray:
        # Rounding can make a distance of zero slightly negative.
        return np.sqrt(np.maximum(squared, 0) / len(joints))

    return NearestPoses(rms(nearest), frame, rms(reached))


def pose_distances(joint_pos: np.ndarray, joint_names: tuple[str, ...], reference: Motion) -> tuple[float, float]:
    """Mean distances between poses and a reference, in both directions (:func:`nearest_poses`).

    Cannot see the order or speed of poses, only which ones occur; nor ankles, wrists and the root.

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
    found = nearest_poses(joint_pos, joint_names, reference)
    return mean(found.distance), mean(found.reached)


def tilt_difference(root_quat: np.ndarray, reference_quat: np.ndarray) -> np.ndarray:
    """Angle between the directions of gravity in two root frames, rad: the difference of their tilts.

    0 for roots that differ in heading only; leaning by the same angle to the other side counts twice the angle.

    Args:
        root_quat: (..., 4) xyzw.
        reference_quat: (..., 4) xyzw.
    """
    down, other = projected_gravity(root_quat), projected_gravity(reference_quat)
    # The arc cosine loses half of the digits of a small angle.
    return np.arctan2(np.linalg.norm(np.cross(down, other), axis=-1), (down * other).sum(axis=-1))
