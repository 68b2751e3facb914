"""The style of all figures, and a palette for color-blind readers.

Every figure of this package is a new :class:`matplotlib.figure.Figure`; none uses pyplot or its global state.
"""

from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Palette of Okabe and Ito, https://jfly.uni-koeln.de/color/
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GRAY, INK = "#8a939c", "#27313b"
SERIES = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY)


def short(joint: str) -> str:
    """Return a joint's name without the suffix ``_joint``."""
    return joint.removesuffix("_joint")


def blank_figure(width: float, height: float) -> Figure:
    """Create an empty white figure of ``width`` x ``height`` inches."""
    return Figure((width, height), layout="constrained", facecolor="white")


def panel_grid(
    count: int, height: float = 2.5, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """Create panels in two columns, which a phone still shows legibly, each ``height`` inches high."""
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = blank_figure(3.2 * columns + 0.4, height * rows + 0.5)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for axes in panels[count:]:
        axes.remove()
    return figure, panels[:count]


def style_axes(
    axes: Axes, title: str = "", xlabel: str = "", ylabel: str = "", grid: Literal["both", "x", "y"] = "both"
) -> Axes:
    """Apply the common style, title and axis labels to ``axes`` and return it."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b8c0c8")
    axes.tick_params(labelsize=9, colors=INK, color="#b8c0c8")
    axes.grid(visible=True, axis=grid, color="#e8ecef", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_title(title, fontsize=11, color=INK, loc="left")
    axes.set_xlabel(xlabel, fontsize=10, color=INK)
    axes.set_ylabel(ylabel, fontsize=10, color=INK)
    return axes
