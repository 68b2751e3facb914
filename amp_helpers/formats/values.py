"""Reading a file's bytes, and checking the frame rate and the tables of numbers in them."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from amp_helpers.errors import InputError, brief_repr
from amp_helpers.motion.findings import FrameRate

HEAD_BYTES = 512
"""First bytes of a file, which decide how it is opened."""

MAX_CELLS = 2**25
"""Largest number of cells in a table of lists: 300 hours of one joint at 30 fps."""

MOST_NAMES, LONGEST_NAME = 5000, 1000
"""Most names in a list, and characters of each; MuJoCo's largest models have a few hundred bodies."""

FPS_RANGE = (0.1, 10_000.0)
"""Plausible frames per second; resampling a damaged file at any other rate could make it arbitrarily long."""

_RATES = ("fps", "framerate", "framespersecond", "hz", "frequency", "samplerate", "samplingrate")
_STEPS = ("dt", "timestep", "frametime", "frameduration", "framedt")
"""Keys, in lower case without separators, of a frame rate, Hz, and of the time from frame to frame, s."""

LARGEST = 1e6
"""Largest value in a table, m or rad; larger ones are damage, and their squares could overflow."""

HIGHEST_M = 10.0
"""A root higher than this is not given in meters."""

LARGEST_ANGLE = 7.0
"""Angles larger than this, just over a turn in radians, are degrees."""


def check_file(path: Path) -> None:
    """Check that a file is there.

    Raises:
        InputError: there is none, or it is a folder.
    """
    if not path.is_file():
        what = "is a folder, not a motion; name a file in it" if path.is_dir() else "no such file; check the path"
        raise InputError(f"{path}: {what}")


def check_pointer(path: Path, head: bytes) -> None:
    """Check that a file is not what a clone without Git LFS, or a download of the page about it, holds in its place.

    Raises:
        InputError: it is.
    """
    if is_pointer(head):
        raise InputError(f"{path}: is a Git LFS pointer, not the motion itself; run 'git lfs pull' in its repository")
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise InputError(f"{path}: is a web page, not the motion itself; download the file that the page shows")


def is_pointer(head: bytes) -> bool:
    """Whether a file is a Git LFS pointer, by its first bytes."""
    return head.startswith(b"version https://git-lfs.github.com/spec/")


def read_bytes(path: Path, most: int) -> bytes:
    """Read a whole file.

    Raises:
        InputError: there is no such file, or it is larger than ``most`` bytes.
    """
    check_file(path)
    with path.open("rb") as file:
        return read_rest(path, file, most)


def read_rest(path: Path, file: BinaryIO, most: int) -> bytes:
    """Read an open file from its beginning.

    Raises:
        InputError: it is larger than ``most`` bytes.
    """
    size = os.fstat(file.fileno()).st_size
    if size > most:
        raise InputError(
            f"{path}: is {size / 1024**2:.0f} MiB, more than the {most // 1024**2} MiB read at most; split the motion"
        )
    file.seek(0)
    return file.read()


def read_fps(path: Path, value: object, given: float | None = None, usual: str = "") -> FrameRate:
    """Take the frames per second that a file states, or those ``given`` by the user for a file that does not; ``usual``
    says which ones files of the format mostly have, for the error message.

    Raises:
        InputError: neither states them, or they are no plausible number.
    """
    if value is None:
        if given is None:
            raise InputError(
                f"{path}: does not say its frame rate, and none is assumed; give the frames per second it was recorded "
                f"at, {usual or '--fps 30 for instance'}"
            )
        return FrameRate(_positive(path, given), "user")
    fps = _positive(path, value)
    given = None if given is None else _positive(path, given)
    differs = given is not None and abs(fps - given) > 1e-6 * fps
    return FrameRate(fps, "file", given if differs else None)


def find_rate(content: Mapping) -> object:
    """Find the frames per second that a file's content states: ``fps``, a key of that meaning, or the time between two
    frames; None without any."""
    for meanings, inverse in ((_RATES, False), (_STEPS, True)):
        for key in sorted(map(str, content), key=lambda key: key != "fps"):
            value = content.get(key) if re.sub(r"[\W_]", "", key).lower() in meanings else None
            if value is None:
                continue
            step = np.asarray(value) if inverse and isinstance(value, int | float | np.ndarray) else np.empty(0)
            if not inverse:
                return value
            if step.size == 1 and step.dtype.kind in "fiu" and 0 < float(step.ravel()[0]) <= 10:
                return 1 / float(step.ravel()[0])
    return None


def _positive(path: Path, value: object) -> float:
    try:
        fps = float(np.asarray(value, dtype=np.float64).reshape(()))
    except (OverflowError, TypeError, ValueError):
        raise InputError(f"{path}: fps is {brief_repr(value, 60)}, not a number; store the frames per second") from None
    if not FPS_RANGE[0] <= fps <= FPS_RANGE[1]:
        low, high = FPS_RANGE
        raise InputError(f"{path}: fps is {fps:g}; give the frames per second, a number from {low:g} to {high:g}")
    return fps


def take(content: Mapping[str, object], key: str) -> object:
    """Take a value out of a file's content, so that its memory is free once it is converted."""
    return content.pop(key) if isinstance(content, dict) else content[key]


def read_array(path: Path, key: str, value: object, *, text: bool = False) -> np.ndarray:
    """Convert ``value`` to an array of numbers, or of ``text``, of any shape; error messages name it by ``key``.

    Raises:
        InputError: it is no such array.
    """
    if text:
        value = read_name_list(path, key, value, key)
    try:
        # A type is given for lists, because without one a list with a long text would become an array of such texts.
        array = np.asarray(value, dtype=str if text else None if isinstance(value, np.ndarray) else np.float64)
    except (OverflowError, TypeError, ValueError):
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in ("U" if text else "fiub"):
        wanted = "a list of names" if text else "an array of numbers"
        raise InputError(f"{path}: {key} is not {wanted}; export the motion again")
    return array


def read_name_list(path: Path, key: str, value: object, of: str) -> list[str]:
    """Read a list of names, of joints or links; messages name it ``key``, and the table of its columns ``of``.

    Raises:
        InputError: it is no list of names, or holds more or longer ones than any robot has.
    """
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist() if value.dtype.kind in "US" and value.size <= MOST_NAMES else None
    names = value if isinstance(value, list | tuple) and len(value) <= MOST_NAMES else [None]
    found = [name.decode(errors="replace") if isinstance(name, bytes) else name for name in names]
    if not all(isinstance(name, str) and len(name) <= LONGEST_NAME for name in found):
        raise InputError(f"{path}: {key} is not a list of names; store one name per column of {of}")
    return [str(name) for name in found]


def read_table(path: Path, key: str, value: object, width: int | None = None) -> np.ndarray:
    """Convert ``value`` to a table (N, width) of floats within ``LARGEST``; error messages name it by ``key``.

    Raises:
        InputError: it is no such table.
    """
    try:
        # Lists can repeat one row by reference, so a small file can expand to more than fits into memory.
        if isinstance(value, list | tuple) and sum(len(row) for row in value) > MAX_CELLS:
            raise ValueError("too many cells")
        # Single precision is kept: a double-precision copy would take twice the file's size.
        single = isinstance(value, np.ndarray) and value.dtype == np.float32
        table = np.asarray(value, dtype=np.float32 if single else np.float64)
    except (OverflowError, TypeError, ValueError):
        raise InputError(f"{path}: {key} is not a table of numbers; export the motion again") from None
    if table.size == 0:
        raise InputError(f"{path}: {key} has no frames (shape {table.shape}); give a motion with frames")
    if table.ndim != 2 or (width is not None and table.shape[1] != width):
        wanted = f"(frames, {width or 'joints'})"
        raise InputError(f"{path}: {key} has shape {table.shape}, expected {wanted}; export one motion per file")
    if table.shape[1] > MOST_NAMES:
        raise InputError(f"{path}: {key} has {table.shape[1]} columns, more than any robot; export the motion again")
    usable = (table >= -LARGEST) & (table <= LARGEST)
    finite = usable.all(axis=1)
    if not finite.all():
        frame = int(np.argmin(finite))
        bad = int(np.argmin(usable[frame]))
        raise InputError(
            f"{path}: {key} is {table[frame, bad]} at frame {frame}, column {bad} "
            f"(in {np.count_nonzero(~finite)} of {len(table)} frames); repair or cut the clip"
        )
    return table
