"""A robot's surface in the numbers that the page draws: corners of triangles with shaded normals, in few bytes."""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from scipy.sparse import csr_matrix

from amp_helpers.render.meshes import BodyMesh

POSITION_UNIT_M = 1e-4
"""Unit of the positions in the page, which are 16 bits wide."""
_CREASE_RAD = 0.7
"""Edges sharper than this stay sharp in the shading."""


@dataclass(frozen=True)
class Drawing:
    """Triangles of a robot, in the frames of its links."""

    parts: list[dict[str, Any]]
    """``body`` (index in the model), ``color`` (red, green, blue, 0..255), ``first`` and ``count`` of its corners."""
    positions: np.ndarray
    """(C, 3) int16, in units of ``POSITION_UNIT_M``; three corners a triangle."""
    normals: np.ndarray
    """(C, 3) int8, of length 127."""


def draw_robot(meshes: list[BodyMesh], model: mujoco.MjModel) -> Drawing:
    """Shade meshes and number their links as a model does."""
    parts: list[dict[str, Any]] = []
    positions: list[np.ndarray] = [np.zeros((0, 3))]
    normals: list[np.ndarray] = [np.zeros((0, 3))]
    first = 0
    for mesh in meshes:
        faces, directions = _shade(mesh.vertices, mesh.faces)
        count = faces.size
        body = int(model.body(mesh.body).id)
        parts.append({"body": body, "color": mesh.color, "first": first, "count": count})
        positions.append(mesh.vertices[faces].reshape(-1, 3))
        normals.append(directions)
        first += count
    whole = np.round(np.concatenate(positions) / POSITION_UNIT_M).astype("<i2")
    return Drawing(parts, whole, np.round(np.concatenate(normals) * 127).astype(np.int8))


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
