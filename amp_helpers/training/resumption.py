"""Going on from a checkpoint: what is taken over from its run, what this run changes, and what starts anew."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.errors import InputError, sha256
from amp_helpers.training.cfg import TrainCfg, file_digest, recorded_options
from amp_helpers.training.checkpoints import Checkpoint, rank_file
from amp_helpers.training.config_file import config_beside
from amp_helpers.utils.resources import recorded_path

_RATES = ("learning_rate", "discriminator_learning_rate", "discriminator_weight_decay")
"""Settings that a checkpoint holds too, in the states of the optimizers."""


@dataclass(frozen=True)
class Resumption:
    """A run that goes on from a checkpoint of another run, or of its own folder."""

    checkpoint: Checkpoint
    changes: dict[str, tuple[Any, Any]] | None
    """Setting -> what it was and what it is; ``None`` where the checkpoint's run is unknown."""
    earlier: tuple[dict[str, Any], ...] = ()
    """What the checkpoint's run recorded about checkpoints that it went on from itself."""
    fresh_rank: bool = False
    """Whether the checkpoint lacks the part of a rank."""

    @classmethod
    def load(cls, checkpoint: Checkpoint, agent: AmpAgent, cfg: TrainCfg) -> "Resumption":
        """Load a checkpoint into an agent; settings of the optimizers that ``cfg`` changes replace the loaded ones.

        Raises:
            InputError: the checkpoint does not fit the agent, which then stays unchanged.
        """
        beside = config_beside(checkpoint.file)
        agent.load(str(checkpoint.file))
        fresh = bool(agent.ranks.rank) and not _load_rank(agent, checkpoint.file, cfg.seed)
        fresh = agent.ranks.any(fresh)
        changes = _changes(beside[1], cfg, agent.ranks.size) if beside else None
        changed = [name for name in _RATES if changes is None or name in changes]
        for name in changed:
            _set_rate(agent, name, getattr(cfg.agent, name))
        return cls(checkpoint, changes, tuple(beside[1].get("resumed", ())) if beside else (), fresh)

    @property
    def notes(self) -> list[str]:
        """What a reader of the run has to know, a sentence each."""
        found = self.checkpoint
        lines = [f"{file} is not whole and is passed over" for file in found.torn]
        lines.append(f"going on from {found.file}, after update {found.updates}")
        if self.changes is None:
            lines.append("it has no config.json beside it, so the settings of its run are unknown")
        elif self.changes:
            shown = ", ".join(f"{name} {_text(was)} -> {_text(now)}" for name, (was, now) in self.changes.items())
            lines.append(f"changed from its run: {shown}")
        else:
            lines.append("its run's settings stay as they were")
        lines.append(
            "restored: networks, optimizers, normalizers, replay buffer and torch's random state; not restored: the "
            "environment, whose episodes start anew, and --max_iterations and --max_seconds, which count from here"
        )
        if self.fresh_rank:
            lines.append("it lacks a part of some processes; they start with the first one's replay buffer")
        return lines

    @property
    def facts(self) -> dict[str, Any]:
        """What ``config.json`` gains: the checkpoint, and all earlier ones that this run goes back to."""
        path = recorded_path(self.checkpoint.file)
        entry = {
            "checkpoint": path,
            "sha256": sha256(self.checkpoint.file),
            "update": self.checkpoint.updates,
            "changes": None if self.changes is None else {name: list(pair) for name, pair in self.changes.items()},
        }
        return {"checkpoint": path, "resumed": [*self.earlier, entry]}


def _changes(before: Mapping[str, Any], cfg: TrainCfg, processes: int) -> dict[str, tuple[Any, Any]]:
    """Return what a run changes of the one with this ``config.json``, the content of its dataset included."""
    now = recorded_options(cfg) | {"processes": processes, "dataset_digest": file_digest(cfg.dataset)}
    return compare({"processes": 1, **before}, now)


def _load_rank(agent: AmpAgent, checkpoint: Path, seed: int) -> bool:
    """Load this rank's part of a checkpoint; without a whole one, draw other random numbers than the first rank."""
    file = rank_file(checkpoint, agent.ranks.rank, agent.updates)
    if file.exists():
        with contextlib.suppress(InputError):
            agent.load_rank(str(file))
            return True
    torch.manual_seed(seed + agent.ranks.rank + agent.updates)
    return False


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ: name -> what was recorded and what is, both as JSON holds them."""
    plain = json.loads(json.dumps(dict(now), default=str))
    return {name: (before[name], value) for name, value in plain.items() if name in before and before[name] != value}


def _set_rate(agent: AmpAgent, name: str, value: float) -> None:
    if name == "discriminator_weight_decay":
        agent.discriminator_optimizer.param_groups[0]["weight_decay"] = value  # the second group, the biases, has none
        return
    optimizer = agent.optimizer if name == "learning_rate" else agent.discriminator_optimizer
    for group in optimizer.param_groups:
        rate = group["lr"]
        group["lr"] = rate.fill_(value) if isinstance(rate, torch.Tensor) else value


def _text(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
