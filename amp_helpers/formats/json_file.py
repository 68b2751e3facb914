"""JSON files, whatever their suffix: an object of numbers, texts and lists of numbers."""

import json
import re
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, one_line
from amp_helpers.formats.format import Container

MAX_JSON_BYTES = 256 * 1024**2
"""Largest JSON read."""
MAX_GROWTH = 4
"""Most memory that the content may take, as a multiple of the file's size."""
MIN_MEMORY = 240 * 1024**2
"""Memory that the content of any file may take, bytes."""
_START = re.compile(rb"\s*[{\[]\s*[\"{\[\-\d}\]]")


def parse_json(path: Path, raw: bytes) -> dict[str, object]:
    """Read a JSON object; lists of numbers become arrays.

    Raises:
        InputError: it is damaged, too large, or no object.
    """
    # The bytes and their text; and as Python objects, a number takes 32 bytes and 8 in its array, a list or an object
    # over 60, a text over 50. Each has one of these marks.
    objects = 40 * raw.count(b",") + 80 * (raw.count(b"[") + raw.count(b"{")) + 40 * raw.count(b'"')
    memory = 2 * len(raw) + objects
    if memory > max(MIN_MEMORY, MAX_GROWTH * len(raw)):
        raise InputError(f"{path}: would take {memory // 1024**2} MiB of memory as text; split the motion")
    try:
        content = json.loads(raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: is not readable JSON ({one_line(str(error), 80)}); export the motion again"
        ) from None
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: is a JSON {type(content).__name__}, and a motion's is an object with its keys; export it again"
        )
    for key in content:  # one at a time, so that no table is held twice
        content[key] = _array(content[key])
    return content


def _array(value: object) -> object:
    """Turn a list of numbers, or nested lists of equal length, into an array; return anything else as it is."""
    if not isinstance(value, list) or not value or isinstance(value[0], str | dict):
        return value
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths, which the format reports
        return value
    return array if array.dtype.kind in "fiub" else value


JSON = Container((".json",), lambda head: _START.match(head.removeprefix(b"\xef\xbb\xbf")) is not None,
                 MAX_JSON_BYTES, parse_json)  # fmt: skip
"""JSON, also under other suffixes, as AMP_for_hardware's ``.txt``."""
