"""CSV motions as Unitree's LAFAN1 retargeting writes them: a row per frame of root position (3, m), root quaternion
(4) and joint angles (rad); 36 columns for the 29-dof G1. The file says neither its frame rate nor, without a header,
its joints; xyzw is the convention, and some writers store wxyz.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, atomic_write
from amp_helpers.formats.column_order import known_orders
from amp_helpers.formats.csv_header import TableColumns, read_columns
from amp_helpers.formats.csv_table import LAYOUT, MAX_CSV_BYTES, ROOT_COLUMNS, is_table, parse_table
from amp_helpers.formats.format import Container, Format
from amp_helpers.formats.joint_names import Unit, shown, split_unit
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.formats.values import HIGHEST_M, LARGEST_ANGLE, read_table
from amp_helpers.motion.findings import QuaternionOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import from_euler, from_rotation_vector
from amp_helpers.robots.robot import Robot

LOWEST_M = 0.05
"""A root lower than this in an animation tool's file is not given in centimeters."""
LARGEST_TILT = 1.6
"""Roll or pitch beyond a quarter turn, rad, is rare, and in degrees it is usual."""

MAX_JITTER = 0.25
"""Largest deviation of a time step from the mean, as a share of it."""

_METERS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_ANIMATION: Unit = "deg"
"""Unit of angles in animation tools."""


def clips_of_csv(path: Path, content: bytes, options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of a CSV.

    A header is optional; it may name joints, the root's columns, units, a frame counter and a time, in any order.
    Without names, columns are position, quaternion and joints.
    """
    header, table, rate = parse_table(path, content)
    try:
        columns = read_columns(header, options.robot) if header else None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if columns is None:
        columns = _unnamed(table)
    used = [*columns.position, *columns.rotation, *columns.joints]
    unused = np.setdiff1d(np.arange(table.shape[1]), used)
    times = None if columns.time is None else table[:, columns.time].copy()
    table[:, unused] = 0  # may hold anything, as times beyond what a motion holds
    read_table(path, "the table", table)
    if columns.joint_names is None and options.joint_names is None:
        _width_fits(path, table.shape[1], len(columns.joints), options.robot)
    root_pos, meters = _position(path, columns, table)
    root_rot, order, rotation = _rotation(path, columns, table)
    joint_pos, angles = _angles(path, columns, table)
    notes = [
        *([f"frame rate of {_time_column(header, columns.time)}"] if columns.time is not None else []),
        *filter(None, (meters, rotation, angles)),
        *([f"columns not used: {', '.join(map(shown, columns.dropped))}"] if columns.dropped else []),
    ]
    yield StoredClip(
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_rot=root_rot,
        fps=rate if times is None or columns.time is None else _rate(path, times, header, columns.time),
        usual_fps="--fps 120 if it is one of BONES-SEED's" if columns.animation else "",
        joint_names=columns.joint_names,
        keys={
            "joint_pos": "the table after the root" if columns.joint_names is None else "the table of joints",
            "joint_names": "the header",
            "root_pos": f"the position in columns {_listed(columns.position)}",
            "root_rot": f"the quaternion in columns {_listed(columns.rotation)}",
        },
        convention_of="LAFAN1's",
        quaternion=order,
        quaternion_computed=columns.kind in ("euler", "vector"),
        notes=tuple(notes),
    )


def _unnamed(table: np.ndarray) -> TableColumns:
    """Columns of a table without names; the first may count the frames or their times."""
    first, times = _leading(table)
    joints = tuple(range(first + ROOT_COLUMNS, table.shape[1]))
    return TableColumns(
        joints=joints,
        joint_names=None,
        joint_units=(None,) * len(joints),
        position=(first, first + 1, first + 2),
        position_unit=None,
        rotation=tuple(range(first + 3, min(first + ROOT_COLUMNS, table.shape[1]))),
        kind="numbered",
        rotation_unit=None,
        time=0 if times else None,
    )


def _leading(table: np.ndarray) -> tuple[int, bool]:
    """Count the columns before the root's, 0 or 1, and say whether that is of times.

    A first column of even steps is such a column where the quaternion is one column further than without it.
    """
    if table.shape[1] < ROOT_COLUMNS + 2 or len(table) < 3 or not np.isfinite(table).all():
        return 0, False
    steps = np.diff(table[:, 0])
    off = [np.abs(np.linalg.norm(table[:, start : start + 4], axis=1) - 1).max() for start in (3, 4)]
    if not (steps.min() > 0 and np.ptp(steps) <= MAX_JITTER * steps.mean() and off[1] < 0.2 < off[0]):
        return 0, False
    return 1, not (steps == 1).all()


def _time_column(header: Sequence[str], column: int) -> str:
    return f"the column {shown(header[column])}" if header else "the first column, which counts time"


def _listed(numbers: Sequence[int]) -> str:
    runs = list(numbers) == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False
    return f"{numbers[0]} to {numbers[-1]}" if runs else ", ".join(map(str, numbers))


def _position(path: Path, columns: TableColumns, table: np.ndarray) -> tuple[np.ndarray, str]:
    """Read the root's position, (N, 3) m, and say which unit was converted.

    Raises:
        InputError: it cannot be in the unit stated, or in meters where none is.
    """
    stored = table[:, columns.position]
    unit = columns.position_unit or ("cm" if columns.animation else "m")
    if unit not in _METERS:
        raise InputError(f"{path}: its header gives the root's position in {unit}; give it in m, cm or mm")
    position = stored * _METERS[unit]
    height = float(np.median(np.abs(position[:, 2])))
    named = columns.position_unit is None and columns.joint_names is not None
    if named and (height > HIGHEST_M or (columns.animation and height < LOWEST_M)):
        raise InputError(
            f"{path}: the root would be {height:.4g} m high, and its header states no unit; write it into the header, "
            "as root_z(m), root_z(cm) or root_z(mm) for all three columns"
        )
    return position, "" if unit == "m" else f"root position in {unit}"


def _rotation(path: Path, columns: TableColumns, table: np.ndarray) -> tuple[np.ndarray, QuaternionOrder | None, str]:
    """Read the root's rotations as quaternions (N, 4), the order that is known of them, and say where it is from.

    Raises:
        InputError: Euler angles may be degrees or radians, and no unit is stated; or the unit is none of an angle.
    """
    stored = table[:, columns.rotation]
    if columns.kind == "xyzw" or columns.kind == "wxyz":
        return stored, columns.kind, "quaternion order named by the header"
    if columns.kind == "vector":
        return from_rotation_vector(stored), "xyzw", "root rotation from a rotation vector"
    if columns.kind != "euler":
        return stored, None, ""
    stated = columns.rotation_unit or (_ANIMATION if columns.animation else _only(columns.joint_units))
    if stated not in (None, "rad", "deg"):
        raise InputError(f"{path}: its header gives the root's rotation in {stated}; give angles in rad or deg")
    largest, tilt = np.abs(stored).max(initial=0), np.abs(stored[:, :2]).max(initial=0)
    if stated is None and largest <= LARGEST_ANGLE and tilt > LARGEST_TILT:
        raise InputError(
            f"{path}: the root's Euler angles reach {largest:.3g}, which may be degrees or radians; write the unit "
            "into the header, as root_roll(deg) or root_roll(rad) for all three columns"
        )
    unit = stated or ("deg" if largest > LARGEST_ANGLE else "rad")
    words = f"root rotation from Euler angles about x, y and z in {unit}{'' if stated else ', by their size'}"
    return from_euler(np.radians(stored) if unit == "deg" else stored), "xyzw", words


def _angles(path: Path, columns: TableColumns, table: np.ndarray) -> tuple[np.ndarray, str]:
    """Read the joints' angles, (N, J) rad, and say whether they were converted.

    Raises:
        InputError: they cannot be radians, and no unit is stated; or the unit is none of an angle.
    """
    stored = table[:, columns.joints]
    usual = _only(columns.joint_units) or (_ANIMATION if columns.animation else None)
    units = [unit or usual for unit in columns.joint_units]
    if wrong := sorted({unit for unit in units if unit not in (None, "rad", "deg")}):
        raise InputError(f"{path}: its header gives joints in {', '.join(wrong)}; give angles in rad or deg")
    largest = np.abs(stored).max(axis=0, initial=0)
    beyond = (largest > LARGEST_ANGLE) & [unit is None for unit in units]
    if columns.joint_names is not None and beyond.mean() > 0.1:
        column = int(largest.argmax())
        raise InputError(
            f"{path}: angles reach {largest[column]:.4g}, which are no radians, and its header states no unit; write "
            f"it into the header, as {shown(columns.joint_names[column])}(deg) for every joint"
        )
    degrees = [unit == "deg" for unit in units]
    return np.where(degrees, np.radians(stored), stored), "joint angles in degrees" if any(degrees) else ""


def _only(units: Sequence[Unit | None]) -> Unit | None:
    """The one unit that any of the columns state."""
    stated = set(units) - {None}
    return stated.pop() if len(stated) == 1 else None


def _rate(path: Path, times: np.ndarray, header: Sequence[str], column: int) -> float | None:
    """Read frames per second from a column of times; None for a single frame.

    Raises:
        InputError: the times do not increase, or not evenly.
    """
    if len(times) < 2:
        return None
    name = _time_column(header, column)
    unit = split_unit(header[column])[1] if header else None
    steps = np.diff(times)
    if not (steps > 0).all():
        frame = int(np.argmin(steps > 0)) + 1
        raise InputError(f"{path}: {name} does not increase at frame {frame}; export the motion again")
    step = float(times[-1] - times[0]) / len(steps)
    if np.abs(steps - step).max() > MAX_JITTER * step:
        raise InputError(
            f"{path}: {name} has steps from {steps.min():g} to {steps.max():g}, so no steady frame rate; resample the "
            "motion, or take that column away and give --fps"
        )
    # A frame takes less than a second, and more than a millisecond.
    seconds = _SECONDS[unit] if unit in _SECONDS else next((s for s in _SECONDS.values() if step * s < 1), 1.0)
    rate = 1 / (step * seconds)
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 * rate else rate


def write_csv(path: str | os.PathLike, motion: Motion) -> None:
    """Write a LAFAN1 CSV, xyzw, under a header that names every column. The write is atomic.

    The format does not store the frame rate; it has to be given when the file is read.
    """
    header = [*(f"root_pos_{axis}" for axis in "xyz"), *(f"root_quat_{axis}" for axis in "xyzw"), *motion.joint_names]
    table = np.hstack([motion.root_pos, motion.root_quat, motion.joint_pos])
    with atomic_write(Path(path)) as temporary:
        np.savetxt(temporary, table, fmt="%.9g", delimiter=",", header=",".join(header), comments="")


def _width_fits(path: Path, width: int, joints: int, robot: Robot | None) -> None:
    """Check that some known order has this many columns.

    Raises:
        InputError: none has; the message lists the widths that fit.
    """
    known = {name: len(order) for name, order in known_orders(robot).items()}
    if joints in (*known.values(), 43):  # 43: refused with its own reason
        return
    fits = ", ".join(f"{ROOT_COLUMNS + count} for {name}" for name, count in known.items())
    hint = "; a leading frame or time column needs a header" if joints - 1 in known.values() else ""
    raise InputError(
        f"{path}: has {width} columns where {LAYOUT} are expected (known: {fits}){hint}; a header that names the "
        "joints serves too, or --joint_order robot with your --robot"
    )


CSV = Container((".csv",), is_table, MAX_CSV_BYTES, lambda path, raw: raw)
"""Text tables; the format's reader parses them."""

LAFAN1 = Format("LAFAN1 CSV", CSV, clips_of_csv, write=write_csv)
