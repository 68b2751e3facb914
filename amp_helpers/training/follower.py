"""What the ranks of a run do that do not write its folder."""

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.health import Health
from amp_helpers.agent.ranks import Ranks
from amp_helpers.training.non_finite import TaskWatch
from amp_helpers.training.run import TrainingSetup, run_checkpoints
from amp_helpers.training.run_folder import check_finite


class Follower:
    """What a rank other than the first does in place of :class:`.run.RunRecorder`: it keeps its part of checkpoints.

    Args:
        setup: the run.
        resumed_at: update that the run goes on after.
        ranks: that train together.
    """

    def __init__(self, setup: TrainingSetup, resumed_at: int, ranks: Ranks) -> None:
        self._watch, self._checkpoints = TaskWatch(setup.env), run_checkpoints(setup.cfg, resumed_at, ranks)
        self._agent: AmpAgent | None = None
        assert setup.cfg.run_dir is not None, "resolve() names the folder"
        self._folder = setup.cfg.run_dir

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def watch(self, agent: AmpAgent) -> None:
        """Name the agent, as :meth:`.RunRecorder.watch` does."""
        self._agent = agent

    def record(self, health: Health) -> None:
        """Check an update's figures, which are the means over all ranks.

        Raises:
            InputError: a figure is infinite or NaN.
        """
        check_finite(self._folder, health, self._cause)

    def _cause(self) -> str | None:
        return self._watch.cause_in_any_process(self._agent) if self._agent else None

    def should_stop(self) -> bool:
        """Leave it to the first rank."""
        return False

    def checkpoint_due(self, agent: AmpAgent) -> bool:
        """Leave it to the first rank."""
        return False

    def checkpoint(self, agent: AmpAgent) -> None:
        """Write this rank's part of a checkpoint."""
        self._checkpoints.write(agent)

    def save(self, agent: AmpAgent) -> None:
        """Write this rank's part of the last checkpoint."""
        self._checkpoints.write_last(agent)
