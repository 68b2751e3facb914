"""The sole of a foot as points: its lowest point, the height and the sliding speed of that point."""

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial import ConvexHull, QhullError

from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.model import shapes

_GEOM = mujoco.mjtGeom
_MAX_TILT = np.cos(np.radians(35.0))
"""Largest angle between a sole's normal and the vertical in the default pose, as its cosine."""
_SAME_SIDE = np.cos(np.radians(5.0))
_MIN_SIDE = 0.08
"""Smallest share of the hull's surface that a foot can lie flat on; the end of a stick has less."""


@dataclass(frozen=True, eq=False)
class Sole:
    """Collision shapes of a foot as balls in its link's frame; boxes and meshes as balls of radius 0."""

    centers: np.ndarray
    """(P, 3) m."""
    radii: np.ndarray
    """(P,) m."""
    up: np.ndarray
    """(3,) unit vector that points up in the world when the sole lies flat on the ground."""
    flat: bool = True
    """Whether the foot has a side to lie on; otherwise ``up`` points up in the default pose."""

    def lowest(self, rotation: np.ndarray) -> np.ndarray:
        """Lowest point under rotations (..., 3, 3) from link to world, in the link's frame, (..., 3) m."""
        up = rotation[..., 2, :]  # the world's vertical in the link's frame
        height = up @ self.centers.T - self.radii
        ball = np.argmin(height, axis=-1)
        return self.centers[ball] - self.radii[ball][..., None] * up

    def height(self, position: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        """Height of the lowest point, (...,) m, for link origins ``position`` (..., 3) m and rotations (..., 3, 3)."""
        return position[..., 2] + np.einsum("...i,...i->...", rotation[..., 2, :], self.lowest(rotation))


def soles(kinematics: Kinematics) -> tuple[Sole, ...]:
    """Find the soles of a robot, in the order of ``Robot.foot_bodies``.

    A foot lies flat on the largest side of its shapes' convex hull among those that face down within 35 degrees in the
    default pose; facets within 5 degrees of each other form one side. A foot without such a side, like a ball or a
    stick, takes ``up`` from the default pose. A foot without shapes is the point at its link's origin.
    """
    model, robot = kinematics.model, kinematics.robot
    data = mujoco.MjData(model)
    data.qpos[:] = (0, 0, 0, 1, 0, 0, 0, *robot.default_pose())
    mujoco.mj_kinematics(model, data)
    found = []
    for name in robot.foot_bodies:
        body = model.body(name).id
        up = data.xmat[body].reshape(3, 3)[2]
        balls = [_balls(model, geom) for geom in shapes(model, body)] or [(np.zeros((1, 3)), np.zeros(1))]
        centers, radii = (np.concatenate(part) for part in zip(*balls, strict=True))
        side = _flat(np.concatenate([centers + turned * radii[:, None] * up for turned in (-1, 1)]), up)
        found.append(Sole(centers, radii, up if side is None else side, flat=side is not None))
    return tuple(found)


def slip(sole: Sole, position: np.ndarray, rotation: np.ndarray, dt: float) -> np.ndarray:
    """Horizontal speed of the foot's lowest point over the ground, (N,) m/s: 0 when the foot stands or rolls.

    The speed of the ankle differs: a foot that rolls over its toes moves the ankle without sliding. The last frame
    repeats the one before.

    Args:
        sole: sole of the foot.
        position: positions of the foot's link, (N, 3) m.
        rotation: rotation matrices of the foot's link, (N, 3, 3).
        dt: seconds between frames.
    """
    point = sole.lowest(rotation[:-1])[..., None]
    moved = np.diff(position, axis=0) + (np.diff(rotation, axis=0) @ point)[..., 0]
    speed = np.linalg.norm(moved[:, :2], axis=1) / dt
    return np.append(speed, speed[-1:])


def _flat(points: np.ndarray, up: np.ndarray) -> np.ndarray | None:
    """Up direction (3,) of a body with corners ``points`` (P, 3) that rests on its lower side; None if it has none."""
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):  # the points lie on a line or coincide
        return None
    normals = hull.equations[:, :3]
    corner, *others = np.moveaxis(points[hull.simplices], 1, 0)
    area = np.linalg.norm(np.cross(*(other - corner for other in others)), axis=1)
    together = normals @ normals.T > _SAME_SIDE
    sides = together @ np.where(normals @ -up > _MAX_TILT, area, 0)
    if sides.max() < _MIN_SIDE * area.sum():
        return None
    side = together[np.argmax(sides)]
    mean = (area * side) @ normals
    return -mean / np.linalg.norm(mean)


def _balls(model: mujoco.MjModel, geom: int) -> tuple[np.ndarray, np.ndarray]:
    """Centers (P, 3) and radii (P,) of balls whose convex hull is the geom, in its body's frame, m."""
    size, kind = model.geom_size[geom], model.geom_type[geom]
    radius = 0.0
    if kind == _GEOM.mjGEOM_SPHERE:
        local, radius = np.zeros((1, 3)), size[0]
    elif kind == _GEOM.mjGEOM_CAPSULE:
        local, radius = _grid([0], [0], [-size[1], size[1]]), size[0]
    elif kind == _GEOM.mjGEOM_BOX:
        local = _grid(*([-half, half] for half in size))
    elif kind == _GEOM.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        local = model.mesh_vert[first : first + count].astype(np.float64)
    else:  # points on the round surface of a cylinder or ellipsoid
        turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        if kind == _GEOM.mjGEOM_CYLINDER:
            ring = np.stack([size[0] * np.cos(turn), size[0] * np.sin(turn)], axis=1)
            local = np.concatenate([np.insert(ring, 2, end, axis=1) for end in (-size[1], size[1])])
        else:
            tilt = np.linspace(0, np.pi, 17)[:, None]
            sphere = [np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt) + 0 * turn]
            local = np.stack(sphere, axis=-1).reshape(-1, 3) * size
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    return local @ rotation.reshape(3, 3).T + model.geom_pos[geom], np.full(len(local), radius)


def _grid(*axes: Sequence[float]) -> np.ndarray:
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3).astype(np.float64)
