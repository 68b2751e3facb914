"""Small tables, as text in a terminal and as HTML in a notebook."""

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_METRICS = {
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


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers; rows in ``marked`` are highlighted."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    marked: frozenset[int] = frozenset()

    def _cells(self) -> list[list[str]]:
        return [[_text(value) for value in row] for row in self.rows]

    def __str__(self) -> str:
        lines = [list(self.header), *self._cells()]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        marks = [" ", *("*" if row in self.marked else " " for row in range(len(self.rows)))]
        return "\n".join(
            f"{mark} " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for mark, line in zip(marks, lines, strict=True)
        )

    def _repr_html_(self) -> str:
        # A cell without text is no header.
        kinds = ["th" if name else "td" for name in self.header]
        names = zip(kinds, map(html.escape, self.header), strict=True)
        head = "".join(f'<{kind} style="text-align:left">{name}</{kind}>' for kind, name in names)
        body = ""
        for index, (row, cells) in enumerate(zip(self.rows, self._cells(), strict=True)):
            marked = ' class="marked" style="background:rgba(0,114,178,.16);font-weight:600"'
            body += f"<tr{marked if index in self.marked else ''}>{''.join(map(_html_cell, row, cells))}</tr>"
        return f'<table class="amp-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _html_cell(value: object, text: str) -> str:
    side = "right" if isinstance(value, int | float) else "left"
    kept = ";white-space:nowrap" if len(text) <= _SHORT else ""
    return f'<td style="text-align:{side}{kept}">{html.escape(text)}</td>'


_SHORT = 16
"""Characters that stay on one line also on a phone, such as ``0.0119 to 0.044``."""


def _text(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Write a number with three significant digits or its integer part: ``0.0119``, ``1234``, ``1.39·10⁻⁵``."""
    if math.isnan(value):
        return "undefined"
    mantissa, exponent, power = f"{value:.3g}".partition("e")
    if not exponent:
        return mantissa
    return f"{value:.0f}" if 0 < int(power) < 6 else f"{mantissa}·10{str(int(power)).translate(_RAISED)}"


def keep_options_whole(text: str) -> str:
    """Keep each command-line option of a text in HTML on one line; a browser breaks it after its hyphens."""
    return re.sub(r"--\w+", r'<span style="white-space:nowrap">\g<0></span>', text)


def low_to_high(values: Sequence[float]) -> str:
    """Write the range of numbers, ``0.082 to 0.089``; a single number where both ends read alike."""
    if not values:
        return "undefined"
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"


def _defined(value: float | None) -> float:
    return math.nan if value is None else value


def pickle_table(content: Mapping[str, object]) -> Table:
    """Content of a GMR dictionary, one row per key."""

    def shape(value: object) -> str:
        if isinstance(value, np.ndarray):
            return f"{value.dtype} {value.shape}"
        return f"{type(value).__name__} of {len(value)}" if isinstance(value, list | tuple) else type(value).__name__

    def begin(item: object) -> str:
        if isinstance(item, np.floating):
            return np.format_float_positional(item, precision=6, trim="0")
        return str(item)[:9]

    meaning = {
        "fps": "frames per second",
        "root_pos": "pelvis in the world, m, z up",
        "root_rot": "pelvis orientation, quaternion xyzw",
        "dof_pos": "joint positions, rad, one column per joint",
        "joint_names": "joints of the columns (most files lack this)",
        "local_body_pos": "link positions, unused here",
        "link_body_list": "link names, unused here",
    }
    rows = []
    for key, value in content.items():
        array = np.asarray(value) if isinstance(value, np.ndarray | list) else None
        first = str(value) if array is None else " ".join(map(begin, array[0:1].ravel()[:4])) + " …"
        rows.append((key, shape(value), first, meaning.get(key, "")))
    return Table(("key", "type", "begins with", "meaning"), rows)


def metrics_table(results: Mapping[str, Mapping[str, float | None]]) -> Table:
    """Metrics side by side, one row per metric and one column per policy.

    Args:
        results: policy -> its ``metrics.json``; null, and what earlier versions did not measure, is shown as undefined.
    """
    rows = [
        (meaning, *(_defined(metrics.get(key)) for metrics in results.values()), goal)
        for key, (meaning, goal) in _METRICS.items()
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
        for key, (meaning, goal) in _METRICS.items()
        if key in measured
    ]
    return Table(("", *groups.values(), "best"), rows)


_COLUMNS = {
    "forward": "m/s",
    "turn": "rad/s",
    "falls_per_env_10s": "falls in 10 s",
    "tracking_rmse_mps": "tracking, m/s",
    "turn_error_radps": "turn error, rad/s",
    "drift_mps": "drift, m/s",
    "gait_frequency_ratio": "stride ratio",
    "pose_rmse_rad": "pose RMSE, rad",
    "coverage_rmse_rad": "coverage RMSE, rad",
    "tilt_rmse_rad": "tilt, rad",
    "lift_offs_per_env_10s": "lift-offs in 10 s",
}


def column_names(keys: Sequence[str]) -> tuple[str, ...]:
    """Short names of metrics, with their units, as in :func:`grid_table`."""
    return tuple(_COLUMNS[key] for key in keys)


def grid_table(rows: Sequence[Mapping[str, float | None]]) -> Table:
    """Rows of ``grid.json``: how each command is obeyed, and the style beside it."""
    return Table(column_names(tuple(_COLUMNS)), [tuple(_defined(row[key]) for key in _COLUMNS) for row in rows])
