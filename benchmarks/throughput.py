"""How fast everything runs beside everything else: ``python benchmarks/throughput.py --num_envs 4096 --device cuda:0``.

One process; for each number of environments one environment, in which these run in turn, ``--repeats`` times over, so
that their ratios mean something when the machine is noisy:

``physics``
    the simulator's steps alone (decimation x ``sim.step``), no managers, sensors or resets.
``environment``
    ``env.step`` with actions drawn from -1 to 1, as Isaac Lab's own ``scripts/benchmarks/benchmark_non_rl.py`` does:
    robots fall and are reset, as they are in training.
``environment_idle``
    ``env.step`` with zero actions: robots stand in their default pose, and next to none is reset.
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

Each turn starts from a reset, runs two rollouts to warm up and ``--steps`` measured control steps (rounded up to whole
rollouts), bounded by the ends of updates where there are any. A ratio is the median of what the repeats say, each of
them of turns that follow each other: a machine whose speed comes and goes over seconds would falsify one of medians.
TF32 matrix products are allowed for all of them, as Isaac Lab's own training script allows them.

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
import gc
import json
import statistics
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from contenders import CONTENDERS, Bench, Turn, count, rsl_rl_cfg
from provenance import provenance
from rivals import SETTINGS, STEP_DT, rival_cfg, skrl_settings

from amp_helpers.errors import run_cli
from amp_helpers.training import TrainCfg, resolve, write_json
from amp_helpers.utils import check_device

RATIOS = {
    "training_over_environment": ("rate", "training", "environment"),
    "training_over_environment_idle": ("rate", "training", "environment_idle"),
    "training_over_rsl_rl_ppo": ("rate", "training", "rsl_rl_ppo"),
    "training_over_skrl_matched": ("rate", "training", "skrl_matched"),
    "training_over_skrl_documented": ("rate", "training", "skrl_documented"),
    "environment_over_physics": ("rate", "environment", "physics"),
    "update_over_skrl_matched_update": ("update", "training", "skrl_matched"),
}
"""Ratio: (figure of :class:`Turn`, of which contender, to which one); the median of what the repeats say."""


def measure(cfg: TrainCfg, steps: int, repeats: int, names: Sequence[str]) -> dict[str, Any]:
    """The named contenders at one number of environments: an element of the JSON's ``counts``.

    Args:
        cfg: our training run, resolved; the rivals take its environment, seed and folder.
        steps: control steps measured in a turn, rounded up to whole rollouts.
        repeats: turns of each.
        names: of :data:`contenders.CONTENDERS`.
    """
    num_envs, device = cfg.num_envs, cfg.device
    common = {name: getattr(cfg, name) for name in ("num_envs", "device", "seed", "run_dir")}
    rivals = {name: rival_cfg(name, **common) for name in SETTINGS}
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    memory: dict[str, dict[str, float | None]] = {}
    with Bench.open(cfg, rivals, rollouts=-(-steps // cfg.agent.rollouts)) as bench:
        for repeat in range(repeats):
            for name in names:
                _forget(device)
                turn = CONTENDERS[name](bench)
                turns[name].append(turn)
                memory[name] = _memory(device)
                print(f"{num_envs} environments, {name}, {repeat + 1}: {turn.rate * num_envs:,.0f}/s")
    contenders = {name: _figures(turns[name], num_envs) | memory[name] for name in names}
    ratios = {
        name: round(statistics.median(_paired(figure, turns[of], turns[to])), 3)
        for name, (figure, of, to) in RATIOS.items()
        if {of, to} <= set(names)
    }
    return {"num_envs": num_envs, "contenders": contenders, "ratios": ratios}


def _figures(turns: list[Turn], num_envs: int) -> dict[str, Any]:
    rates = [turn.rate * num_envs for turn in turns]
    updates = [seconds for turn in turns for seconds in turn.updates]
    steps = [(turn.seconds - sum(turn.updates)) / turn.steps for turn in turns]
    return {
        "env_steps_per_s": round(statistics.median(rates), 1),
        "repeats": [round(rate, 1) for rate in rates],
        "step_ms": round(1000 * statistics.median(steps), 3),
        "update_s": round(statistics.median(updates), 4) if updates else None,
    }


def _paired(figure: str, of: list[Turn], to: list[Turn]) -> list[float]:
    """The ratio in each repeat, whose turns follow each other: a machine that slows down slows both."""
    return [getattr(a, figure) / getattr(b, figure) for a, b in zip(of, to, strict=True)]


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


def _sizes(cfg: TrainCfg) -> dict[str, Any]:
    networks = {name: getattr(cfg.agent, name) for name in ("hidden", "discriminator_hidden")}
    return networks | {name: getattr(cfg, name) for name in ("features", "window", "stride")}


def _header(device: str, arguments: argparse.Namespace) -> dict[str, Any]:
    packages = ("torch", "isaaclab", "newton", "mujoco-warp", "warp-lang", "skrl", "rsl-rl-lib")
    ours = TrainCfg(device=device, seed=arguments.seed)
    sizes = {
        name: getattr(ours.agent, name) for name in ("learning_epochs", "mini_batches", "discriminator_batch_size")
    }
    shared = _sizes(ours)
    documented = rival_cfg("documented")
    settings = {
        "training": {"rollouts": ours.agent.rollouts} | sizes | shared,
        "skrl_documented": _sizes(documented) | skrl_settings("documented", documented, STEP_DT),
        "skrl_matched": shared | skrl_settings("matched", rival_cfg("matched"), STEP_DT),
        "rsl_rl_ppo": rsl_rl_cfg(ours).to_dict(),
    }
    return provenance(device) | {
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
    parser.add_argument("--steps", type=count, default=240, help="measured control steps of a turn (%(default)s)")
    parser.add_argument("--repeats", type=count, default=5, help="turns of each contender (default: %(default)s)")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), help="only these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()
    device = check_device(arguments.device)
    torch.set_float32_matmul_precision("high")
    result = _header(device, arguments)
    for num_envs in arguments.num_envs:
        with tempfile.TemporaryDirectory() as folder:
            cfg = resolve(TrainCfg(num_envs=num_envs, device=device, seed=arguments.seed, run_dir=Path(folder) / "run"))
            measured = measure(cfg, arguments.steps, arguments.repeats, arguments.contenders)
        result["counts"].append(measured)
        write_json(arguments.output, result)
        print(json.dumps(measured, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
