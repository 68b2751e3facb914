"""Train, measure and record the comparisons: ``python benchmarks/learning.py --gpus 2 --parallel 5 --seconds 504``.

Each run is one command of :mod:`amp_helpers.train` (or of ``benchmarks/rivals.py``), followed by one of
:mod:`amp_helpers.evaluate` at the clip's speed. ``--parallel`` runs share each GPU. A run makes the recipe's number of
updates, or as many as ``--seconds`` of wall-clock time allow. Its result is recorded as soon as it ends, in the layout
of :mod:`amp_helpers.training.comparisons`; a recorded run is not repeated.

The kernels of runs that share a GPU execute one after the other, unless NVIDIA's MPS is running
(``nvidia-cuda-mps-control -d`` before, ``echo quit | nvidia-cuda-mps-control`` after). With it, five runs on an H100
reach 480,000 environment steps per second in total, against 206,500 of a single run.

To try the script on a CPU: ``--device cpu --num_envs 8 --seconds 60 --groups ours``.
"""

import argparse
import json
import os
import queue
import shlex
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from provenance import hardware

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError, run_cli
from amp_helpers.training import (
    DEMO_DATASET,
    REFINED_DATASET,
    Comparison,
    RecordedRun,
    Results,
    read_results,
    record_run,
    write_results,
)
from amp_helpers.utils.resources import recorded_path

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "benchmarks" / "results" / "gpu_comparisons.json"
TRAIN, RIVALS = ("-m", "amp_helpers.train"), ("benchmarks/rivals.py",)
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Group:
    """Runs that differ only in their seed."""

    arguments: tuple[str, ...] = ()
    program: tuple[str, ...] = TRAIN
    seeds: tuple[int, ...] = SEEDS
    updates: int | None = None
    """Number of updates; ``None`` for the recipe's, on which its schedules depend."""
    note: str = ""


AS_RETARGETED = ("--dataset", recorded_path(DEMO_DATASET))
REFINED = ("--dataset", recorded_path(REFINED_DATASET))
PUBLISHED = ("--recipe", "published")
MANY = 100_000
"""Number of updates that ``--seconds`` never allows."""
GROUPS = {
    "ours": Group(),
    "published": Group(PUBLISHED),
    "ours-feet-seen": Group(AS_RETARGETED),
    "ours-no-feet": Group((*AS_RETARGETED, "--drop_joints", "still", "feet")),
    "published-no-feet": Group((*PUBLISHED, "--drop_joints", "feet")),
    "published-refined": Group((*PUBLISHED, *REFINED)),
    "skrl": Group(program=RIVALS, updates=MANY, note="skrl's AMP class with the settings that Isaac Lab ships"),
    "no-style": Group(("--style_weight", "0", "--reference_share", "0")),
    "speeds": Group(("--dataset", "datasets/g1_walk_speeds.npz")),
}
COMPARISONS = (
    Comparison("recipe", "The recipe as published, or ours?", {"published": "as published", "ours": "ours"}),
    Comparison(
        "feet-published",
        "Feet in the recipe as published: seen, left out, or held to the ground?",
        {"published": "feet seen", "published-no-feet": "left out", "published-refined": "refined"},
    ),
    Comparison(
        "feet-ours",
        "Feet in ours: seen, left out, or held to the ground?",
        {"ours-feet-seen": "feet seen", "ours-no-feet": "left out", "ours": "refined"},
    ),
    Comparison("skrl", "skrl's own AMP class, or ours?", {"skrl": "skrl's", "ours": "ours"}),
    Comparison("style", "What does the style reward add?", {"no-style": "no style reward", "ours": "ours"}),
    Comparison("speeds", "The clip at one speed, or at five?", {"ours": "as it is", "speeds": "0.6 to 1.4 times it"}),
)


def commands(group: str, seed: int, folder: Path, args: argparse.Namespace) -> tuple[list, list]:
    """Return the commands that train and evaluate a run; ``CUDA_VISIBLE_DEVICES`` selects the GPU."""
    plan = GROUPS[group]
    size = ["--num_envs", args.num_envs, "--device", args.device, "--seed", seed]
    length = ["--max_seconds", args.seconds, *(["--max_iterations", plan.updates] if plan.updates else [])]
    train = [*plan.program, *size, *length, "--run_dir", folder, *plan.arguments]
    speed = round(MotionDataset.load(DEMO_DATASET).clips()[0].forward_speed, 2)
    envs = min(1024, 4 * args.num_envs)
    measure = ["-m", "amp_helpers.evaluate", "--checkpoint", folder, "--device", args.device, "--num_envs", envs]
    # Always against the unmodified clip, also for a policy trained on a refined one.
    measure += ["--velocity", speed, "--dataset", recorded_path(DEMO_DATASET), "--output", folder / "evaluation"]
    return [str(part) for part in train], [str(part) for part in measure]


def call(command: list[str], log: Path, gpu: int | None) -> None:
    """Run a Python command and write its output to ``log``."""
    environment = dict(os.environ) | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": str(gpu)})
    with open(log, "a") as file:
        line = [sys.executable, *command]
        result = subprocess.run(line, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT, env=environment, check=False)
    if result.returncode:
        raise InputError(f"{shlex.join(command)} failed with exit code {result.returncode}; see {log}")


def shell_line(command: list[str]) -> str:
    """Return a command as typed in a shell."""
    return "python " + shlex.join(command).replace(f"{ROOT}/", "")


def make_run(group: str, seed: int, gpu: int | None, args: argparse.Namespace) -> RecordedRun:
    """Train, evaluate and record one run."""
    name = f"{group}-{seed}"
    folder = args.runs / name
    train, measure = commands(group, seed, folder, args)
    log = args.runs / f"{name}.log"
    call(train, log, gpu)
    call(measure, log, gpu)
    (folder / "evaluation" / "rollout.npz").unlink()
    shared = f", shared by {args.parallel} runs" if args.parallel > 1 else ", alone"
    return record_run(
        folder,
        name=name,
        group=group,
        command=shell_line(train),
        hardware=hardware() if gpu is None else hardware(f"cuda:{gpu}") + shared,
        evaluation=shell_line(measure),
        metrics=folder / "evaluation" / "metrics.json",
        note=GROUPS[group].note,
    )


def merge(path: Path, run: RecordedRun) -> None:
    """Add a run to the file, replacing one of the same name, and list the comparisons that have runs to compare."""
    old = read_results(path) if path.exists() else Results((), ())
    runs = (*(other for other in old.runs if other.name != run.name), run)
    names = {comparison.name for comparison in COMPARISONS}
    groups = {recorded.group for recorded in runs}
    recorded = (replace(c, groups={k: v for k, v in c.groups.items() if k in groups}) for c in COMPARISONS)
    comparable = tuple(c for c in recorded if len(c.groups) > 1)
    write_results(path, Results((*(c for c in old.comparisons if c.name not in names), *comparable), runs))


def main() -> int:
    """Make the runs that are not yet recorded, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--seeds", nargs="+", type=int, help="seeds (default: 0 1 2)")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=1, help="simultaneous runs on each GPU")
    parser.add_argument("--device", choices=("cuda:0", "cpu"), default="cuda:0")
    parser.add_argument("--num_envs", type=int, default=4096)
    parser.add_argument("--seconds", type=float, default=504.0, help="limit on a run's wall-clock time, s")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "learning", help="parent of the run folders")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = parser.parse_args()
    args.runs = args.runs.resolve()
    args.runs.mkdir(parents=True, exist_ok=True)
    recorded = {run.name for run in read_results(args.output).runs} if args.output.exists() else set()
    wanted = [(group, seed) for group in args.groups for seed in args.seeds or GROUPS[group].seeds]
    todo: queue.SimpleQueue = queue.SimpleQueue()
    for group, seed in sorted(wanted, key=lambda pair: pair[1]):  # the first seed of every group first
        if f"{group}-{seed}" not in recorded:
            todo.put((group, seed))
    lock, failed = threading.Lock(), []

    def work(gpu: int | None) -> None:
        while True:
            try:
                group, seed = todo.get_nowait()
            except queue.Empty:
                return
            try:
                run = make_run(group, seed, gpu, args)
            except InputError as error:  # the other runs continue
                failed.append(str(error))
                continue
            with lock:
                merge(args.output, run)
                print(f"{run.name}: {run.updates} updates in {run.wall_s} s, {json.dumps(run.metrics)}", flush=True)

    gpus = [None] if args.device == "cpu" else [gpu for gpu in range(args.gpus) for _ in range(args.parallel)]
    threads = [threading.Thread(target=work, args=(gpu,)) for gpu in gpus]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise InputError("; ".join(failed))
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
