"""The robot's shapes for a browser: fewer triangles, one list of corners for each link and color."""

from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from amp_helpers.robots.model import COLLISION_GROUP

POSITION_UNIT_M = 1e-4
"""Unit of the positions in the page, which are 16 bits wide."""
_CREASE_RAD = 0.7
"""Edges sharper than this stay sharp in the shading."""
_GEOM = mujoco.mjtGeom


@dataclass(frozen=True)
class Drawing:
    """Triangles of a robot, in the frames of its links."""

    parts: list[dict]
    """``body`` (index in the model), ``color`` (red, green, blue), ``first`` and ``count`` of its corners."""
    positions: np.ndarray
    """(C, 3) int16, in units of ``POSITION_UNIT_M``; three corners a triangle."""
    normals: np.ndarray
    """(C, 3) int8, of length 127."""


def draw_robot(model: mujoco.MjModel, detail: float) -> Drawing:
    """Collect the shapes that are drawn: those outside the groups of collision shapes, or all where there is none.

    Args:
        model: the robot with its meshes.
        detail: size below which a mesh's features are merged, m.
    """
    links = (model.geom_bodyid > 0) & (model.geom_rgba[:, 3] > 0)
    shown = links & (model.geom_group < COLLISION_GROUP)
    corners: dict[tuple[int, tuple[float, ...]], list[np.ndarray]] = {}
    for geom in np.flatnonzero(shown if shown.any() else links).tolist():
        vertices, faces = (
            _mesh(model, geom, detail) if model.geom_type[geom] == _GEOM.mjGEOM_MESH else _solid(model, geom)
        )
        turn = Rotation.from_quat(model.geom_quat[geom], scalar_first=True)
        placed = turn.apply(vertices) + model.geom_pos[geom]
        kept, normals = _shade(placed, faces)
        key = int(model.geom_bodyid[geom]), _color(model, geom)
        corners.setdefault(key, []).append(np.stack((placed[kept].reshape(-1, 3), normals)))
    parts, blocks, first = [], [], 0
    for (body, color), pieces in corners.items():
        block = np.concatenate(pieces, axis=1)
        parts.append({"body": body, "color": color, "first": first, "count": block.shape[1]})
        blocks.append(block)
        first += block.shape[1]
    positions, normals = np.concatenate(blocks, axis=1) if blocks else np.zeros((2, 0, 3))
    return Drawing(parts, np.round(positions / POSITION_UNIT_M).astype("<i2"), np.round(normals * 127).astype(np.int8))


def _color(model: mujoco.MjModel, geom: int) -> tuple[float, ...]:
    material = model.geom_matid[geom]
    rgba = model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom]
    return tuple(round(float(value), 3) for value in rgba[:3])


def _mesh(model: mujoco.MjModel, geom: int, detail: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and faces (F, 3) of a mesh; vertices that share a cell of ``detail`` m are merged."""
    mesh = model.geom_dataid[geom]
    vertices = model.mesh_vert[model.mesh_vertadr[mesh] :][: model.mesh_vertnum[mesh]].astype(float)
    faces = model.mesh_face[model.mesh_faceadr[mesh] :][: model.mesh_facenum[mesh]]
    _, cell = np.unique(np.round(vertices / detail).astype(np.int64), axis=0, return_inverse=True)
    cell = cell.ravel()
    count = np.bincount(cell)
    means = np.stack([np.bincount(cell, weights=vertices[:, axis]) / count for axis in range(3)], axis=1)
    merged = cell[faces]
    corners = np.sort(merged, axis=1)
    _, kept = np.unique(corners, axis=0, return_index=True)
    kept = kept[(np.diff(corners[kept], axis=1) > 0).all(axis=1)]
    return means, merged[kept]


def _solid(model: mujoco.MjModel, geom: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a sphere, capsule, cylinder, ellipsoid or box, as a convex hull; others are left out."""
    size, kind = model.geom_size[geom], _GEOM(model.geom_type[geom])
    count = np.arange(200)
    height = 1 - (2 * count + 1) / len(count)
    angle = count * np.pi * (3 - np.sqrt(5))  # a Fibonacci lattice on the sphere
    ball = np.stack([np.sqrt(1 - height**2) * np.cos(angle), np.sqrt(1 - height**2) * np.sin(angle), height], axis=1)
    ring = np.stack([np.cos(count * np.pi / 16), np.sin(count * np.pi / 16), np.ones(200)], axis=1)[:32]
    shift = np.array([0, 0, size[1]])
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T
    points = {
        _GEOM.mjGEOM_SPHERE: ball * size[0],
        _GEOM.mjGEOM_ELLIPSOID: ball * size,
        _GEOM.mjGEOM_CAPSULE: np.concatenate([ball * size[0] + shift, ball * size[0] - shift]),
        _GEOM.mjGEOM_CYLINDER: np.concatenate([ring * (*size[[0, 0]], side * size[1]) for side in (1, -1)]),
        _GEOM.mjGEOM_BOX: signs * size,
    }.get(kind)
    if points is None:
        return np.zeros((0, 3)), np.zeros((0, 3), int)
    hull = ConvexHull(points)
    faces = hull.simplices.copy()
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    inward = np.einsum("fi,fi->f", np.cross(b - a, c - a), hull.equations[:, :3]) < 0
    faces[inward] = faces[inward][:, ::-1]
    return points, faces


def _shade(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the faces that have an area, and the normal of each of their corners (3 F, 3).

    A corner's normal is the mean of the normals of the faces at its vertex, but for those beyond a sharp edge.
    """
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    areas = np.cross(b - a, c - a)
    lengths = np.linalg.norm(areas, axis=1)
    faces, areas = faces[lengths > 1e-12], areas[lengths > 1e-12]
    units = areas / np.linalg.norm(areas, axis=1, keepdims=True)
    owner = np.repeat(np.arange(len(faces)), 3)
    at_vertex = csr_matrix((np.ones(len(owner)), (faces.ravel(), owner)), shape=(len(vertices), len(faces)))
    neighbors = at_vertex[faces.ravel()].tocoo()  # row: corner; column: a face at its vertex
    smooth = np.einsum("pi,pi->p", units[owner[neighbors.row]], units[neighbors.col]) > np.cos(_CREASE_RAD)
    weights = csr_matrix((smooth.astype(float), (neighbors.row, neighbors.col)), shape=(len(owner), len(faces)))
    normals = weights @ areas
    return faces, normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
