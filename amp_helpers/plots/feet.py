"""The figure of feet: how high, how fast over the ground, and when they stand, of one clip or several."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amp_helpers.feet.lock import Feet
from amp_helpers.plots.motion import BLUE, GREEN, INK, PURPLE, RED, SKY, blank_figure, style_axes

COLOURS = (RED, BLUE, GREEN, PURPLE)
"""Of the clips in a figure, the first one first."""
_HIGHEST_CM = 8.0


def foot_curves(clips: Mapping[str, Feet], names: Sequence[str], size: tuple[float, float] = (9.0, 4.4)) -> Figure:
    """Height of each sole, cm, and how fast it slides while it stands, m/s; a column of panels for each foot.

    Stance is shaded as the first clip has it. The sliding is that of the sole's lowest point, see
    :func:`amp_helpers.robots.soles.slip`. Feet higher than 8 cm leave the picture, so that the ground can be seen.

    Args:
        clips: what to call a clip -> its feet.
        names: what to call the feet, (F).
        size: inches.
    """
    figure = blank_figure(*size)
    panels = figure.subplots(2, len(names), sharex=True, sharey="row", squeeze=False)
    shaded = next(iter(clips.values()))
    for foot, name in enumerate(names):
        height, slide = panels[0, foot], panels[1, foot]
        style_axes(height, f"{name} foot", ylabel="" if foot else "sole height, cm")
        style_axes(slide, xlabel="time, s", ylabel="" if foot else "sliding, m/s")
        for (label, feet), colour, width in zip(clips.items(), COLOURS, (2.2, 1.6, 1.6, 1.6), strict=False):
            height.plot(feet.times, feet.sole_height[:, foot] * 100, color=colour, linewidth=width, label=label)
            slide.plot(feet.times, feet.sliding[:, foot], color=colour, linewidth=width, label=label)
        height.axhline(0, color=INK, linewidth=0.9)
        for axes in (height, slide):
            _shade(axes, shaded.times, shaded.stance[:, foot])
    lowest = min(feet.sole_height.min() for feet in clips.values()) * 100
    panels[0, 0].set_ylim(min(lowest * 1.15, -1.0), _HIGHEST_CM)
    panels[1, 0].set_ylim(0, None)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=9)
    return figure


def foot_panels(figure: Figure) -> list[Axes]:
    """The panels of :func:`foot_curves` whose x axis is time."""
    return [axes for axes in figure.axes if axes.lines]


def _shade(axes: Axes, times: np.ndarray, stance: np.ndarray) -> None:
    runs = np.flatnonzero(np.diff(np.pad(stance.astype(int), 1))).reshape(-1, 2)
    half = 0.5 * (times[1] - times[0])
    for first, end in runs:
        axes.axvspan(times[first] - half, times[end - 1] + half, color=SKY, alpha=0.2, linewidth=0)
    axes.set_xlim(times[0], times[-1])
