"""The sole of a foot as points: which of them touches the ground, how high it is, how fast it slides."""

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial import ConvexHull, QhullError

from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.model import shapes

_GEOM = mujoco.mjtGeom
_MOST_TILTED = np.cos(np.radians(35.0))
"""A sole is looked for within this angle of what points down in the default pose."""
_SAME_SIDE = np.cos(np.radians(5.0))
_SMALLEST_SIDE = 0.08
"""Share of the hull's surface that a side has which something can lie on; the end of a stick has less."""


@dataclass(frozen=True, eq=False)
class Sole:
    """A foot's collision shapes as balls in the frame of its link; boxes and meshes have balls of radius 0."""

    centres: np.ndarray
    """(P, 3) m."""
    radii: np.ndarray
    """(P,) m."""
    up: np.ndarray
    """(3,) unit: points up in the world when the sole lies flat on the ground."""
    flat: bool = True
    """Whether it has a side to lie on; otherwise ``up`` is what points up in the default pose."""

    def lowest(self, rotation: np.ndarray) -> np.ndarray:
        """The point that is lowest under rotations (..., 3, 3), in the link's frame, (..., 3) m."""
        up = rotation[..., 2, :]  # the world's vertical, seen from the link
        height = up @ self.centres.T - self.radii
        ball = np.argmin(height, axis=-1)
        return self.centres[ball] - self.radii[ball][..., None] * up

    def height(self, position: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        """Height of the lowest point (...,) m, the link's origin at positions (..., 3)."""
        return position[..., 2] + np.einsum("...i,...i->...", rotation[..., 2, :], self.lowest(rotation))


def soles(kinematics: Kinematics) -> tuple[Sole, ...]:
    """The soles of a robot in the order of ``Robot.foot_bodies``.

    A foot lies flat on the largest side of its shapes' convex hull, among those that face down, give or take 35
    degrees, in the robot's default pose; facets within 5 degrees of each other are one side. A foot without such a
    side, like a ball or a stick, has its ``up`` from the default pose.
    """
    model, robot = kinematics.model, kinematics.robot
    data = mujoco.MjData(model)
    data.qpos[:] = (0, 0, 0, 1, 0, 0, 0, *robot.default_pose())
    mujoco.mj_kinematics(model, data)
    found = []
    for name in robot.foot_bodies:
        body = model.body(name).id
        up = data.xmat[body].reshape(3, 3)[2]
        balls = [_balls(model, geom) for geom in shapes(model, body)]
        centres, radii = (np.concatenate(part) for part in zip(*balls, strict=True))
        side = _flat(np.concatenate([centres + turned * radii[:, None] * up for turned in (-1, 1)]), up)
        found.append(Sole(centres, radii, up if side is None else side, flat=side is not None))
    return tuple(found)


def slip(sole: Sole, position: np.ndarray, rotation: np.ndarray, dt: float) -> np.ndarray:
    """Horizontal speed (N,) m/s at which the foot's lowest point moves over the ground: 0 where it stands or rolls.

    Unlike the speed of the ankle, which a foot that rolls over its toes moves without sliding. The last frame repeats
    the one before.

    Args:
        sole: of the foot.
        position, rotation: of the foot's link, (N, 3) m and (N, 3, 3).
        dt: seconds between frames.
    """
    point = sole.lowest(rotation[:-1])[..., None]
    moved = np.diff(position, axis=0) + (np.diff(rotation, axis=0) @ point)[..., 0]
    speed = np.linalg.norm(moved[:, :2], axis=1) / dt
    return np.append(speed, speed[-1:])


def _flat(points: np.ndarray, up: np.ndarray) -> np.ndarray | None:
    """The direction that is up when the body spanned by ``points`` (P, 3) rests on the side that faces down."""
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):  # nothing but a point or a line
        return None
    normals = hull.equations[:, :3]
    corner, *others = np.moveaxis(points[hull.simplices], 1, 0)
    area = np.linalg.norm(np.cross(*(other - corner for other in others)), axis=1)
    together = normals @ normals.T > _SAME_SIDE
    sides = together @ np.where(normals @ -up > _MOST_TILTED, area, 0)
    if sides.max() < _SMALLEST_SIDE * area.sum():
        return None
    side = together[np.argmax(sides)]
    mean = (area * side) @ normals
    return -mean / np.linalg.norm(mean)


def _balls(model: mujoco.MjModel, geom: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres (P, 3) and radii (P,) of balls whose hull is a geom's, in the frame of its body."""
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
    else:  # cylinder and ellipsoid, which are round: points on them
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
