"""Small tables, as text in a terminal and as HTML in a notebook."""

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers; rows in ``marked`` are highlighted. HTML aligns a column with a number right."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    marked: frozenset[int] = frozenset()

    def _cells(self) -> list[list[str]]:
        return [[_text(value) for value in row] for row in self.rows]

    def __str__(self) -> str:
        lines = [list(self.header), *self._cells()]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        marks = [" ", *("*" if row in self.marked else " " for row in range(len(self.rows)))]
        return "\n".join(
            f"{mark} " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for mark, line in zip(marks, lines, strict=True)
        )

    def _repr_html_(self) -> str:
        columns = range(len(self.header))
        sides = ["right" if any(isinstance(row[c], int | float) for row in self.rows) else "left" for c in columns]
        head = "".join(map(_html_header, self.header, sides))
        body = ""
        for index, cells in enumerate(self._cells()):
            marked = ' class="marked" style="background:rgba(0,114,178,.16);font-weight:600"'
            body += f"<tr{marked if index in self.marked else ''}>{''.join(map(_html_cell, cells, sides))}</tr>"
        return f'<table class="amp-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _html_header(name: str, side: str) -> str:
    kind = "th" if name else "td"  # a cell without text is no header
    return f'<{kind} style="text-align:{side}">{html.escape(name)}</{kind}>'


def _html_cell(text: str, side: str) -> str:
    kept = ";white-space:nowrap" if len(text) <= _SHORT else ""
    return f'<td style="text-align:{side}{kept}">{html.escape(text)}</td>'


_SHORT = 16
"""Characters that stay on one line also on a phone, such as ``0.0119 to 0.044``."""


def _text(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Write a number with three significant digits or its integer part: ``0.0119``, ``1234``, ``1.39·10⁻⁵``."""
    if math.isnan(value):
        return "undefined"
    mantissa, exponent, power = f"{value:.3g}".partition("e")
    if not exponent:
        return mantissa
    return f"{value:.0f}" if 0 < int(power) < 6 else f"{mantissa}·10{str(int(power)).translate(_RAISED)}"


def keep_options_whole(text: str) -> str:
    """Keep each command-line option of a text in HTML on one line; a browser breaks it after its hyphens."""
    return re.sub(r"--\w+", r'<span style="white-space:nowrap">\g<0></span>', text)


def low_to_high(values: Sequence[float]) -> str:
    """Write the range of numbers, ``0.082 to 0.089``; a single number where both ends read alike."""
    if not values:
        return "undefined"
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"
