"""npz archives: read without unpickling and within size limits, written atomically."""

import io
import os
import sys
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.errors import InputError, atomic_write, one_line

MAX_NPZ_BYTES = 4 * 1024**3
"""Largest npz content read, uncompressed; a larger file is more likely broken than useful."""
MAX_MOTION_BYTES = 1024**3
"""Largest motion in an npz; ten hours of a humanoid with its bodies at 30 fps."""
MAX_PACKED = 4
"""Largest ratio of unpacked size to file size, for content above 64 MiB; motion packs to a half of its size."""
_AGAIN, _CONVERT = "export the motion again", "convert the motion again"


def read_npz(
    path: str | os.PathLike,
    keys: Sequence[str],
    *,
    raw: bytes | None = None,
    also: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Read arrays of an npz file without unpickling.

    Args:
        path: the file.
        keys: names of arrays that it must have.
        raw: the file's bytes; left out, they are read from ``path``.
        also: names of arrays to read if it has them.

    Raises:
        InputError: the file is absent, damaged or too large, lacks arrays, or holds arrays of Python objects.
    """
    path = Path(path)
    if raw is None and not path.is_file():
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name an npz file in it")
        raise InputError(f"{path}: no such file; make a dataset with 'python -m amp_helpers.convert'")
    names = npz_names(path, raw, remedy=_CONVERT)
    missing = [key for key in keys if key not in names]
    if missing:
        raise InputError(
            f"{path}: arrays {', '.join(missing)} are missing (found: {', '.join(sorted(names))}); {_CONVERT}"
        )
    return _read_arrays(path, raw, (*keys, *(key for key in also if key in names)), _CONVERT)


def _read_arrays(path: Path, raw: bytes | None, keys: Sequence[str], remedy: str) -> dict[str, np.ndarray]:
    with (
        readable(path, "npz", remedy),
        np.load(path if raw is None else io.BytesIO(raw), allow_pickle=False) as archive,
    ):
        content = {key: archive[key] for key in keys}
        # numpy returns entries without an array header as raw bytes.
        if strange := [key for key, value in content.items() if not isinstance(value, np.ndarray)]:
            raise ValueError(f"no array in {', '.join(strange)}")
        for value in content.values():
            check_text(value)
        return content


def npz_names(
    path: Path, raw: bytes | None = None, *, remedy: str, most: int | None = None, kind: str = "npz"
) -> set[str]:
    """Names of the arrays in an npz file, which is not unpacked; without its bytes ``raw``, ``path`` is read.
    ``kind`` names another kind of zip archive in messages.

    Raises:
        InputError: it is not an npz file, or unpacks to more than ``most`` bytes (default ``MAX_NPZ_BYTES``) or to more
            than ``MAX_PACKED`` times its size.
    """
    most = MAX_NPZ_BYTES if most is None else most
    with readable(path, kind, remedy), zipfile.ZipFile(path if raw is None else io.BytesIO(raw)) as archive:
        size = sum(info.file_size for info in archive.infolist())
        names = {name.removesuffix(".npy") for name in archive.namelist()}
    if size > most:
        raise InputError(
            f"{path}: holds {size / 1024**3:.1f} GiB, more than the {most / 1024**3:.0f} GiB read at "
            "most; split it into smaller files"
        )
    if size > max(64 * 1024**2, MAX_PACKED * (path.stat().st_size if raw is None else len(raw))):
        raise InputError(
            f"{path}: unpacks to {size / 1024**2:.0f} MiB, over {MAX_PACKED} times its size, unlike any motion; "
            f"store it without compression, or {remedy}"
        )
    return names


@contextmanager
def readable(path: Path, kind: str, remedy: str) -> Iterator[None]:
    """Report what zipfile and numpy raise on a damaged file of a ``kind`` as :class:`InputError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # numpy parses array headers as Python literals
            yield
    except InputError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ValueError,
        MemoryError,
        SyntaxError,
        tokenize.TokenError,
        RuntimeError,  # zipfile, on entries that are encrypted or compressed by an unknown method
        OSError,  # seeking to an offset of a damaged directory
    ) as error:
        detail = one_line(str(error), 120)
        raise InputError(f"{path}: is not a readable {kind} file ({detail}); {remedy}") from None


def write_npz(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as an uncompressed npz file, atomically.

    Raises:
        InputError: ``path`` does not end in ``.npz``, or cannot be written.
        TypeError: an array holds Python objects.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"{path}: a dataset file ends in .npz; choose such a name")
    arrays = {key: np.asarray(value) for key, value in arrays.items()}
    objects = [key for key, value in arrays.items() if value.dtype.hasobject]
    if objects:
        raise TypeError(f"arrays of Python objects cannot be stored: {', '.join(objects)}")
    with atomic_write(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


class NpzFile(Mapping):
    """Arrays of a motion's npz file by name; each is read on access.

    Raises:
        InputError: it is not an npz file, or is too large; on access, when the array cannot be read.
    """

    def __init__(self, path: Path, raw: bytes) -> None:
        self.path, self.raw = path, raw
        self._names = npz_names(path, raw, remedy=_AGAIN, most=MAX_MOTION_BYTES)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __contains__(self, key: object) -> bool:
        return key in self._names

    def __getitem__(self, key: str) -> Any:
        if key not in self._names:
            raise KeyError(key)
        return _read_arrays(self.path, self.raw, [key], _AGAIN)[key]


def check_text(array: np.ndarray) -> np.ndarray:
    """Return the array after checking its text: numpy takes any four bytes as a character, Python does not.

    Raises:
        ValueError: a character is outside Unicode.
    """
    if array.dtype.kind == "U":
        codes = np.frombuffer(array.tobytes(), dtype=np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if codes.size and codes.max() > sys.maxunicode:
            raise ValueError("text with characters outside Unicode")
    return array
