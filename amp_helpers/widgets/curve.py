"""Curves over time as SVG, written in a millisecond; matplotlib would take fifty."""

import html
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amp_helpers.plots.style import INK

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 104, 22, 22  # margins, px; the levels are labeled on the right
_MAX_POINTS = 600
_LEAST_SPAN = 0.2  # of the vertical axis, so that rounding around a constant does not fill the picture


@dataclass(frozen=True)
class Line:
    """A curve."""

    label: str
    values: np.ndarray
    """(N)."""
    color: str
    width: float = 1.8


@dataclass(frozen=True)
class Level:
    """A horizontal line, labeled with its name and value."""

    label: str
    value: float
    color: str
    dashes: str = ""
    """As in SVG's ``stroke-dasharray``; empty for a solid line."""


def curve_svg(
    times: np.ndarray,
    lines: Sequence[Line],
    levels: Sequence[Level] = (),
    frame: int = 0,
    title: str = "",
    width: int = 480,
    height: int = 180,
) -> str:
    """Draw curves over time, labeled levels and a mark at one frame as an SVG element that shrinks with its page.

    Args:
        times: (N,) s.
        lines: curves; the mark is on the last one.
        levels: horizontal lines.
        frame: the marked frame.
        title: quantity and unit of the vertical axis.
        width, height: px.
    """
    shown = [
        *(values for line in lines for values in (line.values.min(), line.values.max())),
        *(x.value for x in levels),
    ]
    low, high = float(min(shown)), float(max(shown))
    margin = max(0.06 * (high - low), (_LEAST_SPAN - (high - low)) / 2)
    low, high = low - margin, high + margin
    end = float(times[-1]) or 1.0

    def x[T: (float, np.ndarray)](time: T) -> T:
        return _LEFT + (width - _LEFT - _RIGHT) * time / end

    def y[T: (float, np.ndarray)](value: T) -> T:
        return _TOP + (height - _TOP - _BOTTOM) * (high - value) / (high - low)

    right, bottom = width - _RIGHT, height - _BOTTOM
    parts = [f'<rect width="{width}" height="{height}" fill="white"/>']
    for tick in _ticks(low, high, 4):
        parts.append(f'<path d="M{_LEFT} {y(tick):.1f}H{right}" stroke="#e8ecef"/>')
        parts.append(_text(_LEFT - 5, y(tick) + 3.5, f"{tick:g}", "end"))
    for tick in _ticks(0, end, 6):
        parts.append(_text(x(tick), bottom + 14, f"{tick:g} s", "middle"))
    label_heights = _separate([y(level.value) for level in levels], 11.0)
    for level, label_height in zip(levels, label_heights, strict=True):
        dashes = f' stroke-dasharray="{level.dashes}"' if level.dashes else ""
        parts.append(
            f'<path d="M{_LEFT} {y(level.value):.1f}H{right}" stroke="{level.color}" stroke-width="1.2"{dashes}/>'
        )
        parts.append(_text(right + 5, label_height + 3.5, f"{level.label} {level.value:+.2f}", "start", level.color))
    step = max(1, len(times) // _MAX_POINTS)
    for line in lines:
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x(times[::step]), y(line.values[::step]), strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{line.color}" stroke-width="{line.width}"/>')
    mark, value = x(times[frame]), lines[-1].values[frame]
    parts.append(f'<path d="M{mark:.1f} {_TOP}V{bottom}" stroke="{INK}" stroke-width="1"/>')
    parts.append(f'<circle cx="{mark:.1f}" cy="{y(value):.1f}" r="4.5" fill="{lines[-1].color}" stroke="white"/>')
    legend = "".join(
        f'<tspan fill="{line.color}" font-weight="bold" dx="10">{html.escape(line.label)}</tspan>' for line in lines
    )
    parts.append(f'<text x="6" y="14" fill="{INK}">{html.escape(title)}{legend}</text>')
    return (
        f'<svg viewBox="0 0 {width} {height}" style="width:100%;max-width:{width}px;display:block" role="img" '
        f'aria-label="{html.escape(title)}" font-family="system-ui,sans-serif" font-size="11">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str, color: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{html.escape(text)}</text>'


def _ticks(low: float, high: float, count: int) -> np.ndarray:
    """Return at most ``count`` + 1 round numbers from ``low`` to ``high``."""
    rough = (high - low) / count
    unit = 10.0 ** np.floor(np.log10(rough))
    step = unit * next(factor for factor in (1, 2, 5, 10) if unit * factor >= rough * (1 - 1e-9))
    return np.round(np.arange(np.ceil(low / step), np.floor(high / step + 1e-9) + 1) * step, 10) + 0.0  # no -0


def _separate(heights: Sequence[float], gap: float) -> list[float]:
    """Move label heights down until neighbors are at least ``gap`` px apart."""
    moved = np.array(heights, dtype=float)
    order = np.argsort(moved, kind="stable")
    for above, below in itertools.pairwise(order):
        moved[below] = max(moved[below], moved[above] + gap)
    return moved.tolist()
