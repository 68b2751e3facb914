"""The folder of a training run: reading it during and after the run, and asking the run to stop."""

import errno
import fcntl
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO, get_type_hints

from amp_helpers.agent.health import Health
from amp_helpers.errors import InputError, atomic_path, shown
from amp_helpers.utils.json_data import parse_json, read_json, wrong_types

CONFIG_FILE, HEALTH_FILE, LOG_FILE, STOP_FILE = "config.json", "health.jsonl", "output.txt", "stop"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a file system without locks answers."""
_REMEDY = "take the file that training wrote"
SILENT_AFTER_S = 60.0
"""A run that has not ended and has written nothing for this long has probably crashed, s."""


@dataclass(frozen=True)
class Update:
    """One line of ``health.jsonl``."""

    health: Health
    wall_s: float
    """Time since the run started, s."""
    gait: dict[str, float | None] | None
    """Metrics of :meth:`.gait_probe.GaitProbe.measure` where one was due; undefined ones are ``None``."""


_UPDATE_KINDS = get_type_hints(Health) | {"wall_s": float, "gait": dict[str, float | None] | None}
"""Field of a line -> type."""


@dataclass(frozen=True)
class RunLog:
    """State of a run folder at one moment."""

    folder: Path
    updates: tuple[Update, ...]
    planned: int | None
    """Updates that it is to make; ``None`` while its configuration is not written."""
    ended: bool
    """Whether it finished, on its own or because it was stopped, and saved its policy."""
    silent_s: float
    """Time since it last wrote, s."""

    @property
    def state(self) -> str:
        """``running``, ``stopping`` (it was asked to), ``ended``, or ``silent`` for one that has probably crashed."""
        if self.ended:
            return "ended"
        if self.silent_s > SILENT_AFTER_S:
            return "silent"
        return "stopping" if stop_requested(self.folder) else "running"


def read_run(folder: str | Path) -> RunLog:
    """Read a run folder; a line that is still being written is left for the next call.

    Raises:
        InputError: there is no such folder, or a line of ``health.jsonl`` is no health record.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such run folder; give a folder that training has begun to write")
    config = _config(folder / CONFIG_FILE)
    file = folder / HEALTH_FILE
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()  # the rest is still being written
    updates = tuple(_update(file, number, line) for number, line in enumerate(lines, 1) if line.strip())
    newest = max((path.stat().st_mtime for path in (file, folder) if path.exists()), default=0.0)
    return RunLog(folder, updates, config.get("max_iterations"), "wall_s" in config, max(0.0, time.time() - newest))


def open_health(folder: Path) -> TextIO:
    """Open a run folder's ``health.jsonl`` to append, locked: a folder belongs to one training process at a time.

    The lock ends with the file or the process.

    Raises:
        InputError: another process trains into this folder.
    """
    file = (folder / HEALTH_FILE).open("a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise InputError(
            f"{folder}: another run is being written to this folder; choose another --run_dir, or wait until it has "
            "ended"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return file


def check_free(folder: Path) -> None:
    """Raise :class:`InputError` when a process trains into a run folder; nothing is written."""
    if (folder / HEALTH_FILE).is_file():
        open_health(folder).close()


def request_stop(folder: str | Path) -> None:
    """Ask a run in any process to end after its current update and save its policy."""
    (Path(folder) / STOP_FILE).touch()


def stop_requested(folder: str | Path) -> bool:
    """Whether :func:`request_stop` was called since the run started."""
    return (Path(folder) / STOP_FILE).exists()


def clear_stop(folder: str | Path) -> None:
    """Remove a request, so that a run resumed in this folder does not end at once."""
    (Path(folder) / STOP_FILE).unlink(missing_ok=True)


def _config(file: Path) -> dict[str, Any]:
    """Read what the state of a run needs of ``config.json``; :mod:`.config_file` checks all of it."""
    if not file.is_file():
        return {}
    config = read_json(file, _REMEDY)
    if not isinstance(config, dict) or wrong_types(config, {"max_iterations": int, "wall_s": float}):
        raise InputError(f"{file}: is not the configuration of a run; {_REMEDY}")
    return config


def _update(file: Path, number: int, line: str) -> Update:
    try:
        values = parse_json(line)
        if not isinstance(values, dict):
            raise ValueError(shown(values))
        values: dict[str, Any] = {name: values.get(name) for name in _UPDATE_KINDS}
        if wrong := wrong_types(values, _UPDATE_KINDS):
            raise ValueError(f"{wrong[0]} is {shown(values[wrong[0]])}")
    except ValueError as error:
        raise InputError(f"{file}: line {number} is no health record ({error}); {_REMEDY}") from error
    seconds, gait = float(values.pop("wall_s")), values.pop("gait")
    return Update(Health(**values), seconds, gait)


@contextmanager
def writing(run_dir: Path) -> Iterator[None]:
    """Turn an error of the file system, such as a full disk, into :class:`InputError` with the file's name."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{error.filename or run_dir}: cannot be written ({error.strerror or error}); "
            "free some space or choose another --run_dir; what was written before is kept"
        ) from error


def check_finite(run_dir: Path, health: Health) -> None:
    """Raise :class:`InputError` when a figure of an update is infinite or NaN."""
    broken = [name for name, value in asdict(health).items() if not math.isfinite(value)]
    if broken:
        raise InputError(
            f"{run_dir}: update {health.update} made {', '.join(broken)} infinite or NaN, so training stopped; "
            "lower the weights or learning rates, or resume from an earlier checkpoint"
        )


def write_json(file: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write indented JSON, whole or not at all."""
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(content, indent=2, default=str) + "\n")
