"""Metrics as tables."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.metrics.names import METRICS
from amp_helpers.utils.table import Table, number

_COMMANDS = {"forward": "m/s", "turn": "rad/s"}
"""Part of a command -> its unit, which is its name as well."""

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
    """Return short names of metrics and of a command's parts with their units, as heads of columns.

    Raises:
        InputError: one has no short name.
    """
    keys, names = tuple(keys), _COMMANDS | {key: metric.label for key, metric in METRICS.items()}
    if unknown := [key for key in keys if key not in names]:
        raise InputError(f"metrics {', '.join(unknown)} have no short name; available: {', '.join(names)}")
    return tuple(names[key] for key in keys)


def _defined(value: float | None) -> float:
    return math.nan if value is None else value


def metrics_table(results: Mapping[str, Mapping[str, float | None]]) -> Table:
    """Metrics side by side, one row per metric and one column per policy.

    Args:
        results: policy -> its ``metrics.json``; null, and what earlier versions did not measure, is shown as undefined.
    """
    rows = [
        (metric.description, *(_defined(metrics.get(key)) for metrics in results.values()), metric.best)
        for key, metric in METRICS.items()
        if metric.best
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
        (metric.description, *(cell(group, key) for group in groups), metric.best)
        for key, metric in METRICS.items()
        if metric.best and key in measured
    ]
    return Table(("", *groups.values(), "best"), rows)


def grid_table(rows: Sequence[Mapping[str, float | None]]) -> Table:
    """Rows of ``grid.json``: how each command is obeyed, and the style beside it."""
    return Table(column_names(_GRID), [tuple(_defined(row[key]) for key in _GRID) for row in rows])
