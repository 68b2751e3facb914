"""Writing the checkpoints of a run, and removing those that newer ones replace."""

import os
import shutil
from pathlib import Path

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.ranks import ALONE, Ranks
from amp_helpers.errors import atomic_path
from amp_helpers.training.checkpoints import numbered_files, numbered_steps, rank_file, read_whole
from amp_helpers.training.run_folder import CHECKPOINTS, LAST, PREVIOUS


class CheckpointWriter:
    """Writes checkpoints, together with the other ranks, so that at no moment a run lacks a whole one.

    Every ``interval`` updates a checkpoint has a number, ``agent_<steps>.pt``. The steps are those of the agent's whole
    life: a count of one run would begin again after resuming and overwrite the first checkpoints. Any other renews
    ``agent_last.pt``, which before becomes ``agent_previous.pt``. The other ranks write what only they have first; the
    file of the first rank then completes the checkpoint.

    Args:
        folder: of the run.
        interval: updates between two numbered checkpoints.
        keep: numbered checkpoints that stay, the newest; ``None`` for all.
        resumed_at: update of the checkpoint that the run goes on from.
        ranks: that write together.
    """

    def __init__(
        self, folder: Path, interval: int, keep: int | None = None, resumed_at: int = 0, ranks: Ranks = ALONE
    ) -> None:
        self._folder, self._interval, self._keep, self._ranks = folder / CHECKPOINTS, interval, keep, ranks
        self._renewed = [resumed_at]  # updates of agent_last.pt, oldest first

    def remove_unfinished(self) -> None:
        """Remove what a process that was killed has begun to write; nobody else may be writing this run."""
        for pattern in (".agent_*.pt", ".rank*.pt"):
            for file in self._folder.glob(pattern):
                file.unlink(missing_ok=True)

    def set_aside_others(self, updates: int, rollouts: int) -> int:
        """Rename the checkpoints that a run which goes on from an earlier one does not go back to; return how many.

        Those of later updates would be taken for its newest. A damaged one would become the one before the last.

        Args:
            updates: of the checkpoint that the run goes on from.
            rollouts: steps of an update.
        """
        others = [file for file in numbered_files(self._folder) if numbered_steps(file) > updates * rollouts]
        for file in (self._folder / LAST, self._folder / PREVIOUS):
            whole = read_whole(file) if file.exists() else None
            if file.exists() and (whole is None or whole.updates > updates):
                others.append(file)
        for file in others:
            file.rename(file.with_name(f"replaced_{file.name}"))
        return len(others)

    def numbered(self, agent: AmpAgent) -> bool:
        """Whether a checkpoint of the agent, as it is now, has a number."""
        return agent.updates % self._interval == 0

    def write(self, agent: AmpAgent) -> None:
        """Write a checkpoint, with a number where it has one."""
        self._write(agent, self.numbered(agent))

    def write_last(self, agent: AmpAgent) -> None:
        """Renew ``agent_last.pt``."""
        self._write(agent, numbered=False)

    def _write(self, agent: AmpAgent, numbered: bool) -> None:
        self._folder.mkdir(exist_ok=True)  # in the run's folder, which is not made anew where somebody moves it
        if not self._ranks.first:
            agent.save_rank(str(rank_file(self._folder / LAST, self._ranks.rank, agent.updates)))
        self._ranks.all(True)  # every part is on disk
        if not self._ranks.first:
            return
        if numbered:
            agent.save(str(self._folder / f"agent_{agent.updates * agent.amp.rollouts}.pt"))
            self._remove_oldest(agent.amp.rollouts)
            return
        _set_aside(self._folder / LAST, self._folder / PREVIOUS)
        agent.save(str(self._folder / LAST))
        self._renewed.append(agent.updates)
        for updates in self._renewed[:-2]:
            if not (self._folder / f"agent_{updates * agent.amp.rollouts}.pt").exists():
                self._remove_parts(updates)
        del self._renewed[:-2]

    def _remove_oldest(self, rollouts: int) -> None:
        for file in numbered_files(self._folder)[self._keep :] if self._keep else ():
            file.unlink(missing_ok=True)
            updates = numbered_steps(file) // rollouts
            if updates not in self._renewed:
                self._remove_parts(updates)

    def _remove_parts(self, updates: int) -> None:
        for part in self._folder.glob(f"rank*_update{updates}.pt"):
            part.unlink(missing_ok=True)


def _set_aside(last: Path, previous: Path) -> None:
    """Let ``previous`` be what ``last`` is, which stays."""
    if not last.exists():
        return
    with atomic_path(previous) as temporary:
        temporary.unlink()
        try:
            os.link(last, temporary)
        except OSError:  # not each file system has links
            shutil.copyfile(last, temporary)
