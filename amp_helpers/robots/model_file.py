"""A robot's own file as MuJoCo takes it: MJCF or URDF, given a free root, its meshes found or left out."""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import mujoco

from amp_helpers.errors import InputError
from amp_helpers.robots.assets import cached_folder

_MESHES = (".stl", ".obj", ".msh")  # what MuJoCo reads; COLLADA, of which many URDFs draw, it does not


@dataclass(frozen=True, eq=False)
class RobotFile:
    """A robot's file, read and compiled."""

    model: mujoco.MjModel
    mjcf: Path
    """The MJCF of this model: the file itself, or one written from it where it is a URDF or lacks meshes."""
    missing_meshes: tuple[str, ...]
    """Files that the model names and that are not there, or are of a kind that MuJoCo cannot read."""


def read_robot(path: Path) -> RobotFile:
    """Read an MJCF, or a URDF, whose root link is set free unless the file does so itself.

    Shapes whose mesh is missing are left out: names, limits and kinematics do not need them. Links of a URDF that hang
    on fixed joints are kept, because feet often do. ``package://`` names are looked up in the folders above the file.

    Raises:
        InputError: there is no such file, or MuJoCo cannot read it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the robot's MJCF or URDF")
    urdf = path.suffix.lower() == ".urdf"
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        missing = _find_meshes(spec, path.parent)
        if urdf:
            spec.compiler.fusestatic = False
            root = spec.worldbody.first_body()
            if root is not None and all(joint.type != mujoco.mjtJoint.mjJNT_FREE for joint in spec.joints):
                root.add_freejoint()
        model = spec.compile()
    except (ValueError, mujoco.FatalError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: MuJoCo cannot read it ({reason}); correct the file or what it includes") from error
    if not (urdf or missing):
        return RobotFile(model, path, ())
    text = spec.to_xml()
    name = f"robot-{hashlib.sha256(text.encode()).hexdigest()[:20]}"
    folder = cached_folder(name, functools.partial(_write, text))
    return RobotFile(model, folder / "robot.xml", missing)


def bare_model(path: Path) -> mujoco.MjModel:
    """The model of an MJCF without the meshes that touch nothing, which take a second and 400 MiB of a G1 to compile.

    A model that needs them, for its masses say, comes with them.

    Raises:
        InputError: as :func:`read_robot`.
    """
    if path.is_file():
        try:
            spec = mujoco.MjSpec.from_file(str(path))
            for geom in list(spec.geoms):
                if geom.type == mujoco.mjtGeom.mjGEOM_MESH and not geom.contype and not geom.conaffinity:
                    spec.delete(geom)
            used = {geom.meshname for geom in spec.geoms}
            for mesh in [mesh for mesh in spec.meshes if mesh.name not in used]:
                spec.delete(mesh)
            return spec.compile()
        except (ValueError, mujoco.FatalError):
            pass  # with its meshes, it may be well; if not, reading it says why
    return read_robot(path).model


def model_digest(path: Path) -> str:
    """Twenty hex digits that stand for everything in the model of an MJCF file, meshes included."""
    import numpy as np

    model = read_robot(path).model
    content = np.empty(mujoco.mj_sizeModel(model), dtype=np.uint8)
    mujoco.mj_saveModel(model, None, content)
    return hashlib.sha256(content).hexdigest()[:20]


def _find_meshes(spec: mujoco.MjSpec, folder: Path) -> tuple[str, ...]:
    """Name every mesh by its place; take those without one out, with the shapes that show them."""
    missing = []
    for mesh in list(spec.meshes):
        if not mesh.file:  # its vertices stand in the model
            continue
        place = _place(mesh.file, folder, spec.meshdir)
        if place is not None:
            mesh.file = str(place)
            continue
        missing.append(mesh.file)
        name = mesh.name or Path(mesh.file).stem  # as MuJoCo names those without one
        for geom in [geom for geom in spec.geoms if geom.meshname == name]:
            spec.delete(geom)
        spec.delete(mesh)
    if missing:
        # What is left of a link may weigh nothing, which MuJoCo refuses; dynamics are not asked of such a model.
        spec.compiler.boundmass = spec.compiler.boundinertia = 1e-6
    return tuple(missing)


def _place(file: str, folder: Path, meshdir: str) -> Path | None:
    scheme, _, rest = file.partition("://")
    if not rest:
        places = [folder / meshdir / file]
    elif scheme == "file":
        places = [Path(rest)]
    else:  # package://NAME/..., where NAME is the name of a folder, or of nothing on this machine
        inside = rest.partition("/")[2]
        places = [above / part for above in (folder, *folder.parents) for part in (inside, rest)]
    found = (place for place in places if place.is_file() and place.suffix.lower() in _MESHES)
    return next(found, None)


def _write(text: str, folder: Path) -> None:
    (folder / "robot.xml").write_text(text, encoding="utf-8")
