"""Recorded trials of a policy that obeys: rounds of trainings side by side, each measured on a grid of commands.

``benchmarks/results/locomotion_trials.json`` holds::

    {"rounds": [
      {"commit": "fd58633", "hardware": "two NVIDIA H200", "command": "python -m amp_helpers.train ...", "note": "...",
       "runs": [
         {"name": "s0", "options": "--seed 0", "seed": 0, "updates": 1000, "wall_s": 715.9,
          "response_s": 1.1, "bars_met": 10, "note": "...",             only where they are known
          "grid": [{"forward": 0.6, "turn": 0.0, "tracking_rmse_mps": 0.0069, ...}, ...],   null if it was not measured
          "pushed": [...]},                       the same commands, pushed and randomized; only where it was measured
         ...]},
      ...]}
"""

from dataclasses import dataclass
from pathlib import Path

from amp_helpers.errors import InputError, one_line
from amp_helpers.utils.json_data import read_json

Rows = tuple[dict[str, float | None], ...]
"""Rows of a grid of commands: ``forward``, ``turn`` and metrics, ``None`` where undefined."""


@dataclass(frozen=True)
class Trial:
    """A training and the grids measured of its policy."""

    options: str
    """Those added to the round's command."""
    seed: int
    updates: int
    grid: Rows
    """Undisturbed; empty if it was not measured."""
    pushed: Rows
    """With pushes and everything randomized; empty if it was not measured."""
    response_s: float | None
    """The slowest response to a step of the command, s; ``None`` if it was not measured."""


def read_trials(path: str | Path) -> dict[str, Trial]:
    """Read the trials of a file of the layout above, by ``COMMIT/NAME``, such as ``fd58633/s0``.

    Raises:
        InputError: it does not exist, or has another layout.
    """
    remedy = "take the file from the repository"
    try:
        return {
            f"{part['commit']}/{run['name']}": Trial(
                options=run["options"],
                seed=run["seed"],
                updates=run["updates"],
                grid=tuple(run["grid"] or ()),
                pushed=tuple(run.get("pushed") or ()),
                response_s=run.get("response_s"),
            )
            for part in read_json(Path(path), remedy)["rounds"]
            for run in part["runs"]
        }
    except (OSError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: holds no recorded trials ({one_line(str(error), 80)}); {remedy}") from error
