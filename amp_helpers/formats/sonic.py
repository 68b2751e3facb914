"""SONIC's reference motions (GEAR-SONIC's deployment): joints breadth-first, as Isaac Lab has them on PhysX, without
names; positions and rotations wxyz of some links in the world's frame, the root first; no frame rate.

They come as a pickle, a dict of clips with ``joint_pos`` (N, J), ``joint_vel``, ``body_pos_w`` (N, B, 3) and
``body_quat_w`` (N, B, 4), and as a folder a clip, with the same as ``joint_pos.csv``, ``joint_vel.csv``,
``body_pos.csv`` and ``body_quat.csv`` under a header. The deployment plays them at 50 Hz; the velocities tell the rate
that a motion has. The library of its training is an ASAP pickle with ``dof_names``.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.errors import InputError, one_line
from amp_helpers.formats.beyondmimic import clips_of_tracking
from amp_helpers.formats.format import PICKLE, Container, Format
from amp_helpers.formats.joint_names import shown
from amp_helpers.formats.stored_clip import Bodies, ReadOptions, StoredClip
from amp_helpers.formats.values import HEAD_BYTES, check_pointer, read_bytes

KEYS = ("joint_pos", "body_pos_w", "body_quat_w")
FILES = {"joint_pos.csv": "joint_pos", "body_pos.csv": "body_pos_w", "body_quat.csv": "body_quat_w"}
"""File of a folder that is a motion -> key of its table."""
ALSO = {"joint_vel.csv": "joint_vel"}
MAX_TABLE_BYTES = 128 * 1024**2
"""Largest of a folder's files read."""


def clips_of_sonic(path: Path, content: Mapping[str, Any], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clips of a SONIC pickle or folder."""
    clips: Mapping[str, Any] = content if all(isinstance(clip, Mapping) for clip in content.values()) else {"": content}
    for name, stored in clips.items():
        missing = [key for key in KEYS if key not in stored]
        if missing:
            raise InputError(f"{path}: clip '{shown(str(name))}' lacks {', '.join(missing)}; export the motion again")
        for clip in clips_of_tracking(path, stored, options):
            yield replace(
                clip,
                name=str(name),
                convention_of="SONIC's",
                order_convention="breadth-first",
                usual_fps="--fps 50 if it is as SONIC's deployment plays it",
                bodies=clip.bodies if clip.bodies is not None and _apart(clip.bodies) else None,
            )


def _apart(bodies: Bodies) -> bool:
    """Whether the links are in different places, as those of some writers are not, who store the root alone."""
    return bool(np.ptp(bodies.positions[:60], axis=1).max() > 0.01)


def parse_folder(path: Path, raw: bytes) -> dict[str, np.ndarray]:
    """Read the tables of a folder that is a motion from its files' bytes, one after the other, each with its size."""
    content, stream = {}, io.BytesIO(raw)
    while line := stream.readline():
        name, size = line.decode().rsplit(" ", 1)
        text = stream.read(int(size))
        try:
            table = np.loadtxt(io.StringIO(text.decode("utf-8-sig")), delimiter=",", ndmin=2, skiprows=1, comments=None)
        except (UnicodeDecodeError, ValueError) as error:
            detail = one_line(str(error).split("; use")[0], 120)  # numpy goes on with options of loadtxt
            raise InputError(
                f"{path}: {name} is not a comma-separated table of numbers ({detail}); export the motion again"
            ) from None
        key = (FILES | ALSO)[name]
        width = {"body_pos_w": 3, "body_quat_w": 4}.get(key)
        if width and table.shape[1] % width:
            raise InputError(
                f"{path}: {name} has {table.shape[1]} columns, no multiple of {width}; export the motion again"
            )
        content[key] = table if width is None else table.reshape(len(table), -1, width)
    return content


def is_motion_folder(path: Path) -> bool:
    """Whether a folder is one motion, by its files."""
    return path.is_dir() and all((path / name).is_file() for name in FILES)


def read_folder(path: Path) -> bytes:
    """Read the bytes of a folder that is a motion: each file's name, size and content, in one order.

    Raises:
        InputError: one of its files is too large, or a Git LFS pointer.
    """
    parts = []
    for name in sorted(FILES | ALSO):
        if (path / name).is_file():
            content = read_bytes(path / name, MAX_TABLE_BYTES)
            check_pointer(path / name, content[:HEAD_BYTES])
            parts += [f"{name} {len(content)}\n".encode(), content]
    return b"".join(parts)


FOLDER = Container((), lambda head: False, 4 * MAX_TABLE_BYTES, parse_folder)
"""Folders that are one motion."""

SONIC_PICKLE = Format("SONIC pickle", PICKLE, clips_of_sonic, keys=KEYS, nested=True)
SONIC_FOLDER = Format("SONIC folder", FOLDER, clips_of_sonic, keys=KEYS)
