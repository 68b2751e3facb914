"""Pickles read by an allow-list: numpy arrays, dtypes and scalars, and builtin containers; nothing else is called.

Loading a pickle calls whatever the file names. Here every name resolves to one of a few stand-ins written in
Python, which only collect what numpy stored (dtype name, shape, raw bytes) and check it; numpy's own constructors,
which trust their input, never see the file. The layout is the one that ``numpy.ndarray.__reduce__`` writes; that of
joblib, which puts arrays between the opcodes, is read in :mod:`amp_helpers.safe_joblib` with the same stand-ins.
"""

import gzip
import io
import math
import os
import pickle
import re
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.pickle_scan import MIN_MEMORY, TooLarge, scan

MAX_PICKLE_BYTES = 256 * 1024**2
"""Largest pickle read: over an hour of motion at 60 fps with all body positions."""

# What a malformed stream makes the unpickler raise, besides its own error.
_MALFORMED = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
    AssertionError,
    struct.error,
    zlib.error,
    gzip.BadGzipFile,
)


JOBLIB_ARRAY = b"NumpyArrayWrapper"


class Refused(pickle.UnpicklingError):
    """A name outside the allow-list, or content that no motion needs."""


def load_pickle(path: str | os.PathLike) -> object:
    """The content of a pickle of numpy arrays and builtin containers, written by pickle or by joblib.

    Raises:
        InputError: no such file, not a pickle, too large, or it names anything outside the allow-list.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    size = path.stat().st_size
    if size > MAX_PICKLE_BYTES:
        raise InputError(
            f"{path}: is {size / 1024**2:.0f} MiB, more than the {MAX_PICKLE_BYTES // 1024**2} MiB read at "
            "most; split the motion"
        )
    raw = path.read_bytes()
    archive = raw.startswith(b"PK")
    try:
        content = unpacked(raw)
        if JOBLIB_ARRAY in content:
            # Imported late: it takes its stand-ins from here.
            from amp_helpers.safe_joblib import load_joblib

            return _plain(load_joblib(content))
        scan(content)
        with path.open("rb") if content is raw else io.BytesIO(content) as stream:
            del raw, content  # what is built takes several times as much
            return _plain(_Unpickler(stream, encoding="latin1").load())
    except Refused as error:
        raise InputError(
            f"{path}: holds {error}, which no motion file needs, so it was not loaded; "
            "export the motion as a dict of numpy arrays"
        ) from None
    except TooLarge as error:
        raise InputError(
            f"{path}: {error}, as plain lists do; split the motion, or store its numbers as numpy arrays"
        ) from None
    except _MALFORMED as error:
        kind = "an npz or torch archive" if archive else "damaged or of another format"
        detail = " ".join(str(error).split())[:80] or type(error).__name__
        raise InputError(
            f"{path}: is not a motion pickle, it is {kind} ({detail}); give the .pkl that the retargeting wrote"
        ) from None


def unpacked(raw: bytes) -> bytes:
    """What joblib packed with zlib or gzip, by its first bytes; anything else as it is.

    Raises:
        Refused: packed in another way, or into far more than a motion packs into.
    """
    packing = next((name for start, name in _PACKINGS.items() if raw.startswith(start)), None)
    if packing is None:
        return raw
    if packing not in ("zlib", "gzip"):
        raise Refused(f"data packed with {packing}")
    limit = min(MAX_PICKLE_BYTES, max(MIN_MEMORY, 8 * len(raw)))
    unpack = zlib.decompressobj(wbits=47)  # 32 + 15: zlib's header or gzip's
    content = unpack.decompress(raw, limit)
    if unpack.unconsumed_tail:
        raise Refused(f"more than {limit // 1024**2} MiB packed into {len(raw) / 1024**2:.1f}")
    if not unpack.eof:
        raise ValueError(f"cut short in its {packing} data")
    return content


# How files packed by joblib begin; zlib's second byte tells the level.
_PACKINGS = {
    b"x\x01": "zlib",
    b"x\x5e": "zlib",
    b"x\x9c": "zlib",
    b"x\xda": "zlib",
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ": "xz",
    b"]\x00\x00": "lzma",
    b"\x04\x22\x4d\x18": "lz4",
    b"ZF": "an old joblib",
}


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
for _core in ("numpy.core", "numpy._core"):
    ALLOWED[_core + ".multiarray", "_reconstruct"] = Call(Array)
    ALLOWED[_core + ".multiarray", "scalar"] = Call(_scalar)
    ALLOWED[_core + ".numeric", "_frombuffer"] = Call(_from_buffer)
for _module in ("builtins", "__builtin__"):
    for _kind in (list, tuple, dict, set, frozenset):
        ALLOWED[_module, _kind.__name__] = Call(_builtin(_kind))


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in ALLOWED:
            raise Refused(f"{f'{module}.{name}'!r:.80}")
        return ALLOWED[module, name]

    def persistent_load(self, pid: object) -> object:
        raise Refused("a reference to something outside the file")


def _plain(value: object, done: dict[int, object] | None = None) -> object:
    """The content with every collected array in its place.

    ``done`` holds what was converted already: a pickle may name one container many times, and unfolding each mention
    would let a small file fill the memory.
    """
    done = {} if done is None else done
    if id(value) not in done:
        if isinstance(value, Array):
            if value.value is None:
                raise ValueError("array without content")
            done[id(value)] = value.value
        elif isinstance(value, dict):
            done[id(value)] = {key: _plain(item, done) for key, item in value.items()}
        elif isinstance(value, list | tuple):
            # Rows of numbers, of which files of plain lists have millions, hold nothing to convert.
            numbers = set(map(type, value)) <= {float, int}
            done[id(value)] = value if numbers else [_plain(item, done) for item in value]
        else:
            return value
    return done[id(value)]
