"""Measure the parts of a control step: ``python benchmarks/step_parts.py --num_envs 4096 --device cuda:0``.

The environment alone and training alternate in one process, as in ``benchmarks/throughput.py``, each with Isaac Lab's
step and with the recorded one (``_warp``), with a timer around each part of a step. Times are those of the host. In
Isaac Lab's step it waits for the GPU in ``environment``, to read which episodes have ended; with the recorded step it
runs ahead of the GPU, and waits where the GPU's queue is full. Writes JSON::

    command, commit, hardware, num_envs, rollouts, repeats: [{CONTENDER: {env_steps_per_s, ms: {PART: a step}}}]
"""

import argparse
import contextlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from contenders import CONTENDERS, WARM_UP, Bench, positive_int
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.sim import SimulationContext
from provenance import provenance
from skrl.agents.torch import Agent

from amp_helpers.agent import AmpAgent
from amp_helpers.agent.rollout import Rollout
from amp_helpers.amp_state import AmpSource
from amp_helpers.env import AmpEnv
from amp_helpers.env.captured import CapturedEnv
from amp_helpers.env.stages import Stage
from amp_helpers.errors import run_cli
from amp_helpers.training import TrainCfg, resolve, write_json
from amp_helpers.utils import DeferredQueue, check_device

PARTS = {
    "environment": (CapturedEnv, "step"),
    "environment: physics": (SimulationContext, "step"),
    "environment: recorded parts": (Stage, "__call__"),
    "environment: deferred work": (DeferredQueue, "run"),
    "environment: resets": (ManagerBasedRLEnv, "_reset_idx"),
    "environment: last frames before resets": (AmpSource, "_capture"),
    "environment: last states before time-outs": (AmpEnv, "_capture"),
    "windows": (AmpSource, "step"),
    "acting": (AmpAgent, "act"),
    "storing": (Rollout, "store"),
    "update": (AmpAgent, "learn"),
    "TensorBoard": (Agent, "write_tracking_data"),
}
"""Part: its method. Storing a step and TensorBoard are deferred work, which is included in the environment's step."""
Span = tuple[float, float]
"""Start and duration of a call, s."""


@contextlib.contextmanager
def timers() -> Iterator[dict[str, list[Span]]]:
    """Record every call of every part, in order, until exit."""
    spans: dict[str, list[Span]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        for part, (owner, name) in PARTS.items():
            stack.enter_context(_timer(owner, name, spans[part]))
        yield spans


@contextlib.contextmanager
def _timer(owner: type, name: str, spans: list[Span]) -> Iterator[None]:
    """Wrap a method on its class until exit; no hook of Isaac Lab covers the start and the end of a part."""
    method = getattr(owner, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return method(*args, **kwargs)
        finally:
            spans.append((start, time.perf_counter() - start))

    setattr(owner, name, timed)
    try:
        yield
    finally:
        setattr(owner, name, method)


def step_times(spans: dict[str, list[Span]], warm_up: int) -> dict[str, float]:
    """Return the mean time of each part per step, ms, without the first ``warm_up`` steps and their updates."""
    begin, steps = spans["environment"][warm_up][0], len(spans["environment"]) - warm_up
    return {
        part: round(1000 * sum(seconds for start, seconds in calls if start >= begin) / steps, 3)
        for part, calls in spans.items()
    }


def main() -> int:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num_envs", type=int, default=4096)
    parser.add_argument("--device", help="cpu or cuda:0 (default: the first GPU if there is one)")
    parser.add_argument("--rollouts", type=positive_int, default=10, help="rollouts per turn (default: %(default)s)")
    parser.add_argument("--repeats", type=positive_int, default=3, help="turns of each (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    args = parser.parse_args()
    device = check_device(args.device)
    torch.set_float32_matmul_precision("high")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        run = TrainCfg(num_envs=args.num_envs, device=device, run_dir=Path(folder) / "run")
        cfg = resolve(replace(run, frontend="warp"))
        with timers() as spans, Bench.open(cfg, {}, args.rollouts) as bench:
            for _ in range(args.repeats):
                rows.append({})
                for name in ("environment", "training", "environment_warp", "training_warp"):
                    for part in spans.values():
                        part.clear()
                    turn = CONTENDERS[name](bench)
                    rate = round(turn.rate * cfg.num_envs, 1)
                    rows[-1][name] = {"env_steps_per_s": rate, "ms": step_times(spans, WARM_UP * cfg.agent.rollouts)}
                    print(f"{name}: {rate:,.0f}/s, {rows[-1][name]['ms']}", flush=True)
    report = provenance(device) | {"num_envs": args.num_envs, "rollouts": args.rollouts, "repeats": rows}
    write_json(args.output, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
