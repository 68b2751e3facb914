"""JSON files of any origin: read within a size limit, and checked against the types that a dataclass states."""

import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from amp_helpers.errors import InputError, one_line

MAX_JSON_BYTES = 64 * 1024**2
"""Largest JSON file read; the configuration of a run of 10,000 clips takes 5 MiB."""
_LARGEST = 1e300
"""Numbers beyond it are damage, and Python's integers could be longer than any float."""


def read_json(file: Path, remedy: str) -> Any:
    """Read a JSON file, without NaN and infinity, which JSON lacks.

    Args:
        file: the file.
        remedy: end of the error message.

    Raises:
        InputError: it is too large, no text, or no JSON.
    """
    size = file.stat().st_size
    if size > MAX_JSON_BYTES:
        raise InputError(f"{file}: is {size / 1024**2:.0f} MiB, more than any such file; {remedy}")
    try:
        return parse_json(file.read_bytes())
    except ValueError as error:
        raise InputError(f"{file}: is not valid JSON ({one_line(str(error), 80)}); {remedy}") from None


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: it is none, or nested deeper than Python's stack.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def fits(value: object, kind: Any) -> bool:
    """Whether a JSON value is of a type as dataclass fields state it; an array stands for a tuple, text for a path."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if kind is None or kind is types.NoneType:
        return value is None
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin is tuple and isinstance(value, list):
        kinds = parts[:1] * len(value) if parts[1:] == (...,) else parts
        return len(value) == len(kinds) and all(map(fits, value, kinds))
    if origin is list and isinstance(value, list):
        return all(fits(item, parts[0]) for item in value)
    if origin is dict and isinstance(value, dict):
        return all(fits(item, parts[1]) for item in value.values())
    if kind is Path:
        return isinstance(value, str)
    if kind in (int, float):
        allowed = (int,) if kind is int else (int, float)
        return type(value) in allowed and -_LARGEST < value < _LARGEST  # type: ignore[operator]
    return kind in (str, bool) and type(value) is kind


def wrong_types(content: Mapping[str, object], kinds: Mapping[str, Any]) -> list[str]:
    """List the fields of ``content`` whose value is of another type than ``kinds`` states."""
    return [key for key, kind in kinds.items() if key in content and not fits(content[key], kind)]
