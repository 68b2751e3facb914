"""Measure training on several GPUs of one machine: ``torchrun --nproc_per_node 4 benchmarks/scaling.py --output FILE``.

Every process opens environments on a GPU of its own. Then 1, 2, 4, ... of them train together in turns, ``--repeats``
times, while the others wait without computing: so the ratios compare what was measured in the same minute, in the same
environments. A turn is training with default settings, as ``training`` in ``benchmarks/throughput.py``, with all that
the processes exchange. ``--frontend torch warp`` takes each turn with both steps, in the same environments, and writes
a file for each, named ``FILE_torch`` and ``FILE_warp``. ``--device cpu`` tries it without GPUs.

The JSON, and a figure of it beside it (``FILE.png``: speed and efficiency over environments of each process), are
written after every number of environments::

    command, commit, hardware, seed, frontend, versions{torch, isaaclab, ...}, date, steps, repeats
    counts: [{
        num_envs                      of each process
        processes: {N: {
            env_steps_per_s           of all N together, median of the repeats; repeats: [each]
            rollout_s                 median of the time between two updates, of each process; it differs between them
            update_s                  median of an update, of each process, with its waiting for the slowest
            traffic_mb                what each process hands over to be summed in an update, MB
            torch_peak_gib            torch.cuda.max_memory_allocated of the first process, null on a CPU
        }},
        speedup: {N: ...}             over one process, median of the ratios of each repeat
        apart                         the same over one process of all processes that train at once, each for itself:
                                      what the machine allows
    }]
"""

import argparse
import gc
import math
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amp_helpers.training.distributed import Launch, joined

LAUNCH = Launch.take()
"""Read before skrl is imported, which would open a process group of its own."""

# ruff: noqa: E402
# isort: split
import torch
from contenders import WARM_UP, Bench, Turn, positive_int, training
from provenance import provenance
from torch import distributed

from amp_helpers.agent.ranks import ALONE, Ranks
from amp_helpers.errors import run_cli
from amp_helpers.plots.benchmarks import scaling_curves
from amp_helpers.training import TrainCfg, resolve, write_json
from amp_helpers.utils import check_device

PACKAGES = ("torch", "isaaclab", "newton", "mujoco-warp", "warp-lang", "skrl")


@dataclass(frozen=True)
class CountingRanks(Ranks):
    """Ranks that count what this process hands over to be summed."""

    handed: list[int] | None = None
    """Bytes of each call."""

    def _reduce(self, values: torch.Tensor, operation: Any = distributed.ReduceOp.SUM) -> torch.Tensor:
        if self.handed is not None:
            self.handed.append(values.numel() * values.itemsize)
        return super()._reduce(values, operation)


def sizes(count: int) -> list[int]:
    """Return 1, 2, 4, ... up to ``count``, which is always the last."""
    powers = [2**power for power in range(count.bit_length())]
    return powers if powers[-1] == count else [*powers, count]


def measure(
    cfg: TrainCfg,
    frontends: Sequence[str],
    everyone: Ranks,
    teams: dict[int, Ranks],
    rollouts: int,
    repeats: int,
) -> dict[str, dict[str, Any]]:
    """Measure all teams at one number of environments, and return an element of the JSON's ``counts`` by front end.

    Args:
        cfg: of this process, resolved.
        frontends: whose steps to measure, ``torch`` or ``warp``.
        everyone: all processes.
        teams: number of processes -> those, for the teams that this process is in.
        rollouts: measured rollouts of a turn.
        repeats: turns of each team with each front end.
    """
    series = {frontend: _Series(teams) for frontend in frontends}
    with Bench.open(cfg, {}, rollouts) as bench:
        for repeat in range(repeats):
            for frontend, of in series.items():
                setattr(bench.lab, "by_mask", frontend == "warp")  # noqa: B010 - Isaac Lab's class has no such field
                for size in sizes(everyone.size):
                    _release_memory(str(cfg.device))
                    everyone.any(False)  # no team starts before the one before has ended
                    if size not in teams:
                        continue
                    of.measure(bench, size)
                    if everyone.first:
                        rate = of.turns[size][-1].rate * size * bench.lab.num_envs
                        what = f"{bench.lab.num_envs} environments each, {frontend}, {size}, {repeat + 1}"
                        print(f"{what}: {rate:,.0f}/s", flush=True)
                _release_memory(str(cfg.device))
                everyone.any(False)
                of.apart.append(training(bench))
        everyone.any(False)
        num_envs = bench.lab.num_envs
    return {frontend: {"num_envs": num_envs} | of.result(everyone, num_envs) for frontend, of in series.items()}


class _Series:
    """The turns of all teams with one front end."""

    def __init__(self, teams: dict[int, Ranks]) -> None:
        self._teams = teams
        self.turns: dict[int, list[Turn]] = {size: [] for size in teams}
        self.apart: list[Turn] = []
        self._traffic: dict[int, float] = {}
        self._peaks: dict[int, float | None] = {}

    def measure(self, bench: Bench, size: int) -> None:
        """Add a turn of a team; all of its processes call this."""
        team, handed = self._teams[size], []
        counting = CountingRanks(team.rank, team.size, team.group, handed)
        self.turns[size].append(training(bench, ALONE if size == 1 else counting))
        self._traffic[size] = round(sum(handed) / (bench.rollouts + WARM_UP) / 1e6, 2)
        self._peaks[size] = _peak(str(bench.cfg.device))

    def result(self, everyone: Ranks, num_envs: int) -> dict[str, Any]:
        """Return what the JSON says of these turns; all processes call this."""
        times = {size: _of_each(self._teams[size], turns) for size, turns in self.turns.items()}
        independent = [float(rate) for rate in everyone.texts(str(statistics.median(turn.rate for turn in self.apart)))]
        rates = {size: [turn.rate * size * num_envs for turn in turns] for size, turns in self.turns.items()}
        processes = {
            str(size): {
                "env_steps_per_s": round(statistics.median(of), 1),
                "repeats": [round(rate, 1) for rate in of],
                **times[size],
                "traffic_mb": self._traffic[size],
                "torch_peak_gib": self._peaks[size],
            }
            for size, of in rates.items()
        }
        speedup = {
            str(size): round(statistics.median(a / b for a, b in zip(of, rates[1], strict=True)), 3)
            for size, of in rates.items()
            if 1 in rates
        }
        one = statistics.median(turn.rate for turn in self.turns[1]) if 1 in self.turns else math.nan
        return {"processes": processes, "speedup": speedup, "apart": round(sum(independent) / one, 3)}


def _of_each(team: Ranks, turns: list[Turn]) -> dict[str, list[float]]:
    """What each process of a team took; all of them call this."""
    update = statistics.median(turn.update for turn in turns)
    rollout = statistics.median((turn.seconds - sum(turn.updates)) / len(turn.updates) for turn in turns)
    pairs = [text.split() for text in team.texts(f"{rollout:.4f} {update:.4f}")]
    return {"rollout_s": [float(pair[0]) for pair in pairs], "update_s": [float(pair[1]) for pair in pairs]}


def _release_memory(device: str) -> None:
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: str) -> float | None:
    return round(torch.cuda.max_memory_allocated(device) / 2**30, 2) if device.startswith("cuda") else None


def _teams(everyone: Ranks) -> dict[int, Ranks]:
    """Number of processes -> the first so many, where this one is among them; all processes call this."""
    found = {}
    for size in sizes(everyone.size):
        group = distributed.new_group(list(range(size))) if everyone.size > 1 else None
        if everyone.rank < size:
            assert not isinstance(group, int), "the number of a group that this process is not in"
            found[size] = Ranks(everyone.rank, size, group)
    return found


def _header(device: str, frontend: str, arguments: argparse.Namespace) -> dict[str, Any]:
    origin = provenance(device)
    origin["command"] = origin["command"].replace("python", f"torchrun --nproc_per_node {LAUNCH.size}", 1)
    origin["hardware"] = origin["hardware"].replace("one ", f"{LAUNCH.size} x ", 1)
    return origin | {
        "seed": arguments.seed,
        "frontend": frontend,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "versions": {name: version(name) for name in PACKAGES},
        "steps": arguments.rollouts * TrainCfg().agent.rollouts,
        "repeats": arguments.repeats,
        "counts": [],
    }


def main() -> int:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num_envs", type=positive_int, nargs="+", default=[4096, 512, 1024, 2048, 8192, 16384])
    parser.add_argument("--device", choices=("cuda", "cpu"), help="default: the GPUs if there are any")
    parser.add_argument("--rollouts", type=positive_int, default=10, help="measured rollouts a turn (%(default)s)")
    parser.add_argument("--repeats", type=positive_int, default=3, help="turns of each (default: %(default)s)")
    parser.add_argument(
        "--frontend", nargs="+", choices=("torch", "warp"), default=["torch"], help="steps (default: torch)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()
    device = check_device(LAUNCH.device(arguments.device))
    torch.set_float32_matmul_precision("high")
    frontends, output = list(dict.fromkeys(arguments.frontend)), arguments.output
    results = {frontend: _header(device, frontend, arguments) for frontend in frontends}
    files = {name: output if len(frontends) == 1 else output.with_stem(f"{output.stem}_{name}") for name in frontends}
    with joined(LAUNCH, device) as everyone:
        teams = _teams(everyone)
        for num_envs in arguments.num_envs:
            with tempfile.TemporaryDirectory() as folder:
                run = TrainCfg(num_envs=num_envs, device=device, frontend="warp" if "warp" in frontends else "torch")
                cfg = resolve(replace(run, seed=arguments.seed + LAUNCH.rank, run_dir=Path(folder) / "run"))
                measured = measure(cfg, frontends, everyone, teams, arguments.rollouts, arguments.repeats)
            for frontend, result in results.items():
                result["counts"].append(measured[frontend])
                if everyone.first:
                    write_json(files[frontend], result)
                    scaling_curves(files[frontend]).savefig(files[frontend].with_suffix(".png"), bbox_inches="tight")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
