"""What the header of a table says: which columns are the root's position and rotation, which are joints, and in which
units. Columns may stand in any order.

Positions are named like ``root_pos_x``, ``px`` or ``root_translateX``, quaternions by their components (``qw``,
``root_rot_x``), Euler angles like ``roll``, ``euler_z`` or ``root_rotateX``. What is none of these, nor a frame
counter, a time, a velocity or a mere number, is the name of a joint.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from amp_helpers.errors import InputError
from amp_helpers.formats.joint_names import Unit, match_names, shown, split_unit, words
from amp_helpers.robots.lookup import robots_beside
from amp_helpers.robots.robot import Robot

Role = Literal["position", "quaternion", "euler", "vector", "rate", "counter", "time", "joint", "number"]
Rotation = Literal["xyzw", "wxyz", "numbered", "euler", "vector", ""]


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ROOT = _set("root base pelvis trunk torso body free floating freejoint joint link world global local pose")
_OWN_JOINT = _set("torso trunk body joint")
_NO_JOINT = _ROOT - _OWN_JOINT
_POSITION = _set("pos position trans translate translation loc location p t xyz")
_ROTATION = _set("rot rotate rotation quat quaternion q orientation ori orient r xyzw wxyz")
_QUATERNION = _set("quat quaternion q xyzw wxyz")
_NAMED_QUATERNION = _set("quat quaternion xyzw wxyz")
_EULER = _set("euler eulers rpy angle angles")
_VECTOR = _set("rotvec axisangle axis aa expmap exp")
_RATE = _set("vel velocity velocities lin ang linear angular v omega speed acc acceleration qvel dq")
_MEASURED = _set("vel velocity velocities acc acceleration qvel dq torque torques effort tau force contact wx wy wz")
_LETTERS = {"x": 0, "y": 1, "z": 2, "w": 3, "roll": 0, "pitch": 1, "yaw": 2, "heading": 2}
_TURNS = ("roll", "pitch", "yaw", "heading")
_COUNTER = _set("frame frames index idx unnamed id no row step")
_TIME = _set("time timestamp timestamps times stamp t ts s sec secs second seconds ms us ns elapsed utc clock")
_TIMES = _set("time timestamp timestamps times stamp utc clock")
_ORDERS: tuple[Rotation, ...] = ("xyzw", "wxyz")
_NUMBERED = _set("column col c var feature field dim value v joint joints dof dofs q qpos pos j x data")
_GLUED = re.compile(r"([a-z]{1,12}?)([xyzw])")


@dataclass(frozen=True)
class TableColumns:
    """Columns of a table, by number."""

    joints: tuple[int, ...]
    joint_names: tuple[str, ...] | None
    """Names of the joints' columns without their units; None where they are only numbered."""
    joint_units: tuple[Unit | None, ...]
    position: tuple[int, ...]
    """x, y and z of the root."""
    position_unit: Unit | None
    rotation: tuple[int, ...]
    """The root's rotation, in the order that ``kind`` names."""
    kind: Rotation
    """What ``rotation`` holds; ``numbered`` are quaternions of an unknown order."""
    rotation_unit: Unit | None
    time: int | None = None
    """Column of the time."""
    animation: bool = False
    """The root's columns have the names of animation tools, ``root_translateX`` and ``root_rotateX``, which count in
    centimeters and degrees."""
    dropped: tuple[str, ...] = ()
    """Names of columns that are not used, such as a frame counter."""


@dataclass(frozen=True)
class _Column:
    number: int
    name: str
    unit: Unit | None
    words: frozenset[str]
    axis: int | None
    """Number of the component that the name states."""
    lettered: bool
    """The component is stated by a letter, not by its number."""
    role: Role


def read_columns(header: Sequence[str], robot: Robot | None) -> TableColumns | None:
    """Read a table's header; None where it only numbers the columns.

    Args:
        header: names of the columns.
        robot: robot that the file is for, whose joints count before any other meaning of a name.

    Raises:
        InputError: the root is not named in full, a component is named twice, or a unit is not known.
    """
    if len(set(header)) == 1:
        return None
    columns = _columns(header, robot)
    if all(column.role in ("number", "counter", "time") for column in columns):
        return _by_position(columns)
    position = _components(columns, "position", 3)
    kind: Rotation = ""
    if rotation := _components(columns, "quaternion", 4):
        kind = _letters(rotation)
        rotation = [rotation[3], *rotation[:3]] if kind == "wxyz" and rotation[0].lettered else rotation
        # What else is named like an angle of the root's turns the torso beside it.
        columns = [replace(column, role="joint") if _turns_torso(column) else column for column in columns]
    elif rotation := _components(columns, "euler", 3):
        kind = "euler"
    elif rotation := _components(columns, "vector", 3):
        kind = "vector"
    joints = [column for column in columns if column.role in ("joint", "number")]
    if not position and not rotation and all(column.role == "number" for column in joints[:7]) and len(joints) > 7:
        position, rotation, joints, kind = joints[:3], joints[3:7], joints[7:], "numbered"
    if not (position and rotation):
        parts = {"position": "root_x, root_y, root_z", "rotation": "root_qx, root_qy, root_qz, root_qw"}
        part = "rotation" if position else "position"
        raise InputError(
            f"its header names no {part} of the root (it begins {', '.join(map(shown, header[:4]))}); name those "
            f"columns, such as {parts[part]}"
        )
    used = {column.number for column in (*position, *rotation, *joints)}
    times = [column.number for column in columns if column.role == "time"]
    return TableColumns(
        joints=_numbers(joints),
        joint_names=tuple(column.name for column in joints) if any(c.role == "joint" for c in joints) else None,
        joint_units=tuple(column.unit for column in joints),
        position=_numbers(position),
        position_unit=_one_unit(position),
        rotation=_numbers(rotation),
        kind=kind,
        rotation_unit=_one_unit(rotation),
        time=times[0] if times else None,
        animation=kind == "euler"
        and all("translate" in column.words for column in position)
        and all("rotate" in column.words for column in rotation),
        dropped=tuple(c.name for c in columns if c.number not in used and c.role not in ("time", "counter")),
    )


def _columns(header: Sequence[str], robot: Robot | None) -> list[_Column]:
    bare, units = zip(*map(split_unit, header), strict=True)
    positions = [number for number, unit in enumerate(units) if unit != "rate"]  # a joint's velocity has its name too
    joints = {
        column
        for known in robots_beside(robot)
        for column, joint in zip(
            positions, match_names([bare[i] for i in positions], known.joint_names).joints, strict=True
        )
        if joint
    }
    columns: list[_Column] = []
    seen: set[str] = set()
    spelled = [words(name) for name in bare]
    counted = [frozenset(parts) for parts in spelled if not set(parts) <= _COUNTER | _TIME]
    shared = frozenset.intersection(*counted) if len(set(counted)) > 1 else frozenset()  # such as the robot's name
    for number, (name, unit) in enumerate(zip(bare, units, strict=True)):
        parts = _unglued([part for part in spelled[number] if part not in shared])
        letters = [part for part in parts if part in _LETTERS]
        digits = [part for part in parts if part.isdecimal()]
        axis = _LETTERS[letters[0]] if len(letters) == 1 else int(digits[0]) if len(digits) == 1 else None
        role: Role = "joint" if number in joints else _role(frozenset(parts), letters, digits)
        role = "rate" if unit == "rate" else role
        if role == "position" and len(parts) == 1 and name in seen:
            role = "quaternion"  # x,y,z,x,y,z,w
        seen.add(name)
        columns.append(_Column(number, name, unit, frozenset(parts), axis, bool(letters), role))
    if not any(column.role == "quaternion" and (column.axis == 3 or not column.lettered) for column in columns):
        # x, y and z without w
        columns = [
            replace(column, role=_angles(column)) if column.role == "quaternion" else column for column in columns
        ]
    return columns


def _angles(column: _Column) -> Role:
    """Role of a component of a rotation of three.

    Raises:
        InputError: the name does not say which kind of rotation it is.
    """
    if column.words & _QUATERNION:
        return "quaternion"  # incomplete, which is reported
    if "rotate" in column.words or column.unit == "deg":
        return "euler"
    raise InputError(
        f"its header has a rotation of three numbers, {shown(column.name)}, and does not say of which kind; name Euler "
        "angles root_roll, root_pitch, root_yaw, or a rotation vector root_rotvec_x, root_rotvec_y, root_rotvec_z"
    )


def _turns_torso(column: _Column) -> bool:
    return column.role == "euler" and bool(column.words & _OWN_JOINT) and not column.words & _NO_JOINT


def _role(parts: frozenset[str], letters: list[str], digits: list[str]) -> Role:
    rest = parts - _ROOT - set(letters) - set(digits)
    rooted = bool(parts & _ROOT)
    named = rooted or (rest <= _QUATERNION and rest & _NAMED_QUATERNION)
    if len(letters) == 1 or (len(digits) == 1 and not letters and named and rest):
        if letters and letters[0] in _TURNS:
            return "euler" if rest <= _EULER | _ROTATION else "rate" if parts & _MEASURED else "joint"
        if rest <= _POSITION:
            return "quaternion" if letters == ["w"] and not rest else "position"
        if rest <= _ROTATION:
            return "quaternion"
        if rest <= _EULER | _ROTATION:
            return "euler"
        if rest <= _VECTOR | _ROTATION | _EULER:
            return "vector"
        if rest <= _RATE | _POSITION | _ROTATION:
            return "rate"
    if parts & _MEASURED:
        return "rate"
    if not parts - set(digits) - _COUNTER:
        return "counter" if parts - set(digits) or not parts else "number"
    if parts <= _TIME or parts & _TIMES:
        return "time"
    return "number" if digits and not parts - set(digits) - _NUMBERED else "joint"


def _unglued(parts: list[str]) -> list[str]:
    """Split ``qx`` and ``posx`` into the quantity and its component."""
    quantities = _POSITION | _ROTATION | _EULER | _ROOT
    found = [(part, _GLUED.fullmatch(part)) for part in parts]
    return [
        piece
        for part, glued in found
        for piece in (glued.groups() if glued and glued.group(1) in quantities and part not in quantities else (part,))
    ]


def _components(columns: Sequence[_Column], role: Role, count: int) -> list[_Column]:
    """Columns of a role in the order of their components, numbered from 0 or 1; none where no column has the role.

    Raises:
        InputError: a component is named twice or not at all.
    """
    found = [column for column in columns if column.role == role]
    axes = [-1 if column.axis is None else column.axis for column in found]
    first = 1 if axes and min(axes) == 1 and not any(column.lettered for column in found) else 0
    if found and sorted(axes) != list(range(first, first + count)):
        raise InputError(
            f"its header names the root's {'position' if role == 'position' else 'rotation'} by "
            f"{', '.join(shown(column.name) for column in found[:8])}, which are not its {count} components once each; "
            "name each once"
        )
    return [found[axes.index(axis)] for axis in sorted(axes)]


def _letters(rotation: Sequence[_Column]) -> Rotation:
    """Order in which the table has x, y, z and w; ``xyzw`` for mixed orders too, since columns are picked by letter."""
    if not all(column.lettered for column in rotation):
        stated: list[Rotation] = [order for order in _ORDERS if all(order in column.words for column in rotation)]
        return stated[0] if stated else "numbered"
    return "wxyz" if rotation[3].number == min(column.number for column in rotation) else "xyzw"


def _by_position(columns: Sequence[_Column]) -> TableColumns | None:
    """Columns without names: position, quaternion and joints one after the other, beside counter and time."""
    times = [column.number for column in columns if column.role == "time"]
    rest = [column for column in columns if column.role not in ("counter", "time")]
    if len(rest) < 8 or len(rest) == len(columns):
        return None
    return TableColumns(
        joints=_numbers(rest[7:]),
        joint_names=None,
        joint_units=tuple(column.unit for column in rest[7:]),
        position=_numbers(rest[:3]),
        position_unit=_one_unit(rest[:3]),
        rotation=_numbers(rest[3:7]),
        kind="numbered",
        rotation_unit=None,
        time=times[0] if times else None,
    )


def _numbers(columns: Iterable[_Column]) -> tuple[int, ...]:
    return tuple(column.number for column in columns)


def _one_unit(columns: Sequence[_Column]) -> Unit | None:
    """The unit that columns of one quantity state.

    Raises:
        InputError: they state different ones.
    """
    units: set[Unit | None] = {column.unit for column in columns}
    if len(units) > 1:
        names = ", ".join(shown(column.name) for column in columns)
        raise InputError(f"its header gives {names} different units; give them one")
    return units.pop() if units else None
