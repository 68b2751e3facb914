"""What every motion file is made of, whatever its format: frame rate, tables, joint names, root rotations.

A format's reader brings a :class:`Clip` as it is stored; :func:`assemble` checks it, and decides or asks for what the
file leaves open.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, atomic_path
from amp_helpers.evidence import (
    JOINT_ORDERS,
    SAME_PLACE_M,
    Bodies,
    Order,
    beyond_limits,
    feet_off,
    frames_of,
    links_off,
    robot_with,
    sampled_rows,
)
from amp_helpers.joint_columns import nameless, names_by_links, stored_names, told_names
from amp_helpers.motion import Motion
from amp_helpers.robots import Robot
from amp_helpers.root_rotations import read_quaternions

__all__ = ["JOINT_ORDERS", "Clip", "Reading", "assemble", "atomic_write", "read_fps", "read_table", "sha256"]

MAX_CELLS = 2**25
"""Most numbers in one table of lists; 300 hours of one joint at 30 fps."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How to read what a file does not say."""

    joint_names: Sequence[str] | str | None = None
    """Of the joint columns: names, a key of ``JOINT_ORDERS``, or ``robot`` or ``physx``: the robot's own order,
    depth-first or breadth-first."""
    quaternion: str = "auto"
    """``auto``, ``xyzw`` or ``wxyz``."""
    fps: float | None = None
    """Frames per second."""
    robot: Robot | None = None
    """Whose model may be asked; without it only those of this project's own robots, where nothing else decides."""
    repairs: Collection[str] | None = None
    """Which repairs were asked for; None for reading only, which brings quaternions to unit length and says so."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One clip as a file stores it: nothing checked yet, and nothing decided."""

    joint_pos: object
    """Table (N, J), rad."""
    root_pos: object
    """Table (N, 3), m."""
    root_rot: object
    """Table (N, 4) of quaternions, or (N, 3) of rotation vectors (exponential map)."""
    fps: object = None
    """Frames per second; None where the file does not say."""
    joint_names: object = None
    """(J); None where the file does not say."""
    name: str = ""
    """Of the clip, in a file of several."""
    called: Mapping[str, str] = field(default_factory=dict)
    """What the file calls ``joint_pos``, ``root_pos``, ``root_rot`` and ``joint_names``."""
    convention: str = "xyzw"
    """The format's order of quaternions, taken where the evidence does not decide."""
    whose: str = "GMR's"
    """Whose convention that is."""
    quaternion_said: str | None = None
    """The order that the file itself names."""
    bodies: Bodies | None = None
    """Where the file says that the links are."""
    notes: tuple[str, ...] = ()
    """What the reader found or chose."""
    weight: float = 1.0
    """How often its frames are to be drawn, against others'."""


def assemble(path: Path, clip: Clip, reading: Reading, digest: str) -> Motion:
    """The motion that a stored clip is; ``source`` says what was decided, and on what evidence.

    Raises:
        InputError: something in it cannot be used, or is not said and cannot be decided.
    """
    called = {key: clip.called.get(key, key) for key in ("joint_pos", "root_pos", "root_rot", "joint_names")}
    fps, rate = read_fps(path, clip.fps, reading.fps)
    tables = {
        called[key]: read_table(path, called[key], getattr(clip, key), width)
        for key, width in (("root_pos", 3), ("root_rot", 4), ("joint_pos", None))
    }
    if len({len(table) for table in tables.values()}) > 1:
        shown = ", ".join(f"{key} {len(table)}" for key, table in tables.items())
        raise InputError(f"{path}: frame counts differ ({shown}); export the motion again")
    root_pos, root_rot, joint_pos = tables.values()
    root_rot, units = _units(path, root_rot, called["root_rot"], reading.repairs)
    names, order = _names(path, clip, reading, called, root_pos, root_rot, joint_pos)
    with np.errstate(over="ignore", invalid="ignore"):  # too fast to be true, which the preflight says
        velocity = np.diff(root_pos, axis=0) * fps
    root_quat, turned = read_quaternions(
        root_rot,
        clip.quaternion_said if reading.quaternion == "auto" and clip.quaternion_said else reading.quaternion,
        velocity,
        convention=clip.convention,
        whose=clip.whose,
        feet=_feet(reading, names, root_pos, joint_pos),
    )
    found = [rate, *clip.notes, order, turned, units]
    name = f"{path.name}/{clip.name}" if clip.name else path.name
    return Motion(
        fps=fps,
        joint_names=names,
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_quat=root_quat,
        source=f"{name} ({'; '.join(filter(None, found))})",
        sha256=digest,
        weight=clip.weight,
    )


def _names(
    path: Path,
    clip: Clip,
    reading: Reading,
    called: Mapping[str, str],
    root_pos: np.ndarray,
    root_rot: np.ndarray,
    joint_pos: np.ndarray,
) -> tuple[tuple[str, ...], str]:
    """The joints' names, and a phrase where the file does not say them."""
    width, key, told = joint_pos.shape[1], called["joint_pos"], reading.joint_names
    if clip.joint_names is not None:
        names = stored_names(path, clip.joint_names, width, key=key, names_key=called["joint_names"])
        if told is not None and told_names(path, told, width, key=key, robot=reading.robot) != names:
            raise InputError(
                f"{path}: names its own joints, and they differ from the joint order given; leave the joint order out"
            )
        return names, ""
    rows = sampled_rows(len(joint_pos))

    def off(order: Order) -> float:
        bodies = replace(clip.bodies, positions=clip.bodies.positions[rows])
        # Where links are stored in the world, either order of the quaternion may be meant.
        return min(
            links_off(frames_of(order.names, joint_pos[rows], root_pos[rows], quat), bodies, order.robot)
            for quat in (root_rot[rows], root_rot[rows][:, [1, 2, 3, 0]])[: 1 if bodies.in_root else 2]
        )

    if told is None and clip.bodies is not None:
        return names_by_links(path, width, reading.robot, off)
    if told is None and width != len(JOINT_ORDERS["g1_29dof"]):
        raise InputError(nameless(path, width))
    names = JOINT_ORDERS["g1_29dof"] if told is None else told_names(path, told, width, key=key, robot=reading.robot)
    phrase = f"joints taken for g1_29dof's, the one known order of {width}" if told is None else "joints as told"
    robot = robot_with(names, reading.robot)
    if robot is not None and clip.bodies is not None:
        metres = off(Order("as told", names, robot))
        if metres > SAME_PLACE_M:
            raise InputError(
                f"{path}: the joint order given puts the links {metres * 100:.0f} cm from where the file has them, on "
                "average; leave it out, for the links to decide, or give the one that the file was written in"
            )
    if robot is not None and reading.robot is not None:
        beyond = beyond_limits(frames_of(names, joint_pos[rows], root_pos[rows], root_rot[rows]), robot)
        if beyond:
            raise InputError(
                f"{path}: its {width} columns are not those of {robot.name}: {beyond}; name the robot that the file "
                "was made for with --robot, or the order of its columns with --joint_order"
            )
        phrase += f", and within {robot.name}'s limits"
    return names, phrase


def _feet(
    reading: Reading, names: tuple[str, ...], root_pos: np.ndarray, joint_pos: np.ndarray
) -> Callable[[np.ndarray], float] | None:
    robot = None if reading.robot is None else robot_with(names, reading.robot)
    if robot is None:
        return None
    rows = sampled_rows(len(joint_pos))
    return lambda quat: feet_off(frames_of(names, joint_pos[rows], root_pos[rows], quat[rows]), robot)


def _units(path: Path, root_rot: np.ndarray, key: str, repairs: Collection[str] | None) -> tuple[np.ndarray, str]:
    """The quaternions at unit length, and a phrase about norms and signs that were otherwise.

    Raises:
        InputError: they are too far from it to be rotations, or to be repaired unasked.
    """
    with np.errstate(over="ignore"):  # a damaged file may hold numbers whose square is none; the check below says so
        norm = np.linalg.norm(root_rot.astype(np.float64), axis=1)
    worst = int(np.argmax(np.abs(norm - 1)))
    if abs(norm[worst] - 1) > 0.2:
        raise InputError(
            f"{path}: {key} has norm {norm[worst]:.3f} at frame {worst}, so it holds no rotation; "
            "export the motion again"
        )
    asked = repairs or ()
    found = []
    if abs(norm[worst] - 1) > 1e-3:
        between = f"norms {norm.min():.3f} to {norm.max():.3f}"
        if repairs is not None and "quaternion_norm" not in asked:
            raise InputError(
                f"{path}: {key} holds no unit quaternions ({between}, furthest at frame {worst}); bring them to unit "
                "length with --repair quaternion_norm"
            )
        found.append(f"repaired: {between} made 1" if asked else f"{between}, normalised")
    unit = root_rot / norm[:, None]
    flips = int(np.count_nonzero(np.einsum("ni,ni->n", unit[1:], unit[:-1]) < 0))
    if flips:
        count = f"{flips} sign flip{'s' if flips > 1 else ''} of the quaternion"
        found.append(f"repaired: {count} evened out" if "quaternion_sign" in asked else f"{count}, which turn nothing")
    return unit, "; ".join(found)


def read_fps(path: Path, value: object, told: float | None = None) -> tuple[float, str]:
    """Frames per second as the file states them, or as ``told`` for a file that does not; and a phrase about it."""
    if value is None:
        if told is None:
            raise InputError(
                f"{path}: does not say its frame rate, and none is assumed; give the frames per second it was recorded "
                "at, --fps 30 for instance"
            )
        return _positive(path, told), f"{told:g} fps as told"
    fps = _positive(path, value)
    unused = told is not None and abs(fps - told) > 1e-6 * fps
    return fps, f"{fps:.4g} fps as the file says, not {told:g} as told" if unused else ""


def _positive(path: Path, value: object) -> float:
    try:
        fps = float(np.asarray(value, dtype=np.float64).reshape(()))
    except (TypeError, ValueError):
        raise InputError(f"{path}: fps is {value!r:.60}, not a number; store the frames per second") from None
    if not (np.isfinite(fps) and fps > 0):
        raise InputError(f"{path}: fps is {fps:g}; give the frames per second as a positive number")
    return fps


def read_table(path: Path, key: str, value: object, width: int | None = None) -> np.ndarray:
    """``value`` as a finite table (N, width) of floats, called ``key`` where something is wrong with it."""
    try:
        # Lists of lists can repeat one row by reference, so a small file can unfold into more than memory holds.
        if isinstance(value, list | tuple) and sum(len(row) for row in value) > MAX_CELLS:
            raise ValueError("too many cells")
        # Single precision stays: a copy in double would be twice the file.
        single = isinstance(value, np.ndarray) and value.dtype == np.float32
        table = np.asarray(value, dtype=np.float32 if single else np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{path}: {key} is not a table of numbers; export the motion again") from None
    if table.size == 0:
        raise InputError(f"{path}: {key} has no frames (shape {table.shape}); give a motion with frames")
    if table.ndim != 2 or (width is not None and table.shape[1] != width):
        wanted = f"(frames, {width or 'joints'})"
        raise InputError(f"{path}: {key} has shape {table.shape}, expected {wanted}; export one motion per file")
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        frame = int(np.argmin(finite))
        bad = int(np.argmin(np.isfinite(table[frame])))
        raise InputError(
            f"{path}: {key} is {table[frame, bad]} at frame {frame}, column {bad} "
            f"({np.count_nonzero(~finite)} frames affected); repair or cut the clip"
        )
    return table


def sha256(path: str | os.PathLike) -> str:
    """Hex SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """:func:`amp_helpers.errors.atomic_path`, where a refusal of the operating system names the file."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}), what stood there is kept; "
            "free space or choose another place"
        ) from None
