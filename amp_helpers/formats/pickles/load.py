"""Pickles read by an allow-list: numpy arrays, dtypes and scalars, and builtin containers; nothing else is called.

Loading a pickle calls whatever the file names. Here every name resolves to one of a few stand-ins written in
Python, which only collect what numpy stored (dtype name, shape, raw bytes) and check it; numpy's own constructors,
which trust their input, never see the file. The layout is the one that ``numpy.ndarray.__reduce__`` writes; that of
joblib, which puts arrays between the opcodes, is read in :mod:`.joblib` with the same stand-ins.
"""

import gzip
import io
import os
import pickle
import struct
import zlib
from pathlib import Path

from amp_helpers.errors import InputError
from amp_helpers.formats.pickles.scan import MIN_MEMORY, TooLarge, scan
from amp_helpers.formats.pickles.stand_ins import ALLOWED, Array, Call, Refused, _builtin, _from_buffer, _scalar

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
            from amp_helpers.formats.pickles.joblib import load_joblib

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
