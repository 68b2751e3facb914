"""CSV motions as Unitree's LAFAN1 retargeting writes them: a row per frame of root position (3, m), root quaternion
(4) and joint angles (rad); 36 columns for the 29-dof G1. The file says neither its frame rate nor, without a header,
its joints; xyzw is the convention, and some writers store wxyz.
"""

import io
import itertools
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, atomic_write
from amp_helpers.formats.format import Container, Format
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.formats.values import read_table
from amp_helpers.motion.findings import QuaternionOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import JOINT_ORDERS

MAX_CSV_BYTES = 256 * 1024**2
"""Largest CSV read: more than two hours of the G1 at 120 fps."""

ROOT_COLUMNS = 7
LAYOUT = "3 of root position, 4 of root quaternion and one per joint"

# Words that indicate another layout in the first columns' names: frame counters, times, Euler angles, velocities.
_FOREIGN = ("frame", "time", "stamp", "index", "rotate", "euler", "roll", "pitch", "yaw", "vel")


def clips_of_csv(path: Path, content: bytes, options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of a LAFAN1 CSV.

    A header is optional; joint names and the quaternion order are taken from it where it states them.
    """
    header, table = _read(path, content)
    stored = _header_joints(path, header, options.joint_names) if header else None
    if stored is None and options.joint_names is None:
        _width_fits(path, table.shape[1])
    root_pos, root_rot, joint_pos = np.split(table, (3, ROOT_COLUMNS), axis=1)
    order = _header_order(header) if header else None
    yield StoredClip(
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_rot=root_rot,
        joint_names=stored,
        keys={
            "joint_pos": "the table after the root",
            "joint_names": "the header",
            "root_pos": "the position in columns 0 to 2",
            "root_rot": "the quaternion in columns 3 to 6",
        },
        convention_of="LAFAN1's",
        quaternion=order,
        notes=("quaternion order named by the header",) if order else (),
    )


def write_csv(path: str | os.PathLike, motion: Motion) -> None:
    """Write a LAFAN1 CSV, xyzw, under a header that names every column. The write is atomic.

    The format does not store the frame rate; it has to be given when the file is read.
    """
    header = [*(f"root_pos_{axis}" for axis in "xyz"), *(f"root_quat_{axis}" for axis in "xyzw"), *motion.joint_names]
    table = np.hstack([motion.root_pos, motion.root_quat, motion.joint_pos])
    with atomic_write(Path(path)) as temporary:
        np.savetxt(temporary, table, fmt="%.9g", delimiter=",", header=",".join(header), comments="")


def _read(path: Path, raw: bytes) -> tuple[list[str], np.ndarray]:
    """Parse the header's cells, empty without a header, and the table."""
    try:
        # A line at a time: the text decoded as a whole would take up to four times the file.
        with io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig") as file:
            lines = (line for line in file if line.strip())
            first = next(lines, None)
            if first is None:
                raise InputError(f"{path}: is empty; give a CSV with a row per frame: {LAYOUT}")
            header = [cell.strip().strip("\"'") for cell in first.split(",")]
            if any(_is_number(cell) for cell in header):
                return [], _numbers(path, [], itertools.chain([first], lines))
            second = next(lines, None)
            if second is None:
                raise InputError(f"{path}: has no row of numbers; give a CSV with a row per frame: {LAYOUT}")
            return header, _numbers(path, header, itertools.chain([second], lines))
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text, so no CSV; give the file with the suffix of its own format") from None


def _is_table(head: bytes) -> bool:
    line = head.partition(b"\n")[0]
    return line.count(b",") >= ROOT_COLUMNS and all(32 <= byte < 127 or byte in b"\t\r" for byte in line)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(path: Path, header: list[str], rows: Iterable[str]) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty table is reported below
            table = np.loadtxt(rows, delimiter=",", ndmin=2, comments=None)
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        detail = " ".join(str(error).split("; use")[0].split())[:120]
        raise InputError(
            f"{path}: is not a comma-separated table of numbers ({detail}); give a row per frame: {LAYOUT}"
        ) from None
    if header and len(header) != table.shape[1]:
        raise InputError(
            f"{path}: the header names {len(header)} columns and the rows have {table.shape[1]}; export it again"
        )
    return read_table(path, "the table", table)


def _header_joints(path: Path, header: list[str], given: Sequence[str] | str | None) -> list[str] | None:
    """Extract joint names from the header; None where no column has a known name.

    Raises:
        InputError: the header indicates another layout, or names only some joints.
    """
    known = set(JOINT_ORDERS["g1_29dof"]).union(() if given is None or isinstance(given, str) else given)
    known |= {name for name in header if name.endswith("_joint")}
    joints = [name if name in known else f"{name}_joint" for name in header]
    foreign = [
        name
        for name, joint in zip(header[:ROOT_COLUMNS], joints, strict=False)
        if joint in known or any(word in name.lower() for word in _FOREIGN)
    ]
    if foreign:
        raise InputError(
            f"{path}: its header puts {', '.join(foreign)} among the first {ROOT_COLUMNS} columns, so it is laid out "
            f"otherwise than expected; give columns {LAYOUT}"
        )
    found = [joint in known for joint in joints[ROOT_COLUMNS:]]
    if not any(found):
        return None
    if not all(found):
        unknown = [name for name, ok in zip(header[ROOT_COLUMNS:], found, strict=True) if not ok]
        raise InputError(
            f"{path}: its header names joints and also {', '.join(unknown)}; name every column after the "
            "root by its joint, or take the header away and give --joint_order"
        )
    return joints[ROOT_COLUMNS:]


def _header_order(header: list[str]) -> QuaternionOrder | None:
    """Read the quaternion order from the last letters of its columns' names, such as ``root_qw, root_qx, ...``."""
    letters = "".join(name[-1:].lower() for name in header[3:ROOT_COLUMNS])
    return letters if letters == "xyzw" or letters == "wxyz" else None


def _width_fits(path: Path, width: int) -> None:
    """Check that some known order has this many columns.

    Raises:
        InputError: none has; the message lists the widths that fit.
    """
    known = {len(order) for order in JOINT_ORDERS.values()} | {43}  # 43: refused with its own reason
    if width - ROOT_COLUMNS in known:
        return
    fits = ", ".join(f"{ROOT_COLUMNS + len(order)} for {name}" for name, order in JOINT_ORDERS.items())
    hint = "; a leading frame or time column has to go" if width - ROOT_COLUMNS - 1 in known else ""
    raise InputError(
        f"{path}: has {width} columns where {LAYOUT} are expected (36 for the 29-dof G1; known: {fits}){hint}; "
        "a header that names the joints serves too, or --joint_order robot with your --robot"
    )


CSV = Container((".csv",), _is_table, MAX_CSV_BYTES, lambda path, raw: raw)
"""Text tables; the format's reader parses them."""

LAFAN1 = Format("LAFAN1 CSV", CSV, clips_of_csv, write=write_csv)
