"""CSV motions as Unitree's LAFAN1 retargeting writes them: a row per frame of root position (3, m), root quaternion
(4) and joint angles (rad); 36 columns for the 29-dof G1. The file says neither its frame rate nor, without a header,
its joints; xyzw is the convention, and some writers store wxyz.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.motion import Motion
from amp_helpers.motion_parts import (
    JOINT_ORDERS,
    read_fps,
    read_joint_names,
    read_quaternions,
    read_table,
    sha256,
)

MAX_CSV_BYTES = 256 * 1024**2
"""Largest CSV read: over two hours of the G1 at 120 fps."""

ROOT_COLUMNS = 7
LAYOUT = "3 of root position, 4 of root quaternion and one per joint"

# Names of first columns that tell of another layout: a frame counter, a time, Euler angles, velocities.
_FOREIGN = ("frame", "time", "stamp", "index", "rotate", "euler", "roll", "pitch", "yaw", "vel")


def read_csv(path: Path, *, fps: float | None, joint_names: Sequence[str] | str | None, quaternion: str) -> Motion:
    """Read a LAFAN1 CSV; arguments as :func:`amp_helpers.formats.read_motion`.

    A header is optional. Where it names joints they are the columns' names, and where it names the
    quaternion's order that is taken for ``auto``.
    """
    header, rows = _lines(path)
    table = _numbers(path, header, rows)
    stored = _header_joints(path, header, joint_names) if header else None
    if stored is None and joint_names is None:
        _width_fits(path, table.shape[1])
    fps, rate = read_fps(path, None, fps)
    root_pos, root_rot, joint_pos = np.split(table, (3, ROOT_COLUMNS), axis=1)
    names = read_joint_names(
        path, stored, joint_names, joint_pos.shape[1], key="the table after the root", names_key="the header"
    )
    if quaternion == "auto" and header and (order := _header_order(header)):
        quaternion, rate = order, f"{rate}quaternion order named by the header; "
    root_quat, finding = read_quaternions(
        path,
        root_rot,
        quaternion,
        np.diff(root_pos, axis=0) * fps,
        key="the quaternion in columns 3 to 6",
        whose="LAFAN1's",
    )
    return Motion(
        fps=fps,
        joint_names=names,
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_quat=root_quat,
        source=f"{path.name} ({rate}{finding})",
        sha256=sha256(path),
    )


def _lines(path: Path) -> tuple[list[str], list[str]]:
    """The header's cells (none: empty) and the lines of numbers."""
    size = path.stat().st_size
    if size > MAX_CSV_BYTES:
        raise InputError(
            f"{path}: is {size / 1024**2:.0f} MiB, more than the {MAX_CSV_BYTES // 1024**2} MiB read at most; "
            "split the motion"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text, so no CSV; give the file with the suffix of its own format") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{path}: is empty; give a CSV with a row per frame: {LAYOUT}")
    first = [cell.strip().strip("\"'") for cell in lines[0].split(",")]
    if any(_is_number(cell) for cell in first):
        return [], lines
    if len(lines) == 1:
        raise InputError(f"{path}: has no row of numbers; give a CSV with a row per frame: {LAYOUT}")
    return first, lines[1:]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(path: Path, header: list[str], rows: list[str]) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no data: said below
            table = np.loadtxt(rows, delimiter=",", ndmin=2, comments=None)
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
    """Joint names from the header, or None for names that mean nothing here, such as ``dof_0``.

    Raises:
        InputError: the header tells of another layout, or names some joints and not others.
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


def _header_order(header: list[str]) -> str | None:
    """The order that the names of the quaternion's columns end in, such as ``root_qw, root_qx, ...``."""
    letters = "".join(name[-1:].lower() for name in header[3:ROOT_COLUMNS])
    return letters if letters in ("xyzw", "wxyz") else None


def _width_fits(path: Path, width: int) -> None:
    """Refuse a width that no nameless order has, naming those that fit."""
    known = {len(order) for order in JOINT_ORDERS.values()} | {43}  # 43: refused with its own reason
    if width - ROOT_COLUMNS in known:
        return
    fits = ", ".join(f"{ROOT_COLUMNS + len(order)} for {name}" for name, order in JOINT_ORDERS.items())
    hint = "; a leading frame or time column has to go" if width - ROOT_COLUMNS - 1 in known else ""
    raise InputError(
        f"{path}: has {width} columns where {LAYOUT} are expected (36 for the 29-dof G1; known: {fits}){hint}; "
        "a header that names the joints serves too, or --joint_order robot with your --robot"
    )
