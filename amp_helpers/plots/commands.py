"""Figures of how a policy obeys its command."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amp_helpers.plots.motion import BLUE, GRAY, GREEN, INK, ORANGE, PURPLE, RED, blank_figure, style_axes

Row = Mapping[str, float | None]
"""A row of ``grid.json``."""

MAPS = {
    "tracking_rmse_mps": ("speed error, m/s", 0.3),
    "turn_error_radps": ("turn error, rad/s", 0.3),
    "pose_rmse_rad": ("pose RMSE, rad", 0.12),
}
"""Metrics of the heat maps: label, and the value of the darkest color."""


def command_grid(rows: Sequence[Row]) -> Figure:
    """Draw a grid of commands: command against speed with the style beside it, and heat maps where it turns.

    Args:
        rows: the content of ``grid.json``.
    """
    turns = sorted({_number(row, "turn") for row in rows})
    straight = [row for row in rows if row["turn"] == 0]
    lines, maps = bool(straight), len(turns) > 1
    height = 2.9 * lines + (0.42 * len(turns) + 1.5) * maps
    figure = blank_figure(9.5, height)
    parts = figure.subfigures(lines + maps, 1, squeeze=False, height_ratios=[1.0] * (lines + maps))[:, 0]
    if lines:
        _draw_lines(parts[0], straight)
    if maps:
        _draw_maps(parts[-1], rows, turns)
    return figure


def _draw_lines(figure, rows: Sequence[Row]) -> None:
    rows = sorted(rows, key=lambda row: _number(row, "forward"))
    commands = [_number(row, "forward") for row in rows]
    speed, gait, poses = figure.subplots(1, 3)
    style_axes(speed, "forward speed, m/s", xlabel="command, m/s")
    speed.plot(commands, commands, ":", color=GRAY)
    speed.plot(commands, _column(rows, "forward_speed_mps"), "o-", color=BLUE)
    style_axes(gait, "stride frequency / clip's", xlabel="command, m/s")
    gait.axhspan(0.9, 1.1, color=GRAY, alpha=0.15, linewidth=0)
    gait.plot(commands, _column(rows, "gait_frequency_ratio"), "o-", color=GREEN)
    style_axes(poses, "poses, rad", xlabel="command, m/s")
    for key, label, color in (
        ("pose_rmse_rad", "pose", RED),
        ("coverage_rmse_rad", "coverage", ORANGE),
        ("tilt_rmse_rad", "tilt", PURPLE),
    ):
        poses.plot(commands, _column(rows, key), "o-", color=color, label=label)
    poses.set_ylim(bottom=0)
    poses.legend(frameon=False, fontsize=8)


def _draw_maps(figure, rows: Sequence[Row], turns: Sequence[float]) -> None:
    speeds = sorted({_number(row, "forward") for row in rows})
    for axes, (metric, (label, most)) in zip(figure.subplots(1, len(MAPS)), MAPS.items(), strict=True):
        values = np.full((len(turns), len(speeds)), np.nan)
        for row in rows:
            value = row.get(metric)
            if value is not None:
                values[turns.index(_number(row, "turn")), speeds.index(_number(row, "forward"))] = value
        _heat_map(axes, values, most)
        style_axes(axes, label, xlabel="forward command, m/s", grid="both")
        axes.grid(visible=False)
        axes.set_xticks(range(len(speeds)), [f"{speed:g}" for speed in speeds])
        axes.set_yticks(range(len(turns)), [f"{turn:g}" for turn in turns])
    figure.axes[0].set_ylabel("turn command, rad/s", fontsize=10, color=INK)


def _heat_map(axes: Axes, values: np.ndarray, most: float) -> None:
    """Draw values as colors with the numbers in them; cells without a value stay empty."""
    axes.imshow(values, cmap="YlOrRd", vmin=0, vmax=most, origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "white" if value > 0.6 * most else INK
            text = f"{value:.2f}".removeprefix("0")
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=color)


def _number(row: Row, key: str) -> float:
    value = row[key]
    return float("nan") if value is None else float(value)


def _column(rows: Sequence[Row], key: str) -> list[float]:
    return [_number(row, key) for row in rows]
