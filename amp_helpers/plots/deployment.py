"""Figures of a policy that leaves the simulator it was trained in."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from amp_helpers.plots.style import GRAY, INK, SERIES, blank_figure, style_axes

if TYPE_CHECKING:
    from amp_helpers.lessons.deployment_mistakes import Evidence

_ROUNDING, _LARGE = 1e-6, 10.0
"""Values of the palest and of the darkest color."""
_SHORT = {"projected_gravity": "gravity", "velocity_commands": "com-\nmand", "stiffness": "stiff-\nness"}
_DARK = 0.03
"""Value above which numbers are white on their color."""


def replay_differences(found: "Mapping[str, Evidence]") -> Figure:
    """Draw the differences that a replay finds: a row for each controller, a column for each quantity.

    Colors are logarithmic: white is rounding.

    Args:
        found: label -> :func:`amp_helpers.lessons.evidence`.
    """
    first = next(iter(found.values()))
    columns = list(first.numbers)
    values = np.array([list(seen.numbers.values()) for seen in found.values()])
    figure = blank_figure(6.6, 0.36 * len(found) + 0.9)
    axes = style_axes(figure.add_subplot())
    axes.grid(visible=False)
    norm = LogNorm(_ROUNDING, _LARGE)
    axes.imshow(np.clip(values, _ROUNDING, _LARGE), cmap="YlOrRd", norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        color = "white" if value > _DARK else INK
        axes.text(column, row, _brief(value), ha="center", va="center", fontsize=10, color=color)
    axes.axvline(len(first.observation) - 0.5, color="white", linewidth=4)
    axes.set_yticks(range(len(found)), list(found))
    axes.set_xticks(range(len(columns)), [_SHORT.get(name, name.replace("_", "\n")) for name in columns])
    axes.tick_params(length=0, labelsize=9.5)
    axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure


def _brief(value: float) -> str:
    """A number in at most five characters."""
    if value == 0:
        return "0"
    return f"{value:.0e}".replace("e-0", "e-") if value < 0.01 else f"{value:.2g}"


def one_change_at_a_time(measured: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw how much each change of the physics or the controller moves the forward speed, the largest at the top.

    Args:
        measured: label, such as a policy at a speed -> rows of one command, each with ``changed``, what was changed
            or empty, and ``forward_speed_mps``, which is undefined where it is null.
    """
    moved: dict[str, dict[str, float]] = {}
    for label, rows in measured.items():
        speeds = {str(row["changed"]): row["forward_speed_mps"] for row in rows if row["forward_speed_mps"] is not None}
        for changed in speeds.keys() - {""}:
            moved.setdefault(changed, {})[label] = speeds[changed] - speeds[""]
    order = sorted(moved, key=lambda changed: max(map(abs, moved[changed].values())))
    figure = blank_figure(7.0, 0.23 * len(order) + 1.1)
    axes = style_axes(figure.add_subplot(), xlabel="change of the forward speed, m/s")
    axes.axvline(0.0, color=GRAY, linewidth=1.0)
    for (label, color), marker in zip(zip(measured, SERIES, strict=False), "os^DvP", strict=False):
        points = [(moved[changed][label], row) for row, changed in enumerate(order) if label in moved[changed]]
        axes.plot(*zip(*points, strict=True), marker, color=color, markersize=6, alpha=0.8, label=label)
    axes.set_yticks(range(len(order)), order)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return figure
