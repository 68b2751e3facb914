"""What the ranks of a run do that do not write its folder."""

from pathlib import Path

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.health import Health
from amp_helpers.training.checkpoints import checkpoint_file, rank_file
from amp_helpers.training.run_folder import CHECKPOINTS, LAST


class Follower:
    """What a rank other than the first does in place of :class:`.run.RunRecorder`: it keeps its part of checkpoints.

    Args:
        folder: of the run.
        rank: of this process.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self._folder, self._rank = folder, rank

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def watch(self, agent: AmpAgent) -> None:
        """Do nothing; the first rank looks for the cause of a figure that is not finite."""

    def record(self, health: Health) -> None:
        """Do nothing; the first rank has the means over all ranks."""

    def should_stop(self) -> bool:
        """Leave it to the first rank."""
        return False

    def checkpoint_due(self, agent: AmpAgent) -> bool:
        """Leave it to the first rank."""
        return False

    def checkpoint(self, agent: AmpAgent) -> None:
        """Write this rank's part of a checkpoint."""
        agent.save_rank(str(rank_file(checkpoint_file(self._folder, agent), self._rank)))

    def save(self, agent: AmpAgent) -> None:
        """Write this rank's part of the last checkpoint."""
        agent.save_rank(str(rank_file(self._folder / CHECKPOINTS / LAST, self._rank)))
