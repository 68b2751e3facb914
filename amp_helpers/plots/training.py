"""Figures of a training run and of recorded comparisons."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amp_helpers.errors import one_line
from amp_helpers.metrics.names import METRICS
from amp_helpers.plots.style import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    RED,
    SERIES,
    SKY,
    blank_figure,
    panel_grid,
    style_axes,
)
from amp_helpers.training.comparisons import Results, spread
from amp_helpers.training.run_folder import Update

if TYPE_CHECKING:
    from amp_helpers.lessons.discriminators import SaturationResult

GOALS = {
    "falls_per_env_10s": 0.01,
    "velocity_error_mps": 0.05,
    "gait_frequency_ratio": 1.0,
    "pose_rmse_rad": 0.05,
    "coverage_rmse_rad": 0.05,
}
"""Metric -> this project's target."""
FEET_METRICS = ("falls_per_env_10s", "gait_frequency_ratio", "pose_rmse_rad", "foot_skate_mps")
"""Metrics that can tell treatments of the feet apart."""
_DASHES = ("-", "--", ":", "-.")
"""Lines of the first groups, which have a color each, and of those that have the colors again."""
CURVES = {("curve", "weighted_task"): "task reward, per second"} | {
    ("gait", key): METRICS[key].label for key in ("falls_per_env_10s", "gait_frequency_ratio", "pose_rmse_rad")
}
"""Panels of the learning curves: quantities that do not depend on the discriminator's input."""
_ROOM = 60
"""Characters that fit on a line across a figure."""


def reward_units(rates_hz: Sequence[float], per_step: float, per_second: float) -> Figure:
    """Draw the weighted style reward per second against the control rate, for a weight per step and one per second.

    Args:
        rates_hz: control rates, Hz.
        per_step: style weight per control step.
        per_second: style weight per second.
    """
    figure = blank_figure(7.0, 3.2)
    axes = style_axes(figure.add_subplot(), xlabel="control rate, Hz", ylabel="style reward per second")
    rates = np.asarray(rates_hz, dtype=float)
    axes.plot(rates, per_step * rates, "o-", color=RED, label=f"weight {per_step:g} per step")
    axes.plot(rates, np.full_like(rates, per_second), "o-", color=GREEN, label=f"weight {per_second:g} per second")
    axes.set_ylim(0, None)
    axes.legend(frameon=False, fontsize=9)
    return figure


def training_curves(updates: Sequence[Update]) -> Figure:
    """Draw a run's rewards, logits, discriminator accuracy, style reward and gait metrics over its updates."""
    figure = blank_figure(10.0, 4.9)
    (rewards, logits, accuracy), (falls, frequency, poses) = figure.subplots(2, 3, sharex=True)
    numbers = [update.health.update for update in updates]
    measured = [update for update in updates if update.gait]

    def draw(axes: Axes, values: Sequence[float], color: str, label: str) -> None:
        axes.plot(numbers, values, marker="o" if len(numbers) < 3 else "", color=color, linewidth=1.8, label=label)

    def draw_gait(axes: Axes, field: str, color: str, label: str) -> None:
        points = [(u.health.update, u.gait[field]) for u in measured if u.gait and u.gait.get(field) is not None]
        axes.plot(*zip(*points, strict=True) if points else ((), ()), "o-", ms=3.5, color=color, lw=1.5, label=label)
        if not points and not axes.texts:
            message = "undefined while falling" if measured else "not measured"
            axes.text(0.5, 0.7, message, transform=axes.transAxes, ha="center", va="center", fontsize=9, color=GRAY)

    style_axes(rewards, "reward", ylabel="per second")
    draw(rewards, [u.health.weighted_task for u in updates], BLUE, "task")
    draw(rewards, [u.health.weighted_style for u in updates], ORANGE, "style")
    style_axes(logits, "discriminator logits")
    draw(logits, [u.health.expert_logit for u in updates], GREEN, "reference")
    draw(logits, [u.health.policy_logit for u in updates], RED, "policy")
    style_axes(accuracy, "accuracy and style reward", ylabel="share")
    draw(accuracy, [u.health.accuracy for u in updates], PURPLE, "accuracy")
    style = [u.health.style_reward / u.health.style_reward_limit for u in updates]
    draw(accuracy, style, ORANGE, "style reward / maximum")
    accuracy.axhline(0.5, color=GRAY, linestyle=":")
    accuracy.set_ylim(0, 1.05)
    style_axes(falls, "falls in training", xlabel="update", ylabel="per environment in 10 s")
    draw_gait(falls, "falls_per_env_10s", INK, "falls")
    style_axes(frequency, "stride frequency in training", xlabel="update", ylabel="policy / reference")
    draw_gait(frequency, "gait_frequency_ratio", BLUE, "ratio")
    frequency.axhline(1.0, color=GRAY, linestyle=":")
    style_axes(poses, "poses in training", xlabel="update", ylabel="rad")
    for field, color in (("pose_rmse_rad", RED), ("coverage_rmse_rad", SKY)):
        draw_gait(poses, field, color, METRICS[field].name)
    for axes in (falls, frequency, poses):
        axes.set_ylim(0, 1.08 * max(axes.dataLim.y1, 0.1) if np.isfinite(axes.dataLim.y1) else 1.0)
    for axes in (rewards, logits, accuracy, poses):
        axes.legend(frameon=False, fontsize=8)
    return figure


def saturation_curves(results: "Mapping[str, SaturationResult]") -> Figure:
    """Draw small discriminators' logits during training, and their style reward between policy and reference."""
    figure, (logits, rewards) = panel_grid(2, 3.0)
    style_axes(logits, "logits (dashed: the policy's)", xlabel="discriminator step")
    style_axes(rewards, "reward for improving", xlabel="share of the way to the reference", ylabel="style reward")
    for (label, result), color in zip(results.items(), SERIES, strict=False):
        logits.plot(result.expert_logit, color=color, linewidth=1.2)
        logits.plot(result.policy_logit, color=color, linewidth=1.2, linestyle="--")
        rewards.plot(result.blend, result.style_reward, "o-", markersize=3, color=color, linewidth=1.8, label=label)
    rewards.set_ylim(bottom=-0.02)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def learning_curves(results: Results, comparison: str) -> Figure:
    """Draw the runs of a comparison over environment steps: mean over seeds as a line, minimum to maximum as a band.

    Raises:
        InputError: no such comparison.
    """
    groups = results.comparison(comparison).groups
    shown = [key for key in CURVES if any(spread(results.group(name), *key)[0].size for name in groups)]
    figure, panels = panel_grid(max(len(shown), 1))
    _title(figure, results.comparison(comparison).question)
    for axes, key in zip(panels, shown, strict=False):
        style_axes(axes, CURVES[key], xlabel="environment steps, millions")
        for number, (name, label) in enumerate(groups.items()):
            color, dash = SERIES[number % len(SERIES)], _DASHES[number // len(SERIES) % len(_DASHES)]
            steps, mean, low, high = spread(results.group(name), *key)
            axes.fill_between(steps, low, high, color=color, alpha=0.18, linewidth=0)
            if steps.size:
                named = _plain(label) if axes is panels[0] else None
                axes.plot(steps, mean, dash, color=color, linewidth=1.8, label=named)
        if key[1] == "gait_frequency_ratio":
            axes.axhline(1.0, color=GRAY, linestyle=":")
    if shown:
        figure.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=9)
    return figure


def _title(figure: Figure, question: str) -> None:
    """Write a question of a study's file above a figure, on up to three lines."""
    lines = textwrap.wrap(_plain(question, 3 * _ROOM), _ROOM)
    figure.suptitle("\n".join(lines[:3]), x=0.01, ha="left", fontsize=12, color=INK)


def _plain(text: str, most: int = _ROOM) -> str:
    """Return a text of a study's file as Matplotlib draws it: no formula, and not longer than there is room for."""
    return one_line(text, most).replace("$", r"\$")


def metric_dots(results: Results, comparison: str, metrics: Sequence[str] = tuple(GOALS)) -> Figure:
    """Draw evaluation metrics: a dot per seed, a bar at the group's mean, the target as a dotted line.

    Undefined values have no dot; a group without any value is labeled so.

    Args:
        results: the recorded runs.
        comparison: its name.
        metrics: as in ``metrics.json``; those without one of :data:`GOALS` have no dotted line.

    Raises:
        InputError: no such comparison.
    """
    groups = results.comparison(comparison).groups
    figure, panels = panel_grid(len(metrics), 0.3 * len(groups) + 0.8, sharey=True)
    _title(figure, results.comparison(comparison).question)
    for axes, metric in zip(panels, metrics, strict=True):
        target = GOALS.get(metric)
        style_axes(axes, METRICS[metric].label, grid="x")
        goal = target or 0.0
        if target is not None:
            axes.axvline(target, color=GRAY, linestyle=":")
        for row, (name, color) in enumerate(zip(groups, itertools.cycle(SERIES), strict=False)):
            runs = results.group(name)
            values = results.values(name, metric)
            axes.plot(values, [row] * len(values), "o", color=color, alpha=0.75, markersize=6)
            if values:
                axes.plot([np.mean(values)] * 2, [row - 0.25, row + 0.25], color=color, linewidth=2.5)
            else:
                axes.text(goal, row, " undefined" if runs else " no run", fontsize=8, color=GRAY, va="center")
        largest = max(goal, *(run.metrics.get(metric) or 0 for name in groups for run in results.group(name)))
        axes.set_xlim(0, 1.15 * largest or 1.0)
        axes.locator_params(axis="x", nbins=3)
        axes.set_ylim(len(groups) - 0.4, -0.6)
    panels[0].set_yticks(range(len(groups)), list(map(_plain, groups.values())))
    return figure
