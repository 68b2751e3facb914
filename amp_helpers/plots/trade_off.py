"""A figure of what the style weight trades: obeying a command against the style of the clips."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from amp_helpers.metrics.names import METRICS
from amp_helpers.plots.style import BLUE, GRAY, GREEN, INK, ORANGE, RED, SKY, panel_grid, style_axes
from amp_helpers.training.trials import Trial

WALKING = (0.3, 1.6)
"""Least and greatest command that is walked, m/s."""

Measure = Callable[[Trial], float]


def style_weights(trials: Mapping[float, Sequence[Trial]]) -> Figure:
    """Draw over the style weight how trained policies obey and which style they keep.

    Tracking errors and strides are means over the commands straight ahead, turn errors over those that turn, pushed
    falls over all; poses are those at the fastest command straight ahead, and the mean of 0.3 to 1.6 m/s.

    Args:
        trials: style weight -> trainings, each measured undisturbed and pushed. A line joins the first of each weight;
            faint dots are the others, which differ from it in something else, and show how much that changes.
    """
    measures: dict[str, list[tuple[str, str, Measure]]] = {
        METRICS["tracking_rmse_mps"].label: [("", BLUE, lambda trial: _mean(trial, "tracking_rmse_mps", _straight))],
        METRICS["turn_error_radps"].label: [("", BLUE, lambda trial: _mean(trial, "turn_error_radps", _turns))],
        METRICS["response_s"].label: [("", BLUE, lambda trial: _number(trial.response_s))],
        f"{METRICS['falls_per_env_10s'].label}, pushed": [("", RED, _pushed_falls)],
        METRICS["pose_rmse_rad"].label: [
            ("fastest", ORANGE, _fastest_pose),
            ("walking", SKY, lambda trial: _mean(trial, "pose_rmse_rad", _walks)),
        ],
        METRICS["gait_frequency_ratio"].label: [
            ("", GREEN, lambda trial: _mean(trial, "gait_frequency_ratio", _straight))
        ],
    }
    figure, panels = panel_grid(len(measures))
    for axes, (title, lines) in zip(panels, measures.items(), strict=True):
        style_axes(axes, title)
        for label, color, measure in lines:
            _draw(axes, {weight: [measure(trial) for trial in group] for weight, group in trials.items()}, color, label)
        axes.set_ylim(0, 1.12 * axes.dataLim.y1)
        if len(lines) > 1:
            axes.legend(frameon=False, fontsize=8)
        axes.set_xscale("log")
        axes.set_xticks(sorted(trials), [f"{weight:g}" for weight in sorted(trials)])
        axes.xaxis.set_minor_locator(NullLocator())
    panels[-1].axhspan(0.9, 1.1, color=GRAY, alpha=0.15, linewidth=0)
    panels[-1].set_ylim(0.8, 1.2)
    figure.supxlabel("style weight, per second", fontsize=10, color=INK)
    return figure


def _draw(axes: Axes, values: Mapping[float, Sequence[float]], color: str, label: str) -> None:
    others = [(weight, value) for weight, (_, *rest) in values.items() for value in rest]
    axes.plot([x for x, _ in others], [y for _, y in others], "o", color=color, markersize=4, alpha=0.4)
    weights = sorted(values)
    axes.plot(weights, [values[weight][0] for weight in weights], "o-", color=color, label=label)


Row = Mapping[str, float | None]


def _straight(row: Row) -> bool:
    return row["turn"] == 0


def _turns(row: Row) -> bool:
    return row["turn"] != 0


def _walks(row: Row) -> bool:
    return _straight(row) and WALKING[0] <= _number(row["forward"]) <= WALKING[1]


def _fastest_pose(trial: Trial) -> float:
    straight = [row for row in trial.grid if _straight(row)]
    return _number(max(straight, key=lambda row: _number(row["forward"]))["pose_rmse_rad"])


def _pushed_falls(trial: Trial) -> float:
    return _average(row["falls_per_env_10s"] for row in trial.pushed)


def _mean(trial: Trial, key: str, chosen: Callable[[Row], bool]) -> float:
    return _average(row[key] for row in trial.grid if chosen(row))


def _average(values: Iterable[float | None]) -> float:
    """Average what is defined."""
    return float(np.mean([value for value in values if value is not None]))


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
