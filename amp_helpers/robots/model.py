"""Facts read from a MuJoCo model: joints, limits, default pose, feet, and the lowest points of its shapes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.joints import expand_patterns

_GEOM = mujoco.mjtGeom
_SOLID = (
    _GEOM.mjGEOM_SPHERE,
    _GEOM.mjGEOM_CAPSULE,
    _GEOM.mjGEOM_CYLINDER,
    _GEOM.mjGEOM_BOX,
    _GEOM.mjGEOM_ELLIPSOID,
    _GEOM.mjGEOM_MESH,
)
COLLISION_GROUP = 3
"""First geom group that is hidden by default, where models keep their collision shapes."""
FOOT_TOLERANCE = 0.05
"""Height below which a body is a foot, above the lowest point, as a share of the robot's height."""
FOOT_THICKNESS_M = 0.01
"""Height below which a shape belongs to the sole, above the foot's lowest point, m."""

LIMIT_TOLERANCE_RAD = 1e-4
"""Angle beyond a limit that is rounding."""


def joint_limits(model: mujoco.MjModel, names: tuple[str, ...]) -> np.ndarray:
    """Lower and upper limit of each joint, (J, 2) float32, rad (m for a slide); infinite for a joint without limits."""
    joints = [model.joint(name).id for name in names]
    limits = np.where(model.jnt_limited[joints, None] > 0, model.jnt_range[joints], (-np.inf, np.inf))
    return limits.astype(np.float32)


def shapes(model: mujoco.MjModel, body: int) -> np.ndarray:
    """Indices (G) of a body's geoms that can touch others, without planes and height fields.

    In a model whose geoms touch nothing, as one made for explicit contact pairs, geoms of the groups from 3 on count,
    which hold collision shapes by convention; without those, all geoms.
    """
    solid = np.isin(model.geom_type, _SOLID) & (model.geom_bodyid > 0)
    touching = (model.geom_contype > 0) | (model.geom_conaffinity > 0)
    touching[model.pair_geom1] = touching[model.pair_geom2] = True
    kinds = (touching, model.geom_group >= COLLISION_GROUP)
    chosen = next((solid & kind for kind in kinds if (solid & kind).any()), solid)
    return np.flatnonzero(chosen & (model.geom_bodyid == body))


def lowest_points(model: mujoco.MjModel, geoms: np.ndarray, height: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Height of the lowest point of each geom, (..., G), m.

    Args:
        model: the model.
        geoms: indices (G) of :func:`shapes`.
        height: heights of the geoms' centers, (..., G), m: the z of ``geom_xpos``.
        up: the world's vertical in each geom's frame, (..., G, 3): the third row of ``geom_xmat``.
    """
    depths = [_depth(model, geom, up[..., column, :]) for column, geom in enumerate(geoms)]
    return height - np.stack(depths, axis=-1)


def _depth(model: mujoco.MjModel, geom: int, up: np.ndarray) -> np.ndarray:
    """Distance from a geom's center down to its lowest point, (...,) m: the support function of its shape."""
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
    # Frame by frame, because one product for all frames takes gigabytes.
    depths = [(-(vertices @ direction)).max() for direction in up.reshape(-1, 3)]
    return np.reshape(depths, z.shape)


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """Facts about a robot that stands in its default pose."""

    joint_names: tuple[str, ...]
    """(J), depth-first."""
    pose: np.ndarray
    """Joint positions, (J,) float32, rad."""
    feet: tuple[str, ...]
    """Bodies that reach lowest, (F), depth-first; never the root."""
    feet_joints: tuple[str, ...]
    """Joints next above the feet: a foot's own, or those of the link that it is fixed to."""
    foot_points: tuple[tuple[float, float, float], ...]
    """Contact point of each foot in its link's frame, (F, 3), m."""
    root_height: float
    """Height of the root with the lowest shape on the ground, m."""
    bare_feet: tuple[str, ...] = ()
    """Feet without shapes that can touch others; theirs may only be seen."""
    guessed: bool = False
    """The feet were found by the places of links whose shapes are missing."""


def model_facts(
    path: Path,
    model: mujoco.MjModel,
    *,
    feet: Sequence[str] = (),
    pose: Mapping[str, float] | None = None,
    lost: Collection[str] = (),
) -> ModelFacts:
    """Read a robot's joints, feet and root height from its model.

    Args:
        path: the model's file, for messages.
        model: the model of one robot.
        feet: foot bodies; by default the bodies whose shapes are lowest.
        pose: pattern -> rad. By default the model's first keyframe, or 0 in every joint, moved into the limits.
        lost: bodies whose shapes are missing; their origins count in place of their lowest points.

    Raises:
        InputError: the model is not one robot with a free root, a joint has no name, a foot or pattern names nothing,
            an angle is outside its joint's limits, or no feet are found.
    """
    names = _joint_names(path, model)
    bodies = [model.body(index).name for index in range(1, model.nbody)]
    for foot in feet:
        if foot not in bodies:
            raise InputError(f"{path}: body '{foot}' not found; available: {', '.join(bodies)}")
    data = mujoco.MjData(model)
    start = model.key_qpos[0] if model.nkey else model.qpos0
    if pose is None:
        joint_pos = np.clip(start[7:], *joint_limits(model, names).astype(np.float64).T)
    else:
        joint_pos = expand_patterns(pose, names)
        _check_limits(path, names, joint_pos, joint_limits(model, names))
    data.qpos[:] = (0, 0, 0, *start[3:7], *joint_pos)
    mujoco.mj_kinematics(model, data)
    lowest = _lowest(model, data, lost)
    ground = min(lowest.values(), default=0.0)
    found = [model.body(name).id for name in feet] or _feet(model, data, lowest)
    if not found:
        leaves = [name for name in bodies[1:] if not (model.body_parentid == model.body(name).id).any()]
        raise InputError(
            f"{path}: no feet found among its lowest links; name them with --feet (foot_bodies in Python), such as "
            f"{' '.join(leaves[:2]) or bodies[-1]}; links: {', '.join(bodies)}"
        )
    owners = {int(model.body_weldid[body]) for body in found}
    return ModelFacts(
        joint_names=names,
        pose=np.asarray(joint_pos, dtype=np.float32),
        feet=tuple(model.body(body).name for body in found),
        feet_joints=tuple(names[joint - 1] for joint in range(1, model.njnt) if int(model.jnt_bodyid[joint]) in owners),
        foot_points=tuple(_foot_point(model, data, body) for body in found),
        root_height=-ground,
        bare_feet=tuple(model.body(body).name for body in found if not len(shapes(model, body))),
        guessed=not feet and any(model.body(body).name in lost for body in found),
    )


def shared_links(model: mujoco.MjModel) -> dict[str, tuple[str, ...]]:
    """Links that have several joints -> their joints; Newton and PhysX make one joint of several axes of them."""
    owners: dict[str, tuple[str, ...]] = {}
    for joint in range(model.njnt):
        link = model.body(model.jnt_bodyid[joint]).name
        owners[link] = (*owners.get(link, ()), model.joint(joint).name)
    return {link: joints for link, joints in owners.items() if len(joints) > 1}


def _check_limits(path: Path, names: Sequence[str], pose: np.ndarray, limits: np.ndarray) -> None:
    beyond = (pose < limits[:, 0] - LIMIT_TOLERANCE_RAD) | (pose > limits[:, 1] + LIMIT_TOLERANCE_RAD)
    if beyond.any():
        joint = int(beyond.argmax())
        low, high = limits[joint]
        raise InputError(
            f"{path}: {names[joint]} is {pose[joint]:g} in default_joint_pos, and its limits are {low:g} to {high:g}; "
            "give an angle between them (a joint that is not named is at 0)"
        )


def _joint_names(path: Path, model: mujoco.MjModel) -> tuple[str, ...]:
    """Joints, depth-first, of a model that consists of one robot with a free root and one coordinate per joint."""
    kinds = list(model.jnt_type)
    free = kinds.count(mujoco.mjtJoint.mjJNT_FREE)
    if free != 1 or kinds[0] != mujoco.mjtJoint.mjJNT_FREE:
        raise InputError(
            f"{path}: has {free} free joints{'' if free != 1 else ', and not at its root'}; "
            "give a file of the robot alone, with a <freejoint/> in its root body"
        )
    names = tuple(model.joint(index).name for index in range(1, model.njnt))
    if not all(names):
        raise InputError(f"{path}: joint {names.index('') + 1} has no name; name every joint, as datasets need")
    balls = [name for name, kind in zip(names, kinds[1:], strict=True) if kind == mujoco.mjtJoint.mjJNT_BALL]
    if balls or not names:
        raise InputError(
            f"{path}: {', '.join(balls)} are ball joints; replace each by three hinges"
            if balls
            else f"{path}: has no joints but the free one; give the file of a robot that moves"
        )
    return names


def _lowest(model: mujoco.MjModel, data: mujoco.MjData, lost: Collection[str]) -> dict[int, float]:
    """Body -> height of its lowest point, m, for the robot's bodies that have shapes, or have ``lost`` them."""
    lowest: dict[int, float] = {}
    for body in range(int(model.jnt_bodyid[0]), model.nbody):
        geoms = shapes(model, body)
        if len(geoms):
            up = data.geom_xmat[geoms].reshape(-1, 3, 3)[:, 2]
            lowest[body] = float(lowest_points(model, geoms, data.geom_xpos[geoms, 2], up).min())
        if model.body(body).name in lost:
            lowest[body] = min(lowest.get(body, np.inf), float(data.xpos[body, 2]))
    return lowest


def _feet(model: mujoco.MjModel, data: mujoco.MjData, lowest: Mapping[int, float]) -> list[int]:
    """Bodies near the ground, without the root and without those that have a lower link near the ground."""
    root, ground = int(model.jnt_bodyid[0]), min(lowest.values(), default=0.0)
    reach = FOOT_TOLERANCE * (max(float(data.xpos[root:, 2].max()), 0.0) - ground)
    low = [body for body, z in lowest.items() if z <= ground + reach and body != root]
    above = {ancestor for body in low for ancestor in _ancestors(model, body)}  # as the shin above a foot
    return [body for body in low if body not in above]


def _foot_point(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> tuple[float, float, float]:
    """Mean center of a link's lowest shapes in its frame, m; the link's origin if it has no shapes."""
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


def breadth_first(model: mujoco.MjModel) -> tuple[str, ...]:
    """Joints without the free one, level by level from the root, siblings in the model's order: PhysX's joint order."""
    depth = [0] * model.nbody
    for body in range(1, model.nbody):
        depth[body] = depth[model.body_parentid[body]] + 1
    joints = sorted(range(1, model.njnt), key=lambda joint: (depth[model.jnt_bodyid[joint]], joint))
    return tuple(model.joint(joint).name for joint in joints)
