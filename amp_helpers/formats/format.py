"""What a motion format is: how its files are opened, recognized, read and written."""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amp_helpers.formats.numpy_files import MotionNpz
from amp_helpers.formats.pickles.load import MAX_PICKLE_BYTES, parse_pickle
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.motion.motion import Motion
from amp_helpers.utils.npz import MAX_MOTION_BYTES


@dataclass(frozen=True)
class Container:
    """A kind of file that several formats share."""

    suffixes: tuple[str, ...]
    """In lower case; the usual one first. They decide only where a file's first bytes tell nothing."""
    starts: Callable[[bytes], bool]
    """Whether a file is of this kind, by its first 512 bytes."""
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
    """Keys that tell it from other formats."""
    nested: bool = False
    """Whether a file may hold several clips, as a dict of dicts."""
    anywhere: bool = True
    """Whether the same keys in another container are this format too."""
    write: Callable[[str | os.PathLike, Motion], None] | None = None
    """Writes one motion; None for formats that are only read."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of its files, in lower case; the usual one first."""
        return self.container.suffixes


_PACKED = (b"x\x9c", b"x^", b"x\xda", b"x\x01", b"\x1f\x8b")
_TEXT_PICKLE = re.compile(rb"\((?:[dl]p|[dl][^\w,]|S'|V\w)|[]}]q|c[\w.]+\n\w+\n")
"""How pickles of protocols 0 and 1 begin: a mark, an empty container or a name."""


def _is_pickle(head: bytes) -> bool:
    return head.startswith((b"\x80", *_PACKED)) or _TEXT_PICKLE.match(head) is not None


def first_member(head: bytes) -> bytes:
    """Name of the first member of a zip archive, by its first bytes; empty for other files."""
    return head[30 : 30 + int.from_bytes(head[26:28], "little")] if head.startswith(b"PK\x03\x04") else b""


def is_torch(head: bytes) -> bool:
    """Whether a file is an archive of ``torch.save``, by its first bytes."""
    return first_member(head).endswith((b"/data.pkl", b"/version", b"/byteorder", b"/.format_version"))


PICKLE = Container((".pkl", ".pickle"), _is_pickle, MAX_PICKLE_BYTES, parse_pickle)
"""Pickles, also those of joblib; no code in them is executed."""

NPZ = Container((".npz",), lambda head: head.startswith(b"PK") and not is_torch(head), MAX_MOTION_BYTES, MotionNpz)
"""Archives of numpy arrays."""
