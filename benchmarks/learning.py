"""Train, measure and record the comparisons: ``python benchmarks/learning.py --gpus 2 --parallel 5 --seconds 504``.

Each run is one command of :mod:`amp_helpers.train` (or of ``benchmarks/rivals.py``), followed by one of
:mod:`amp_helpers.evaluate` at the clip's own speed. Runs go side by side, ``--parallel`` of them on each GPU, all with
the recipe's number of updates if ``--seconds`` of wall clock have room for them. What a run came to is recorded as soon
as it has ended, in the layout of :mod:`amp_helpers.training.comparisons`; a recorded run is not repeated.

Runs that share a GPU take turns on it, unless NVIDIA's MPS lets their kernels run together
(``nvidia-cuda-mps-control -d`` before, ``echo quit | nvidia-cuda-mps-control`` after): five runs on an H100 then make
480,000 environment steps a second between them, where one alone makes 206,500.

On a CPU, to try the script: ``--device cpu --num_envs 8 --seconds 60 --groups ours``.
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
    """Runs that differ by their seed alone."""

    arguments: tuple[str, ...] = ()
    program: tuple[str, ...] = TRAIN
    seeds: tuple[int, ...] = SEEDS
    updates: int | None = None
    """``None`` is the recipe's own number, by which its schedule goes."""
    note: str = ""


AS_RETARGETED = ("--dataset", recorded_path(DEMO_DATASET))
REFINED = ("--dataset", recorded_path(REFINED_DATASET))
PUBLISHED = ("--recipe", "published")
MANY = 100_000
"""Updates, more than the wall clock has room for."""
GROUPS = {
    "ours": Group(),
    "published": Group(PUBLISHED),
    "ours-feet-seen": Group(AS_RETARGETED),
    "ours-no-feet": Group((*AS_RETARGETED, "--drop_joints", "still", "feet")),
    "published-no-feet": Group((*PUBLISHED, "--drop_joints", "feet")),
    "published-refined": Group((*PUBLISHED, *REFINED)),
    "skrl": Group(program=RIVALS, updates=MANY, note="skrl's AMP class, settings as Isaac Lab ships them"),
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
    """The command that trains a run, and the one that measures it; a GPU is chosen by ``CUDA_VISIBLE_DEVICES``."""
    plan = GROUPS[group]
    size = ["--num_envs", args.num_envs, "--device", args.device, "--seed", seed]
    length = ["--max_seconds", args.seconds, *(["--max_iterations", plan.updates] if plan.updates else [])]
    train = [*plan.program, *size, *length, "--run_dir", folder, *plan.arguments]
    speed = round(MotionDataset.load(DEMO_DATASET).clips()[0].forward_speed, 2)
    envs = min(1024, 4 * args.num_envs)
    measure = ["-m", "amp_helpers.evaluate", "--checkpoint", folder, "--device", args.device, "--num_envs", envs]
    # Always against the clip as it is, also for a policy that learnt from a mended one.
    measure += ["--velocity", speed, "--dataset", recorded_path(DEMO_DATASET), "--output", folder / "evaluation"]
    return [str(part) for part in train], [str(part) for part in measure]


def call(command: list[str], log: Path, gpu: int | None) -> None:
    """Run a Python command with its output in ``log``."""
    environment = dict(os.environ) | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": str(gpu)})
    with open(log, "a") as file:
        whole = [sys.executable, *command]
        done = subprocess.run(whole, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise InputError(f"{shlex.join(command)} ended with {done.returncode}; {log} says why")


def spoken(command: list[str]) -> str:
    """A command as a reader would type it."""
    return "python " + shlex.join(command).replace(f"{ROOT}/", "")


def make(group: str, seed: int, gpu: int | None, args: argparse.Namespace) -> RecordedRun:
    """Train, measure and record one run."""
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
        command=spoken(train),
        hardware=hardware() if gpu is None else hardware(f"cuda:{gpu}") + shared,
        evaluation=spoken(measure),
        metrics=folder / "evaluation" / "metrics.json",
        note=GROUPS[group].note,
    )


def merge(path: Path, run: RecordedRun) -> None:
    """Add a run to the file, in place of one of the same name, with what it can say of every comparison."""
    old = read_results(path) if path.exists() else Results((), ())
    runs = (*(other for other in old.runs if other.name != run.name), run)
    names = {comparison.name for comparison in COMPARISONS}
    groups = {recorded.group for recorded in runs}
    recorded = (replace(c, groups={k: v for k, v in c.groups.items() if k in groups}) for c in COMPARISONS)
    answered = tuple(c for c in recorded if len(c.groups) > 1)
    write_results(path, Results((*(c for c in old.comparisons if c.name not in names), *answered), runs))


def main() -> int:
    """Make the runs that are not recorded yet, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--seeds", nargs="+", type=int, help="instead of the groups' own, 0 1 2")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=1, help="runs side by side on a GPU")
    parser.add_argument("--device", choices=("cuda:0", "cpu"), default="cuda:0")
    parser.add_argument("--num_envs", type=int, default=4096)
    parser.add_argument("--seconds", type=float, default=504.0, help="most wall clock of a training run")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "learning", help="folder for the run folders")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = parser.parse_args()
    args.runs = args.runs.resolve()
    args.runs.mkdir(parents=True, exist_ok=True)
    recorded = {run.name for run in read_results(args.output).runs} if args.output.exists() else set()
    wanted = [(group, seed) for group in args.groups for seed in args.seeds or GROUPS[group].seeds]
    todo: queue.SimpleQueue = queue.SimpleQueue()
    for group, seed in sorted(wanted, key=lambda pair: pair[1]):  # the first seed of every group comes first
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
                run = make(group, seed, gpu, args)
            except InputError as error:  # the others go on
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
