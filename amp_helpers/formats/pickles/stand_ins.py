"""Stand-ins for the names in a pickle of numpy arrays: each collects values, checks them and executes nothing."""

import math
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from amp_helpers.utils.npz import check_text


class Refused(pickle.UnpicklingError):
    """A name outside the allow-list, or content that no motion needs."""


@dataclass(frozen=True, slots=True)
class Call:
    """A stand-in for a callable. Being no class and having no dict, nothing in the stream can alter it."""

    function: Callable[..., object]

    def __call__(self, *args: object) -> object:
        return self.function(*args)

    def __setstate__(self, state: object) -> None:
        raise Refused("an attempt to alter a constructor")


class Dtype:
    """What ``numpy.dtype`` reduces to: a name such as ``f4``, then a state tuple carrying the byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: object, *_: object) -> None:
        if isinstance(code, str) and code.startswith("O"):
            raise Refused("a numpy array of Python objects")
        if not isinstance(code, str) or not re.fullmatch(r"(f[248]|[iu][1248]|b1|[US]\d{1,4})", code):
            raise Refused(f"the numpy dtype {code!r:.40}")
        self.code = code
        self.order = "|"

    def __setstate__(self, state: tuple) -> None:
        order = state[1]
        if order not in ("<", ">", "=", "|"):
            raise ValueError("unknown byte order")
        self.order = order

    def numpy(self) -> np.dtype:
        return np.dtype(self.order + self.code)


class Array:
    """What an array reduces to: an empty one, then (version, shape, dtype, is_fortran, raw bytes)."""

    __slots__ = ("value",)

    def __init__(self, *_: object) -> None:
        self.value = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, raw = state
        self.value = from_bytes(raw, dtype, shape, "F" if fortran else "C")


def from_bytes(raw: object, dtype: object, shape: object, order: str) -> np.ndarray:
    if isinstance(raw, list):
        raise Refused("a numpy array of Python objects")
    if isinstance(raw, str):  # written by Python 2
        raw = raw.encode("latin1")
    shape = shape if isinstance(shape, tuple) else (shape,)
    kind = dtype.numpy()
    if len(shape) > 32 or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError("array shape is not a tuple of sizes")
    if len(raw) != math.prod(shape) * kind.itemsize:
        raise ValueError("array data does not fill its shape")
    return check_text(np.frombuffer(raw, dtype=kind)).reshape(shape, order=order)


def _from_buffer(raw: object, dtype: object, shape: object, order: object, *_: object) -> np.ndarray:
    return from_bytes(raw, dtype, shape, "F" if order == "F" else "C")


def _scalar(dtype: Dtype, raw: object = b"") -> object:
    return from_bytes(raw, dtype, (1,), "C")[0].item()


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    """``_codecs.encode``, with which protocols below 3 store bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise Refused(f"text encoded as {encoding!r:.40}")
    return text.encode("latin1")


def _builtin(kind: Callable[..., object]) -> Callable[..., object]:
    def build(*args: object) -> object:
        # From a container in the stream only: a number would ask for that much memory.
        if args and not isinstance(args[0], list | tuple | set | frozenset | dict):
            raise ValueError(f"{kind.__name__} of no container")
        return kind(*args)

    return build


ALLOWED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): Call(Array),
    ("numpy", "dtype"): Call(Dtype),
    ("_codecs", "encode"): Call(_encode),
}
