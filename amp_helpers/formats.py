"""Reading and writing files; the only place that knows a file format.

A GMR pickle (General Motion Retargeting) is a dict of ``fps``, ``root_pos`` (N, 3), ``root_rot`` (N, 4) xyzw,
``dof_pos`` (N, D), and usually no joint names. Pickles can run code when loaded, so they are read by
:mod:`amp_helpers.safe_pickle`.
"""

import hashlib
import os
import pickle
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, atomic_path
from amp_helpers.motion import Motion
from amp_helpers.robots import G1_23DOF, G1_29DOF
from amp_helpers.rotations import rotate_inverse
from amp_helpers.safe_pickle import load_pickle

REQUIRED_KEYS = ("fps", "root_pos", "root_rot", "dof_pos")
MAX_NPZ_BYTES = 4 * 1024**3
"""Largest npz content read, counted uncompressed; beyond it a file is more likely broken than useful."""

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


def read_motion(
    path: str | os.PathLike,
    *,
    joint_names: Sequence[str] | str | None = None,
    quaternion: str = "auto",
) -> Motion:
    """Read a GMR pickle.

    Args:
        path: the file.
        joint_names: columns of ``dof_pos`` for a file that does not name them: names, or a key of
            ``JOINT_ORDERS``. Not needed for 29 columns, which are the 29-dof G1.
        quaternion: how ``root_rot`` is stored. ``"auto"`` takes GMR's xyzw unless only wxyz keeps the pelvis
            upright.

    Returns:
        The clip as stored (not resampled), quaternions xyzw, normalised and without sign jumps. ``source`` says
        which reading was taken, on what evidence, and how far norms were from 1.

    Raises:
        InputError: the file cannot be used; one sentence says why and what to do.
    """
    path = Path(path)
    content = load_pickle(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, not a GMR dict with {', '.join(REQUIRED_KEYS)}; "
            "export one motion per file"
        )
    missing = [key for key in REQUIRED_KEYS if content.get(key) is None]
    if missing:
        found = ", ".join(sorted(map(str, content))) or "nothing"
        raise InputError(
            f"{path}: keys {', '.join(missing)} are missing (found: {found}); give a GMR pickle of one motion"
        )
    fps = _fps(path, content["fps"])
    root_pos = _table(path, "root_pos", content["root_pos"], width=3)
    root_rot = _table(path, "root_rot", content["root_rot"], width=4)
    dof_pos = _table(path, "dof_pos", content["dof_pos"])
    lengths = {"root_pos": len(root_pos), "root_rot": len(root_rot), "dof_pos": len(dof_pos)}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{key} {count}" for key, count in lengths.items())
        raise InputError(f"{path}: frame counts differ ({shown}); export the motion again")
    names = _joint_names(path, content.get("joint_names"), joint_names, dof_pos.shape[1])
    root_quat, finding = _read_quaternions(path, root_rot, quaternion, np.diff(root_pos, axis=0) * fps)
    return Motion(
        fps=fps,
        joint_names=names,
        joint_pos=dof_pos,
        root_pos=root_pos,
        root_quat=root_quat,
        source=f"{path.name} ({finding})",
        sha256=sha256(path),
    )


def write_gmr(path: str | os.PathLike, motion: Motion) -> None:
    """Write a GMR pickle (xyzw), with ``joint_names`` added so that nobody has to guess the columns.

    The same motion gives the same bytes. The write is atomic.
    """
    content = {
        "fps": motion.fps,
        "root_pos": np.ascontiguousarray(motion.root_pos),
        "root_rot": np.ascontiguousarray(motion.root_quat),
        "dof_pos": np.ascontiguousarray(motion.joint_pos),
        "local_body_pos": None,
        "link_body_list": None,
        "joint_names": list(motion.joint_names),
    }
    with _atomic_write(Path(path)) as temporary:
        temporary.write_bytes(pickle.dumps(content, protocol=4))


def read_npz(path: str | os.PathLike, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """The named arrays of an npz file, read without unpickling anything.

    Raises:
        InputError: not an npz file, damaged, too large, arrays missing, or arrays of Python objects.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; make a dataset with 'python -m amp_helpers.convert'")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
            names = {name.removesuffix(".npy") for name in archive.namelist()}
        if size > MAX_NPZ_BYTES:
            raise InputError(
                f"{path}: holds {size / 1024**3:.1f} GiB, more than the {MAX_NPZ_BYTES // 1024**3} GiB read at "
                "most; convert fewer motions into one dataset"
            )
        missing = [key for key in keys if key not in names]
        if missing:
            raise InputError(
                f"{path}: arrays {', '.join(missing)} are missing (found: {', '.join(sorted(names))}); "
                "convert the motion again"
            )
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in keys}
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, MemoryError, NotImplementedError) as error:
        raise InputError(f"{path}: is not a readable npz file ({error}); convert the motion again") from None


def write_npz(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as an uncompressed npz file, atomically; Python objects are refused."""
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"{path}: a dataset file ends in .npz; choose such a name")
    arrays = {key: np.asarray(value) for key, value in arrays.items()}
    objects = [key for key, value in arrays.items() if value.dtype.hasobject]
    if objects:
        raise TypeError(f"arrays of Python objects cannot be stored: {', '.join(objects)}")
    with _atomic_write(path) as temporary:
        np.savez(temporary, **arrays)


@contextmanager
def _atomic_write(path: Path) -> Iterator[Path]:
    """:func:`amp_helpers.errors.atomic_path`, where a refusal of the operating system names the file."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}), what stood there is kept; "
            "free space or choose another place"
        ) from None


def _fps(path: Path, value: object) -> float:
    try:
        fps = float(np.asarray(value, dtype=np.float64).reshape(()))
    except (TypeError, ValueError):
        raise InputError(f"{path}: fps is {value!r:.60}, not a number; store the frames per second") from None
    if not (np.isfinite(fps) and fps > 0):
        raise InputError(f"{path}: fps is {fps:g}; store the frames per second as a positive number")
    return fps


def _table(path: Path, key: str, value: object, width: int | None = None) -> np.ndarray:
    """``value`` as a finite float64 table (N, width)."""
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
        raise InputError(f"{path}: {key} has shape {table.shape}, expected {wanted}; give a GMR pickle of one motion")
    finite = np.isfinite(table).all(axis=1)
    if not finite.all():
        frame = int(np.argmin(finite))
        bad = int(np.argmin(np.isfinite(table[frame])))
        raise InputError(
            f"{path}: {key} is {table[frame, bad]} at frame {frame}, column {bad} "
            f"({np.count_nonzero(~finite)} frames affected); repair or cut the clip"
        )
    return table


def _joint_names(path: Path, stored: object, given: Sequence[str] | str | None, width: int) -> tuple[str, ...]:
    if isinstance(given, str):
        if given not in JOINT_ORDERS:
            raise InputError(f"joint order '{given}' not found; available: {', '.join(JOINT_ORDERS)}")
        given = JOINT_ORDERS[given]
    if stored is not None:
        names = stored.tolist() if isinstance(stored, np.ndarray) else stored
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{path}: joint_names is not a list of names; store one name per column of dof_pos")
        if given is not None and tuple(given) != tuple(names):
            raise InputError(
                f"{path}: names its own joints, and they differ from the joint order given; leave the joint order out"
            )
        given, origin = names, "joint_names lists"
    else:
        origin = "the joint order given names"
    if given is not None:
        given = tuple(given)
        if len(given) != width:
            raise InputError(
                f"{path}: dof_pos has {width} columns but {origin} {len(given)} joints; "
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


def _read_quaternions(path: Path, stored: np.ndarray, reading: str, velocity: np.ndarray) -> tuple[np.ndarray, str]:
    """Unit xyzw quaternions, and a phrase saying how they were read and what was repaired.

    ``velocity`` (N-1, 3) m/s of the root in the world tells front from back.
    """
    if reading not in ("auto", "xyzw", "wxyz"):
        raise InputError(f"quaternion reading '{reading}' not found; available: auto, xyzw, wxyz")
    norm = np.linalg.norm(stored, axis=1)
    worst = int(np.argmax(np.abs(norm - 1)))
    if abs(norm[worst] - 1) > 0.2:
        raise InputError(
            f"{path}: root_rot has norm {norm[worst]:.3f} at frame {worst}, so it holds no rotation; "
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
        reading = "xyzw"
        ahead = {name: _forward_speed(quat, velocity) for name, quat in readings.items()}
        evidence += f", walking forward at {ahead['xyzw']:.2f} m/s as xyzw, {ahead['wxyz']:.2f} as wxyz"
        decided = up["xyzw"] > 0.5 and ahead["xyzw"] > 0.1 > -0.1 > ahead["wxyz"]
        finding = f"quaternion xyzw{'' if decided else " by GMR's convention, undecided"}, {evidence}"
    if abs(norm[worst] - 1) > 1e-3:
        finding += f"; norms {norm.min():.3f} to {norm.max():.3f}, normalised"
    return readings[reading], finding


def _forward_speed(quat: np.ndarray, velocity: np.ndarray) -> float:
    """Median speed along the root's own x axis, m/s; the median, because first frames may jump metres."""
    return float(np.median(rotate_inverse(quat[:-1], velocity)[:, 0])) if len(velocity) else 0.0
