"""Unit quaternions as arrays (..., 4), **xyzw** everywhere; formulas as in Shoemake, "Animating rotation with
quaternion curves" (SIGGRAPH 1985)."""

import numpy as np


def normalise(quat: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) at unit length."""
    return quat / np.linalg.norm(quat, axis=-1, keepdims=True)


def conjugate(quat: np.ndarray) -> np.ndarray:
    """The inverse rotation of a unit quaternion (..., 4)."""
    return quat * np.array([-1.0, -1.0, -1.0, 1.0])


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product (..., 4): the rotation ``b`` followed by ``a``."""
    ax, ay, az, aw = np.moveaxis(np.asarray(a), -1, 0)
    bx, by, bz, bw = np.moveaxis(np.asarray(b), -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def rotate(quat: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) turned by unit quaternions (..., 4): from the rotated frame to the world."""
    axis, w = quat[..., :3], quat[..., 3:]
    twice = 2.0 * np.cross(axis, vector)
    return vector + w * twice + np.cross(axis, twice)


def rotate_inverse(quat: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) turned back: from the world to the rotated frame."""
    return rotate(conjugate(quat), vector)


def rotation_vector(quat: np.ndarray) -> np.ndarray:
    """Axis times angle (..., 3) in rad, the shorter way round (angle <= pi)."""
    quat = np.where(quat[..., 3:] < 0, -quat, quat)
    sine = np.linalg.norm(quat[..., :3], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quat[..., 3:])
    # angle / sin(angle / 2) tends to 2 as the angle vanishes.
    return quat[..., :3] * np.divide(angle, sine, out=np.full_like(sine, 2.0), where=sine > 1e-12)


def from_rotation_vector(vector: np.ndarray) -> np.ndarray:
    """The rotation (..., 4) by an axis times an angle (..., 3), rad."""
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    # sin(angle / 2) / angle, which tends to 1 / 2 as the angle vanishes.
    return np.concatenate([0.5 * np.sinc(angle / (2 * np.pi)) * vector, np.cos(angle / 2)], axis=-1)


def yaw_part(quat: np.ndarray) -> np.ndarray:
    """The turn about the world's z axis in a rotation (..., 4): its swing-twist decomposition about z."""
    flat = quat * np.array([0.0, 0.0, 1.0, 1.0])
    size = np.linalg.norm(flat, axis=-1, keepdims=True)
    # A half turn about a horizontal axis has no yaw of its own.
    return np.where(size > 1e-9, flat / np.maximum(size, 1e-9), np.array([0.0, 0.0, 0.0, 1.0]))


def continuous(quat: np.ndarray) -> np.ndarray:
    """A sequence (N, 4) with each sign chosen so that neighbours lie on the same half of the sphere."""
    flips = np.einsum("ni,ni->n", quat[1:], quat[:-1]) < 0
    sign = np.concatenate([[1.0], np.where(np.cumsum(flips) % 2, -1.0, 1.0)])
    return quat * sign[:, None]


def slerp(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """From ``a`` to ``b`` (N, 4) along the great circle, the shorter way, at ``share`` (N) in 0..1."""
    cosine = np.einsum("ni,ni->n", a, b)
    b = np.where(cosine[:, None] < 0, -b, b)
    # arctan2 of the chords is exact for small angles, where arccos loses half its digits.
    angle = 2.0 * np.arctan2(np.linalg.norm(b - a, axis=1), np.linalg.norm(b + a, axis=1))
    sine = np.sin(angle)
    near = sine < 1e-9
    safe = np.where(near, 1.0, sine)
    weight_a = np.where(near, 1.0 - share, np.sin((1.0 - share) * angle) / safe)
    weight_b = np.where(near, share, np.sin(share * angle) / safe)
    return normalise(a * weight_a[:, None] + b * weight_b[:, None])
