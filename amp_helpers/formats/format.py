"""What a motion format is: how its files are opened, recognized, read and written."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amp_helpers.formats.pickles.load import MAX_PICKLE_BYTES, parse_pickle
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.motion.motion import Motion
from amp_helpers.utils.npz import MAX_MOTION_BYTES, NpzFile


@dataclass(frozen=True)
class Container:
    """A kind of file that several formats share."""

    suffixes: tuple[str, ...]
    """In lower case; the usual one first."""
    starts: Callable[[bytes], bool]
    """Whether a file without a known suffix may be of this kind, by its first 512 bytes."""
    max_bytes: int
    """Largest file read."""
    open: Callable[[Path, bytes], Any]
    """Turns a file's bytes into its content; the path is for error messages."""


@dataclass(frozen=True)
class Format:
    """A motion format."""

    name: str
    container: Container
    clips: Callable[[Path, Any, ReadOptions], Iterable[StoredClip]]
    """Extracts the clips from a file's content; the path is for error messages."""
    keys: tuple[str, ...] = ()
    """Keys that tell it from other formats in the same container."""
    nested: bool = False
    """Whether a file may hold several clips, as a dict of dicts."""
    write: Callable[[str | os.PathLike, Motion], None] | None = None
    """Writes one motion; None for formats that are only read."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of its files, in lower case; the usual one first."""
        return self.container.suffixes


def _is_pickle(head: bytes) -> bool:
    return head.startswith((b"\x80", b"x\x9c", b"x^", b"x\xda", b"x\x01", b"\x1f\x8b"))


PICKLE = Container((".pkl", ".pickle"), _is_pickle, MAX_PICKLE_BYTES, parse_pickle)
"""Pickles, also those of joblib; no code in them is executed."""

NPZ = Container((".npz",), lambda head: head.startswith(b"PK"), MAX_MOTION_BYTES, NpzFile)
"""Archives of numpy arrays."""
