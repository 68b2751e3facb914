"""The checkpoints of a run, and which is the newest whole one."""

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amp_helpers.agent.checkpoint import check_held, load_checkpoint
from amp_helpers.errors import InputError
from amp_helpers.training.run_folder import CHECKPOINTS, LAST
from amp_helpers.utils.resources import POLICY_FILE, find_run

_NEEDED = ("policy", "value", "discriminator", "progress")
"""Parts by which a whole checkpoint differs from a policy."""


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on disk."""

    file: Path
    updates: int
    """Updates that its agent has made."""
    torn: tuple[Path, ...] = ()
    """Files of the same run that are not whole, such as those of a disk that was full."""


def rank_file(checkpoint: str | Path, rank: int, updates: int) -> Path:
    """Return the file beside a checkpoint that holds what only this rank has, see :meth:`.AmpAgent.save_rank`."""
    return Path(checkpoint).with_name(f"rank{rank}_update{updates}.pt")


def numbered_files(folder: Path) -> list[Path]:
    """Return the checkpoints ``agent_<steps>.pt`` in a folder, most steps first."""
    return sorted(filter(numbered_steps, folder.glob("agent_*.pt")), key=numbered_steps, reverse=True)


def numbered_steps(file: Path) -> int:
    """Return the steps in the name of a checkpoint; 0 where it has no number."""
    found = re.fullmatch(r"agent_(\d+)", file.stem)
    return int(found[1]) if found else 0


def find_checkpoint(path: str | Path) -> Checkpoint:
    """Find the checkpoint to go on from.

    Args:
        path: a file, or a run's folder (or the folder of its checkpoints), whose newest whole checkpoint is meant. A
            shipped policy's folder or name is refused, as it holds none.

    Raises:
        InputError: it is no whole checkpoint, or the folder holds none.
    """
    path = find_run(path)
    if not path.is_dir():
        return _read(path)
    found = newest_checkpoint(path)
    if found is None:
        torn = len(_files(path))
        lacks = f"its {torn} checkpoints are damaged" if torn else f"holds no {CHECKPOINTS}/agent_*.pt"
        if not torn and (path / POLICY_FILE).exists():
            lacks = f"holds a policy alone, without discriminator and optimizers, and no {CHECKPOINTS}/agent_*.pt"
        raise InputError(f"{path}: {lacks}; give the folder of a training run that has written a whole checkpoint")
    return found


def newest_checkpoint(folder: str | Path) -> Checkpoint | None:
    """Return the whole checkpoint of a run folder whose agent has made most updates; None without one."""
    files = _files(Path(folder))
    numbered = [file for file in files if numbered_steps(file)]  # most steps first, so that few have to be read
    others = [[file] for file in files if not numbered_steps(file)]
    torn: list[Path] = []
    found = [whole for group in (*others, numbered) if (whole := _first_whole(group, torn))]
    best = max(found, key=lambda whole: whole.updates, default=None)
    return best and replace(best, torn=tuple(sorted(torn)))


def read_whole(file: Path) -> Checkpoint | None:
    """Return a checkpoint whose parts, those of other ranks included, are all undamaged; else None."""
    return _first_whole([file], [])


def _files(folder: Path) -> list[Path]:
    files = [*folder.glob(f"{CHECKPOINTS}/agent_*.pt"), *folder.glob("agent_*.pt")]
    return sorted(files, key=lambda file: (numbered_steps(file), file.name == LAST), reverse=True)


def _first_whole(files: Sequence[Path], torn: list[Path]) -> Checkpoint | None:
    for file in files:
        try:
            found = _read(file)
            if all(map(_undamaged, (file, *file.parent.glob(f"rank*_update{found.updates}.pt")))):
                return found
        except (InputError, OSError, zipfile.BadZipFile):
            pass
        torn.append(file)
    return None


def _undamaged(file: Path) -> bool:
    with zipfile.ZipFile(file) as content:
        return content.testzip() is None  # the checksums of its parts


def _read(file: Path) -> Checkpoint:
    saved = load_checkpoint(file)
    check_held(file, _NEEDED, saved)
    updates = saved["progress"].get("updates")
    if type(updates) is not int or updates < 0:
        raise InputError(f"{file}: does not say how many updates it made; give a whole checkpoint written by training")
    return Checkpoint(file, updates)
