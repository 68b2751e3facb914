"""Training beside other work on the same cores: ``python benchmarks/contention.py``.

Training of few environments on a CPU alternates short parallel regions, after each of which OpenMP's threads wait for
each other. A thread that waits by spinning takes the core that the thread it waits for needs, when another process is
busy too. For each setting in :data:`SETTINGS`, one training run goes through these phases in turn, ``--rounds`` times,
so that their ratios are meaningful on a noisy machine:

``alone``
    nothing else runs.
``busy_loop``
    beside one process that computes without pause.
``openmp_job``
    beside a foreign program that multiplies matrices on one core.

The JSON::

    command, commit, hardware, num_envs, rounds, updates
    settings{NAME: {
        environment               variables that the run is started with; unset ones are the project's choice
        PHASE: {
            update_s              median duration of an update, s; all: [each]
            ratio                 over the run's own ``alone``
        }
        alone_over_spinning       over ``alone`` of libgomp's own default
    }}
    notebooks{NAME: {alone_s, busy_loop_s, ratio}}     whole notebooks with ``--notebooks``
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from provenance import provenance

from amp_helpers.errors import atomic_path, run_cli
from amp_helpers.training import read_run, request_stop

ROOT = Path(__file__).resolve().parents[1]
_THREADS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SETTINGS: dict[str, dict[str, str]] = {
    "project": {},
    "spinning": {"GOMP_SPINCOUNT": "300000"},
    "one_thread": {"OMP_NUM_THREADS": "1"},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
}
"""Environment variables of a run; ``spinning`` is libgomp's own default, written out."""
PHASES: dict[str, str | None] = {
    "alone": None,
    "busy_loop": "while True: pass",
    "openmp_job": "import torch; torch.set_num_threads(1); a = torch.ones(256, 256)\nwhile True: a @ a",
}
"""Phase -> program that runs beside the training."""


@contextmanager
def beside(program: str | None) -> Iterator[None]:
    """Run a Python program during the block."""
    if program is None:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", program], env=_environment({}))
    try:
        time.sleep(3.0)  # imports
        yield
    finally:
        process.kill()
        process.wait()


def measure(setting: Mapping[str, str], num_envs: int, rounds: int, updates: int) -> dict[str, list[float]]:
    """Return the durations of updates in each phase of one training run, s."""
    durations: dict[str, list[float]] = {phase: [] for phase in PHASES}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run.mkdir()
        options = ["--num_envs", str(num_envs), "--device", "cpu", "--max_iterations", "100000", "--run_dir", str(run)]
        command = [sys.executable, "-m", "amp_helpers.train", *options]
        with (run / "output.txt").open("wb") as output:
            training = subprocess.Popen(
                command, cwd=ROOT, env=_environment(setting), stdout=output, stderr=subprocess.STDOUT
            )
        try:
            _wait_for_updates(run, training, 2)  # the first ones compile and allocate
            for _ in range(rounds):
                for phase, program in PHASES.items():
                    with beside(program):
                        before = len(read_run(run).updates) + 1  # the update in which the phase began
                        times = _wait_for_updates(run, training, before + updates)[before - 1 :]
                    durations[phase] += [b - a for a, b in pairwise(times)][:updates]
        finally:
            request_stop(run)
            training.wait()
    return durations


def _wait_for_updates(run: Path, training: subprocess.Popen[bytes], count: int) -> list[float]:
    """Wait until a run has made ``count`` updates, and return the times of all."""
    while training.poll() is None:
        updates = read_run(run).updates
        if len(updates) >= count:
            return [update.wall_s for update in updates]
        time.sleep(0.1)
    raise RuntimeError(f"training ended early: {(run / 'output.txt').read_text()[-1000:]}")


def time_notebook(name: str) -> dict[str, float]:
    """Execute a notebook alone and beside a busy loop, and return how long each took, s."""
    seconds = {}
    for phase in ("alone", "busy_loop"):
        with tempfile.TemporaryDirectory() as output, beside(PHASES[phase]):
            command = [sys.executable, "-m", "amp_helpers.pipeline", "--notebooks", name, "--output", output]
            started = time.monotonic()
            subprocess.run(command, cwd=ROOT, env=_environment({}), stdout=subprocess.DEVNULL, check=True)
            seconds[f"{phase}_s"] = round(time.monotonic() - started, 1)
    return seconds | {"ratio": round(seconds["busy_loop_s"] / seconds["alone_s"], 2)}


def _environment(setting: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _THREADS}
    return kept | {"PYTHONPATH": str(ROOT)} | dict(setting)


def main() -> None:
    """Measure every setting, print, and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--num_envs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3, help="times that each phase is measured")
    parser.add_argument("--updates", type=int, default=4, help="updates of a phase")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument(
        "--notebooks", nargs="+", metavar="NAME", default=[], help="also time these, such as 04_amp_training"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "contention.json")
    args = parser.parse_args()
    settings: dict[str, Any] = {}
    for name in args.settings:
        durations = measure(SETTINGS[name], args.num_envs, args.rounds, args.updates)
        alone = statistics.median(durations["alone"])
        settings[name] = {"environment": SETTINGS[name]} | {
            phase: {
                "update_s": round(statistics.median(each), 2),
                "ratio": round(statistics.median(each) / alone, 2),
                "all": [round(duration, 2) for duration in each],
            }
            for phase, each in durations.items()
        }
        print(name, *(f"{phase} {settings[name][phase]['update_s']} s" for phase in PHASES), sep="  ", flush=True)
    if "spinning" in settings:
        for setting in settings.values():
            setting["alone_over_spinning"] = round(
                setting["alone"]["update_s"] / settings["spinning"]["alone"]["update_s"], 2
            )
    notebooks: dict[str, dict[str, float]] = {}
    for name in args.notebooks:
        notebooks[name] = time_notebook(name)
        print(name, notebooks[name], flush=True)
    sizes = {"num_envs": args.num_envs, "rounds": args.rounds, "updates": args.updates}
    with atomic_path(args.output) as path:
        path.write_text(
            json.dumps(provenance() | sizes | {"settings": settings, "notebooks": notebooks}, indent=2) + "\n"
        )


if __name__ == "__main__":
    sys.exit(run_cli(main))
