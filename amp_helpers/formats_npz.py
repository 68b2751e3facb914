"""npz archives, and the motions that come in them: Isaac Lab's AMP files.

An AMP file (``isaaclab_tasks``, humanoid_amp, motions/README.md) holds ``fps``, ``dof_names`` (D), ``body_names`` (B),
``dof_positions`` (N, D), ``body_positions`` (N, B, 3) and ``body_rotations`` (N, B, 4) wxyz. It has no root of its
own: one of the bodies is it.
"""

import os
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.motion import Motion
from amp_helpers.motion_parts import (
    atomic_write,
    read_fps,
    read_joint_names,
    read_quaternions,
    read_table,
    sha256,
)

MAX_NPZ_BYTES = 4 * 1024**3
"""Largest npz content read, counted uncompressed; beyond it a file is more likely broken than useful."""

AMP_KEYS = ("fps", "dof_names", "body_names", "dof_positions", "body_positions", "body_rotations")

ROOT_BODIES = ("pelvis", "pelvis_link", "base_link", "base", "torso", "trunk")
"""Body names taken for the root, the first that a file has; else its first body."""


def read_npz(
    path: str | os.PathLike, keys: Sequence[str], *, remedy: str = "convert the motion again"
) -> dict[str, np.ndarray]:
    """The named arrays of an npz file, read without unpickling anything.

    Raises:
        InputError: not an npz file, damaged, too large, arrays missing, or arrays of Python objects; ``remedy`` says
            what to do about a damaged or incomplete one.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; make a dataset with 'python -m amp_helpers.convert'")
    names = npz_names(path, remedy=remedy)
    missing = [key for key in keys if key not in names]
    if missing:
        raise InputError(
            f"{path}: arrays {', '.join(missing)} are missing (found: {', '.join(sorted(names))}); {remedy}"
        )
    with _readable(path, remedy), np.load(path, allow_pickle=False) as archive:
        content = {key: archive[key] for key in keys}
        # Entries that do not start as arrays do come back as raw bytes.
        if strange := [key for key, value in content.items() if not isinstance(value, np.ndarray)]:
            raise ValueError(f"no array in {', '.join(strange)}")
        return content


def npz_names(path: Path, *, remedy: str) -> set[str]:
    """The names of an npz file's arrays; nothing is unpacked.

    Raises:
        InputError: not an npz file, or one that would unfold to more than ``MAX_NPZ_BYTES``.
    """
    with _readable(path, remedy), zipfile.ZipFile(path) as archive:
        size = sum(info.file_size for info in archive.infolist())
        names = {name.removesuffix(".npy") for name in archive.namelist()}
    if size > MAX_NPZ_BYTES:
        raise InputError(
            f"{path}: holds {size / 1024**3:.1f} GiB, more than the {MAX_NPZ_BYTES // 1024**3} GiB read at "
            "most; split it into smaller files"
        )
    return names


@contextmanager
def _readable(path: Path, remedy: str) -> Iterator[None]:
    """Turns what zipfile and numpy raise on a damaged archive into a sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # numpy parses array headers as Python literals
            yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ValueError,
        MemoryError,
        SyntaxError,
        tokenize.TokenError,
        RuntimeError,  # how zipfile says that an entry is encrypted or packed in a way it does not know
    ) as error:
        detail = " ".join(str(error).split())
        raise InputError(f"{path}: is not a readable npz file ({detail}); {remedy}") from None


def write_npz(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as an uncompressed npz file, atomically; Python objects are refused."""
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"{path}: a dataset file ends in .npz; choose such a name")
    arrays = {key: np.asarray(value) for key, value in arrays.items()}
    objects = [key for key, value in arrays.items() if value.dtype.hasobject]
    if objects:
        raise TypeError(f"arrays of Python objects cannot be stored: {', '.join(objects)}")
    with atomic_write(path) as temporary:
        np.savez(temporary, **arrays)


def read_amp_npz(path: Path, *, fps: float | None, joint_names: Sequence[str] | str | None, quaternion: str) -> Motion:
    """Read an AMP npz of Isaac Lab; arguments as :func:`amp_helpers.formats.read_motion`.

    The root is the first of ``ROOT_BODIES`` that the file has, else its first body; ``source`` says which.
    """
    remedy = "export the motion again"
    found = npz_names(path, remedy=remedy)
    if {"states", "next_states"} <= found:
        raise InputError(f"{path}: is a converted dataset, not a motion; use it with --dataset as it is")
    missing = [key for key in AMP_KEYS if key not in found]
    if missing:
        raise InputError(
            f"{path}: arrays {', '.join(missing)} of an Isaac Lab AMP file are missing "
            f"(found: {', '.join(sorted(found)) or 'nothing'}); add them, or give the motion as a GMR pickle or CSV"
        )
    content = read_npz(path, AMP_KEYS, remedy=remedy)
    fps, rate = read_fps(path, content["fps"], fps)
    dof_pos = read_table(path, "dof_positions", content["dof_positions"])
    names = read_joint_names(
        path, content["dof_names"], joint_names, dof_pos.shape[1], key="dof_positions", names_key="dof_names"
    )
    bodies = [str(name) for name in np.atleast_1d(content["body_names"])]
    root = next((name for name in ROOT_BODIES if name in bodies), bodies[0] if bodies else "")
    root_pos, root_rot = (
        read_table(path, f"{key} of '{root}'", _of_body(path, key, content[key], bodies, root, len(dof_pos)), width)
        for key, width in (("body_positions", 3), ("body_rotations", 4))
    )
    root_quat, finding = read_quaternions(
        path,
        root_rot,
        quaternion,
        np.diff(root_pos, axis=0) * fps,
        key=f"body_rotations of '{root}'",
        convention="wxyz",
        whose="Isaac Lab's AMP",
    )
    return Motion(
        fps=fps,
        joint_names=names,
        joint_pos=dof_pos,
        root_pos=root_pos,
        root_quat=root_quat,
        source=f"{path.name} ({rate}root is body '{root}'; {finding})",
        sha256=sha256(path),
    )


def _of_body(path: Path, key: str, value: np.ndarray, bodies: Sequence[str], body: str, frames: int) -> np.ndarray:
    if value.ndim != 3 or value.shape[:2] != (frames, len(bodies)) or not bodies:
        raise InputError(
            f"{path}: {key} has shape {value.shape}, expected ({frames} frames, {len(bodies)} bodies, ...) as "
            "dof_positions and body_names have them; export the motion again"
        )
    return value[:, bodies.index(body)]
