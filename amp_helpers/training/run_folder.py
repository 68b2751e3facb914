"""The folder of a training run: reading it during and after the run, and asking the run to stop."""

import errno
import fcntl
import json
import math
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO, get_type_hints

from amp_helpers.agent.health import Health, describe_progress
from amp_helpers.errors import NO_SPACE, InputError, atomic_path, brief_repr, file_remedy
from amp_helpers.utils.json_data import parse_json, read_json, wrong_types

CONFIG_FILE, HEALTH_FILE, LOG_FILE, STOP_FILE = "config.json", "health.jsonl", "output.txt", "stop"
CHECKPOINTS, LAST, PREVIOUS = "checkpoints", "agent_last.pt", "agent_previous.pt"
"""Folder of a run's whole checkpoints, the newest state of the agent in it, and the one that this replaced."""
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a file system without locks answers."""
_LOCK_TRIES, _LOCK_PAUSE_S = 5, 0.05
"""A panel that looks whether the folder is in use holds the lock for an instant, too."""
WRITTEN_BY_TRAINING = "take the file that training wrote"
"""Remedy for a file that holds something else."""
_CONFIG_KINDS = {"max_iterations": int, "wall_s": float, "resumed": list[dict[str, Any]]}
"""What the state of a run needs of its configuration: field -> type."""
SILENT_AFTER_S = 60.0
"""A run that no process is known to write, and that has written nothing for this long, has probably crashed, s."""


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
    alive: bool = False
    """Whether a process is known to write it; it may be silent for minutes while kernels compile."""

    @property
    def has_checkpoint(self) -> bool:
        """Whether the run has written a checkpoint to go on from."""
        return any((self.folder / CHECKPOINTS).glob("agent_*.pt"))

    @property
    def progress(self) -> str:
        """Whether it learns, see :func:`amp_helpers.agent.health.describe_progress`; empty before the first update."""
        measured = ((update.health.update, (update.gait or {}).get("falls_per_env_10s")) for update in self.updates)
        falls = [(number, value) for number, value in measured if value is not None]
        return describe_progress([update.health for update in self.updates], falls) if self.updates else ""

    @property
    def state(self) -> str:
        """``running``, ``stopping`` (it was asked to), ``ended``, or ``silent`` for one that has probably crashed."""
        if self.ended:
            return "ended"
        if self.silent_s > SILENT_AFTER_S and not self.alive:
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
    silent_s = max(0.0, time.time() - newest)
    return RunLog(folder, updates, _planned(config, updates), "wall_s" in config, silent_s, _held(file))


def _planned(config: Mapping[str, Any], updates: Sequence[Update]) -> int | None:
    """Return the updates that the folder will hold: those before it was resumed, and those to be made since."""
    planned, resumed = config.get("max_iterations"), config.get("resumed")
    if planned is None or not resumed or not isinstance(last := resumed[-1].get("update"), int):
        return planned
    return planned + sum(update.health.update <= last for update in updates)


def _held(file: Path) -> bool:
    """Whether a process holds the lock of :func:`open_health`."""
    if not file.is_file():
        return False
    with file.open("rb") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # this file system has no locks
            return False
    return False


def try_lock(file: int) -> bool:
    """Lock an open file, and return whether no other process holds it; a file system without locks holds none.

    The lock ends when all who have the file open, processes started with it included, have closed it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def open_health(folder: Path) -> TextIO:
    """Open a run folder's ``health.jsonl`` to append, locked: a folder belongs to one training process at a time.

    The lock ends with the file or the process.

    Raises:
        InputError: another process trains into this folder.
    """
    file = (folder / HEALTH_FILE).open("a", encoding="utf-8")
    for _ in range(_LOCK_TRIES):
        if try_lock(file.fileno()):
            return file
        time.sleep(_LOCK_PAUSE_S)
    file.close()
    raise InputError(
        f"{folder}: another run is being written to this folder; choose another --run_dir, or wait until it has ended"
    )


def keep_updates(folder: Path, last: int) -> tuple[int, float]:
    """Remove from ``health.jsonl`` what follows update ``last``, and a line that a killed process left unfinished.

    Returns:
        The number of updates removed, and the time that the last one kept was made at, s since the run started.
    """
    file = folder / HEALTH_FILE
    text = file.read_text(encoding="utf-8", errors="replace")
    lines = text[: text.rfind("\n") + 1].splitlines(keepends=True)
    updates = [_update(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    kept = [update for update in updates if update.health.update <= last]
    if len(kept) < len(updates) or not text.endswith("\n"):
        # In place, because another file would not be locked.
        with file.open("r+", encoding="utf-8") as log:
            log.write("".join(line for line in lines if line.strip() and json.loads(line)["update"] <= last))
            log.truncate()
    return len(updates) - len(kept), kept[-1].wall_s if kept else 0.0


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
    config = read_json(file, WRITTEN_BY_TRAINING)
    if not isinstance(config, dict) or wrong_types(config, _CONFIG_KINDS):
        raise InputError(f"{file}: is not the configuration of a run; {WRITTEN_BY_TRAINING}")
    return config


def _update(file: Path, number: int, line: str) -> Update:
    try:
        values = parse_json(line)
        if not isinstance(values, dict):
            raise ValueError(brief_repr(values))
        values: dict[str, Any] = {name: values.get(name) for name in _UPDATE_KINDS}
        if wrong := wrong_types(values, _UPDATE_KINDS):
            raise ValueError(f"{wrong[0]} is {brief_repr(values[wrong[0]])}")
    except ValueError as error:
        raise InputError(f"{file}: line {number} is no health record ({error}); {WRITTEN_BY_TRAINING}") from error
    seconds, gait = float(values.pop("wall_s")), values.pop("gait")
    return Update(Health(**values), seconds, gait)


@contextmanager
def writing(run_dir: Path) -> Iterator[None]:
    """Turn an error about a file of the run, such as a full disk, into :class:`InputError` with the file's name.

    Errors about anything else, such as a closed terminal, pass through.
    """
    try:
        yield
    except OSError as error:
        # TensorBoard opens its files by bytes; what was opened by a number has no name.
        name: Any = None if isinstance(error.filename, int) else error.filename
        file = Path(os.fsdecode(name)) if name else run_dir
        if not file.is_relative_to(run_dir) or (not name and error.errno not in NO_SPACE):
            raise
        if isinstance(error, FileNotFoundError) and file != run_dir and not run_dir.exists():
            raise folder_gone(run_dir) from error
        raise InputError(
            f"{file}: cannot be written ({error.strerror or error}); {file_remedy(error)} or choose another --run_dir; "
            "what was written before is kept"
        ) from error


def folder_gone(run_dir: Path) -> InputError:
    """Return the error of a run whose folder was deleted or moved while it trained."""
    return InputError(
        f"{run_dir}: was deleted or moved during the training, which has stopped; train again, or go on with "
        "--checkpoint and the folder's new place"
    )


def check_finite(
    run_dir: Path,
    health: Health,
    cause: Callable[[], str | None] = lambda: None,
    kept: Callable[[], Path | None] = lambda: None,
) -> None:
    """Raise :class:`InputError` when a figure of an update is infinite or NaN.

    Args:
        run_dir: the run's folder.
        health: the update's figures.
        cause: describes the figure of the task that the update was computed from and that was not finite, if any.
        kept: returns the newest checkpoint, if there is one.
    """
    broken = [name for name, value in asdict(health).items() if not math.isfinite(value)]
    if not broken:
        return
    named = ", ".join(broken[:4]) + (f" and {len(broken) - 4} other figures" if broken[4:] else "")
    made = f"{run_dir}: update {health.update} made {named} infinite or NaN"
    checkpoint = kept()
    go_on = f", and go on with --checkpoint {shlex.quote(str(checkpoint))}" if checkpoint else ""
    if origin := cause():
        raise InputError(f"{made}, because {origin}; correct the task{go_on}")
    raise InputError(
        f"{made}, while the task's rewards and observations were sound, so training stopped; lower the learning rates "
        f"or the weights{go_on}"
    )


def write_json(file: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write indented JSON, whole or not at all."""
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(content, indent=2, default=str) + "\n")
