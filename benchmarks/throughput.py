"""Measure throughput side by side: ``python benchmarks/throughput.py --num_envs 4096 --device cuda:0``.

For each number of environments, one environment is opened, in which the following contenders run in turn, ``--repeats``
times, so that their ratios are meaningful on a noisy machine:

``physics``
    the simulator alone (decimation x ``sim.step``), without managers, sensors or resets.
``environment``
    ``env.step`` with actions drawn uniformly from -1 to 1, as in Isaac Lab's
    ``scripts/benchmarks/benchmark_non_rl.py``: robots fall and are reset, as in training.
``environment_idle``
    ``env.step`` with zero actions: robots stand in their default pose, and resets are rare.
``random_policy``
    an untrained policy acting in the environment wrapped for AMP, without storing anything.
``training``
    this project's training with default settings, updates and TensorBoard included.
``environment_warp``, ``training_warp``
    the same with the step that ``--frontend warp`` records; everything else steps as Isaac Lab does.
``skrl_documented``, ``skrl_matched``
    skrl's AMP class, see ``benchmarks/rivals.py``: with the settings that Isaac Lab ships, and with this project's
    rollout length, epochs, mini batches, networks and windows.
``rsl_rl_ppo``
    Isaac Lab's rsl_rl runner and wrapper with its PPO settings for the G1 (``G1RoughPPORunnerCfg``: 24 steps, 5 epochs
    of 4 mini batches, networks 512-256-128 as here); the critic's input is the ``critic`` group, as here.

Each turn starts with a reset and two unmeasured rollouts, followed by ``--steps`` measured control steps, rounded up to
complete rollouts; with updates, the measurement starts and ends at the end of an update. A ratio is the median of the
ratios of each repeat, whose turns are adjacent in time: a ratio of medians would be biased by changes of the machine's
speed over seconds. TF32 matrix products are enabled for all contenders, as in Isaac Lab's training script.

With ``--physics physx`` all of it runs in PhysX, whose step is not recorded: name the other contenders. The JSON is
written after every number of environments::

    command, commit, hardware, seed, versions{torch, isaaclab, ...}, date, physics, steps, repeats
    settings{training{...}, skrl_documented{...}, skrl_matched{...}, rsl_rl_ppo{...}}
    counts: [{
        num_envs,
        open_s                        duration of opening the environment, without the imports
        contenders: {NAME: {
            env_steps_per_s           median of the repeats; repeats: [each]
            step_ms                   duration of a control step of all environments, without updates
            update_s                  median of an update, null where there is none
            torch_peak_gib            torch.cuda.max_memory_allocated during the turn, null on a CPU
            device_used_gib           memory in use on the device after the turn, by all processes
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
from contenders import CONTENDERS, Bench, Turn, positive_int, rsl_rl_cfg
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
    "training_warp_over_training": ("rate", "training_warp", "training"),
    "training_warp_over_environment_warp": ("rate", "training_warp", "environment_warp"),
    "training_warp_over_physics": ("rate", "training_warp", "physics"),
    "training_warp_over_rsl_rl_ppo": ("rate", "training_warp", "rsl_rl_ppo"),
    "environment_warp_over_environment": ("rate", "environment_warp", "environment"),
    "environment_warp_over_physics": ("rate", "environment_warp", "physics"),
    "update_over_skrl_matched_update": ("update", "training", "skrl_matched"),
}
"""Ratio: (attribute of :class:`Turn`, numerator, denominator)."""


def measure(cfg: TrainCfg, steps: int, repeats: int, names: Sequence[str]) -> dict[str, Any]:
    """Measure contenders at one number of environments, and return an element of the JSON's ``counts``.

    Args:
        cfg: this project's training run, resolved; the rivals use its environment, seed and folder.
        steps: measured control steps per turn, rounded up to complete rollouts.
        repeats: turns of each contender.
        names: keys of :data:`contenders.CONTENDERS`.
    """
    num_envs, device = cfg.num_envs, cfg.device
    common = {name: getattr(cfg, name) for name in ("num_envs", "device", "seed", "run_dir")}
    rivals = {name: rival_cfg(name, **common) for name in SETTINGS}
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    memory: dict[str, dict[str, float | None]] = {}
    with Bench.open(cfg, rivals, rollouts=-(-steps // cfg.agent.rollouts)) as bench:
        print(f"{num_envs} environments, opened in {bench.open_s:.1f} s", flush=True)
        for repeat in range(repeats):
            for name in names:
                _release_memory(device)
                turn = CONTENDERS[name](bench)
                turns[name].append(turn)
                memory[name] = _memory(device)
                print(f"{num_envs} environments, {name}, {repeat + 1}: {turn.rate * num_envs:,.0f}/s", flush=True)
    contenders = {name: _figures(turns[name], num_envs) | memory[name] for name in names}
    ratios = {
        name: round(statistics.median(_repeat_ratios(figure, turns[of], turns[to])), 3)
        for name, (figure, of, to) in RATIOS.items()
        if {of, to} <= set(names)
    }
    return {"num_envs": num_envs, "open_s": round(bench.open_s, 2), "contenders": contenders, "ratios": ratios}


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


def _repeat_ratios(figure: str, of: list[Turn], to: list[Turn]) -> list[float]:
    """Return the ratio in each repeat, whose turns are adjacent in time."""
    return [getattr(a, figure) / getattr(b, figure) for a, b in zip(of, to, strict=True)]


def _release_memory(device: str) -> None:
    """Release the previous contender's memory, so that each is measured alone."""
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
    packages = ["torch", "isaaclab", "newton", "mujoco-warp", "warp-lang", "skrl", "rsl-rl-lib"]
    packages += ["ovphysx", "ovstage"] if arguments.physics else []
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
        "physics": arguments.physics,
        "steps": arguments.steps,
        "repeats": arguments.repeats,
        "settings": settings,
        "counts": [],
    }


def main() -> int:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num_envs", type=int, nargs="+", default=[1024, 4096, 8192, 16384])
    parser.add_argument("--device", help="cpu or cuda:0 (default: the first GPU if there is one)")
    parser.add_argument("--physics", help="physics preset, such as physx (default: Newton)")
    parser.add_argument("--steps", type=positive_int, default=240, help="control steps per turn (%(default)s)")
    parser.add_argument("--repeats", type=positive_int, default=5, help="turns of each (default: %(default)s)")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), help="default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()
    device = check_device(arguments.device)
    torch.set_float32_matmul_precision("high")
    result = _header(device, arguments)
    for num_envs in arguments.num_envs:
        with tempfile.TemporaryDirectory() as folder:
            chosen = {"physics": arguments.physics, "device": device, "seed": arguments.seed}
            frontend = "warp" if any(name.endswith("_warp") for name in arguments.contenders) else "torch"
            cfg = resolve(TrainCfg(num_envs=num_envs, run_dir=Path(folder) / "run", frontend=frontend, **chosen))
            measured = measure(cfg, arguments.steps, arguments.repeats, arguments.contenders)
        result["counts"].append(measured)
        write_json(arguments.output, result)
        print(json.dumps(measured, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
