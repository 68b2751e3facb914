"""What is stored in a file, checked: its frame rate, its tables of numbers, its checksum; and how files are written."""

from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.motion.findings import FrameRate

MAX_CELLS = 2**25
"""Most numbers in one table of lists; 300 hours of one joint at 30 fps."""

FPS_RANGE = (0.1, 10_000.0)
"""Frames per second of anything that moves; a damaged file may hold any number, and unfold to any length."""

LARGEST = 1e6
"""Largest m or rad in a table; beyond it is damage, and squares of it would overflow."""


def read_fps(path: Path, value: object, given: float | None = None) -> FrameRate:
    """Frames per second as the file states them, or as ``given`` by the user for a file that does not."""
    if value is None:
        if given is None:
            raise InputError(
                f"{path}: does not say its frame rate, and none is assumed; give the frames per second it was recorded "
                "at, --fps 30 for instance"
            )
        return FrameRate(_positive(path, given), "user")
    fps = _positive(path, value)
    differs = given is not None and abs(fps - given) > 1e-6 * fps
    return FrameRate(fps, "file", given if differs else None)


def _positive(path: Path, value: object) -> float:
    try:
        fps = float(np.asarray(value, dtype=np.float64).reshape(()))
    except (TypeError, ValueError):
        raise InputError(f"{path}: fps is {value!r:.60}, not a number; store the frames per second") from None
    if not FPS_RANGE[0] <= fps <= FPS_RANGE[1]:
        low, high = FPS_RANGE
        raise InputError(f"{path}: fps is {fps:g}; give the frames per second, a number from {low:g} to {high:g}")
    return fps


def read_table(path: Path, key: str, value: object, width: int | None = None) -> np.ndarray:
    """``value`` as a table (N, width) of floats within ``LARGEST``, called ``key`` where something is wrong with it."""
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
    usable = (table >= -LARGEST) & (table <= LARGEST)
    finite = usable.all(axis=1)
    if not finite.all():
        frame = int(np.argmin(finite))
        bad = int(np.argmin(usable[frame]))
        raise InputError(
            f"{path}: {key} is {table[frame, bad]} at frame {frame}, column {bad} "
            f"({np.count_nonzero(~finite)} frames affected); repair or cut the clip"
        )
    return table
