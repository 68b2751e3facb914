"""Robot files read and written with MuJoCo: MJCF or URDF, with a free root, their meshes found or left out."""

import functools
import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.robots.assets import cached_folder
from amp_helpers.robots.compiling import compile_apart

_MESHES = (".stl", ".obj", ".msh")  # MuJoCo does not read COLLADA, which many URDFs use


@dataclass(frozen=True, eq=False)
class RobotFile:
    """A robot's compiled model and the MJCF file that holds it."""

    model: mujoco.MjModel
    mjcf: Path
    """The file itself, or one written from it if it is a URDF or lacks meshes."""
    missing_meshes: tuple[str, ...]
    """Mesh files that the model names and that are absent, or of a kind that MuJoCo cannot read."""
    lost_shapes: tuple[str, ...] = ()
    """Links that lack collision shapes because of missing meshes; any shapes, in a model without collision shapes."""


def read_robot(path: Path) -> RobotFile:
    """Read an MJCF or URDF file; a URDF's root link gets a free joint if it has none.

    Shapes whose mesh is missing are left out: names, limits and kinematics do not need them. Links of a URDF on fixed
    joints are not merged into their parents, because feet often are such links. ``package://`` names are looked up in
    the folders above the file.

    Raises:
        InputError: there is no such file, or MuJoCo cannot read it, within the limits of :mod:`.compiling`.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the robot's MJCF or URDF")
    content, text, missing, links = compile_apart(path)
    model = mujoco.MjModel.from_binary_path("robot.mjb", {"robot.mjb": content})
    if text is None:
        return RobotFile(model, path, ())
    name = f"robot-{hashlib.sha256(text.encode()).hexdigest()[:20]}"
    folder = cached_folder(name, functools.partial(_write, text))
    return RobotFile(model, folder / "robot.xml", missing, links)


def compile_file(
    path: Path, allow: Callable[[int], None]
) -> tuple[mujoco.MjModel, str | None, tuple[str, ...], tuple[str, ...]]:
    """Compile a file for :func:`read_robot`.

    Args:
        path: the file.
        allow: called with the total size of its meshes, bytes, before they are read.

    Returns:
        The model, the text of an MJCF to use in place of the file (None for the file itself), and the missing meshes
        and links without their shapes as in :class:`RobotFile`.

    Raises:
        ValueError, mujoco.FatalError: MuJoCo cannot read it.
    """
    urdf = path.suffix.lower() == ".urdf"
    spec = mujoco.MjSpec.from_file(str(path))
    named = _name_links(spec)
    missing, lost = _find_meshes(spec, path.parent)
    drop_dangling_pairs(spec)
    allow(sum(Path(mesh.file).stat().st_size for mesh in spec.meshes if mesh.file))
    if urdf:
        spec.compiler.fusestatic = False
        root = spec.worldbody.first_body()
        if root is not None and all(joint.type != mujoco.mjtJoint.mjJNT_FREE for joint in spec.joints):
            root.add_freejoint()
    model = spec.compile()
    if not (urdf or missing or named):
        return model, None, (), ()
    touching = (model.geom_contype > 0) | (model.geom_conaffinity > 0)
    has_shapes = any(lost.values()) or bool((touching & (model.geom_bodyid > 0)).any() or model.npair)
    links = tuple(name for name, collides in lost.items() if collides or not has_shapes)
    return model, spec.to_xml(), missing, links


def bare_model(path: Path) -> mujoco.MjModel:
    """Compile an MJCF without the meshes that touch nothing; those of a G1 take a second and 400 MiB.

    A model that does not compile without them, for example because its masses come from them, keeps them.
    It is compiled once per process and shared: do not modify it. A changed file is compiled again.

    Raises:
        InputError: there is no such file, or MuJoCo cannot read it.
    """
    version = path.stat() if path.is_file() else None
    return _bare_model(path, version and version.st_mtime_ns, version and version.st_size)


@functools.lru_cache(maxsize=16)
def _bare_model(path: Path, mtime_ns: int | None, size: int | None) -> mujoco.MjModel:
    if path.is_file():
        try:
            spec = mujoco.MjSpec.from_file(str(path))
            touches = any(geom.contype or geom.conaffinity for geom in spec.geoms) or bool(spec.pairs)
            for geom in list(spec.geoms) if touches else ():
                if geom.type == mujoco.mjtGeom.mjGEOM_MESH and not geom.contype and not geom.conaffinity:
                    spec.delete(geom)
            used = {geom.meshname for geom in spec.geoms}
            for mesh in [mesh for mesh in spec.meshes if mesh.name not in used]:
                spec.delete(mesh)
            return spec.compile()
        except (ValueError, mujoco.FatalError):
            pass  # it may compile with its meshes; if not, read_robot reports the reason
    return read_robot(path).model


def model_digest(path: Path) -> str:
    """Twenty hex digits of a SHA-256 over the compiled model of an MJCF file, meshes included."""
    model = read_robot(path).model
    content = np.empty(mujoco.mj_sizeModel(model), dtype=np.uint8)
    mujoco.mj_saveModel(model, None, content)
    return hashlib.sha256(content).hexdigest()[:20]


def keep_joints(source: Path, name: str, joint_names: Sequence[str]) -> str:
    """XML of an MJCF file's model under a new name, with these joints and the free one; other joints become rigid.

    Raises:
        InputError: ``joint_names`` are not joints of the model, in its order; the message lists those.
    """
    spec = mujoco.MjSpec.from_file(str(source))
    spec.modelname = name
    joints = [joint for joint in spec.joints if joint.type != mujoco.mjtJoint.mjJNT_FREE]
    found = tuple(joint.name for joint in joints)
    if tuple(joint for joint in found if joint in joint_names) != tuple(joint_names):
        raise InputError(
            f"robot '{name}': joints {', '.join(joint_names)} are not joints of its model, in the model's order; "
            f"available: {', '.join(found)}"
        )
    for joint in joints:
        if joint.name not in joint_names:
            spec.delete(joint)
    spec.compile()  # refuses a model whose sensors or exclusions name something deleted
    return spec.to_xml()


def _name_links(spec: mujoco.MjSpec) -> bool:
    """Name links without a name after their parents, and return whether there were any: feet are known by name."""
    taken = {body.name for body in spec.bodies}
    nameless = [body for body in spec.bodies if not body.name]
    for body in nameless:
        names = (f"{body.parent.name or 'link'}_{number}" for number in itertools.count(1))
        body.name = next(name for name in names if name not in taken)
        taken.add(body.name)
    return bool(nameless)


def drop_dangling_pairs(spec: mujoco.MjSpec) -> None:
    """Delete contact pairs with shapes that the file lacks, such as the floor of a scene that includes it."""
    geoms = {geom.name for geom in spec.geoms}
    for pair in [pair for pair in spec.pairs if not {pair.geomname1, pair.geomname2} <= geoms]:
        spec.delete(pair)


def _find_meshes(spec: mujoco.MjSpec, folder: Path) -> tuple[tuple[str, ...], dict[str, bool]]:
    """Set every mesh's path, and delete meshes without a file together with their shapes.

    Returns:
        Names of the meshes deleted; and links that lost shapes -> whether a collision shape was among them.
    """
    missing: list[str] = []
    lost: dict[str, bool] = {}
    for mesh in list(spec.meshes):
        if not mesh.file:  # its vertices are in the model
            continue
        place = _place(mesh.file, folder, spec.meshdir)
        if place is not None:
            mesh.file = str(place)
            continue
        missing.append(mesh.file)
        name = mesh.name or Path(mesh.file).stem  # MuJoCo's default name
        for geom in [geom for geom in spec.geoms if geom.meshname == name]:
            link = geom.parent.name
            lost[link] = lost.get(link, False) or bool(geom.contype or geom.conaffinity)
            spec.delete(geom)
        spec.delete(mesh)
    if missing:
        # A link left without shapes has no mass, which MuJoCo refuses; such a model serves kinematics only.
        spec.compiler.boundmass = spec.compiler.boundinertia = 1e-6
    return tuple(missing), lost


def _place(file: str, folder: Path, meshdir: str) -> Path | None:
    scheme, _, rest = file.partition("://")
    if not rest:
        places = [folder / meshdir / file]
    elif scheme == "file":
        places = [Path(rest)]
    else:  # package://NAME/..., where NAME may be a folder or only the name of a ROS package
        inside = rest.partition("/")[2]
        places = [above / part for above in (folder, *folder.parents) for part in (inside, rest)]
    found = (place for place in places if place.is_file() and place.suffix.lower() in _MESHES)
    return next(found, None)


def _write(text: str, folder: Path) -> None:
    (folder / "robot.xml").write_text(text, encoding="utf-8")
