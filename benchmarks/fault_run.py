"""The small training that ``benchmarks/faults.py`` disturbs.

The agent, its ranks, the training loop and the checkpoints are those of ``python -m amp_helpers.train``. The
environment is not: what it returns depends only on the number of the step and the actions. So a run that goes on meets
the rollouts that an uninterrupted one meets, and both can be compared to the bit. The first process appends a line for
each update to ``trace.txt``: its number, and a digest of everything that was learned.
"""

import hashlib
import sys
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import distributed

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.networks import Discriminator, Policy, Value
from amp_helpers.agent.ranks import Ranks
from amp_helpers.errors import InputError
from amp_helpers.training.checkpoint_writer import CheckpointWriter
from amp_helpers.training.checkpoints import newest_checkpoint, rank_file
from amp_helpers.training.loop import training_loop
from amp_helpers.training.run_folder import writing
from amp_helpers.utils.deferred import DeferredQueue

ENVS, STEPS, OBS, ACTIONS, AMP = 8, 6, 20, 3, 30
INTERVAL = 2
"""Updates between two checkpoints; every second of them has a number, and three of those stay."""
FLAT = gymnasium.spaces.Box


def box(size: int) -> gymnasium.spaces.Box:
    return FLAT(-np.inf, np.inf, (size,))


class Env:
    """Observations, rewards and windows that depend on the number of the step since the first update alone."""

    def __init__(self, agent: AmpAgent) -> None:
        self._agent = agent
        self.deferred = DeferredQueue()

    def reset(self) -> tuple[torch.Tensor, dict[str, Any]]:
        self._steps = self._agent.updates * STEPS
        return self._generator_and_observations()[1], {}

    def _generator_and_observations(self) -> tuple[torch.Generator, torch.Tensor]:
        generator = torch.Generator().manual_seed(10 * self._steps + self._agent.ranks.rank)
        return generator, torch.randn(ENVS, OBS, generator=generator)

    def state(self) -> None:
        return None

    def step(self, actions: torch.Tensor) -> tuple[Any, ...]:
        self.deferred.run()
        self._steps += 1
        generator, observations = self._generator_and_observations()
        done = torch.rand(ENVS, 1, generator=generator) > 0.95
        infos = {
            "amp_obs": torch.randn(ENVS, AMP, generator=generator),
            "amp_whole": torch.ones(ENVS, dtype=torch.bool),
            "terminal_observations": None,
        }
        return observations, -actions.square().mean(1, keepdim=True), done, torch.zeros_like(done), infos


def make_agent(ranks: Ranks) -> AmpAgent:
    """Create a small agent; each rank draws other numbers."""
    torch.manual_seed(7 + ranks.rank)
    reference = torch.randn(200, AMP, generator=torch.Generator().manual_seed(1))
    agent = AmpAgent(
        cfg=AmpAgentCfg(rollouts=STEPS, mini_batches=2, learning_epochs=2, discriminator_batch_size=32),
        policy=Policy(box(OBS), box(ACTIONS), "cpu", hidden=(32,)),
        value=Value(box(OBS), None, box(ACTIONS), "cpu", hidden=(32,)),
        discriminator=Discriminator(box(AMP), box(ACTIONS), "cpu", hidden=(32,)),
        num_envs=ENVS,
        observation_space=box(OBS),
        state_space=None,
        action_space=box(ACTIONS),
        amp_observation_space=box(AMP),
        reference_windows=lambda windows: reference[torch.randint(len(reference), (len(windows),))],
        step_dt=0.02,
        device="cpu",
        ranks=ranks,
    )
    agent.init()
    return agent


def digest(agent: AmpAgent) -> str:
    """Digest of all parameters, moments, scales, the replay and the random state."""
    found = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, dict):
            for key in sorted(value, key=str):
                add(value[key])
        elif isinstance(value, list | tuple):
            for item in value:
                add(item)
        else:
            found.update(value.numpy().tobytes() if isinstance(value, torch.Tensor) else repr(value).encode())

    for name in sorted(agent.checkpoint_modules):
        add(agent.checkpoint_modules[name].state_dict())
    return found.hexdigest()[:16]


def run(ranks: Ranks, folder: Path, updates: int) -> None:
    """Train up to ``updates``, from the newest whole checkpoint on where there is one."""
    agent = make_agent(ranks)
    found = newest_checkpoint(folder) if ranks.first else None
    file = ranks.text(str(found.file) if found else "")
    if file:
        agent.load(file)
        if not ranks.first:
            agent.load_rank(str(rank_file(file, ranks.rank, agent.updates)))
    checkpoints = CheckpointWriter(folder, interval=2 * INTERVAL, keep=3, resumed_at=agent.updates, ranks=ranks)
    if ranks.first:
        checkpoints.remove_unfinished()
        checkpoints.set_aside_others(agent.updates, STEPS)
        print(f"resumed {agent.updates} {len(found.torn) if found else 0}", flush=True)

    def keep(agent: AmpAgent) -> None:
        if ranks.first:
            with (folder / "trace.txt").open("a") as trace:
                trace.write(f"{agent.updates} {digest(agent)}\n")
        if agent.updates % INTERVAL == 0:
            checkpoints.write(agent)

    env: Any = Env(agent)
    with writing(folder):
        training_loop(env, agent, updates - agent.updates, on_checkpoint=keep, checkpoint_due=lambda agent: True)


def rank_process(rank: int, size: int, meet: str, folder: Path, updates: int, printed: Path) -> None:
    """Be a process of the training, which prints to a file and exits with 2 after an error of one sentence."""
    with printed.open("w") as output, redirect_stdout(output):
        distributed.init_process_group(
            "gloo", init_method=f"file://{meet}", rank=rank, world_size=size, timeout=timedelta(seconds=60)
        )
        try:
            run(Ranks(rank, size), folder, updates)
        except (InputError, OSError) as error:
            print(f"error: {error}", flush=True)
            sys.exit(2)
        distributed.destroy_process_group()
