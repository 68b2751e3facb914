"""The checkpoints of a run, and which is the newest whole one."""

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from amp_helpers.agent.checkpoint import load_checkpoint
from amp_helpers.errors import InputError
from amp_helpers.training.run_folder import CHECKPOINTS, LAST

if TYPE_CHECKING:
    from amp_helpers.agent.amp_agent import AmpAgent

CHECKPOINT_UPDATES = 100
"""Updates between two whole checkpoints that stay."""
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


def numbered(agent: "AmpAgent") -> bool:
    """Whether a checkpoint of the agent, as it is now, has a number and stays."""
    return agent.updates % CHECKPOINT_UPDATES == 0


def checkpoint_file(folder: Path, agent: "AmpAgent") -> Path:
    """Return where the agent's present state belongs: ``agent_<steps>.pt``, or ``agent_last.pt`` between two of those.

    The steps are those of the agent's whole life: a count of one run would begin again after resuming and overwrite the
    first checkpoints.
    """
    name = f"agent_{agent.updates * agent.amp.rollouts}.pt" if numbered(agent) else LAST
    return folder / CHECKPOINTS / name


def rank_file(checkpoint: str | Path, rank: int) -> Path:
    """Return the file beside a checkpoint that holds what only this rank has, see :meth:`.AmpAgent.save_rank`."""
    checkpoint = Path(checkpoint)
    return checkpoint.with_name(f"rank{rank}_{checkpoint.name.removeprefix('agent_')}")


def find_checkpoint(path: str | Path) -> Checkpoint:
    """Find the checkpoint to go on from.

    Args:
        path: a file, or a run's folder (or the folder of its checkpoints), whose newest whole checkpoint is meant.

    Raises:
        InputError: it is no whole checkpoint, or the folder holds none.
    """
    path = Path(path)
    if not path.is_dir():
        return _read(path)
    found = newest_checkpoint(path)
    if found is None:
        torn = len(_files(path))
        lacks = f"its {torn} checkpoints are damaged" if torn else f"holds no {CHECKPOINTS}/agent_*.pt"
        raise InputError(f"{path}: {lacks}; give the folder of a training run that has written a whole checkpoint")
    return found


def newest_checkpoint(folder: str | Path) -> Checkpoint | None:
    """Return the whole checkpoint of a run folder whose agent has made most updates; None without one."""
    files = _files(Path(folder))
    last = [file for file in files if file.name == LAST]
    others = [file for file in files if file.name != LAST]  # most steps first, so that few have to be read
    torn: list[Path] = []
    found = [whole for group in (last, others) if (whole := _first_whole(group, torn))]
    best = max(found, key=lambda whole: whole.updates, default=None)
    return best and replace(best, torn=tuple(sorted(torn)))


def _files(folder: Path) -> list[Path]:
    files = [*folder.glob(f"{CHECKPOINTS}/agent_*.pt"), *folder.glob("agent_*.pt")]
    return sorted(files, key=lambda file: int(re.sub(r"\D", "", file.stem) or 0), reverse=True)


def _first_whole(files: Sequence[Path], torn: list[Path]) -> Checkpoint | None:
    for file in files:
        try:
            found = _read(file)
            with zipfile.ZipFile(file) as content:
                if content.testzip() is None:  # the checksums of its parts
                    return found
        except (InputError, OSError, zipfile.BadZipFile):
            pass
        torn.append(file)
    return None


def _read(file: Path) -> Checkpoint:
    saved = load_checkpoint(file)
    if missing := [name for name in _NEEDED if not isinstance(saved.get(name), dict)]:
        raise InputError(f"{file}: holds no {', '.join(missing)}; give a whole checkpoint written by training")
    updates = saved["progress"].get("updates")
    if type(updates) is not int or updates < 0:
        raise InputError(f"{file}: does not say how many updates it made; give a whole checkpoint written by training")
    return Checkpoint(file, updates)
