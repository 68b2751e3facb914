"""Where a figure of several panels can be cut, so that a narrow page can show its panels below each other."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import BboxBase

PANELS = "Panels"
"""Key of a PNG's text: the :func:`panel_rows` of the figure, as JSON."""


def save_png(figure: Figure, file: BinaryIO, dpi: float) -> None:
    """Write a figure as PNG that says where it can be cut, if it can."""
    rows = panel_rows(figure)
    metadata = {PANELS: json.dumps(rows)} if any(len(ends) > 1 for _, ends in rows) else None
    figure.savefig(file, format="png", dpi=dpi, metadata=metadata)


def panel_rows(figure: Figure) -> list[tuple[float, list[float]]]:
    """Cut a figure into rows and each row into panels; a title or legend of the whole figure is a row of its own.

    A panel whose tick labels are its neighbor's stays with the neighbor.

    Returns:
        For each row from the top, its lower end as a share of the figure's height, and the right ends of its panels
        from the left, as shares of the width.
    """
    figure.draw_without_rendering()
    parts = [_of_axes(axes) for axes in figure.axes]
    for owner in (figure, *figure.subfigs):
        parts += [_of_text(figure, text) for text in (*owner.legends, *owner.texts)]
    rows = _groups(parts, lambda part: part.rows, lambda above, _: above.joins_below)
    found = []
    for row, end in zip(rows, _ends(rows, lambda part: part.rows), strict=True):
        columns = _groups(row, lambda part: part.columns, lambda left, right: left.joins_right or right.joins_left)
        found.append((end, _ends(columns, lambda part: part.columns)))
    return found


_Span = tuple[float, float]


@dataclass(frozen=True)
class _Part:
    """A panel with its labels, or a text of the whole figure."""

    columns: _Span
    """From left to right, shares of the figure's width."""
    rows: _Span
    """From top to bottom, shares of its height."""
    joins_left: bool = False
    joins_right: bool = False
    joins_below: bool = False


def _of_axes(axes: Axes) -> _Part:
    box = axes.get_tightbbox()
    assert box is not None, "the figure has been drawn"
    columns, rows = _spans(axes.figure.get_figure(root=True), box)
    return _Part(columns, rows, joins_left=_lacks_labels(axes, axes.yaxis), joins_below=_lacks_labels(axes, axes.xaxis))


def _lacks_labels(axes: Axes, axis: Axis) -> bool:
    return axes.axison and not any(label.get_visible() and label.get_text() for label in axis.get_ticklabels())


def _of_text(figure: Figure, text: Legend | Text) -> _Part:
    columns, rows = _spans(figure, text.get_window_extent())
    return _Part(columns, rows, joins_right=isinstance(text, Text) and text.get_rotation() == 90)


def _spans(figure: Figure, box: BboxBase) -> tuple[_Span, _Span]:
    (left, bottom), (right, top) = figure.transFigure.inverted().transform(((box.x0, box.y0), (box.x1, box.y1)))
    return (left, right), (1 - top, 1 - bottom)


def _groups(
    parts: Sequence[_Part], span: Callable[[_Part], _Span], joined: Callable[[_Part, _Part], bool]
) -> list[list[_Part]]:
    """Group what overlaps or is joined, in order."""
    groups: list[list[_Part]] = []
    for part in sorted(parts, key=span):
        if groups and (span(part)[0] < max(span(other)[1] for other in groups[-1]) or joined(groups[-1][-1], part)):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _ends(groups: Sequence[Sequence[_Part]], span: Callable[[_Part], _Span]) -> list[float]:
    """Ends of the groups: the middle of each gap, and 1."""
    starts = [min(span(part)[0] for part in group) for group in groups[1:]]
    stops = [max(span(part)[1] for part in group) for group in groups[:-1]]
    return [*(round(float(start + stop) / 2, 4) for start, stop in zip(starts, stops, strict=True)), 1.0]
