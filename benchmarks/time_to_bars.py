"""Time from process start to a walk within the bars, with several GPUs: ``python benchmarks/time_to_bars.py``.

Trains the default recipe with each number of ``--processes`` in turn, a GPU each, and keeps a checkpoint every
``--interval`` updates. Afterwards each is measured, in order, at the speed of the clip. The action noise is annealed
over the same share of the updates as by default. Several processes see several times as many environments in an update,
so they need fewer. Writes JSON::

    command, commit, hardware, seed, date, measured{num_envs, seconds, velocity}, bars{METRIC: [least, most]}
    runs: [{
        processes, num_envs, updates  num_envs of each process
        command
        wall_s                        of the whole training, from process start to process end
        to_bars                       {updates, wall_s} of the first checkpoint within the bars, null where none is
        checkpoints: [{updates, wall_s, metrics{...}}]    wall_s from process start until the file was written
    }]
"""

import argparse
import math
import os
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from contenders import positive_int
from provenance import provenance

from amp_helpers.errors import InputError, run_cli
from amp_helpers.measure import MeasuringSetup
from amp_helpers.measure.isaaclab import opened
from amp_helpers.metrics.conditions import WARMUP_S
from amp_helpers.metrics.policy import evaluate_rollout
from amp_helpers.training import TrainCfg, write_json
from amp_helpers.training.checkpoints import find_checkpoint, numbered_files
from amp_helpers.training.policy import load_policy
from amp_helpers.utils import check_device

BARS = {
    "falls_per_env_10s": (0.0, 0.01),
    "velocity_error_mps": (0.0, 0.05),
    "gait_frequency_ratio": (0.9, 1.1),
    "pose_rmse_rad": (0.0, 0.05),
    "coverage_rmse_rad": (0.0, 0.05),
}
"""Metric -> least and most; those of docs/results.md."""
SPEED_MPS = 0.75
"""Speed of the clip."""


def within(metrics: dict[str, float]) -> bool:
    """Whether all bars are met."""
    return all(least <= metrics[name] <= most for name, (least, most) in BARS.items())


def train(folder: Path, processes: int, num_envs: int, updates: int, interval: int, options: list[str]) -> Any:
    """Train, and return a run of the JSON without what is measured."""
    usual = TrainCfg()
    annealed = round(updates * usual.agent.final_std_updates / usual.max_iterations)
    line = ["-m", "amp_helpers.train", "--headless", "--num_envs", str(num_envs), "--max_iterations", str(updates)]
    line += ["--final_std_updates", str(annealed), "--checkpoint_interval", str(interval), *options]
    if processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        line = [*launcher, *line, "--distributed"]
    started = time.time()
    done = subprocess.run([sys.executable, *line, "--run_dir", str(folder)], env=dict(os.environ), check=False)
    wall_s = time.time() - started
    if done.returncode:
        raise InputError(f"{folder}: training ended with code {done.returncode}; see its output above")
    files = [*reversed(numbered_files(folder / "checkpoints")), find_checkpoint(folder).file]
    return {
        "processes": processes,
        "num_envs": num_envs,
        "updates": updates,
        "command": f"python {shlex.join(line)}",
        "wall_s": round(wall_s, 1),
        "to_bars": None,
        "checkpoints": [
            {"file": file, "wall_s": round(file.stat().st_mtime - started, 1)} for file in dict.fromkeys(files)
        ],
    }


def measure(run: dict[str, Any], setup: MeasuringSetup, first: int) -> None:
    """Measure the checkpoints of a run of the JSON from update ``first`` on, and fill in what they say."""
    command = (SPEED_MPS, 0.0)
    for entry in run["checkpoints"]:
        entry["updates"] = find_checkpoint(entry["file"]).updates
    run["checkpoints"] = [entry for entry in run["checkpoints"] if entry["updates"] >= first]
    with opened(setup, [command]) as measured:
        for entry in run["checkpoints"]:
            file = entry.pop("file")
            walk = replace(measured, policy=load_policy(file, measured.env)).hold(command, setup.duration_s)
            metrics = evaluate_rollout(walk, measured.references.nearest(command), WARMUP_S)
            entry["metrics"] = {n: round(v, 5) if math.isfinite(v) else None for n, v in metrics.items()}
            if within(metrics) and run["to_bars"] is None:
                run["to_bars"] = {name: entry[name] for name in ("updates", "wall_s")}


def main() -> int:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=positive_int, nargs="+", default=[1, 2, 4], help="default: 1 2 4")
    parser.add_argument("--num_envs", type=positive_int, nargs="+", default=[4096], help="of each process, by run")
    parser.add_argument("--updates", type=positive_int, nargs="+", default=[450], help="by run; the last counts on")
    parser.add_argument("--interval", type=positive_int, default=25, help="updates between checkpoints (%(default)s)")
    parser.add_argument("--first", type=positive_int, default=1, help="update of the first one measured")
    parser.add_argument("--envs_measured", type=positive_int, default=256)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time of a checkpoint (%(default)s)")
    parser.add_argument("--device", choices=("cuda", "cpu"), help="default: the GPUs if there are any")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    arguments, options = parser.parse_known_args()
    device = check_device(arguments.device)
    options += ["--seed", str(arguments.seed), *(["--device", "cpu"] if device == "cpu" else [])]
    origin = provenance(device)
    report: dict[str, Any] = origin | {
        "hardware": origin["hardware"].replace("one ", f"up to {max(arguments.processes)} x ", 1),
        "seed": arguments.seed,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "measured": {"num_envs": arguments.envs_measured, "seconds": arguments.seconds, "velocity": SPEED_MPS},
        "bars": BARS,
        "runs": [],
    }
    torch.set_float32_matmul_precision("high")
    for number, processes in enumerate(arguments.processes):
        num_envs, updates = (of[min(number, len(of) - 1)] for of in (arguments.num_envs, arguments.updates))
        folder = arguments.runs / f"{processes}x{num_envs}"
        run = train(folder, processes, num_envs, updates, arguments.interval, options)
        measure(
            run,
            MeasuringSetup(
                checkpoint=folder,
                num_envs=arguments.envs_measured,
                seconds=arguments.seconds,
                device=device,
                dataset="datasets/g1_walk.npz",
            ),
            arguments.first,
        )
        report["runs"].append(run)
        write_json(arguments.output, report)
        print(f"{processes} x {num_envs}: {run['wall_s']} s in all, within the bars at {run['to_bars']}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
