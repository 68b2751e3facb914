"""Stand-ins for the names in a pickle of numpy arrays: each collects values, checks them and executes nothing.

The layouts are those of ``numpy.ndarray.__reduce__`` and of ``joblib.numpy_pickle.NumpyArrayWrapper``. numpy's own
constructors trust their input and are never called.
"""

import math
import pickle
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from amp_helpers.utils.npz import check_text


class Refused(pickle.UnpicklingError):
    """A name outside the allow-list, or content that no motion needs."""


class Dtype:
    """Stand-in for ``numpy.dtype``: a code such as ``f4``, and a byte order from a state tuple."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str):
            raise ValueError("a numpy dtype without a code")
        if not re.fullmatch(r"(f[248]|[iu][1248]|b1|[US]\d{1,4}|O8?)", code):
            raise Refused(f"the numpy dtype {code!r:.40}")
        self.numpy = np.dtype(code)

    def build(self, state: tuple) -> None:
        """Set the byte order from ``(version, order, ...)``."""
        if state[1] not in ("<", ">", "=", "|"):
            raise ValueError("unknown byte order")
        self.numpy = self.numpy.newbyteorder(state[1])


class OrderedDict(dict):
    """Stand-in for ``collections.OrderedDict``; attributes, as torch gives them to a module's state, are left out."""

    def __init__(self, items: object = ()) -> None:
        pairs = items if isinstance(items, list) else []
        if any(not isinstance(pair, list | tuple) or len(pair) != 2 for pair in pairs):
            raise ValueError("a dict of something other than pairs")
        check_keys([pair[0] for pair in pairs])
        super().__init__(pairs)

    def build(self, state: object) -> None:
        """Pass over the attributes."""
        if not isinstance(state, dict):
            raise ValueError("attributes that are no dict")


class PendingArray:
    """Stand-in for an array before its content: a state tuple, or with joblib raw bytes after the opcode."""

    def __init__(self, *_: object) -> None:
        self.memo: list[int] = []
        """Memo indices of the array."""

    def build(self, state: tuple | dict, read: Callable[[int], bytes]) -> object:
        """Build the array from its state.

        Args:
            state: numpy's (version, shape, dtype, is_fortran, content), or the attributes of joblib's wrapper.
            read: reads the next bytes of the file.
        """
        if isinstance(state, tuple):
            _, shape, dtype, fortran, content = state
            return array(content, dtype, shape, "F" if fortran else "C")
        dtype, shape = state["dtype"], state["shape"]
        if isinstance(dtype, Dtype) and dtype.numpy.hasobject:
            raise Refused("a joblib array of Python objects")
        if state.get("numpy_array_alignment_bytes") is not None:
            read(read(1)[0])  # joblib 1.2 and later: one byte counts the bytes of padding
        return array(read(_num_bytes(dtype, shape)), dtype, shape, state["order"])


class Record(PendingArray):
    """Stand-in for an object of a class whose attributes alone matter: it becomes the dict of its attributes."""

    def build(self, state: tuple | dict, read: Callable[[int], bytes]) -> dict:
        """Return the attributes."""
        if not isinstance(state, dict):
            raise ValueError("an object without a dict of attributes")
        return state


def array(content: object, dtype: object, shape: Any, order: object, *_: object) -> object:
    """Array with the dtype, shape and bytes of the stand-ins; a view on the bytes.

    An array of Python objects is given as the list of its objects, and as the object itself where it has no axes.

    Raises:
        Refused: Python objects in an array of more than one axis.
        ValueError: the content does not fill the shape, or holds characters outside Unicode.
    """
    if isinstance(content, list) or (isinstance(dtype, Dtype) and dtype.numpy.hasobject):
        return _objects(content, dtype, shape)
    if isinstance(content, str):  # written by Python 2
        content = content.encode("latin1")
    if not isinstance(content, bytes | bytearray) or not isinstance(dtype, Dtype):
        raise ValueError("array without bytes or without a dtype")
    sizes = shape if isinstance(shape, tuple) else (shape,)
    if len(content) != _num_bytes(dtype, sizes):
        raise ValueError("array data does not fill its shape")
    values = check_text(np.frombuffer(content, dtype=dtype.numpy))
    return values.reshape(sizes, order="F" if order == "F" else "C")


def _objects(content: object, dtype: object, shape: object) -> object:
    if not isinstance(content, list) or not isinstance(dtype, Dtype) or not dtype.numpy.hasobject:
        raise ValueError("array of objects without a list of them")
    if not isinstance(shape, tuple) or len(shape) > 1:
        raise Refused("a numpy array of Python objects with several axes")
    if shape not in ((), (len(content),)) or (shape == () and len(content) != 1):
        raise ValueError("array data does not fill its shape")
    return content if shape else content[0]


def _num_bytes(dtype: object, shape: object) -> int:
    if not isinstance(dtype, Dtype) or not isinstance(shape, tuple) or len(shape) > 32:
        raise ValueError("array without a dtype or shape")
    if any(type(size) is not int or size < 0 for size in shape):
        raise ValueError("array shape is not a tuple of sizes")
    return math.prod(shape) * dtype.numpy.itemsize


def _scalar(dtype: object, content: object = b"") -> object:
    if not isinstance(dtype, Dtype) or dtype.numpy.hasobject:
        raise ValueError("a numpy scalar without a dtype")
    return np.asarray(array(content, dtype, (1,), "C"))[0].item()


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    """Stand-in for ``_codecs.encode``, with which protocols below 3 store bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise Refused("text encoded otherwise than in latin1")
    return text.encode("latin1")


def collect[T](kind: Callable[[list | tuple], T], items: object = ()) -> T:
    """Stand-in for the constructors of list, tuple, set, frozenset and bytes, called with a list or tuple."""
    if not isinstance(items, list | tuple):  # bytes of a number would take that much memory
        raise ValueError("a container of a value that is not a list")
    if kind in (set, frozenset):
        check_keys(items)
    return kind(items)


def check_keys(keys: list | tuple) -> None:
    """Check dict keys and set elements: text and numbers, without those that hash slowly or alike.

    Raises:
        ValueError: one is a container, as hashing nested tuples can take hours, or an integer of 2**60 or more, as many
            of those can have the same hash.
    """
    for key in keys:
        if not isinstance(key, str | bytes | int | float | None) or (isinstance(key, int) and abs(key) >= 2**60):
            raise ValueError("a key that is neither text nor an ordinary number")


def _reconstructor(kind: object, *_: object) -> Record:
    """Stand-in for ``copyreg._reconstructor``, with which protocols below 2 make an object."""
    if kind is not Record:
        raise Refused("an instance of a class")
    return Record()


def _object(*_: object) -> object:
    raise Refused("an instance of a class")


def _member(value: object) -> object:
    """Stand-in for an enumeration called with a member's value."""
    if not isinstance(value, int | float | str):
        raise ValueError("a member of an enumeration that is neither number nor text")
    return value


def _getattr(kind: object, name: object) -> object:
    """Stand-in for ``getattr``, with which some versions of Python store an enumeration's member: its name."""
    if kind is not _member or not isinstance(name, str):
        raise Refused("'builtins.getattr'")
    return name


CLASSES: dict[str, Callable[..., object]] = {"Motion": Record, "LoopMode": _member, "StateConversion": _member}
"""Class name, of any module -> stand-in: MimicKit pickles its ``Motion``, whose module depends on how it was run, and
ProtoMotions an enumeration."""

ALLOWED: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): PendingArray,
    ("numpy", "dtype"): Dtype,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): PendingArray,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
}
"""(module, name) -> stand-in; every other name is refused."""
for _core in ("numpy.core", "numpy._core"):
    ALLOWED[_core + ".multiarray", "_reconstruct"] = PendingArray
    ALLOWED[_core + ".multiarray", "scalar"] = _scalar
    ALLOWED[_core + ".numeric", "_frombuffer"] = array
for _module in ("copyreg", "copy_reg"):
    ALLOWED[_module, "_reconstructor"] = _reconstructor
for _module in ("builtins", "__builtin__"):
    ALLOWED[_module, "object"] = _object
    ALLOWED[_module, "getattr"] = _getattr
    for _kind in (list, tuple, set, frozenset, bytes):
        ALLOWED[_module, _kind.__name__] = partial(collect, _kind)
