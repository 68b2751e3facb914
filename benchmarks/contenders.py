"""What ``benchmarks/throughput.py`` compares, and describes: each contender takes one turn in an open environment."""

import argparse
import contextlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # rsl_rl imports GitPython, which wants a git program

import torch
from rivals import build_skrl_amp

from amp_helpers.agent import AmpAgent
from amp_helpers.amp_state import AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.env import AmpEnv, default_pose
from amp_helpers.train import amp_state, build_agent, build_trainer, open_env
from amp_helpers.training import TrainCfg

# isort: split
from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper, create_rsl_rl_runner, handle_deprecated_rsl_rl_cfg
from isaaclab_tasks.core.velocity.config.g1.agents.rsl_rl_ppo_cfg import G1RoughPPORunnerCfg


def count(text: str) -> int:
    """A number of turns, steps or rollouts from the command line."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number that can be measured; give 1 or more")
    return int(text)


@dataclass
class Turn:
    """What one turn of a contender took."""

    steps: int = 0
    """Control steps measured."""
    seconds: float = 0.0
    """For them, with the updates among them."""
    updates: list[float] = field(default_factory=list)
    """Seconds of each update among them."""

    @property
    def rate(self) -> float:
        """Control steps a second."""
        return self.steps / self.seconds

    @property
    def update(self) -> float:
        """Seconds of an update: the median."""
        return statistics.median(self.updates)


WARM_UP = 2
"""Rollouts before a turn's first measured one: in the update after the first, graphs are recorded and memory is given
back; in the second it is taken again."""


class Stopwatch:
    """Times calls of an agent's ``update``, and what lies between the ends of two of them.

    On a GPU, the times are those at which it gets there: to wait for it would keep the host from running ahead.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._spans: list[tuple[Any, Any]] = []

    def mark(self) -> Any:
        """Now, as something for :meth:`between`."""
        if not self._device.startswith("cuda"):
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event

    def between(self, start: Any, end: Any) -> float:
        """Seconds from one mark to another, waiting for the device to get there."""
        if not self._device.startswith("cuda"):
            return end - start
        end.synchronize()
        return start.elapsed_time(end) / 1000

    def watch(self, agent: Any) -> None:
        """Time every call of ``agent.update`` from now on."""
        update = agent.update

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = self.mark()
            result = update(*args, **kwargs)
            self._spans.append((start, self.mark()))
            return result

        agent.update = timed

    def turn(self, rollout: int) -> Turn:
        """The rollouts after the warm-up."""
        measured = self._spans[WARM_UP:]
        updates = [self.between(*span) for span in measured]
        return Turn(rollout * len(updates), self.between(self._spans[WARM_UP - 1][1], measured[-1][1]), updates)


@dataclass(frozen=True)
class Bench:
    """What the contenders share."""

    lab: Any
    cfg: TrainCfg
    """Ours, resolved; its ``run_dir`` is a temporary folder."""
    rivals: dict[str, TrainCfg]
    rollouts: int
    """Measured rollouts of ``cfg.rollouts`` steps in a turn."""

    @classmethod
    @contextlib.contextmanager
    def open(cls, cfg: TrainCfg, rivals: dict[str, TrainCfg], rollouts: int) -> Iterator["Bench"]:
        """A bench in the environment of our training, in which kernels are loaded and memory is taken already."""
        with open_env(cfg) as lab:
            bench = cls(lab, cfg, rivals, rollouts)
            environment(bench)  # not counted
            yield bench

    def windows(self, cfg: TrainCfg) -> tuple[AmpState, torch.Tensor]:
        """What the discriminator sees in ``cfg``, and its reference windows."""
        dataset = MotionDataset.load(cfg.dataset)
        state = amp_state(cfg, dataset)
        return state, state.from_dataset(dataset, default_pose(self.lab)).to(self.lab.device)

    @contextlib.contextmanager
    def agent(self, cfg: TrainCfg, build: Callable) -> Iterator[tuple[AmpEnv, Any]]:
        """An agent in the environment wrapped for AMP; the wrapper's hooks are gone afterwards."""
        state, windows = self.windows(cfg)
        env = AmpEnv(self.lab, state, cfg.amp_group, stagger=True)
        try:
            yield env, build(cfg, env, windows, self.lab.step_dt)
        finally:
            env.close()

    def loop(self, step: Callable[[], Any]) -> Turn:
        """Warm up and measure something that has no updates."""
        watch = Stopwatch(self.cfg.device)
        for _ in range(WARM_UP * self.cfg.rollouts):
            step()
        start, steps = watch.mark(), self.rollouts * self.cfg.rollouts
        for _ in range(steps):
            step()
        return Turn(steps, watch.between(start, watch.mark()))


def physics(bench: Bench) -> Turn:
    """The simulator alone."""
    lab = bench.lab
    lab.reset()
    substeps = 1 if lab._physics_handles_decimation else lab.cfg.decimation

    def step() -> None:
        for _ in range(substeps):
            lab.sim.step(render=False)

    return bench.loop(step)


def environment(bench: Bench) -> Turn:
    """``env.step`` with actions drawn from -1 to 1."""
    lab = bench.lab
    lab.reset()
    with torch.no_grad():
        return bench.loop(lambda: lab.step(2 * torch.rand(lab.action_space.shape, device=lab.device) - 1))


def environment_idle(bench: Bench) -> Turn:
    """``env.step`` with zero actions."""
    bench.lab.reset()
    actions = torch.zeros(bench.lab.action_space.shape, device=bench.lab.device)
    with torch.no_grad():
        return bench.loop(lambda: bench.lab.step(actions))


def random_policy(bench: Bench) -> Turn:
    """Our untrained policy in the environment wrapped for AMP."""
    with bench.agent(bench.cfg, build_agent) as (env, agent), torch.no_grad():
        now = [env.reset()[0]]

        def step() -> None:
            actions, _ = agent.act(now[0], env.state(), timestep=0, timesteps=1)
            now[0] = env.step(actions)[0]

        return bench.loop(step)


def training(bench: Bench) -> Turn:
    """Our training."""
    return _trained(bench, bench.cfg, build_agent)


def _skrl(settings: str) -> Callable[[Bench], Turn]:
    def contender(bench: Bench) -> Turn:
        return _trained(bench, bench.rivals[settings], lambda *given: build_skrl_amp(settings, *given, observed=False))

    return contender


def _trained(bench: Bench, cfg: TrainCfg, build: Callable) -> Turn:
    watch = Stopwatch(cfg.device)
    measured = -(-bench.rollouts * bench.cfg.rollouts // cfg.rollouts)
    with bench.agent(cfg, build) as (env, agent):
        trainer = build_trainer(replace(cfg, max_iterations=WARM_UP + measured), env, agent)
        if not isinstance(agent, AmpAgent):
            trainer.cfg.environment_info = "log"  # as in Isaac Lab's file for it
        watch.watch(agent)
        trainer.train()
        env.meanwhile.catch_up()
        agent.writer.close()
    return watch.turn(cfg.rollouts)


def rsl_rl_ppo(bench: Bench) -> Turn:
    """Isaac Lab's rsl_rl runner."""
    watch = Stopwatch(bench.cfg.device)
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        runner = create_rsl_rl_runner(RslRlVecEnvWrapper(bench.lab), rsl_rl_cfg(bench.cfg), log_dir=folder)
        watch.watch(runner.alg)
        runner.learn(WARM_UP + bench.rollouts, init_at_random_ep_len=True)
    return watch.turn(runner.cfg["num_steps_per_env"])


def rsl_rl_cfg(cfg: TrainCfg) -> Any:
    """Isaac Lab's settings for the G1, on this device, with our two observation groups."""
    runner = G1RoughPPORunnerCfg(device=cfg.device, seed=cfg.seed)
    runner.obs_groups = {"actor": ["policy"], "critic": ["critic"]}
    runner.save_interval = 1_000_000  # so that no measured rollout holds a checkpoint, as ours do not
    return handle_deprecated_rsl_rl_cfg(runner, version("rsl-rl-lib"))


CONTENDERS: dict[str, Callable[[Bench], Turn]] = {
    "physics": physics,
    "environment_idle": environment_idle,
    "random_policy": random_policy,
    "environment": environment,  # next to what it is compared with
    "training": training,
    "rsl_rl_ppo": rsl_rl_ppo,
    "skrl_matched": _skrl("matched"),
    "skrl_documented": _skrl("documented"),
}
