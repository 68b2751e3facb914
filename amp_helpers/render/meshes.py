"""A robot's surface as triangles, for drawing programs other than MuJoCo."""

from collections import defaultdict
from dataclasses import dataclass

import mujoco
import numpy as np
import trimesh

from amp_helpers.render.gl import COLLISION_GROUP
from amp_helpers.render.scene import scene_model
from amp_helpers.robots.robot import Robot


@dataclass(frozen=True, eq=False)
class BodyMesh:
    """Everything of one color on one link."""

    body: str
    """Name of the link."""
    color: tuple[int, int, int]
    """Red, green and blue, 0..255."""
    vertices: np.ndarray
    """(V, 3) m, in the link's frame."""
    faces: np.ndarray
    """(F, 3), indices of vertices."""


def body_meshes(robot: Robot, detail: float) -> list[BodyMesh]:
    """Return the drawn shapes of a robot, those of one link and color as one mesh.

    Args:
        robot: its collision shapes are left out, unless it has no others.
        detail: size below which mesh features are merged, m.
    """
    model = scene_model(robot, detail)
    on_robot = model.geom_bodyid > 0
    drawn = on_robot & (model.geom_group != COLLISION_GROUP)
    parts: defaultdict[tuple[str, tuple[int, int, int]], list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
    for geom in map(int, np.flatnonzero(drawn if drawn.any() else on_robot)):
        material = model.geom_matid[geom]
        rgba = model.geom_rgba[geom] if material < 0 else model.mat_rgba[material]
        vertices, faces = _shape(model, geom)
        if rgba[3] == 0 or not len(faces):
            continue
        red, green, blue = (round(255 * float(value)) for value in rgba[:3])
        rotation = np.empty(9)
        mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
        placed = vertices @ rotation.reshape(3, 3).T + model.geom_pos[geom]
        parts[model.body(int(model.geom_bodyid[geom])).name, (red, green, blue)].append((placed, faces))
    return [BodyMesh(body, color, *_joined(shapes)) for (body, color), shapes in parts.items()]


def _joined(shapes: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Several shapes as one, without the vertices that no face uses."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in shapes)])
    vertices = np.concatenate([vertices for vertices, _ in shapes])
    faces = np.concatenate([faces + start for (_, faces), start in zip(shapes, starts, strict=False)])
    used, renumbered = np.unique(faces, return_inverse=True)
    return vertices[used], renumbered.reshape(faces.shape)


def _shape(model: mujoco.MjModel, geom: int) -> tuple[np.ndarray, np.ndarray]:
    """A geom's vertices and faces in its own frame; none of a plane, a height field and the like."""
    size = model.geom_size[geom]
    match mujoco.mjtGeom(int(model.geom_type[geom])):
        case mujoco.mjtGeom.mjGEOM_MESH:
            mesh = model.geom_dataid[geom]
            vertices = slice(model.mesh_vertadr[mesh], model.mesh_vertadr[mesh] + model.mesh_vertnum[mesh])
            faces = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
            return model.mesh_vert[vertices], model.mesh_face[faces]
        case mujoco.mjtGeom.mjGEOM_SPHERE:
            shape = trimesh.creation.icosphere(2, size[0])
        case mujoco.mjtGeom.mjGEOM_ELLIPSOID:
            shape = trimesh.creation.icosphere(2).apply_scale(size)
        case mujoco.mjtGeom.mjGEOM_CAPSULE:
            shape = trimesh.creation.capsule(2 * size[1], size[0], count=(16, 16))
        case mujoco.mjtGeom.mjGEOM_CYLINDER:
            shape = trimesh.creation.cylinder(size[0], 2 * size[1], sections=24)
        case mujoco.mjtGeom.mjGEOM_BOX:
            shape = trimesh.creation.box(2 * size)
        case _:
            return np.zeros((0, 3)), np.zeros((0, 3), int)
    return np.asarray(shape.vertices), np.asarray(shape.faces)
