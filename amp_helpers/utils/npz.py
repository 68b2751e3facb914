"""npz archives: read without unpickling and within limits of size, written atomically."""

import os
import sys
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, atomic_write

MAX_NPZ_BYTES = 4 * 1024**3
"""Largest npz content read, counted uncompressed; beyond it a file is more likely broken than useful."""


MAX_MOTION_BYTES = 1024**3
"""Largest motion in an npz; ten hours of a humanoid with its bodies at 30 fps."""


MAX_PACKED = 32
"""How many times larger than its file an npz above 64 MiB may be when unpacked."""


_AGAIN = "export the motion again"


def read_npz(
    path: str | os.PathLike,
    keys: Sequence[str],
    *,
    also: Sequence[str] = (),
    remedy: str = "convert the motion again",
) -> dict[str, np.ndarray]:
    """The named arrays of an npz file, read without unpickling anything; those named in ``also`` where it has them.

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
        content = {key: archive[key] for key in (*keys, *(key for key in also if key in names))}
        # Entries that do not start as arrays do come back as raw bytes.
        if strange := [key for key, value in content.items() if not isinstance(value, np.ndarray)]:
            raise ValueError(f"no array in {', '.join(strange)}")
        for value in content.values():
            check_text(value)
        return content


def npz_names(path: Path, *, remedy: str, most: int | None = None) -> set[str]:
    """The names of an npz file's arrays; nothing is unpacked.

    Raises:
        InputError: not an npz file, or one that would unfold to more than ``most`` bytes (``MAX_NPZ_BYTES``), or to
            far more than its own size.
    """
    most = MAX_NPZ_BYTES if most is None else most
    with _readable(path, remedy), zipfile.ZipFile(path) as archive:
        size = sum(info.file_size for info in archive.infolist())
        names = {name.removesuffix(".npy") for name in archive.namelist()}
    if size > most:
        raise InputError(
            f"{path}: holds {size / 1024**3:.1f} GiB, more than the {most / 1024**3:.0f} GiB read at "
            "most; split it into smaller files"
        )
    if size > max(64 * 1024**2, MAX_PACKED * path.stat().st_size):
        raise InputError(
            f"{path}: unpacks to {size / 1024**2:.0f} MiB, over {MAX_PACKED} times its size, which no motion does; "
            f"{remedy}"
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
        OSError,  # and what seeking to where a damaged directory points ends in
    ) as error:
        detail = " ".join(str(error).split())[:120]
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


class NpzFile(Mapping):
    """A motion in an npz: its arrays by name, each read when asked for.

    Raises:
        InputError: it is no npz, or too large; and when an array is asked for that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names = npz_names(path, remedy=_AGAIN, most=MAX_MOTION_BYTES)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __contains__(self, key: object) -> bool:
        return key in self._names

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self._names:
            raise KeyError(key)
        return read_npz(self.path, [key], remedy=_AGAIN)[key]


def check_text(array: np.ndarray) -> np.ndarray:
    """The array itself. numpy takes any four bytes for a character, and Python's text breaks on those that are none.

    Raises:
        ValueError: there are such.
    """
    if array.dtype.kind == "U":
        codes = np.frombuffer(array.tobytes(), dtype=np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if codes.size and codes.max() > sys.maxunicode:
            raise ValueError("text of characters that are none")
    return array
