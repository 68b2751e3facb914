"""Text tables: a row of numbers per frame under an optional header, separated by commas, semicolons, tabs or spaces.

Lines before the table that begin with ``#``, ``%`` or ``//`` are comments; the last of them is the header where it has
as many cells as the first row, as ``np.savetxt`` writes it. Between semicolons or tabs, a comma is a decimal mark.
"""

import io
import itertools
import re
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
SEPARATORS = (";", "\t", ",")
"""Marks between the columns of a table, the first that a line has; without any of them, spaces are."""
COMMENTS = ("#", "%", "//")
_FPS = re.compile(
    r"\b(?:fps|frame ?rate|hz)\b\s*[:=]?\s*(\d+(?:\.\d+)?)|\b(\d+(?:\.\d+)?) ?(?:fps|hz)\b", re.IGNORECASE
)
"""The frame rate in a comment."""


def parse_table(path: Path, raw: bytes) -> tuple[list[str], np.ndarray, float | None]:
    """Parse a table of numbers.

    Args:
        path: the file, for error messages.
        raw: its content, UTF-8 or UTF-16.

    Returns:
        The header's cells, empty without a header; the table, (N, columns); and the frame rate that a comment states.

    Raises:
        InputError: it is no text, has no row of numbers, or its rows differ in length from each other or the header.
    """
    try:
        # A line at a time: the text decoded as a whole would take up to four times the file.
        coding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        with io.TextIOWrapper(io.BytesIO(raw), encoding=coding) as file:
            lines = (line for line in _short_lines(path, file) if line.strip())
            comments = []
            while (first := next(lines, None)) is not None and first.lstrip().startswith(COMMENTS):
                comments.append(first.strip().lstrip("#%/ "))
            if first is None:
                fault = "has no row of numbers" if comments else "is empty"
                raise InputError(f"{path}: {fault}; give a CSV with a row per frame: {LAYOUT}")
            rate = _rate(comments)
            separator = next((mark for mark in SEPARATORS if mark in first), None)
            rows = (_plain(line, separator) for line in itertools.chain([first], lines))
            first = next(rows)
            header = _cells(first, separator)
            if any(_is_number(cell) for cell in header) and not _numbers_columns(header):
                above = _cells(_plain(comments[-1], separator), separator) if comments else []
                above = above if len(above) == len(header) and not any(map(_is_number, above)) else []
                return above, _numbers(path, above, itertools.chain([first], rows), separator), rate
            second = next(rows, None)
            if second is None:
                raise InputError(f"{path}: has no row of numbers; give a CSV with a row per frame: {LAYOUT}")
            return header, _numbers(path, header, itertools.chain([second], rows), separator), rate
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text in UTF-8, so no CSV; save it as CSV in UTF-8") from None


def _plain(line: str, separator: str | None) -> str:
    """A line without what ends it, with points as decimal marks."""
    line = line.rstrip().removesuffix(separator or "")
    return line.replace(",", ".") if separator in (";", "\t") else line


def _cells(line: str, separator: str | None) -> list[str]:
    return [cell.strip().strip("\"'") for cell in line.split(separator)]


def _rate(comments: Iterable[str]) -> float | None:
    """The frame rate that comments state; None where they state none, or several."""
    found = {float(match.group(1) or match.group(2)) for line in comments for match in _FPS.finditer(line)}
    return found.pop() if len(found) == 1 else None


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
    """Whether a file is a table of at least a root and a joint, by its first bytes.

    Between spaces, numbers have to be seen, or a comment too long for anything but a header.
    """
    lines = [line for line in head.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    marks = tuple(map(str.encode, COMMENTS))
    if len(lines) == 1 and lines[0].startswith(marks) and len(lines[0].split()) > 2 * ROOT_COLUMNS:
        return lines[0].isascii()
    lines = [line for line in lines if not line.lstrip().startswith(marks)]
    line = lines[0] if lines else b""
    structured = line.lstrip().startswith((b"{", b"["))  # JSON
    if structured or not all(32 <= byte < 127 or byte in b"\t\r" for byte in line):
        return False
    if max(line.count(mark.encode()) for mark in SEPARATORS) >= ROOT_COLUMNS:
        return True
    rows = [row.decode("ascii", errors="replace").split()[:-1] for row in lines[:2]]  # the last number may be cut
    return any(len(row) > ROOT_COLUMNS and all(map(_is_number, row)) for row in rows)


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
