"""What a robot's own MuJoCo file says about it: joints, limits, default pose, feet, and how low its shapes reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from amp_helpers.errors import InputError

_GEOM = mujoco.mjtGeom
_SOLID = (
    _GEOM.mjGEOM_SPHERE,
    _GEOM.mjGEOM_CAPSULE,
    _GEOM.mjGEOM_CYLINDER,
    _GEOM.mjGEOM_BOX,
    _GEOM.mjGEOM_ELLIPSOID,
    _GEOM.mjGEOM_MESH,
)
FOOT_TOLERANCE = 0.05
"""Bodies that reach within this share of the robot's height of its lowest point are feet."""
FOOT_THICKNESS_M = 0.01
"""Shapes of a foot that reach within this of its lowest point are its sole, m."""


def joint_names(path: Path, model: mujoco.MjModel) -> tuple[str, ...]:
    """The joints, depth-first, of a model that holds one robot with a free root and one number per joint.

    Raises:
        InputError: the model is something else, or a joint has no name.
    """
    kinds = list(model.jnt_type)
    free = kinds.count(mujoco.mjtJoint.mjJNT_FREE)
    if free != 1 or kinds[0] != mujoco.mjtJoint.mjJNT_FREE:
        raise InputError(
            f"{path}: has {free} free joints{'' if free != 1 else ', and not at its root'}; "
            "give a file of the robot alone, with a <freejoint/> in its root body"
        )
    names = tuple(model.joint(index).name for index in range(1, model.njnt))
    if not all(names):
        raise InputError(f"{path}: joint {names.index('') + 1} has no name; name every joint, datasets go by name")
    balls = [name for name, kind in zip(names, kinds[1:], strict=True) if kind == mujoco.mjtJoint.mjJNT_BALL]
    if balls or not names:
        raise InputError(
            f"{path}: {', '.join(balls)} are ball joints; replace each by three hinges"
            if balls
            else f"{path}: has no joints but the free one; give the file of a robot that moves"
        )
    return names


def joint_limits(model: mujoco.MjModel, names: tuple[str, ...]) -> np.ndarray:
    """Lower and upper limit of each joint, (J,2) float32, rad; infinite for a joint without any."""
    joints = [model.joint(name).id for name in names]
    limits = np.where(model.jnt_limited[joints, None] > 0, model.jnt_range[joints], (-np.inf, np.inf))
    return limits.astype(np.float32)


def check_bodies(path: Path, model: mujoco.MjModel, names: Sequence[str]) -> tuple[str, ...]:
    """The names, all of which are links of the robot.

    Raises:
        InputError: one is not; the message lists the links.
    """
    bodies = [model.body(index).name for index in range(1, model.nbody)]
    for body in names:
        if body not in bodies:
            raise InputError(f"{path}: body '{body}' not found; available: {', '.join(filter(None, bodies))}")
    return tuple(names)


def joints_above(model: mujoco.MjModel, bodies: Sequence[str]) -> tuple[str, ...]:
    """The joints next above these bodies, depth-first: a body's own, or those of the link that it is fixed to."""
    owners = {int(model.body_weldid[model.body(name).id]) for name in bodies}
    return tuple(model.joint(joint).name for joint in range(1, model.njnt) if int(model.jnt_bodyid[joint]) in owners)


def shapes(model: mujoco.MjModel, body: int) -> np.ndarray:
    """The geoms with which a body touches others, (G) indices; planes and height fields are none."""
    touching = (model.geom_contype > 0) | (model.geom_conaffinity > 0)
    return np.flatnonzero((model.geom_bodyid == body) & touching & np.isin(model.geom_type, _SOLID))


def lowest_points(model: mujoco.MjModel, geoms: np.ndarray, height: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Height of the lowest point of each geom, (..., G), m.

    Args:
        model: the model.
        geoms: indices (G) of :func:`shapes`.
        height: of the geoms' centres (..., G), m: ``geom_xpos``'s z.
        up: the world's vertical in each geom's own frame (..., G, 3): the third row of ``geom_xmat``.
    """
    depths = [_depth(model, geom, up[..., column, :]) for column, geom in enumerate(geoms)]
    return height - np.stack(depths, axis=-1)


def _depth(model: mujoco.MjModel, geom: int, up: np.ndarray) -> np.ndarray:
    """How far a geom reaches below its centre: the support function of its shape, (...,)."""
    size, kind = model.geom_size[geom], model.geom_type[geom]
    x, y, z = np.moveaxis(np.abs(up), -1, 0)
    if kind == _GEOM.mjGEOM_SPHERE:
        return np.full_like(z, size[0])
    if kind == _GEOM.mjGEOM_CAPSULE:
        return size[0] + z * size[1]
    if kind == _GEOM.mjGEOM_CYLINDER:
        return size[0] * np.hypot(x, y) + z * size[1]
    if kind == _GEOM.mjGEOM_BOX:
        return x * size[0] + y * size[1] + z * size[2]
    if kind == _GEOM.mjGEOM_ELLIPSOID:
        return np.linalg.norm(up * size, axis=-1)
    mesh = model.geom_dataid[geom]
    first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
    vertices = model.mesh_vert[first : first + count]
    # Frame by frame: all of them at once would be gigabytes.
    depths = [(-(vertices @ direction)).max() for direction in up.reshape(-1, 3)]
    return np.reshape(depths, z.shape)


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """What a model says about its robot, in a pose."""

    pose: np.ndarray
    """Joint positions (J), rad."""
    feet: tuple[str, ...]
    """Bodies that reach the ground first, depth-first; never the root."""
    foot_points: tuple[tuple[float, float, float], ...]
    """Where each foot meets the ground, in its link's frame (F, 3), m."""
    root_height: float
    """Of the root with the lowest shape on the ground, m."""


def model_facts(model: mujoco.MjModel, pose: np.ndarray | None = None, feet: Sequence[str] = ()) -> ModelFacts:
    """Feet and root height of a robot that stands in ``pose`` (J,), rad.

    Without a pose it is the model's first keyframe, or 0 in every joint, moved into the joint's limits. Without
    ``feet`` they are the links whose shapes are lowest.
    """
    data = mujoco.MjData(model)
    start = model.key_qpos[0] if model.nkey else model.qpos0
    if pose is None:
        names = tuple(model.joint(index).name for index in range(1, model.njnt))
        pose = np.clip(start[7:], *joint_limits(model, names).astype(np.float64).T)
    data.qpos[:] = (0, 0, 0, *start[3:7], *pose)
    mujoco.mj_kinematics(model, data)
    root = int(model.jnt_bodyid[0])
    lowest: dict[int, float] = {}
    for body in range(root, model.nbody):
        geoms = shapes(model, body)
        if len(geoms):
            up = data.geom_xmat[geoms].reshape(-1, 3, 3)[:, 2]
            lowest[body] = float(lowest_points(model, geoms, data.geom_xpos[geoms, 2], up).min())
    ground = min(lowest.values(), default=0.0)
    top = max(float(data.xpos[root:, 2].max()), 0.0)
    reach = FOOT_TOLERANCE * (top - ground)
    low = [body for body, z in lowest.items() if z <= ground + reach and body != root]
    above = {ancestor for body in low for ancestor in _ancestors(model, body)}  # a shin is not the foot below it
    found = [body for body in low if body not in above]
    found = [model.body(name).id for name in feet] or found
    return ModelFacts(
        pose=np.asarray(pose, dtype=np.float32),
        feet=tuple(model.body(body).name for body in found),
        foot_points=tuple(_foot_point(model, data, body) for body in found),
        root_height=-ground,
    )


def _foot_point(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> tuple[float, float, float]:
    """The middle of a link's lowest shapes; its origin where it has none."""
    geoms = shapes(model, body)
    if not len(geoms):
        return (0.0, 0.0, 0.0)
    up = data.geom_xmat[geoms].reshape(-1, 3, 3)[:, 2]
    lowest = lowest_points(model, geoms, data.geom_xpos[geoms, 2], up)
    middle = data.geom_xpos[geoms[lowest < lowest.min() + FOOT_THICKNESS_M]].mean(axis=0)
    x, y, z = data.xmat[body].reshape(3, 3).T @ (middle - data.xpos[body])
    return (float(x), float(y), float(z))


def _ancestors(model: mujoco.MjModel, body: int) -> list[int]:
    parent = int(model.body_parentid[body])
    return [] if parent == 0 else [parent, *_ancestors(model, parent)]


def breadth_first(model: "mujoco.MjModel") -> tuple[str, ...]:
    """The joints level by level from the root, siblings in the model's order, as PhysX lists them; the free one not."""
    depth = [0] * model.nbody
    for body in range(1, model.nbody):
        depth[body] = depth[model.body_parentid[body]] + 1
    joints = sorted(range(1, model.njnt), key=lambda joint: (depth[model.jnt_bodyid[joint]], joint))
    return tuple(model.joint(joint).name for joint in joints)
