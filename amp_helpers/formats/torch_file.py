"""Archives of ``torch.save``: a zip of a pickle and of each tensor's bytes, read without torch and without running it.

The pickle refers to tensors' bytes by number. :mod:`.pickles` reads it, with stand-ins for torch's few names.
"""

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.format import Container, is_torch
from amp_helpers.formats.pickles.load import parse_pickle
from amp_helpers.formats.pickles.stand_ins import ALLOWED
from amp_helpers.utils.npz import MAX_MOTION_BYTES, npz_names, readable

_AGAIN = "save the motion again"


class _StorageType:
    """Stand-in for a class such as ``torch.FloatStorage``: the dtype of a tensor's bytes."""

    def __init__(self, code: str) -> None:
        self.numpy = np.dtype(code)


def _tensor(storage: object, offset: Any, size: Any, stride: Any, *_: object) -> np.ndarray:
    """Stand-in for ``torch._utils._rebuild_tensor_v2``: a view on a storage, never larger than it."""
    if not isinstance(storage, np.ndarray) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise ValueError("a tensor without a storage or shape")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or len(size) > 8 or any(type(n) is not int or not 0 <= n < 2**40 for n in numbers):
        raise ValueError("a tensor's shape is not a tuple of sizes")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    count = math.prod(size)
    if count and (last >= len(storage) or count > len(storage)):
        raise ValueError("a tensor that is larger than its storage")
    if not count:
        return np.zeros(size, dtype=storage.dtype)
    bytes_apart = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, bytes_apart, writeable=False)


def _parameter(data: object, *_: object) -> object:
    """Stand-in for ``torch._utils._rebuild_parameter``: its tensor."""
    return data


_CODES = {"Double": "f8", "Float": "f4", "Half": "f2", "Long": "i8", "Int": "i4", "Short": "i2", "Char": "i1"}
_CODES |= {"Byte": "u1", "Bool": "?"}
_NAMES = {
    **ALLOWED,
    **{("torch", f"{kind}Storage"): _StorageType(code) for kind, code in _CODES.items()},
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


def parse_torch(path: Path, raw: bytes) -> object:
    """Read an archive of ``torch.save``; tensors are given as arrays.

    Raises:
        InputError: it is damaged or too large, or holds a name outside the allow-list.
    """
    members = npz_names(path, raw, remedy=_AGAIN, most=MAX_MOTION_BYTES, kind="torch")
    top = next((name.removesuffix("/data.pkl") for name in sorted(members) if name.endswith("/data.pkl")), None)
    if top is None:
        raise InputError(f"{path}: is a torch archive without its data.pkl; {_AGAIN}")

    with readable(path, "torch", _AGAIN), zipfile.ZipFile(io.BytesIO(raw)) as archive:
        order = archive.read(f"{top}/byteorder") if f"{top}/byteorder" in members else b"little"

        storages: dict[str, bytes] = {}

        def storage(reference: object) -> np.ndarray:
            if not isinstance(reference, tuple) or len(reference) != 5 or not isinstance(reference[1], _StorageType):
                raise ValueError("a reference that is no storage")
            name = f"{top}/data/{reference[2]}"
            if name not in members:
                raise ValueError(f"no member {str(reference[2])[:20]}")
            dtype = reference[1].numpy.newbyteorder(">" if order == b"big" else "<")
            if name not in storages:  # a few bytes of the pickle refer to it again
                storages[name] = archive.read(name)
            return np.frombuffer(storages[name], dtype=dtype)

        return parse_pickle(
            path, archive.read(f"{top}/data.pkl"), within="torch", names=_NAMES, external=storage, size=len(raw)
        )


TORCH = Container((".motion", ".pt"), is_torch, MAX_MOTION_BYTES, parse_torch)
"""Archives of ``torch.save``; nothing in them is executed."""
