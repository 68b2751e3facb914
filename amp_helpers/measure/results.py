"""The files of a measurement."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from amp_helpers.errors import atomic_path
from amp_helpers.training.run_folder import write_json


def write_metrics(path: Path, metrics: Mapping[str, float]) -> None:
    """Write ``metrics.json``; NaN, which JSON lacks, is written as null."""
    write_json(path, _for_json(metrics))


def write_metrics_by_policy(path: Path, metrics: Mapping[str, Mapping[str, float]]) -> None:
    """Write the metrics of several policies, by name."""
    write_json(path, {name: _for_json(values) for name, values in metrics.items()})


def write_grid(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write ``grid.json``, a row of metrics for each command."""
    write_json(path, [_for_json(row) for row in rows])


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as an image, whole or not at all."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _for_json(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}
