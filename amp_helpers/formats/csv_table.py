"""Text tables: a row of numbers per frame under an optional header, separated by commas, semicolons, tabs or spaces."""

import io
import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, one_line

MAX_CSV_BYTES = 256 * 1024**2
"""Largest CSV read: more than two hours of the G1 at 120 fps."""
LONGEST_LINE = 2**17
"""Most characters of a line: thousands of columns."""
ROOT_COLUMNS = 7
LAYOUT = "3 of root position, 4 of root quaternion and one per joint"
SEPARATORS = (",", ";", "\t")
"""Marks between the columns of a table; without any of them, spaces are."""


def parse_table(path: Path, raw: bytes) -> tuple[list[str], np.ndarray]:
    """Parse a table of numbers.

    Args:
        path: the file, for error messages.
        raw: its content, UTF-8 or UTF-16.

    Returns:
        The header's cells, empty without a header, and the table, (N, columns).

    Raises:
        InputError: it is no text, has no row of numbers, or its rows differ in length from each other or the header.
    """
    try:
        # A line at a time: the text decoded as a whole would take up to four times the file.
        coding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        with io.TextIOWrapper(io.BytesIO(raw), encoding=coding) as file:
            lines = (line for line in _short_lines(path, file) if line.strip())
            first = next(lines, None)
            if first is None:
                raise InputError(f"{path}: is empty; give a CSV with a row per frame: {LAYOUT}")
            separator = next((mark for mark in SEPARATORS if mark in first), None)
            rows = (line.rstrip().removesuffix(separator or "") for line in itertools.chain([first], lines))
            first = next(rows)
            header = [cell.strip().strip("\"'") for cell in first.split(separator)]
            if any(_is_number(cell) for cell in header) and not _numbers_columns(header):
                return [], _numbers(path, [], itertools.chain([first], rows), separator)
            second = next(rows, None)
            if second is None:
                raise InputError(f"{path}: has no row of numbers; give a CSV with a row per frame: {LAYOUT}")
            return header, _numbers(path, header, itertools.chain([second], rows), separator)
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text in UTF-8, so no CSV; save it as CSV in UTF-8") from None


def _short_lines(path: Path, file: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a file.

    Raises:
        InputError: one is longer than a row of any robot; parsing it as numbers would take a hundred times its size.
    """
    for number, line in enumerate(file, 1):
        if len(line) > LONGEST_LINE:
            raise InputError(
                f"{path}: line {number} has {len(line)} characters; give a CSV with a row per frame: {LAYOUT}"
            )
        yield line


def is_table(head: bytes) -> bool:
    """Whether a file is a table of at least a root and a joint, by its first bytes."""
    line = head.partition(b"\n")[0]
    structured = line.lstrip().startswith((b"{", b"["))  # JSON
    return (
        not structured
        and max(line.count(mark.encode()) for mark in SEPARATORS) >= ROOT_COLUMNS
        and all(32 <= byte < 127 or byte in b"\t\r" for byte in line)
    )


def _numbers_columns(header: Sequence[str]) -> bool:
    """Whether cells are 0, 1, 2, …, as pandas heads columns without names; its index may stand before them."""
    cells = header if header[0] == "0" else header[1:]
    return len(cells) > 1 and list(cells) == [str(number) for number in range(len(cells))]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(path: Path, header: list[str], rows: Iterable[str], separator: str | None) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty table is reported below
            table = np.loadtxt(rows, delimiter=separator, ndmin=2, comments=None, quotechar='"')
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        detail = one_line(str(error).split("; use")[0], 120)  # numpy goes on with options of loadtxt
        raise InputError(
            f"{path}: is not a table of numbers, separated by commas ({detail}); give a row per frame: {LAYOUT}"
        ) from None
    if header and len(header) != table.shape[1]:
        raise InputError(
            f"{path}: the header names {len(header)} columns and the rows have {table.shape[1]}; export it again"
        )
    return table
