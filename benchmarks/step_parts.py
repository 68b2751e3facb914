"""Where a control step goes: ``python benchmarks/step_parts.py --num_envs 4096 --device cuda:0``.

The environment stepping alone and our training take turns in one process, as in ``benchmarks/throughput.py``, with a
clock around the parts of a step. Times are the host's: what it waits for, it waits for in ``environment``, where Isaac
Lab asks which episodes have ended. Writes JSON::

    command, commit, hardware, num_envs, rollouts, repeats: [{CONTENDER: {env_steps_per_s, ms: {PART: a step}}}]
"""

import argparse
import contextlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from contenders import CONTENDERS, WARM_UP, Bench, count
from isaaclab.envs import ManagerBasedRLEnv
from provenance import provenance
from skrl.agents.torch import Agent

from amp_helpers.agent import AmpAgent
from amp_helpers.amp_state import AmpSource
from amp_helpers.env import AmpEnv
from amp_helpers.errors import run_cli
from amp_helpers.training import TrainCfg, resolve, write_json
from amp_helpers.utils import DeferredQueue, check_device

PARTS = {
    "environment": (ManagerBasedRLEnv, "step"),
    "environment: deferred work": (DeferredQueue, "run"),
    "environment: resets": (ManagerBasedRLEnv, "_reset_idx"),
    "environment: last frames before resets": (AmpSource, "_capture"),
    "environment: last states before time-outs": (AmpEnv, "_capture"),
    "windows": (AmpSource, "step"),
    "acting": (AmpAgent, "act"),
    "storing": (AmpAgent, "store"),
    "update": (AmpAgent, "learn"),
    "TensorBoard": (Agent, "write_tracking_data"),
}
"""Part: the method that it consists of. Storing a step and TensorBoard are deferred work, a part of the environment's
step."""
Span = tuple[float, float]
"""When a call began, and how long it took, s."""


@contextlib.contextmanager
def clocks() -> Iterator[dict[str, list[Span]]]:
    """Every call of every part, in order, while this is open."""
    spans: dict[str, list[Span]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        for part, (owner, name) in PARTS.items():
            stack.enter_context(_clock(owner, name, spans[part]))
        yield spans


@contextlib.contextmanager
def _clock(owner: type, name: str, spans: list[Span]) -> Iterator[None]:
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


def parts_of(spans: dict[str, list[Span]], warm_up: int) -> dict[str, float]:
    """Milliseconds of each part in a step of a turn; its first ``warm_up`` steps are left out, their updates too."""
    begin, steps = spans["environment"][warm_up][0], len(spans["environment"]) - warm_up
    return {
        part: round(1000 * sum(seconds for start, seconds in calls if start >= begin) / steps, 3)
        for part, calls in spans.items()
    }


def main() -> int:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num_envs", type=int, default=4096)
    parser.add_argument("--device", help="cpu or cuda:0 (default: the GPU if there is one)")
    parser.add_argument("--rollouts", type=count, default=10, help="measured rollouts of a turn (default: %(default)s)")
    parser.add_argument("--repeats", type=count, default=3, help="turns of each (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write")
    args = parser.parse_args()
    device = check_device(args.device)
    torch.set_float32_matmul_precision("high")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cfg = resolve(TrainCfg(num_envs=args.num_envs, device=device, run_dir=Path(folder) / "run"))
        with clocks() as spans, Bench.open(cfg, {}, args.rollouts) as bench:
            for _ in range(args.repeats):
                rows.append({})
                for name in ("environment", "training"):
                    for part in spans.values():
                        part.clear()
                    turn = CONTENDERS[name](bench)
                    rate = round(turn.rate * cfg.num_envs, 1)
                    rows[-1][name] = {"env_steps_per_s": rate, "ms": parts_of(spans, WARM_UP * cfg.agent.rollouts)}
                    print(f"{name}: {rate:,.0f}/s, {rows[-1][name]['ms']}", flush=True)
    report = provenance(device) | {"num_envs": args.num_envs, "rollouts": args.rollouts, "repeats": rows}
    write_json(args.output, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
