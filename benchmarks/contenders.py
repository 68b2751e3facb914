"""The contenders of ``benchmarks/throughput.py``: functions that measure one turn in an open environment."""

import argparse
import contextlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # rsl_rl imports GitPython, which fails without a git program

import torch
from rivals import build_skrl_amp
from skrl.trainers.torch import SequentialTrainer

from amp_helpers.agent.ranks import ALONE, Ranks
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.captured import CapturedEnv
from amp_helpers.training import TrainCfg, TrainingSetup, build_agent, open_env, training_loop

# isort: split
from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper, create_rsl_rl_runner, handle_deprecated_rsl_rl_cfg
from isaaclab_tasks.core.velocity.config.g1.agents.rsl_rl_ppo_cfg import G1RoughPPORunnerCfg


def positive_int(text: str) -> int:
    """Read a number of turns, steps or rollouts from the command line."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive integer; give 1 or more")
    return int(text)


@dataclass
class Turn:
    """Duration of one turn of a contender."""

    steps: int = 0
    """Number of measured control steps."""
    seconds: float = 0.0
    """Duration of these steps, including the updates between them, s."""
    updates: list[float] = field(default_factory=list)
    """Duration of each update, s."""

    @property
    def rate(self) -> float:
        """Control steps per second."""
        return self.steps / self.seconds

    @property
    def update(self) -> float:
        """Median duration of an update, s."""
        return statistics.median(self.updates)


WARM_UP = 5
"""Unmeasured rollouts at the start of a turn: up to the fourth, updates record CUDA graphs and release memory, and the
fifth rollout allocates it again."""


class Stopwatch:
    """Measures an agent's updates, and the time between the ends of two updates.

    On a GPU these are times of the GPU's stream, recorded by events: synchronizing would stop the host from running
    ahead.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._spans: list[tuple[Any, Any]] = []

    def mark(self) -> Any:
        """Record the current time for :meth:`between`."""
        if not self._device.startswith("cuda"):
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event

    def between(self, start: Any, end: Any) -> float:
        """Return the time between two marks, s, after synchronizing with the second."""
        if not self._device.startswith("cuda"):
            return end - start
        end.synchronize()
        return start.elapsed_time(end) / 1000

    def watch(self, agent: Any, method: str = "update") -> None:
        """Measure every later call of a method of ``agent``."""
        update = getattr(agent, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = self.mark()
            result = update(*args, **kwargs)
            self._spans.append((start, self.mark()))
            return result

        setattr(agent, method, timed)

    def turn(self, rollout: int) -> Turn:
        """Return the measurement of the rollouts after the warm-up."""
        measured = self._spans[WARM_UP:]
        updates = [self.between(*span) for span in measured]
        return Turn(rollout * len(updates), self.between(self._spans[WARM_UP - 1][1], measured[-1][1]), updates)


@dataclass(frozen=True)
class Bench:
    """The environment and configurations that all contenders share."""

    lab: Any
    cfg: TrainCfg
    """Configuration of this project's training, resolved; its ``run_dir`` is a temporary folder."""
    rivals: dict[str, TrainCfg]
    """Configurations of skrl's AMP by the name of its settings."""
    rollouts: int
    """Number of measured rollouts in a turn, of ``cfg.agent.rollouts`` steps each."""
    open_s: float
    """Duration of opening the environment, s."""

    @classmethod
    @contextlib.contextmanager
    def open(cls, cfg: TrainCfg, rivals: dict[str, TrainCfg], rollouts: int) -> Iterator["Bench"]:
        """Open the environment of ``cfg``, load its kernels and allocate its memory."""
        start = time.perf_counter()
        with open_env(cfg, MotionDataset.load(cfg.dataset)) as lab:
            bench = cls(lab, cfg, rivals, rollouts, time.perf_counter() - start)
            environment(bench)
            yield bench

    def setup(self, cfg: TrainCfg) -> contextlib.AbstractContextManager[TrainingSetup]:
        """Wrap the environment for AMP, with the reference windows of a run."""
        return TrainingSetup.wrap(cfg, MotionDataset.load(cfg.dataset), self.lab)

    def loop(self, step: Callable[[], Any]) -> Turn:
        """Warm up, and measure repeated calls of ``step``, without updates."""
        watch = Stopwatch(self.cfg.device)
        for _ in range(WARM_UP * self.cfg.agent.rollouts):
            step()
        start, steps = watch.mark(), self.rollouts * self.cfg.agent.rollouts
        for _ in range(steps):
            step()
        return Turn(steps, watch.between(start, watch.mark()))


def physics(bench: Bench) -> Turn:
    """Measure the simulator alone."""
    lab = bench.lab
    lab.reset()
    substeps = 1 if lab.sim.physics_manager.handles_decimation() else lab.cfg.decimation

    def step() -> None:
        for _ in range(substeps):
            lab.sim.step(render=False)

    return bench.loop(step)


def environment(bench: Bench) -> Turn:
    """Measure ``env.step`` with actions drawn uniformly from -1 to 1."""
    lab = bench.lab
    lab.reset()
    with torch.no_grad():
        return bench.loop(lambda: lab.step(2 * torch.rand(lab.action_space.shape, device=lab.device) - 1))


def environment_idle(bench: Bench) -> Turn:
    """Measure ``env.step`` with zero actions."""
    bench.lab.reset()
    actions = torch.zeros(bench.lab.action_space.shape, device=bench.lab.device)
    with torch.no_grad():
        return bench.loop(lambda: bench.lab.step(actions))


def random_policy(bench: Bench) -> Turn:
    """Measure an untrained policy in the environment wrapped for AMP."""
    with bench.setup(bench.cfg) as setup, torch.no_grad():
        env, agent = setup.env, build_agent(setup)
        observations = env.reset()[0]

        def step() -> None:
            nonlocal observations
            actions, _ = agent.act(observations, env.state())
            observations = env.step(actions)[0]

        return bench.loop(step)


def training(bench: Bench, ranks: Ranks = ALONE) -> Turn:
    """Measure this project's training, with ``ranks`` that measure at the same time."""
    watch = Stopwatch(bench.cfg.device)
    with bench.setup(bench.cfg) as setup:
        agent = build_agent(setup, ranks)
        agent.init()
        watch.watch(agent, "learn")
        training_loop(
            setup.env,
            agent,
            WARM_UP + bench.rollouts,
            checkpoint_due=lambda agent: ranks.any(False),
            should_stop=lambda: ranks.any(False),
        )
        if ranks.first:
            agent.writer.close()
    return watch.turn(bench.cfg.agent.rollouts)


def _skrl(settings: str) -> Callable[[Bench], Turn]:
    def contender(bench: Bench) -> Turn:
        cfg = bench.rivals[settings]
        watch = Stopwatch(cfg.device)
        rollout = cfg.agent.rollouts
        measured = -(-bench.rollouts * bench.cfg.agent.rollouts // rollout)
        with bench.setup(cfg) as setup:
            agent = build_skrl_amp(settings, setup, observed=False)
            trainer = SequentialTrainer(
                env=setup.env,
                agents=agent,
                cfg={
                    "timesteps": (WARM_UP + measured) * rollout,
                    "headless": True,
                    "disable_progressbar": True,
                    "close_environment_at_exit": False,
                    "environment_info": "log",  # as in Isaac Lab's configuration
                },
            )
            watch.watch(agent)
            trainer.train()
            agent.writer.close()
        return watch.turn(rollout)

    return contender


def rsl_rl_ppo(bench: Bench) -> Turn:
    """Measure Isaac Lab's rsl_rl runner."""
    watch = Stopwatch(bench.cfg.device)
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        runner = create_rsl_rl_runner(RslRlVecEnvWrapper(bench.lab), rsl_rl_cfg(bench.cfg), log_dir=folder)
        watch.watch(runner.alg)
        runner.learn(WARM_UP + bench.rollouts, init_at_random_ep_len=True)
    return watch.turn(runner.cfg["num_steps_per_env"])


def rsl_rl_cfg(cfg: TrainCfg) -> Any:
    """Return Isaac Lab's settings for the G1, with this project's device, seed and observation groups."""
    runner = G1RoughPPORunnerCfg(device=cfg.device, seed=cfg.seed)
    runner.obs_groups = {"actor": ["policy"], "critic": ["critic"]}
    runner.save_interval = 1_000_000  # no checkpoints while measuring, as for the others
    return handle_deprecated_rsl_rl_cfg(runner, version("rsl-rl-lib"))


def _stepped(contender: Callable[[Bench], Turn], *, recorded: bool) -> Callable[[Bench], Turn]:
    """Measure a contender with the recorded step, or with Isaac Lab's."""

    def turn(bench: Bench) -> Turn:
        if recorded and not isinstance(bench.lab, CapturedEnv):
            raise ValueError("open the environment with frontend 'warp' to measure its recorded step")
        bench.lab.by_mask = recorded
        return contender(bench)

    return turn


CONTENDERS: dict[str, Callable[[Bench], Turn]] = {
    "physics": physics,
    "environment_idle": _stepped(environment_idle, recorded=False),
    "random_policy": _stepped(random_policy, recorded=False),
    "environment": _stepped(environment, recorded=False),  # next to training, with which it is compared
    "training": _stepped(training, recorded=False),
    "environment_warp": _stepped(environment, recorded=True),
    "training_warp": _stepped(training, recorded=True),
    "rsl_rl_ppo": _stepped(rsl_rl_ppo, recorded=False),
    "skrl_matched": _stepped(_skrl("matched"), recorded=False),
    "skrl_documented": _stepped(_skrl("documented"), recorded=False),
}
