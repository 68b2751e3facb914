"""How fast everything runs beside everything else: ``python benchmarks/throughput.py --num_envs 4096 --device cuda:0``.

One process; for each number of environments one environment, in which these run in turn, ``--repeats`` times over, so
that their ratios mean something when the machine is noisy:

``physics``
    the simulator's steps alone (decimation x ``sim.step``), no managers, sensors or resets.
``environment``
    ``env.step`` with zero actions.
``random_policy``
    our untrained policy acting in the environment wrapped for AMP, nothing recorded.
``training``
    our agent as ``python -m amp_helpers.train`` runs it, defaults, updates and TensorBoard included.
``skrl_documented``, ``skrl_matched``
    skrl's own AMP class, see ``benchmarks/rivals.py``: with the settings that Isaac Lab ships for it, and with our
    rollout length, epochs, mini batches, networks and windows.
``rsl_rl_ppo``
    Isaac Lab's own rsl_rl runner and wrapper with its PPO settings for the G1 (``G1RoughPPORunnerCfg``: 24 steps, 5
    epochs of 4 mini batches, networks 512-256-128 as ours), the critic seeing the ``critic`` group as ours does.

Each turn starts from a reset, runs one rollout to warm up and ``--steps`` measured control steps (rounded up to whole
rollouts), bounded by the ends of updates where there are any. TF32 matrix products are allowed for all of them, as
Isaac Lab's own training script allows them.

The JSON is written after every number of environments::

    command, commit, hardware, seed, versions{torch, isaaclab, ...}, date, steps, repeats
    settings{training{...}, skrl_documented{...}, skrl_matched{...}, rsl_rl_ppo{...}}
    counts: [{
        num_envs,
        contenders: {NAME: {
            env_steps_per_s           median of the repeats; repeats: [each]
            step_ms                   of a control step of all environments, updates left out
            update_s                  median of an update, null where there is none
            torch_peak_gib            torch.cuda.max_memory_allocated during the turn, null on a CPU
            device_used_gib           memory taken on the device after the turn, by everything that uses it
        }},
        ratios: {NAME: ...}           see :data:`RATIOS`
    }]
"""

import argparse
import contextlib
import gc
import io
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # rsl_rl imports GitPython, which wants a git program

import torch
from convert import cpu_name
from rivals import build_skrl_amp, rival_cfg, skrl_settings

from amp_helpers.agent_cfg import AmpAgentCfg
from amp_helpers.amp_state import AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.env import AmpEnv, check_device, default_pose, make_env
from amp_helpers.errors import run_cli
from amp_helpers.policy import write_json
from amp_helpers.train import build_agent, build_trainer
from amp_helpers.train_cfg import TrainCfg, drop_patterns, resolve

# isort: split
from isaaclab_rl.rsl_rl import RslRlVecEnvWrapper, create_rsl_rl_runner, handle_deprecated_rsl_rl_cfg
from isaaclab_tasks.core.velocity.config.g1.agents.rsl_rl_ppo_cfg import G1RoughPPORunnerCfg

RATIOS = {
    "training_over_environment": ("env_steps_per_s", "training", "environment"),
    "training_over_rsl_rl_ppo": ("env_steps_per_s", "training", "rsl_rl_ppo"),
    "training_over_skrl_matched": ("env_steps_per_s", "training", "skrl_matched"),
    "training_over_skrl_documented": ("env_steps_per_s", "training", "skrl_documented"),
    "environment_over_physics": ("env_steps_per_s", "environment", "physics"),
    "update_over_skrl_matched_update": ("update_s", "training", "skrl_matched"),
}
"""Ratio: (figure, of which contender, to which one)."""


@dataclass
class Turn:
    """What one turn of a contender took."""

    steps: int = 0
    """Control steps measured."""
    seconds: float = 0.0
    """For them, with the updates among them."""
    updates: list[float] = field(default_factory=list)
    """Seconds of each update among them."""


class Stopwatch:
    """Times calls of an agent's ``update``, and what lies between the ends of the first and the last of them."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._spans: list[tuple[float, float]] = []

    def now(self) -> float:
        """Seconds, when the device has done all it was given."""
        if self._device.startswith("cuda"):
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def watch(self, agent: Any) -> None:
        """Time every call of ``agent.update`` from now on."""
        update = agent.update

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = self.now()
            result = update(*args, **kwargs)
            self._spans.append((start, self.now()))
            return result

        agent.update = timed

    def turn(self, rollout: int) -> Turn:
        """The rollouts after the first one, which is the warm-up."""
        ends = [end for _, end in self._spans]
        updates = [end - start for start, end in self._spans[1:]]
        return Turn(rollout * len(updates), ends[-1] - ends[0], updates)


@dataclass(frozen=True)
class Bench:
    """What the contenders share."""

    lab: Any
    cfg: TrainCfg
    """Ours, resolved; its ``run_dir`` is a temporary folder."""
    rivals: dict[str, TrainCfg]
    rollouts: int
    """Measured rollouts of ``cfg.rollouts`` steps in a turn."""

    def windows(self, cfg: TrainCfg) -> tuple[AmpState, torch.Tensor]:
        """What the discriminator sees in ``cfg``, and its reference windows."""
        dataset = MotionDataset.load(cfg.dataset)
        state = AmpState(joint_names=dataset.joint_names, features=cfg.features, window=cfg.window, stride=cfg.stride)
        state = state.without(drop_patterns(cfg.drop_joints)) if cfg.drop_joints else state
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
        for _ in range(self.cfg.rollouts):
            step()
        start, steps = watch.now(), self.rollouts * self.cfg.rollouts
        for _ in range(steps):
            step()
        return Turn(steps, watch.now() - start)


def physics(bench: Bench) -> Turn:
    lab = bench.lab
    lab.reset()
    substeps = 1 if getattr(lab, "_physics_handles_decimation", False) else lab.cfg.decimation

    def step() -> None:
        for _ in range(substeps):
            lab.sim.step(render=False)

    return bench.loop(step)


def environment(bench: Bench) -> Turn:
    bench.lab.reset()
    actions = torch.zeros(bench.lab.action_space.shape, device=bench.lab.device)
    with torch.inference_mode(False), torch.no_grad():
        return bench.loop(lambda: bench.lab.step(actions))


def random_policy(bench: Bench) -> Turn:
    with bench.agent(bench.cfg, build_agent) as (env, agent), torch.no_grad():
        agent.init(trainer_cfg=None)
        now = [env.reset()[0]]

        def step() -> None:
            actions, _ = agent.act(now[0], env.state(), timestep=0, timesteps=1)
            now[0] = env.step(actions)[0]

        return bench.loop(step)


def training(bench: Bench) -> Turn:
    return _trained(bench, bench.cfg, build_agent)


def _skrl(settings: str) -> Callable[[Bench], Turn]:
    def contender(bench: Bench) -> Turn:
        return _trained(bench, bench.rivals[settings], lambda *given: build_skrl_amp(settings, *given, observed=False))

    return contender


def _trained(bench: Bench, cfg: TrainCfg, build: Callable) -> Turn:
    watch = Stopwatch(cfg.device)
    measured = -(-bench.rollouts * bench.cfg.rollouts // cfg.rollouts)
    with bench.agent(cfg, build) as (env, agent):
        trainer = build_trainer(replace(cfg, max_iterations=1 + measured), env, agent)
        watch.watch(agent)
        trainer.train()
        agent.writer.close()
    return watch.turn(cfg.rollouts)


def rsl_rl_ppo(bench: Bench) -> Turn:
    watch = Stopwatch(bench.cfg.device)
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        runner = create_rsl_rl_runner(RslRlVecEnvWrapper(bench.lab), rsl_rl_cfg(bench.cfg), log_dir=folder)
        watch.watch(runner.alg)
        runner.learn(1 + bench.rollouts, init_at_random_ep_len=True)
    return watch.turn(runner.cfg["num_steps_per_env"])


def rsl_rl_cfg(cfg: TrainCfg) -> Any:
    """Isaac Lab's settings for the G1, on this device, with our two observation groups."""
    runner = G1RoughPPORunnerCfg(device=cfg.device, seed=cfg.seed)
    runner.obs_groups = {"actor": ["policy"], "critic": ["critic"]}
    runner.save_interval = 1_000_000  # so that no measured rollout holds a checkpoint, as ours do not
    return handle_deprecated_rsl_rl_cfg(runner, version("rsl-rl-lib"))


CONTENDERS: dict[str, Callable[[Bench], Turn]] = {
    "physics": physics,
    "environment": environment,
    "random_policy": random_policy,
    "training": training,
    "skrl_documented": _skrl("documented"),
    "skrl_matched": _skrl("matched"),
    "rsl_rl_ppo": rsl_rl_ppo,
}


def measure(num_envs: int, device: str, seed: int, steps: int, repeats: int, folder: Path) -> dict[str, Any]:
    """All contenders at one number of environments: an element of the JSON's ``counts``."""
    cfg = resolve(TrainCfg(num_envs=num_envs, device=device, seed=seed, run_dir=folder / str(num_envs)))
    common = {"num_envs": num_envs, "device": cfg.device, "seed": seed, "run_dir": cfg.run_dir}
    rivals = {name: rival_cfg(name, **common) for name in ("documented", "matched")}
    turns: dict[str, list[Turn]] = {name: [] for name in CONTENDERS}
    memory: dict[str, dict[str, float | None]] = {}
    with make_env(
        cfg.task,
        num_envs=num_envs,
        device=cfg.device,
        seed=seed,
        dataset=cfg.dataset,
        reference_share=cfg.reference_share,
        velocity=cfg.velocity_range,
    ) as lab:
        bench = Bench(lab, cfg, rivals, rollouts=-(-steps // cfg.rollouts))
        for repeat in range(repeats):
            for name, contender in CONTENDERS.items():
                _forget(device)
                turn = contender(bench)
                turns[name].append(turn)
                memory[name] = _memory(device)
                print(f"{num_envs} environments, {name}, {repeat + 1}: {turn.steps * num_envs / turn.seconds:,.0f}/s")
    contenders = {name: _figures(turns[name], num_envs) | memory[name] for name in CONTENDERS}
    ratios = {name: _ratio(contenders, *of) for name, of in RATIOS.items()}
    return {"num_envs": num_envs, "contenders": contenders, "ratios": ratios}


def _figures(turns: list[Turn], num_envs: int) -> dict[str, Any]:
    rates = [turn.steps * num_envs / turn.seconds for turn in turns]
    updates = [seconds for turn in turns for seconds in turn.updates]
    steps = [(turn.seconds - sum(turn.updates)) / turn.steps for turn in turns]
    return {
        "env_steps_per_s": round(statistics.median(rates), 1),
        "repeats": [round(rate, 1) for rate in rates],
        "step_ms": round(1000 * statistics.median(steps), 3),
        "update_s": round(statistics.median(updates), 4) if updates else None,
    }


def _ratio(contenders: dict[str, dict[str, Any]], figure: str, of: str, to: str) -> float:
    return round(contenders[of][figure] / contenders[to][figure], 3)


def _forget(device: str) -> None:
    """Give back what the contender before left, so that memory is each one's own."""
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _memory(device: str) -> dict[str, float | None]:
    if not device.startswith("cuda"):
        return {"torch_peak_gib": None, "device_used_gib": None}
    free, total = torch.cuda.mem_get_info(device)
    peak = torch.cuda.max_memory_allocated(device)
    return {"torch_peak_gib": round(peak / 2**30, 2), "device_used_gib": round((total - free) / 2**30, 2)}


def _header(device: str, arguments: argparse.Namespace) -> dict[str, Any]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    packages = ("torch", "isaaclab", "newton", "mujoco-warp", "warp-lang", "skrl", "rsl-rl-lib")
    ours, agent = TrainCfg(device=device, seed=arguments.seed), AmpAgentCfg()
    shared = {name: getattr(ours, name) for name in ("hidden", "discriminator_hidden", "features", "window", "stride")}
    sizes = {name: getattr(agent, name) for name in ("learning_epochs", "mini_batches", "discriminator_batch_size")}
    documented = rival_cfg("documented")
    settings = {
        "training": {"rollouts": ours.rollouts} | sizes | shared,
        "skrl_documented": {name: getattr(documented, name) for name in shared}
        | skrl_settings("documented", documented, agent.step_dt),
        "skrl_matched": shared | skrl_settings("matched", rival_cfg("matched"), agent.step_dt),
        "rsl_rl_ppo": rsl_rl_cfg(ours).to_dict(),
    }
    return {
        "command": shlex.join(["python", "benchmarks/throughput.py", *sys.argv[1:]]),
        "commit": commit.stdout.strip() or "unknown",
        "hardware": torch.cuda.get_device_name(device)
        if device.startswith("cuda")
        else f"{cpu_name()}, {os.cpu_count()} cores",
        "seed": arguments.seed,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "versions": {name: version(name) for name in packages},
        "steps": arguments.steps,
        "repeats": arguments.repeats,
        "settings": settings,
        "counts": [],
    }


def main() -> int:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num_envs", type=int, nargs="+", default=[1024, 4096, 8192, 16384])
    parser.add_argument("--device", help="cpu or cuda:0 (default: the GPU if there is one)")
    parser.add_argument("--steps", type=int, default=48, help="measured control steps in a turn (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each contender (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()
    device = check_device(arguments.device)
    torch.backends.cuda.matmul.allow_tf32 = True
    result = _header(device, arguments)
    for num_envs in arguments.num_envs:
        with tempfile.TemporaryDirectory() as folder:
            result["counts"].append(
                measure(num_envs, device, arguments.seed, arguments.steps, arguments.repeats, Path(folder))
            )
        write_json(arguments.output, result)
        print(json.dumps(result["counts"][-1], indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
