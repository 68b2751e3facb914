"""Recorded comparisons: the results of several runs of several recipes, in one JSON file that figures are drawn from.

``benchmarks/results/gpu_comparisons.json``, and any file like it, holds::

    {
      "comparisons": [
        {"name": "recipe", "question": "The recipe as published, or ours?",
         "groups": {"published": "as published", "ours": "ours"}},        group -> its label in figures, in order
        ...
      ],
      "runs": [
        {"name": "ours-0", "group": "ours", "seed": 0,                    names are unique
         "command": "python -m amp_helpers.train ...", "commit": "abc1234", "hardware": "one NVIDIA H200",
         "wall_s": 300.1, "updates": 538, "env_steps": 52887552,
         "peak_gpu_memory_gib": 1.4,                                      null on a CPU
         "evaluation": "python -m amp_helpers.evaluate ...",
         "metrics": {"falls_per_env_10s": 0.0, ...},                      the keys of metrics.json; null where undefined
         "curve": {"wall_s": [...], "update": [...], "weighted_task": [...], "weighted_style": [...], ...},
         "gait": {"wall_s": [...], "gait_frequency_ratio": [...], ...}},  measured in training; lists may be empty
        ...
      ]
    }

A run belongs to every comparison that lists its group. ``curve`` holds :data:`CURVE_FIELDS` of at most 100 updates,
``gait`` :data:`GAIT_FIELDS` (see :mod:`amp_helpers.training.gait_probe`; null where undefined). Runs of
other trainers may lack fields of ``curve`` and ``gait``; figures draw those that are there.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from amp_helpers.errors import InputError, atomic_path, brief_repr, one_line
from amp_helpers.metrics.tables import column_names
from amp_helpers.utils.json_data import fits, read_json, wrong_types
from amp_helpers.utils.resources import short_commit
from amp_helpers.utils.table import Table, low_to_high

CURVE_FIELDS = (
    "wall_s",
    "update",
    "weighted_task",
    "weighted_style",
    "style_reward",
    "accuracy",
    "expert_logit",
    "policy_logit",
    "gradient_penalty",
    "action_std",
)
"""Fields of :class:`amp_helpers.agent.Health`, and the wall clock, s."""
GAIT_FIELDS = ("wall_s", "falls_per_env_10s", "gait_frequency_ratio", "pose_rmse_rad", "coverage_rmse_rad")
_POINTS = 100


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """A training run and the metrics of its policy."""

    name: str
    group: str
    seed: int
    command: str
    commit: str
    hardware: str
    wall_s: float
    updates: int
    env_steps: int
    evaluation: str
    metrics: dict[str, float | None]
    curve: dict[str, list[float]]
    gait: dict[str, list[float | None]]
    peak_gpu_memory_gib: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """A question, and the groups of runs that answer it."""

    name: str
    question: str
    groups: dict[str, str]
    """Group -> its label in figures, in order."""


@dataclass(frozen=True)
class Results:
    """A file of recorded comparisons."""

    comparisons: tuple[Comparison, ...]
    runs: tuple[RecordedRun, ...]

    def comparison(self, name: str) -> Comparison:
        """Return the comparison of that name.

        Raises:
            InputError: there is none.
        """
        found = {comparison.name: comparison for comparison in self.comparisons}
        if name not in found:
            raise InputError(f"comparison '{name}' not found; available: {', '.join(found) or 'none'}")
        return found[name]

    def group(self, name: str) -> tuple[RecordedRun, ...]:
        """Return the runs of a group, sorted by seed."""
        return tuple(sorted((run for run in self.runs if run.group == name), key=lambda run: run.seed))

    def values(self, group: str, metric: str) -> list[float]:
        """Return a metric of a group's runs, by seed; runs where it is undefined are left out."""
        found = (run.metrics.get(metric) for run in self.group(group))
        return [value for value in found if value is not None]


def read_results(path: str | Path) -> Results:
    """Read a file of the layout above.

    Raises:
        InputError: it does not exist, has another layout, or names a run twice.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there are no recorded results; take the file from the repository")
    remedy = "see amp_helpers.training.comparisons for the layout"
    content = read_json(path, remedy)
    try:
        results = Results(
            tuple(_entry(Comparison, entry) for entry in content["comparisons"]),
            tuple(_entry(RecordedRun, entry) for entry in content["runs"]),
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: is not a file of recorded runs ({one_line(str(error), 80)}); {remedy}") from error
    names = [run.name for run in results.runs]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{path}: two runs are named {', '.join(repeated)}; rename one")
    return results


def _entry[T](kind: type[T], entry: Any) -> T:
    if wrong := wrong_types(entry, get_type_hints(kind)):
        raise TypeError(f"{wrong[0]} is {brief_repr(entry[wrong[0]])}")
    return kind(**entry)


_COLUMNS = (
    "falls_per_env_10s",
    "velocity_error_mps",
    "gait_frequency_ratio",
    "pose_rmse_rad",
    "tilt_rmse_rad",
    "foot_skate_mps",
)
"""Metrics in :func:`results_table`."""


def results_table(results: Results) -> Table:
    """Tabulate every group of runs, with the range of each measured metric over its seeds."""
    groups = dict.fromkeys(run.group for run in results.runs)
    columns = [key for key in _COLUMNS if any(key in run.metrics for run in results.runs)]
    rows = [
        (
            group.replace("-", " "),
            len(results.group(group)),
            *(low_to_high(results.values(group, key)) for key in columns),
        )
        for group in groups
    ]
    return Table(("", "seeds", *column_names(columns)), rows)


def write_results(path: str | Path, results: Results) -> None:
    """Write a file of the layout above, whole or not at all."""
    with atomic_path(Path(path)) as temporary:
        lists = ",\n  ".join(json.dumps(asdict(run)) for run in results.runs)
        questions = ",\n  ".join(json.dumps(asdict(comparison)) for comparison in results.comparisons)
        text = f'{{\n "comparisons": [\n  {questions}\n ],\n "runs": [\n  {lists}\n ]\n}}\n'
        temporary.write_text(text, encoding="utf-8")


def record_run(
    folder: str | Path,
    *,
    name: str,
    group: str,
    command: str,
    hardware: str,
    evaluation: str,
    metrics: Mapping[str, float | None] | str | Path,
    note: str = "",
) -> RecordedRun:
    """Make an entry of the file from a run folder and the metrics of its evaluation.

    Args:
        folder: of an ended run.
        name: of the run, such as ``ours-0``.
        group: its runs differ by their seed alone.
        command: that trained it.
        hardware: that it was trained on.
        evaluation: command that measured it.
        metrics: of that evaluation, or its ``metrics.json``.
        note: anything else a reader needs to know.

    Raises:
        InputError: the folder holds no run that has ended.
    """
    from amp_helpers.training.config_file import read_config
    from amp_helpers.training.run_folder import CONFIG_FILE, read_run

    folder = Path(folder)
    run = read_run(folder)
    if not run.ended or not run.updates:
        raise InputError(f"{folder}: its run has not ended, or made no update; record it once it has")
    config = read_config(folder / CONFIG_FILE, ("seed", "commit", "wall_s", "updates", "rollouts", "num_envs"))
    if not isinstance(metrics, Mapping):
        metrics = read_metrics(Path(metrics))
    chosen = [run.updates[i] for i in _spaced(len(run.updates), _POINTS)]
    measured = [update for update in run.updates if update.gait]
    return RecordedRun(
        name=name,
        group=group,
        seed=config["seed"],
        command=command,
        commit=short_commit(config["commit"]),
        hardware=hardware,
        wall_s=config["wall_s"],
        updates=config["updates"],
        env_steps=config["updates"] * config["rollouts"] * config["num_envs"],
        peak_gpu_memory_gib=config.get("peak_gpu_memory_gib"),
        evaluation=evaluation,
        metrics={
            key: _rounded(value) if value is not None and math.isfinite(value) else None
            for key, value in metrics.items()
        },
        curve={
            field: [_rounded(u.wall_s if field == "wall_s" else getattr(u.health, field)) for u in chosen]
            for field in CURVE_FIELDS
        },
        gait={
            field: [u.wall_s if field == "wall_s" else (u.gait or {}).get(field) for u in measured]
            for field in GAIT_FIELDS
        },
        note=note,
    )


def read_metrics(file: Path) -> dict[str, float | None]:
    """Read ``metrics.json`` as :mod:`amp_helpers.evaluate` writes it; undefined metrics are ``None``.

    Raises:
        InputError: it is something else.
    """
    remedy = "take the file that evaluation wrote"
    metrics = read_json(file, remedy)
    if not isinstance(metrics, dict) or not fits(metrics, dict[str, float | None]):
        raise InputError(f"{file}: is not a table of metrics, names with numbers or null; {remedy}")
    return metrics


def spread(
    runs: Iterable[RecordedRun], part: str, field: str, points: int = _POINTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Compute the mean and range of a field over several runs, against environment steps.

    Wall-clock time would depend as much on how many runs shared a GPU as on how fast each learned.

    Args:
        runs: those without the field, or whose curve lacks ``wall_s`` or ``update``, are left out.
        part: ``curve`` or ``gait``.
        field: of that part.
        points: P, from the last start to the first end of the runs; values are interpolated, undefined ones skipped.

    Returns:
        Millions of environment steps, and mean, minimum and maximum at each, all (P,); empty when no run has the field
        or the runs have no steps in common.
    """
    curves, nothing = [], (np.empty(0), np.empty(0), np.empty(0), np.empty(0))
    for run in runs:
        values, clock, updates = getattr(run, part), run.curve.get("wall_s"), run.curve.get("update")
        if not clock or not updates:
            continue
        # The gait has no column of updates. Rounding makes the steps of seeds that were measured alike identical.
        steps = np.interp(values.get("wall_s", ()), clock, updates).round() * run.env_steps / run.updates / 1e6
        pairs = [(s, v) for s, v in zip(steps, values.get(field, ()), strict=False) if v is not None]
        if pairs:
            curves.append(np.array(pairs, dtype=float).T)
    if not curves:
        return nothing
    first, last = max(steps[0] for steps, _ in curves), min(steps[-1] for steps, _ in curves)
    if first > last:
        return nothing
    shared = np.linspace(first, last, points)
    rows = np.stack([np.interp(shared, steps, values) for steps, values in curves])
    return shared, rows.mean(axis=0), rows.min(axis=0), rows.max(axis=0)


def _spaced(count: int, most: int) -> Sequence[int]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
