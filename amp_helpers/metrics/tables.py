"""Metrics as tables, and what they are called there."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.utils.table import Table, number

_MEANINGS = {
    "falls_per_env_10s": ("falls per environment in 10 s", "0"),
    "velocity_error_mps": ("error of the mean forward speed, m/s", "0"),
    "tracking_rmse_mps": ("RMS error of the forward speed over each second, m/s", "0"),
    "turn_error_radps": ("RMS error of the yaw rate over each second, rad/s", "0"),
    "drift_mps": ("sideways travel off the commanded path, m/s", "0"),
    "response_s": ("time to 90 % of a step of the command, s", "short"),
    "gait_frequency_hz": ("stride frequency, Hz", "the reference's"),
    "gait_frequency_ratio": ("stride frequency over the reference's", "1"),
    "pose_rmse_rad": ("pose RMSE: policy poses to the nearest reference pose, rad", "0"),
    "coverage_rmse_rad": ("coverage RMSE: reference poses to the nearest policy pose, rad", "0"),
    "tilt_rmse_rad": ("root tilt beside that of the nearest reference pose, rad", "0"),
    "foot_skate_mps": ("horizontal speed of feet in contact, m/s", "0"),
    "action_rate": ("change of the action per step, RMS over joints", "small"),
    "mechanical_power_w": ("mechanical joint power, W", "small"),
}
"""Metric -> what it means, and the best value."""

_NAMES = {
    "forward": "m/s",
    "turn": "rad/s",
    "falls_per_env_10s": "falls in 10 s",
    "velocity_error_mps": "speed error, m/s",
    "tracking_rmse_mps": "tracking, m/s",
    "turn_error_radps": "turn error, rad/s",
    "drift_mps": "drift, m/s",
    "gait_frequency_ratio": "stride ratio",
    "pose_rmse_rad": "pose RMSE, rad",
    "coverage_rmse_rad": "coverage RMSE, rad",
    "tilt_rmse_rad": "tilt, rad",
    "foot_skate_mps": "foot skate, m/s",
    "lift_offs_per_env_10s": "lift-offs in 10 s",
}
"""Metric or command -> its short name."""

_GRID = (
    "forward",
    "turn",
    "falls_per_env_10s",
    "tracking_rmse_mps",
    "turn_error_radps",
    "drift_mps",
    "gait_frequency_ratio",
    "pose_rmse_rad",
    "coverage_rmse_rad",
    "tilt_rmse_rad",
    "lift_offs_per_env_10s",
)


def column_names(keys: Iterable[str]) -> tuple[str, ...]:
    """Return short names of metrics with their units, as heads of columns.

    Raises:
        InputError: one has no short name.
    """
    keys = tuple(keys)
    if unknown := [key for key in keys if key not in _NAMES]:
        raise InputError(f"metrics {', '.join(unknown)} have no short name; available: {', '.join(_NAMES)}")
    return tuple(_NAMES[key] for key in keys)


def _defined(value: float | None) -> float:
    return math.nan if value is None else value


def metrics_table(results: Mapping[str, Mapping[str, float | None]]) -> Table:
    """Metrics side by side, one row per metric and one column per policy.

    Args:
        results: policy -> its ``metrics.json``; null, and what earlier versions did not measure, is shown as undefined.
    """
    rows = [
        (meaning, *(_defined(metrics.get(key)) for metrics in results.values()), goal)
        for key, (meaning, goal) in _MEANINGS.items()
    ]
    return Table(("", *results, "best"), rows)


def study_table(groups: Mapping[str, str], runs: Mapping[str, tuple[str, Mapping[str, float | None]]]) -> Table:
    """Metrics of several runs of several groups: mean and range over the runs in which each is defined.

    Args:
        groups: group -> its label.
        runs: run -> its group and metrics.
    """

    def cell(group: str, key: str) -> str:
        found = [_defined(metrics.get(key)) for owner, metrics in runs.values() if owner == group]
        values = [value for value in found if not math.isnan(value)]
        if not values:
            return "undefined" if found else "no run"
        missing = "" if len(values) == len(found) else f", {len(found) - len(values)} undefined"
        spread = f" ({number(min(values))} to {number(max(values))})" if len(values) > 1 else ""
        return f"{number(float(np.mean(values)))}{spread}{missing}"

    measured = {key for _, metrics in runs.values() for key in metrics}
    rows = [
        (meaning, *(cell(group, key) for group in groups), goal)
        for key, (meaning, goal) in _MEANINGS.items()
        if key in measured
    ]
    return Table(("", *groups.values(), "best"), rows)


def grid_table(rows: Sequence[Mapping[str, float | None]]) -> Table:
    """Rows of ``grid.json``: how each command is obeyed, and the style beside it."""
    return Table(column_names(_GRID), [tuple(_defined(row[key]) for key in _GRID) for row in rows])
