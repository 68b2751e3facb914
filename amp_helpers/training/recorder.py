"""What a run writes while it trains: its folder, by the first rank, and each rank's part of checkpoints."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from tqdm.auto import tqdm

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.health import Health
from amp_helpers.agent.ranks import ALONE
from amp_helpers.training.background import abandoned
from amp_helpers.training.cfg import run_config
from amp_helpers.training.checkpoint_writer import CheckpointWriter
from amp_helpers.training.checkpoints import newest_checkpoint
from amp_helpers.training.gait_probe import watch_gait
from amp_helpers.training.non_finite import TaskWatch
from amp_helpers.training.policy import save_policy, state_config
from amp_helpers.training.resolving import check_unused
from amp_helpers.training.run import TrainingSetup
from amp_helpers.training.run_folder import (
    CHECKPOINTS,
    CONFIG_FILE,
    HEALTH_FILE,
    check_finite,
    clear_stop,
    folder_gone,
    keep_updates,
    open_health,
    stop_requested,
    write_json,
)


class RunRecorder:
    """Writes the folder of a run while it trains, and says when it should stop.

    Args:
        setup: the run.
        started: ``time.monotonic()`` when it started.
        progress: show a progress bar.
        facts: added to ``config.json``.
        agent: the agent of the first rank, as the run starts with it; what the folder holds of later updates is
            removed. ``None`` for an agent of another trainer, which starts at update 0, and whose rollout cannot be
            searched for the origin of a figure that is not finite.
    """

    def __init__(
        self,
        setup: TrainingSetup,
        started: float,
        progress: bool = True,
        facts: Mapping[str, Any] = MappingProxyType({}),
        agent: AmpAgent | None = None,
    ) -> None:
        self._cfg, self._started, self._agent = setup.cfg, started, agent
        self.folder = setup.folder
        self._resumed_at = agent.updates if agent else 0
        self._checkpoints = _checkpoint_writer(setup, agent)
        self._earlier_s = 0.0
        self._kept_at = time.monotonic()
        self._watch = TaskWatch(setup.env)
        self._config = run_config(setup.cfg, state_config(setup.state), setup.dataset) | dict(facts)
        self._gait = watch_gait(setup.env, setup.dataset.clips())
        self._progress = progress

    def __enter__(self) -> "RunRecorder":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log = open_health(self.folder)
        check_unused(self.folder, self._cfg.checkpoint)  # again, because opening the simulator took a while
        removed, self._earlier_s = keep_updates(self.folder, self._resumed_at)
        if removed:
            print(f"note: {removed} updates after the checkpoint are removed from {self.folder / HEALTH_FILE}")
        clear_stop(self.folder)
        self._checkpoints.remove_unfinished()
        if others := self._checkpoints.set_aside_others(self._resumed_at, self._cfg.agent.rollouts):
            print(
                f"note: {others} checkpoints, damaged or after update {self._resumed_at}, are renamed to "
                f"{self.folder / CHECKPOINTS}/replaced_agent_*.pt"
            )
        # At the start, so that the checkpoints of a run that is cut short can be played.
        write_json(self.folder / CONFIG_FILE, self._config)
        # Last, because a bar would stand before the error of a folder that cannot be written.
        self._bar = tqdm(total=self._cfg.max_iterations, unit="update", disable=not self._progress)
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()
        self._bar.close()

    @property
    def elapsed_s(self) -> float:
        """Time since the run started, s, by a clock that never jumps."""
        return time.monotonic() - self._started

    def record(self, health: Health) -> None:
        """Append an update to ``health.jsonl``.

        Raises:
            InputError: a figure is infinite or NaN, or the folder is gone.
        """
        if not (self.folder / HEALTH_FILE).exists():
            raise folder_gone(self.folder)
        check_finite(self.folder, health, self._cause, self._newest)
        line: dict[str, Any] = asdict(health) | {"wall_s": round(self._earlier_s + self.elapsed_s, 2)}
        if numbers := self._gait.measure():
            line["gait"] = numbers
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()
        self._bar.update()
        self._bar.set_postfix(style=f"{health.style_reward:.2f}", task=f"{health.weighted_task:.2f}/s", refresh=False)

    def _cause(self) -> str | None:
        return self._watch.cause_in_any_process(self._agent) if self._agent else self._watch.cause(None)

    def _newest(self) -> Path | None:
        found = newest_checkpoint(self.folder)
        return found.file if found else None

    def should_stop(self) -> bool:
        """Whether the time is over, somebody asked the run to stop, or the notebook that started it is gone."""
        late = self._cfg.max_seconds is not None and self.elapsed_s > self._cfg.max_seconds
        return late or stop_requested(self.folder) or abandoned()

    def checkpoint_due(self, agent: AmpAgent) -> bool:
        """Whether the next checkpoint has a number, or ``checkpoint_seconds`` have passed."""
        return self._checkpoints.numbered(agent) or time.monotonic() - self._kept_at > self._cfg.checkpoint_seconds

    def checkpoint(self, agent: AmpAgent) -> None:
        """Write a checkpoint."""
        self._checkpoints.write(agent)
        self._kept_at = time.monotonic()

    def save(self, agent: AmpAgent) -> None:
        """Write the policy, the last checkpoint and the final ``config.json``."""
        config = self._config | {"updates": agent.updates, "wall_s": round(self._earlier_s + self.elapsed_s, 1)}
        if torch.device(str(self._cfg.device)).type == "cuda":
            config["peak_gpu_memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        save_policy(self.folder, agent, config)
        self._checkpoints.write_last(agent)


class Follower:
    """What a rank other than the first does in place of :class:`RunRecorder`: it keeps its part of checkpoints.

    Args:
        setup: the run.
        agent: the agent of this rank, as the run starts with it.
    """

    def __init__(self, setup: TrainingSetup, agent: AmpAgent) -> None:
        self._folder, self._agent = setup.folder, agent
        self._watch, self._checkpoints = TaskWatch(setup.env), _checkpoint_writer(setup, agent)

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def record(self, health: Health) -> None:
        """Check an update's figures, which are the means over all ranks.

        Raises:
            InputError: a figure is infinite or NaN.
        """
        check_finite(self._folder, health, lambda: self._watch.cause_in_any_process(self._agent))

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


def _checkpoint_writer(setup: TrainingSetup, agent: AmpAgent | None) -> CheckpointWriter:
    """Return what writes the checkpoints of a run that starts with this agent; each rank has one."""
    cfg, updates, ranks = setup.cfg, agent.updates if agent else 0, agent.ranks if agent else ALONE
    return CheckpointWriter(setup.folder, cfg.checkpoint_interval, cfg.keep_checkpoints, updates, ranks)
