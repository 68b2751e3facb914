"""numpy files whose arrays hold Python objects, as ``np.save`` writes a dict and ``np.savez`` writes None.

Such an array is stored as a pickle, which numpy reads only by running it; here :mod:`.pickles` reads it.
"""

import io
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.pickles.load import MAX_PICKLE_BYTES, parse_pickle
from amp_helpers.utils.npz import NpzFile, check_text, readable

_AGAIN = "export the motion again"


class MotionNpz(NpzFile):
    """Arrays of a motion's npz file by name; an array of Python objects is given as what it holds, such as None."""

    def __getitem__(self, key: str) -> object:
        if key not in self._names:
            raise KeyError(key)
        with readable(self.path, "npz", _AGAIN), zipfile.ZipFile(io.BytesIO(self.raw)) as archive:
            name = f"{key}.npy" if f"{key}.npy" in archive.namelist() else key
            with archive.open(name) as member:
                if not _header(member)[1].hasobject:
                    return super().__getitem__(key)
                content = member.read()
        return _objects(self.path, content, key)


def parse_npy(path: Path, raw: bytes) -> object:
    """Read an npy file: an array of numbers or text, or what an array of Python objects holds, such as a dict.

    Raises:
        InputError: it is damaged, or holds a name outside the allow-list.
    """
    with readable(path, "npy", _AGAIN):
        stream = io.BytesIO(raw)
        if not _header(stream)[1].hasobject:
            return check_text(np.load(io.BytesIO(raw), allow_pickle=False))
    return _objects(path, raw[stream.tell() :], "the array")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Read the shape and dtype of an npy file; the content follows."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, dtype


def _objects(path: Path, content: bytes, key: str) -> object:
    """Read the pickle of an array of Python objects; an array of None is None."""
    if len(content) > MAX_PICKLE_BYTES:
        raise InputError(f"{path}: {key} holds over {MAX_PICKLE_BYTES // 1024**2} MiB of Python objects; {_AGAIN}")
    value = parse_pickle(path, content, within="numpy")
    return None if isinstance(value, list) and all(item is None for item in value) else value
