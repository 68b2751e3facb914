"""Reading and writing motion files; with its ``formats_*`` parts the only place that knows a file format.

``FORMATS`` is the registry: a file's suffix names its format, and for a suffix that none claims its first bytes do.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from amp_helpers.errors import InputError
from amp_helpers.formats_csv import read_csv
from amp_helpers.formats_gmr import read_gmr, write_gmr
from amp_helpers.formats_npz import read_amp_npz, read_npz, write_npz
from amp_helpers.motion import Motion
from amp_helpers.motion_parts import JOINT_ORDERS, sha256

__all__ = [
    "FORMATS",
    "JOINT_ORDERS",
    "SUFFIXES",
    "Format",
    "read_motion",
    "read_npz",
    "sha256",
    "write_gmr",
    "write_npz",
]


@dataclass(frozen=True)
class Format:
    """A kind of motion file."""

    name: str
    suffixes: tuple[str, ...]
    """In small letters; the first is the usual one."""
    starts: Callable[[bytes], bool]
    """Whether a file without a known suffix may be of this kind, by its first 512 bytes."""
    read: Callable[..., Motion]
    """``read(path, *, fps, joint_names, quaternion)``, as :func:`read_motion`."""


def _is_table(head: bytes) -> bool:
    line = head.partition(b"\n")[0]
    return line.count(b",") >= 7 and all(32 <= byte < 127 or byte in b"\t\r" for byte in line)


FORMATS = (
    Format("GMR pickle", (".pkl", ".pickle"), lambda head: head.startswith(b"\x80"), read_gmr),
    Format("LAFAN1 CSV", (".csv",), _is_table, read_csv),
    Format("Isaac Lab AMP npz", (".npz",), lambda head: head.startswith(b"PK"), read_amp_npz),
)

SUFFIXES = tuple(suffix for kind in FORMATS for suffix in kind.suffixes)
"""Suffixes of motion files."""


def read_motion(
    path: str | os.PathLike,
    *,
    joint_names: Sequence[str] | str | None = None,
    quaternion: str = "auto",
    fps: float | None = None,
) -> Motion:
    """Read a motion file of any format in ``FORMATS``.

    Args:
        path: the file.
        joint_names: the joint columns of a file that does not name them: names, or a key of ``JOINT_ORDERS``. Not
            needed for 29 columns, which are the 29-dof G1.
        quaternion: how the root's rotation is stored. ``"auto"`` takes the one order that keeps the pelvis upright,
            and the format's own (xyzw; wxyz in AMP npz) where both do.
        fps: frames per second of a file that does not say, as CSV never does; what a file says goes before it.

    Returns:
        The clip as stored (not resampled), quaternions xyzw, normalised and without sign jumps. ``source`` says
        which reading was taken, on what evidence, and how far norms were from 1.

    Raises:
        InputError: the file cannot be used; one sentence says why and what to do.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder, not a motion; name a file in it" if path.is_dir() else "no such file; check the path"
        raise InputError(f"{path}: {what}")
    return _format_of(path).read(path, fps=fps, joint_names=joint_names, quaternion=quaternion)


def _format_of(path: Path) -> Format:
    for kind in FORMATS:
        if path.suffix.lower() in kind.suffixes:
            return kind
    with path.open("rb") as file:
        head = file.read(512)
    for kind in FORMATS:
        if kind.starts(head):
            return kind
    known = ", ".join(f"{kind.name} ({', '.join(kind.suffixes)})" for kind in FORMATS)
    raise InputError(f"{path}: is of no known motion format; known: {known}")
