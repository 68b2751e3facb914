"""A training run as its folder tells it, while it goes on or after it has ended, and how to end it from outside."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError
from .health import Health

HEALTH_FILE, CONFIG_FILE, STOP_FILE = "health.jsonl", "config.json", "stop"
SILENT_AFTER_S = 60.0
"""A run that has not ended and not written for this long has probably died."""


@dataclass(frozen=True)
class Update:
    """One line of ``health.jsonl``."""

    health: Health
    wall_s: float
    """Since the process started, s."""
    gait: dict[str, float | None] | None
    """:meth:`amp_helpers.gait_probe.GaitProbe.measure` where one was due; a number that cannot be said is ``None``."""


@dataclass(frozen=True)
class RunLog:
    """What there is of a run now."""

    folder: Path
    updates: tuple[Update, ...]
    planned: int | None
    """Updates that it was to make; ``None`` while its configuration is not written."""
    ended: bool
    """It came to its end, by itself or because it was asked to, and kept what was learnt."""
    silent_s: float
    """Since it last wrote, s."""

    @property
    def state(self) -> str:
        """``running``, ``stopping`` (it was asked to), ``ended``, or ``silent`` for one that seems to have died."""
        if self.ended:
            return "ended"
        if self.silent_s > SILENT_AFTER_S:
            return "silent"
        return "stopping" if stop_requested(self.folder) else "running"


def read_run(folder: str | Path) -> RunLog:
    """Read a run folder, whatever its age: a line that is only half written yet is left for the next time.

    Raises:
        InputError: there is no such folder, or a line of ``health.jsonl`` is no health record.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such run folder; give one that training has started to write")
    config = _config(folder / CONFIG_FILE)
    file = folder / HEALTH_FILE
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()  # the rest is being written
    updates = tuple(_update(file, number, line) for number, line in enumerate(lines, 1) if line.strip())
    newest = max((path.stat().st_mtime for path in (file, folder) if path.exists()), default=0.0)
    return RunLog(folder, updates, config.get("max_iterations"), "wall_s" in config, max(0.0, time.time() - newest))


def request_stop(folder: str | Path) -> None:
    """Ask a run, in whatever process it is, to end after its present update and keep what was learnt."""
    (Path(folder) / STOP_FILE).touch()


def stop_requested(folder: str | Path) -> bool:
    """Whether :func:`request_stop` was called since the run began."""
    return (Path(folder) / STOP_FILE).exists()


def clear_stop(folder: str | Path) -> None:
    """Forget a request, so that a run that goes on in this folder does not end at once."""
    (Path(folder) / STOP_FILE).unlink(missing_ok=True)


def _config(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        config = json.loads(file.read_text())
    except ValueError as error:
        raise InputError(f"{file}: is not valid JSON; take the file that training wrote") from error
    return config if isinstance(config, dict) else {}


def _update(file: Path, number: int, line: str) -> Update:
    try:
        values = json.loads(line)
        health = Health(**{name: values[name] for name in Health.names()})
        return Update(health, float(values["wall_s"]), values.get("gait"))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file}: line {number} is no health record ({error}); take the file that training wrote"
        ) from error
