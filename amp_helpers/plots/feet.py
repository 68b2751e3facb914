"""Sole height, sole slip and stance over time."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amp_helpers.feet.lock import Feet
from amp_helpers.plots.style import BLUE, GREEN, INK, PURPLE, RED, SKY, blank_figure, style_axes

COLORS = (RED, BLUE, GREEN, PURPLE)
"""Line color of each clip, in order."""
_MAX_HEIGHT_CM = 8.0


def foot_curves(clips: Mapping[str, Feet], names: Sequence[str]) -> Figure:
    """Draw the height of each sole, cm, and its slip in stance, m/s; one column of panels per foot.

    The stance of the first clip is shaded. Slip is the speed of the sole's lowest point over the ground, see
    :func:`amp_helpers.robots.soles.slip`. The height axis ends at 8 cm to resolve heights near the ground.

    Args:
        clips: label -> feet of a clip.
        names: label of each foot, (F).
    """
    figure = blank_figure(9.0, 4.4)
    panels = figure.subplots(2, len(names), sharex=True, sharey="row", squeeze=False)
    shaded = next(iter(clips.values()))
    for foot, name in enumerate(names):
        height, slip = panels[0, foot], panels[1, foot]
        style_axes(height, f"{name} foot", ylabel="" if foot else "sole height, cm")
        style_axes(slip, xlabel="time, s", ylabel="" if foot else "sole slip, m/s")
        for (label, feet), color, width in zip(clips.items(), COLORS, (2.2, 1.6, 1.6, 1.6), strict=False):
            height.plot(feet.times, feet.sole_height[:, foot] * 100, color=color, linewidth=width, label=label)
            slip.plot(feet.times, feet.sliding[:, foot], color=color, linewidth=width, label=label)
        height.axhline(0, color=INK, linewidth=0.9)
        for axes in (height, slip):
            _shade_stance(axes, shaded.times, shaded.stance[:, foot])
    lowest = min(feet.sole_height.min() for feet in clips.values()) * 100
    panels[0, 0].set_ylim(min(lowest * 1.15, -1.0), _MAX_HEIGHT_CM)
    panels[1, 0].set_ylim(-0.03 * panels[1, 0].get_ylim()[1], None)  # a foot at rest is seen above the axis
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=9)
    return figure


def foot_panels(figure: Figure) -> list[Axes]:
    """Return the panels of :func:`foot_curves`, whose x axis is time in s."""
    return [axes for axes in figure.axes if axes.lines]


def _shade_stance(axes: Axes, times: np.ndarray, stance: np.ndarray) -> None:
    intervals = np.flatnonzero(np.diff(np.pad(stance.astype(int), 1))).reshape(-1, 2)
    half = 0.5 * (times[1] - times[0])
    for first, end in intervals:
        axes.axvspan(times[first] - half, times[end - 1] + half, color=SKY, alpha=0.2, linewidth=0)
    axes.set_xlim(times[0], times[-1])
