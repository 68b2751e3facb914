"""Pickles of numpy arrays and builtin containers, written by pickle or joblib and read by an allow-list.

Loading a pickle with Python calls whatever the file names. Here :mod:`.machine` interprets it, and nothing in it is
executed; zlib and gzip, with which joblib packs, are undone first and within a limit.
"""

import os
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

from amp_helpers.errors import InputError, one_line
from amp_helpers.formats.pickles.machine import MIN_MEMORY, TooLarge, interpret
from amp_helpers.formats.pickles.stand_ins import Refused
from amp_helpers.formats.values import read_bytes

MAX_PICKLE_BYTES = 256 * 1024**2
"""Largest pickle read: over an hour of motion at 60 fps with all body positions."""

_MALFORMED = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError, OverflowError),
    *(MemoryError, RecursionError, struct.error, zlib.error),
)
"""Errors that malformed data raise in the machine, the stand-ins and zlib."""


def load_pickle(path: str | os.PathLike) -> object:
    """Read a pickle; no code in it is executed.

    Returns:
        Builtin containers, text, numbers and numpy arrays, which are read-only.

    Raises:
        InputError: there is no such file, or it is no pickle, too large, or holds a name outside the allow-list.
    """
    path = Path(path)
    return parse_pickle(path, read_bytes(path, MAX_PICKLE_BYTES))


def parse_pickle(path: Path, raw: bytes, *, within: str = "", **options: Any) -> object:
    """Read a pickle from its bytes, as :func:`load_pickle`; the path is for error messages, ``options`` are those of
    :func:`.machine.interpret`. ``within`` is the kind of file that the pickle is in."""
    try:
        return interpret(unpacked(raw), **options)
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
        detail = one_line(str(error), 80) or type(error).__name__
        if within:
            raise InputError(f"{path}: is a damaged {within} file ({detail}); export the motion again") from None
        kind = "an npz or torch archive" if raw.startswith(b"PK") else "damaged or of another format"
        if raw.startswith(b"\x1f\x8b"):
            raise InputError(f"{path}: is packed with gzip and holds no motion pickle; unpack it with gunzip") from None
        raise InputError(
            f"{path}: is not a motion pickle, it is {kind} ({detail}); give the .pkl that the retargeting wrote"
        ) from None


def unpacked(raw: bytes) -> bytes:
    """Undo zlib or gzip, told by the first bytes; return other content unchanged.

    Raises:
        Refused: it is packed in another way, or unpacks to more than eight times its size and ``MIN_MEMORY``.
        ValueError: the packed data are incomplete.
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


# First bytes of the packings that joblib knows; zlib's second byte tells the level.
_PACKINGS = {
    **dict.fromkeys((b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"), "zlib"),
    **{b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "xz", b"]\x00\x00": "lzma"},
    **{b"\x04\x22\x4d\x18": "lz4", b"ZF": "an old joblib"},
}
