"""Figures of how a policy obeys its command."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from amp_helpers.joints import match_joints
from amp_helpers.metrics.frames import moving_mean
from amp_helpers.metrics.names import METRICS
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.metrics.tracking import RESPONSE_AVERAGE_S, forward_speed
from amp_helpers.motion.motion import Motion
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

if TYPE_CHECKING:
    from amp_helpers.lessons.command_reward import CommandReward

Row = Mapping[str, float | None]
"""A row of ``grid.json``."""

MAPS = {"tracking_rmse_mps": 0.3, "turn_error_radps": 0.3, "pose_rmse_rad": 0.12, "tilt_rmse_rad": 0.12}
"""Metrics of the heat maps: the value of the darkest color."""


def command_grid(rows: Sequence[Row]) -> Figure:
    """Draw a grid of commands: command against speed with the style beside it, and heat maps where it turns.

    Args:
        rows: the content of ``grid.json``.
    """
    turns = sorted({_number(row, "turn") for row in rows})
    straight = _straight(rows)
    lines, maps = bool(straight), len(turns) > 1
    heights = [4.6] * lines + [2 * (0.3 * len(turns) + 0.9)] * maps
    figure = blank_figure(7.0, sum(heights))
    parts = figure.subfigures(lines + maps, 1, squeeze=False, height_ratios=heights)[:, 0]
    if lines:
        _draw_lines(parts[0], straight)
    if maps:
        _draw_maps(parts[-1], rows, turns)
    return figure


COMPARED = ("forward_speed_mps", "gait_frequency_ratio", "pose_rmse_rad", "falls_per_env_10s")
"""Metrics of :func:`compare_grids`."""


def compare_grids(grids: Mapping[str, Sequence[Row]]) -> Figure:
    """Draw several grids over each other, such as one policy in several simulators: the commands straight ahead.

    Args:
        grids: label -> the content of a ``grid.json``; ``NaN`` and null are left out.
    """
    figure = blank_figure(7.0, 4.9)
    panels = figure.subplots(2, 2, sharex=True).flat
    for axes, metric in zip(panels, COMPARED, strict=True):
        style_axes(axes, METRICS[metric].label)
        for (label, rows), color, marker in zip(grids.items(), SERIES, "osD^vP", strict=False):
            straight = _straight(rows)
            commands = _column(straight, "forward")
            lines = axes.plot(commands, _column(straight, metric), f"{marker}-", color=color, label=label, alpha=0.8)
            lines[0].set_markersize(4.5)
            if metric == "forward_speed_mps":
                axes.plot(commands, commands, ":", color=GRAY)
        if metric == "gait_frequency_ratio":
            axes.axhspan(0.9, 1.1, color=GRAY, alpha=0.15, linewidth=0)
        elif metric != "forward_speed_mps":
            axes.set_ylim(-0.03 * max(axes.dataLim.y1, 0.1), 1.1 * max(axes.dataLim.y1, 0.1))
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    figure.supxlabel("forward command, m/s", fontsize=10, color=INK)
    return figure


def falls_under_pushes(measured: Mapping[str, Sequence[Row]], bar: float = 0.05) -> Figure:
    """Draw the falls of each command, measured under several conditions: straight commands as lines, turns as crosses.

    Args:
        measured: condition, such as ``pushed``, -> the content of its ``grid.json``.
        bar: falls per environment and 10 s that are allowed, a dotted line.
    """
    figure = blank_figure(7.0, 3.3)
    axes = style_axes(
        figure.add_subplot(), xlabel="forward command, m/s", ylabel=METRICS["falls_per_env_10s"].description
    )
    axes.axhline(bar, color=GRAY, linestyle=":")
    axes.annotate(f"bar {bar:g}", (1, bar), (-4, 4), xycoords=("axes fraction", "data"), textcoords="offset points")
    axes.texts[-1].set(ha="right", fontsize=9, color=GRAY)
    for (label, rows), color in zip(measured.items(), SERIES, strict=False):
        straight = _straight(rows)
        turning = [row for row in rows if row["turn"] != 0]
        key = "falls_per_env_10s"
        axes.plot(_column(straight, "forward"), _column(straight, key), "o-", color=color, label=label)
        axes.plot(_column(turning, "forward"), _column(turning, key), "x", color=color, markersize=7)
    axes.set_ylim(-0.02 * axes.dataLim.y1 - 0.001, max(1.1 * axes.dataLim.y1, 1.5 * bar))
    axes.plot([], [], "x", color=INK, label="turning")
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def tracking_errors(groups: Mapping[str, Sequence[Sequence[Row]]]) -> Figure:
    """Draw the tracking error over the commands straight ahead: a line for each policy, a color for each group.

    Args:
        groups: label -> grids, one a policy, each the content of a ``grid.json``.
    """
    figure = blank_figure(7.0, 3.3)
    axes = style_axes(figure.add_subplot(), xlabel="forward command, m/s", ylabel=METRICS["tracking_rmse_mps"].label)
    farthest = 0.0
    for (label, grids), color in zip(groups.items(), SERIES, strict=False):
        for i, rows in enumerate(grids):
            straight = _straight(rows)
            commands = _column(straight, "forward")
            errors = _column(straight, "tracking_rmse_mps")
            axes.plot(commands, errors, "o-", color=color, alpha=0.8, label=None if i else label)
            farthest = max(farthest, *commands)
    axes.plot([0, farthest], [0, farthest], ":", color=GRAY, label="a robot that stands")
    axes.set_ylim(bottom=-0.03)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def command_rewards(results: "Mapping[str, CommandReward]") -> Figure:
    """Draw the style reward of each gait (row) under each command (column), a panel for each discriminator.

    The reward of a gait that fits its command is bold.
    """
    figure = blank_figure(7.0, 2.9)
    panels = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
    most = max(float(result.style_reward.max()) for result in results.values())
    for axes, (label, result) in zip(panels, results.items(), strict=True):
        speeds = [f"{speed:g}" for speed in result.speeds]
        style_axes(axes, label)
        axes.grid(visible=False)
        axes.imshow(result.style_reward, cmap="YlGn", vmin=0, vmax=1.5 * most, origin="lower", aspect="auto")
        for (row, column), value in np.ndenumerate(result.style_reward):
            weight = "bold" if row == column else "normal"
            text = f"{value:.2f}".removeprefix("0")
            axes.text(column, row, text, ha="center", va="center", fontsize=11, color=INK, weight=weight)
        axes.set_xticks(range(len(speeds)), speeds)
        axes.set_yticks(range(len(speeds)), speeds)
    figure.supxlabel("commanded speed, m/s; bold where the gait fits", fontsize=10, color=INK)
    figure.supylabel("speed of the gait, m/s", fontsize=10, color=INK)
    return figure


def speed_over_time(rollouts: Mapping[str, Rollout]) -> Figure:
    """Draw the forward speed over time, averaged over 0.5 s, beside the command: mean and range over environments.

    Args:
        rollouts: label -> rollout.
    """
    figure = blank_figure(8.0, 3.2)
    axes = style_axes(figure.add_subplot(), xlabel="time, s", ylabel="forward speed, m/s")
    for (label, rollout), color in zip(rollouts.items(), SERIES, strict=False):
        times = np.arange(rollout.fell.shape[1]) * rollout.dt
        axes.step(times, rollout.commands[:, 0], "--", color=INK, linewidth=1.0, where="post")
        length = round(RESPONSE_AVERAGE_S / rollout.dt)
        speed = moving_mean(forward_speed(rollout), length)
        middle = times[: speed.shape[1]] + RESPONSE_AVERAGE_S / 2
        axes.fill_between(middle, speed.min(axis=0), speed.max(axis=0), color=color, alpha=0.18, linewidth=0)
        axes.plot(middle, speed.mean(axis=0), color=color, linewidth=1.8, label=label)
    axes.plot([], [], "--", color=INK, linewidth=1.0, label="command")
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def paths(rollouts: Mapping[str, Rollout]) -> Figure:
    """Draw the paths of the roots from above, a panel each, beside the commanded path, dashed.

    Args:
        rollouts: label -> rollout at a constant command, its first frame at the start of an episode.
    """
    figure, panels = panel_grid(len(rollouts))
    for axes, (label, rollout) in zip(panels, rollouts.items(), strict=True):
        style_axes(axes, label)
        position = rollout.root_pos - rollout.root_pos[:, :1]
        for env in range(min(len(position), 8)):
            axes.plot(position[env, :, 0], position[env, :, 1], color=BLUE, linewidth=1.6, alpha=0.8)
        angle = np.cumsum(rollout.commands[:, 1]) * rollout.dt
        step = rollout.commands[:, 0] * rollout.dt
        axes.plot(np.cumsum(step * np.cos(angle)), np.cumsum(step * np.sin(angle)), "--", color=INK, linewidth=1.0)
        axes.set_aspect("equal", adjustable="datalim")
    figure.supxlabel("x, m", fontsize=10, color=INK)
    figure.supylabel("y, m", fontsize=10, color=INK)
    return figure


def gait_phases(pairs: Mapping[str, tuple[Motion, Motion]], seconds: float = 4.0) -> Figure:
    """Draw knee over hip pitch of both legs for several commands, a panel each, over the reference in gray.

    Args:
        pairs: label, such as a speed, -> motion of the policy, and its reference.
        seconds: length of the part that is drawn, s.
    """
    figure, panels = panel_grid(len(pairs), sharex=True, sharey=True)
    for axes, (label, (policy, reference)) in zip(panels, pairs.items(), strict=True):
        style_axes(axes, label)
        for clip, colors, width in ((reference, (GRAY, GRAY), 3.5), (policy, (BLUE, RED), 1.1)):
            part = clip.times <= seconds
            hips, knees = (
                [clip.joint_names.index(name) for name in match_joints((pattern,), clip.joint_names)]
                for pattern in (".*_hip_pitch.*", ".*_knee.*")
            )
            for hip, knee, color in zip(hips, knees, colors, strict=False):
                axes.plot(
                    clip.joint_pos[part, hip], clip.joint_pos[part, knee], color=color, linewidth=width, alpha=0.8
                )
    panels[0].set_ylabel("knee, rad", fontsize=10, color=INK)
    for label, color, width in (("left leg", BLUE, 1.5), ("right leg", RED, 1.5), ("reference", GRAY, 3.5)):
        panels[0].plot([], [], color=color, linewidth=width, label=label)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def _draw_lines(figure: SubFigure, rows: Sequence[Row]) -> None:
    commands = [_number(row, "forward") for row in rows]
    (speed, gait), (poses, drift) = figure.subplots(2, 2, sharex=True)
    style_axes(speed, METRICS["forward_speed_mps"].label, xlabel="command, m/s")
    speed.plot(commands, commands, ":", color=GRAY)
    speed.plot(commands, _column(rows, "forward_speed_mps"), "o-", color=BLUE)
    style_axes(gait, METRICS["gait_frequency_ratio"].label, xlabel="command, m/s")
    gait.axhspan(0.9, 1.1, color=GRAY, alpha=0.15, linewidth=0)
    gait.plot(commands, _column(rows, "gait_frequency_ratio"), "o-", color=GREEN)
    low, high = gait.get_ylim()
    gait.set_ylim(min(low, 0.8), max(high, 1.2))
    style_axes(poses, "poses, rad", xlabel="command, m/s")
    for key, color in (("pose_rmse_rad", RED), ("coverage_rmse_rad", ORANGE), ("tilt_rmse_rad", PURPLE)):
        poses.plot(commands, _column(rows, key), "o-", color=color, label=METRICS[key].name)
    poses.legend(frameon=False, fontsize=8)
    style_axes(drift, "errors, m/s", xlabel="command, m/s")
    for key, color in (("drift_mps", BLUE), ("tracking_rmse_mps", SKY)):
        drift.plot(commands, _column(rows, key), "o-", color=color, label=METRICS[key].name)
    drift.legend(frameon=False, fontsize=8)
    for axes in (poses, drift):
        axes.set_ylim(0, 1.1 * axes.dataLim.y1 if axes.dataLim.y1 > 0 else 1.0)
    for axes in (speed, gait):
        axes.set_xlabel("")


def _draw_maps(figure: SubFigure, rows: Sequence[Row], turns: Sequence[float]) -> None:
    speeds = sorted({_number(row, "forward") for row in rows})
    panels = figure.subplots(2, 2, sharex=True, sharey=True).flat
    for axes, (metric, most) in zip(panels, MAPS.items(), strict=True):
        values = np.full((len(turns), len(speeds)), np.nan)
        for row in rows:
            value = row.get(metric)
            if value is not None:
                values[turns.index(_number(row, "turn")), speeds.index(_number(row, "forward"))] = value
        _heat_map(axes, values, most)
        style_axes(axes, METRICS[metric].label)
        axes.grid(visible=False)
        axes.set_xticks(range(len(speeds)), [f"{speed:g}" for speed in speeds])
        axes.set_yticks(range(len(turns)), [f"{turn:g}" for turn in turns])
    figure.supxlabel("forward command, m/s", fontsize=10, color=INK)
    figure.supylabel("turn command, rad/s", fontsize=10, color=INK)


def _heat_map(axes: Axes, values: np.ndarray, most: float) -> None:
    """Draw values as colors with the numbers in them; cells without a value stay empty."""
    axes.imshow(values, cmap="YlOrRd", vmin=0, vmax=most, origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "white" if value > 0.6 * most else INK
            text = f"{value:.2f}".removeprefix("0")
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=color)


def _straight(rows: Sequence[Row]) -> list[Row]:
    """Rows of the commands straight ahead, by their speed."""
    return sorted((row for row in rows if row["turn"] == 0), key=lambda row: _number(row, "forward"))


def _number(row: Row, key: str) -> float:
    value = row[key]
    return float("nan") if value is None else float(value)


def _column(rows: Sequence[Row], key: str) -> list[float]:
    return [_number(row, key) for row in rows]
