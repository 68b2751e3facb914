"""Where a file lists the names of its joints, under whatever key."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.joint_names import MAX_NAMES, match_names, split_list

_KEYS = re.compile(r"(joints?|dofs?|motors?|actuators?|hinges?)(names?|lists?|orders?|labels?){1,2}")
"""Keys, without separators and in lower case, under which files list their joints."""
_LISTS = re.compile(r".*(name|column|label|order|list|header).*|.*(joint|dof|motor|actuator)s")
"""Keys under which as many texts as there are columns name these."""
_OF_OTHERS = re.compile(r".*(body|bodies|link|site|geom|sensor|contact|file|clip|motion).*")
"""Keys of lists of something else."""


def find_names(path: Path, content: Mapping, width: int | None = None) -> tuple[str, object]:
    """Find the list of joint names in a file's content, under whatever key: its key and value, or ``joint_names`` and
    None without one.

    ``joint_names``, ``dof_names``, ``JointNames`` and ``joints_list`` are such keys, also within a dict in the content;
    without them, any list of ``width`` texts that is not said to be of links. A dict may number the names.

    Raises:
        InputError: two lists name as many joints and differ.
    """
    inner = [value for key in sorted(content, key=str) if isinstance(value := _lazy(content, key), Mapping)]
    found: list[tuple[str, object]] = []
    for mapping in (content, *inner):
        for key in sorted(map(str, mapping)):
            value = _in_order(mapping.get(key)) if _KEYS.fullmatch(_plain(key)) else None
            is_list = value is not None and (not isinstance(value, str) or len(split_list(value)) > 1)
            if is_list:  # a text such as "mujoco" names an order, not joints
                found.append((key, value))
    for mapping in (content, *inner) if width and not found else ():
        for key in sorted(map(str, mapping)):
            if _LISTS.fullmatch(_plain(key)) and not _OF_OTHERS.fullmatch(_plain(key)):
                value = _in_order(mapping.get(key))
                if len(_as_names(value)) == width:
                    found.append((key, value))
    if not found:
        return "joint_names", None
    key, value = found[0]
    names = _as_names(value)
    for other, more in found[1:]:
        others = _as_names(more)
        if names and others and len(names) == len(others) <= MAX_NAMES and match_names(others, names).joints != names:
            raise InputError(f"{path}: {key} and {other} name the joints differently; remove the wrong one")
    return key, value


def table_width(table: object) -> int | None:
    """Columns of a table that a file stores, an array or a list of rows; None for anything else."""
    if isinstance(table, list | tuple) and table:
        return np.size(table[0])
    return table.shape[1] if isinstance(table, np.ndarray) and table.ndim > 1 else None


def _plain(key: str) -> str:
    return re.sub(r"[\W_]", "", key).lower()


def _in_order(value: object) -> object:
    """Names that a dict numbers, by name or by number, as a list; anything else as it is."""
    if isinstance(value, dict) and 1 < len(value) <= MAX_NAMES:
        pairs = value.items() if isinstance(next(iter(value)), str) else ((name, n) for n, name in value.items())
        numbers = {number: name for name, number in pairs if type(number) is int}
        if sorted(numbers) == list(range(len(value))):
            return [numbers[number] for number in sorted(numbers)]
    return value


def _as_names(value: object) -> tuple[str, ...]:
    """Names in a list, an array or a text; none where it holds something else."""
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.dtype.kind in "UO" else None
    value = split_list(value) if isinstance(value, str) else value
    names = tuple(value) if isinstance(value, list | tuple) else ()
    return names if all(isinstance(name, str) for name in names) and len(set(names)) == len(names) else ()


def _lazy(content: Mapping, key: object) -> object:
    """The value of a key in a dict; None from an archive, whose arrays take time to read."""
    return content[key] if isinstance(content, dict) else None
