"""What every motion file is made of, whatever its format: frame rate, tables, joint names, root rotations.

A format's reader brings these parts; here they are checked, and what the file leaves open is decided or asked for.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, atomic_path
from amp_helpers.robots import G1_23DOF, G1_29DOF
from amp_helpers.rotations import rotate_inverse

MAX_CELLS = 2**25
"""Most numbers in one table; 300 hours of one joint at 30 fps."""

JOINT_ORDERS: dict[str, tuple[str, ...]] = {
    "g1_29dof": G1_29DOF.joint_names,
    "g1_23dof": G1_23DOF.joint_names,
    "gmt_23": tuple(name for name in G1_29DOF.joint_names if "_wrist_" not in name),
}
"""Column orders that files without joint names use. Two of them are 23 wide and hold different joints."""


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


def read_fps(path: Path, value: object, told: float | None = None) -> tuple[float, str]:
    """Frames per second as the file states them, or as ``told`` for a file that does not; and a phrase about it."""
    if value is None:
        if told is None:
            raise InputError(
                f"{path}: does not say its frame rate, and none is assumed; give the frames per second it was recorded "
                "at, --fps 30 for instance"
            )
        return _positive(path, told), f"{told:g} fps as told; "
    fps = _positive(path, value)
    unused = told is not None and abs(fps - told) > 1e-6 * fps
    return fps, f"{fps:.4g} fps as the file says, not {told:g} as told; " if unused else ""


def _positive(path: Path, value: object) -> float:
    try:
        fps = float(np.asarray(value, dtype=np.float64).reshape(()))
    except (TypeError, ValueError):
        raise InputError(f"{path}: fps is {value!r:.60}, not a number; store the frames per second") from None
    if not (np.isfinite(fps) and fps > 0):
        raise InputError(f"{path}: fps is {fps:g}; give the frames per second as a positive number")
    return fps


def read_table(path: Path, key: str, value: object, width: int | None = None) -> np.ndarray:
    """``value`` as a finite float64 table (N, width), called ``key`` where something is wrong with it."""
    try:
        # Lists of lists can repeat one row by reference, so a small file can unfold into more than memory holds.
        if isinstance(value, list | tuple) and sum(len(row) for row in value) > MAX_CELLS:
            raise ValueError("too many cells")
        table = np.asarray(value, dtype=np.float64)
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


def read_joint_names(
    path: Path,
    stored: object,
    given: Sequence[str] | str | None,
    width: int,
    *,
    key: str = "dof_pos",
    names_key: str = "joint_names",
) -> tuple[str, ...]:
    """Names of the ``width`` columns of ``key``: those ``stored`` in the file, else those ``given``.

    A count never decides between orders: only 29 columns, which one robot has, go without names.
    """
    if isinstance(given, str):
        if given not in JOINT_ORDERS:
            raise InputError(f"joint order '{given}' not found; available: {', '.join(JOINT_ORDERS)}")
        given = JOINT_ORDERS[given]
    if stored is not None:
        names = stored.tolist() if isinstance(stored, np.ndarray) else stored
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{path}: {names_key} is not a list of names; store one name per column of {key}")
        if given is not None and tuple(given) != tuple(names):
            raise InputError(
                f"{path}: names its own joints, and they differ from the joint order given; leave the joint order out"
            )
        given, origin = names, f"{names_key} lists"
    else:
        origin = "the joint order given names"
    if given is not None:
        given = tuple(given)
        if len(given) != width:
            raise InputError(
                f"{path}: {key} has {width} columns but {origin} {len(given)} joints; "
                "they must be equal, so give the order that the file was written in"
            )
        repeated = sorted({name for name in given if given.count(name) > 1})
        if repeated:
            raise InputError(f"{path}: joint names repeat: {', '.join(repeated)}; name every column once")
        return given
    if width == len(JOINT_ORDERS["g1_29dof"]):
        return JOINT_ORDERS["g1_29dof"]
    known = ", ".join(f"{name} ({len(order)})" for name, order in JOINT_ORDERS.items())
    if width == 23:
        raise InputError(
            f"{path}: has 23 joint columns and no joint names, which fits two different sets of joints; say which "
            "with --joint_order gmt_23 (waist roll and pitch, no wrists: GMT files) or --joint_order g1_23dof "
            "(waist yaw only, with wrist rolls: the 23-dof robot)"
        )
    if width == 43:
        raise InputError(
            f"{path}: has 43 joint columns and no joint names, a G1 with hands whose left hand sits at columns "
            "22 to 28, so the first 29 columns are not the body; add joint_names to the file"
        )
    raise InputError(
        f"{path}: has {width} joint columns and no joint names; add joint_names to the file or give an order of "
        f"that width, known: {known}; with --joint_order robot, that of your --robot"
    )


def read_quaternions(
    path: Path,
    stored: np.ndarray,
    reading: str,
    velocity: np.ndarray,
    *,
    key: str = "root_rot",
    convention: str = "xyzw",
    whose: str = "GMR's",
) -> tuple[np.ndarray, str]:
    """Unit xyzw quaternions, and a phrase saying how they were read and what was repaired.

    Args:
        path: the file, for errors.
        stored: (N, 4) as in the file.
        reading: ``xyzw`` or ``wxyz``, or ``auto``: the one that keeps the pelvis upright.
        velocity: (N-1, 3) m/s of the root in the world; tells front from back.
        key: what the file calls them.
        convention: the format's order, taken when the evidence does not decide.
        whose: whose convention that is.
    """
    if reading not in ("auto", "xyzw", "wxyz"):
        raise InputError(f"quaternion reading '{reading}' not found; available: auto, xyzw, wxyz")
    with np.errstate(over="ignore"):  # a damaged file may hold numbers whose square is none; the check below says so
        norm = np.linalg.norm(stored, axis=1)
    worst = int(np.argmax(np.abs(norm - 1)))
    if abs(norm[worst] - 1) > 0.2:
        raise InputError(
            f"{path}: {key} has norm {norm[worst]:.3f} at frame {worst}, so it holds no rotation; "
            "export the motion again"
        )
    unit = stored / norm[:, None]
    readings = {"xyzw": unit, "wxyz": unit[:, [1, 2, 3, 0]]}
    # How far up the pelvis' own z axis points, on average: 1 upright, 0 lying, -1 upside down.
    up = {name: float(np.mean(1 - 2 * (quat[:, 0] ** 2 + quat[:, 1] ** 2))) for name, quat in readings.items()}
    evidence = f"pelvis up {up['xyzw']:.2f} as xyzw, {up['wxyz']:.2f} as wxyz"
    if reading != "auto":
        finding = f"quaternion {reading} as told, {evidence}"
    elif up["wxyz"] > 0.5 and up["wxyz"] > up["xyzw"] + 0.3:
        reading, finding = "wxyz", f"quaternion wxyz, {evidence}"
    elif up["xyzw"] > 0.5 and up["xyzw"] > up["wxyz"] + 0.3:
        reading, finding = "xyzw", f"quaternion xyzw, {evidence}"
    else:
        # Near yaw 0 the two readings differ by half a turn, so both stand upright, but one walks backwards. Seen the
        # other way round this proves nothing: some clips do walk backwards.
        reading, other = convention, {"xyzw": "wxyz", "wxyz": "xyzw"}[convention]
        ahead = {name: _forward_speed(quat, velocity) for name, quat in readings.items()}
        evidence += f", walking forward at {ahead['xyzw']:.2f} m/s as xyzw, {ahead['wxyz']:.2f} as wxyz"
        decided = up[reading] > 0.5 and ahead[reading] > 0.1 > -0.1 > ahead[other]
        finding = f"quaternion {reading}{'' if decided else f' by {whose} convention, undecided'}, {evidence}"
    if abs(norm[worst] - 1) > 1e-3:
        finding += f"; norms {norm.min():.3f} to {norm.max():.3f}, normalised"
    return readings[reading], finding


def _forward_speed(quat: np.ndarray, velocity: np.ndarray) -> float:
    """Median speed along the root's own x axis, m/s; the median, because first frames may jump metres."""
    return float(np.median(rotate_inverse(quat[:-1], velocity)[:, 0])) if len(velocity) else 0.0
