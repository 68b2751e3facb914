"""Is each bar of the locomotion policy met? ``python benchmarks/locomotion_bars.py --checkpoint P --output FILE``.

Measures a grid of commands, the same grid with pushes and everything randomized, and steps of the command; prints each
bar with the worst value, and the command that it was measured at. ``--read FILE`` prints a file again. Writes JSON::

    command, commit, hardware, policy, num_envs, seconds, seed
    grid, pushed: rows of grid.json, without and with pushes and randomization
    steps: metrics.json of the steps of the command
    bars: [{bar, limit, worst, at, met}]
"""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from provenance import provenance

from amp_helpers import InputError, Table
from amp_helpers.errors import run_cli
from amp_helpers.utils.devices import check_device

WALK_MPS = 0.75
"""Speed at which smoothness is compared with ``policies/g1_walk``, m/s."""
STEPS_MPS = (0.0, 1.0, 2.0, 0.0)

Row = Mapping[str, Any]


def straight(row: Row) -> bool:
    return row["turn"] == 0


def turning(row: Row) -> bool:
    return row["turn"] != 0


def standing(row: Row) -> bool:
    return row["turn"] == 0 and row["forward"] == 0


def slow(row: Row) -> bool:
    return straight(row) and row["forward"] <= 1.2


def fast(row: Row) -> bool:
    return straight(row) and row["forward"] > 1.2


def walking(row: Row) -> bool:
    """The references stand or walk."""
    return straight(row) and row["forward"] < 2.0


def running(row: Row) -> bool:
    """The references run."""
    return straight(row) and row["forward"] >= 2.0


def compared(row: Row) -> bool:
    return row["forward"] == WALK_MPS and straight(row)


@dataclass(frozen=True)
class Bar:
    """The largest value that a metric may have, or its range, over some rows of a measurement."""

    name: str
    metric: str
    most: float
    rows: Callable[[Row], bool] = lambda row: True
    least: float = -math.inf
    measured: str = "grid"
    """``grid``, ``pushed`` or ``steps``."""

    @property
    def limit(self) -> str:
        return f"≤ {self.most:g}" if self.least == -math.inf else f"{self.least:g} to {self.most:g}"


BARS = (
    Bar("speed, up to 1.2 m/s", "tracking_rmse_mps", 0.08, slow),
    Bar("speed, above", "tracking_rmse_mps", 0.15, fast),
    Bar("drift", "drift_mps", 0.03, lambda row: straight(row) and not standing(row)),
    Bar("turning, yaw rate", "turn_error_radps", 0.1, turning),
    Bar("turning, speed", "tracking_rmse_mps", 0.1, turning),
    Bar("standing, net travel", "drift_mps", 0.02, standing),
    Bar("standing, lift-offs", "lift_offs_per_env_10s", 0.0, standing),
    Bar("standing, falls", "falls_per_env_10s", 0.0, standing),
    Bar("falls", "falls_per_env_10s", 0.005),
    Bar("falls, pushed and randomized", "falls_per_env_10s", 0.05, measured="pushed"),
    Bar(
        "stride frequency over the clip's",
        "gait_frequency_ratio",
        1.1,
        lambda row: straight(row) and row["forward"] >= 0.45,
        least=0.9,
    ),
    Bar("poses, standing and walking", "pose_rmse_rad", 0.06, walking),
    Bar("coverage, standing and walking", "coverage_rmse_rad", 0.06, walking),
    Bar("poses, running", "pose_rmse_rad", 0.08, running),
    Bar("coverage, running", "coverage_rmse_rad", 0.08, running),
    Bar("response to a step", "response_s", 1.5, measured="steps"),
    Bar("falls during steps", "falls_per_env_10s", 0.0, measured="steps"),
    # evaluate --checkpoint g1_walk --velocity 0.75, 16 environments on a CPU.
    Bar("action rate of g1_walk", "action_rate", 0.091, compared),
    Bar("power of g1_walk, W", "mechanical_power_w", 82.1, compared),
    Bar("skate of g1_walk, m/s", "foot_skate_mps", 0.108, compared),
)
"""The bars: three seeds, 1024 environments for each command."""


def judge(bar: Bar, rows: Sequence[Row]) -> dict[str, Any]:
    """Return a bar with the worst value over its rows, where it was measured, and whether it is met.

    An undefined value does not meet a bar. A bar without a row is not met either: ``worst`` is then ``None``.
    """
    chosen = [row for row in rows if bar.rows(row)]

    def excess(row: Row) -> float:
        value = row.get(bar.metric)
        return math.inf if value is None else max(value - bar.most, bar.least - value)

    result: dict[str, Any] = {"bar": bar.name, "limit": bar.limit, "worst": None, "at": None, "met": False}
    if not chosen:
        return result
    worst = max(chosen, key=excess)
    at = "" if bar.measured == "steps" else f"{worst['forward']:g} m/s, {worst['turn']:g} rad/s"
    return result | {"worst": worst.get(bar.metric), "at": at, "met": excess(worst) <= 0}


def judge_all(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Judge each bar by a report's ``grid``, ``pushed`` and ``steps``."""
    rows = {"grid": report["grid"], "pushed": report["pushed"], "steps": [report["steps"]]}
    return [judge(bar, rows[bar.measured]) for bar in BARS]


def bars_table(judged: Sequence[Mapping[str, Any]]) -> Table:
    """Bar by bar, those that are not met marked."""
    rows = []
    for row in judged:
        worst = math.nan if row["worst"] is None else row["worst"]
        rows.append((row["bar"], row["limit"], worst, row["at"] or "", "met" if row["met"] else "NOT MET"))
    missed = frozenset(number for number, row in enumerate(judged) if not row["met"])
    return Table(("bar", "limit", "worst", "at", ""), rows, missed)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Measure a policy in three environments opened one after the other."""
    from amp_helpers.evaluate import evaluate, evaluate_grid
    from amp_helpers.measure import MeasuringSetup
    from amp_helpers.metrics import GRID

    setup = MeasuringSetup(
        checkpoint=args.checkpoint, num_envs=args.num_envs, device=args.device, seed=args.seed, seconds=args.seconds
    )
    folder, commands = args.output.with_suffix(""), (*GRID, (WALK_MPS, 0.0))
    evaluate_grid(setup, folder / "grid", commands=commands)
    print("grid measured", flush=True)
    evaluate_grid(replace(setup, pushes=True, randomize=True), folder / "pushed", commands=commands)
    print("grid measured with pushes and randomization", flush=True)
    evaluate(replace(setup, seconds=MeasuringSetup.seconds), folder / "steps", steps=STEPS_MPS)
    return {
        "grid": json.loads((folder / "grid" / "grid.json").read_text()),
        "pushed": json.loads((folder / "pushed" / "grid.json").read_text()),
        "steps": json.loads((folder / "steps" / "metrics.json").read_text()),
    }


def main() -> int:
    """Measure or read, and print a line for each bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--read", type=Path, help="print this file's bars instead of measuring")
    parser.add_argument("--num_envs", type=int, default=16, help="environments for each command")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time for each command, s, after 3 s")
    parser.add_argument("--device", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON; the evaluations go to a folder of its name")
    args = parser.parse_args()
    if args.read:
        report = json.loads(args.read.read_text())
    elif not args.checkpoint or not args.output:
        raise InputError("nothing to measure; give --checkpoint and --output, or --read")
    else:
        from amp_helpers.training import write_json

        report = measure(args)
        kept = {"policy": str(args.checkpoint), "num_envs": args.num_envs, "seconds": args.seconds, "seed": args.seed}
        report = provenance(check_device(args.device)) | kept | report
        write_json(args.output, report | {"bars": judge_all(report)})
    judged = judge_all(report)
    print(bars_table(judged))
    print(f"{sum(row['met'] for row in judged)} of {len(judged)} bars met")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
