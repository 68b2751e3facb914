"""What it costs to cut the solver short: ``python benchmarks/solver.py``, ten minutes on two CPU cores.

Of single solves: the velocity of the fastest joint after a substep, against a solve of 100 iterations at the same
state, in every seventh substep. Of whole rollouts: the metrics of the shipped policies. Writes JSON::

    command, commit, hardware, date, num_envs, seconds, seed, mujoco_warp
    solves:   [{actions, solves, iterations, line_search, cut_short, error_radps: {quantile: error}}]
    policies: [{policy, velocity_mps, metrics: {"20/50": {...}, "4/5": {...}}}]
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mujoco_warp
import numpy as np
import torch
from isaaclab_newton.physics import NewtonManager
from provenance import provenance

from amp_helpers.env import make_env
from amp_helpers.errors import run_cli
from amp_helpers.measure.isaaclab import opened
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.metrics import WARMUP_S, evaluate_rollout
from amp_helpers.metrics.references import nearest_reference
from amp_helpers.training import load_policy, write_json

SOLVES = ((3, 5), (4, 5), (4, 50), (5, 5), (6, 5), (8, 50), (20, 50))
"""Iterations and iterations of the line search."""
ROLLOUTS = ((20, 50), (4, 5))
POLICIES = (("g1_walk", 0.75), ("g1_walk_speeds", 1.05), ("g1_run", 2.72), ("g1_dance", None), ("g1_locomotion", 1.6))
QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)


@contextmanager
def limited(iterations: int, line_search: int) -> Iterator[Any]:
    """Solve with so many iterations in the open environment; yield MuJoCo Warp's model and data."""
    solver: Any = NewtonManager._solver
    option = solver.mjw_model.opt
    before = option.iterations, option.ls_iterations
    option.iterations, option.ls_iterations = iterations, line_search
    try:
        yield solver.mjw_model, solver.mjw_data
    finally:
        option.iterations, option.ls_iterations = before


class Comparison:
    """Solves every seventh substep of the open environment in several ways before it is made."""

    EVERY = 7

    def __init__(self, substep_s: float) -> None:
        self.errors: dict[tuple[int, int], list[np.ndarray]] = {case: [] for case in SOLVES}
        """Error of the fastest joint's velocity after the substep, rad/s, of each robot."""
        self.iterations: list[np.ndarray] = []
        """Iterations of the converged solves."""
        self._substep_s, self._substeps = substep_s, 0
        solver: Any = NewtonManager._solver
        self._step = solver._mujoco_warp_step
        solver._mujoco_warp_step = self  # Isaac Lab and Newton have no hook between a substep's inputs and its solve

    def __call__(self) -> None:
        """Compare in every seventh call, and make the substep."""
        self._substeps += 1
        if self._substeps % self.EVERY == 0:
            converged, iterations = self._accelerations(100, 50)
            self.iterations.append(iterations)
            for case, found in self.errors.items():
                found.append(self._substep_s * np.abs(self._accelerations(*case)[0] - converged).max(axis=1))
        self._step()

    def _accelerations(self, iterations: int, line_search: int) -> tuple[np.ndarray, np.ndarray]:
        """Solve: accelerations of the joints (E, J), rad/s2, and iterations made (E,)."""
        with limited(iterations, line_search) as (model, data):
            mujoco_warp.forward(model, data)
            return data.qacc.numpy()[:, 6:].copy(), data.solver_niter.numpy().copy()


def solves(actions: str, num_envs: int, steps: int, seed: int) -> list[dict[str, Any]]:
    """Compare solves under the actions of an untrained policy (``random``) or of a shipped one, a row each."""
    with make_env(num_envs=num_envs, seed=seed, play=actions != "random", velocity=0.75) as env:
        policy = None if actions == "random" else load_policy(Path("policies") / actions, env)
        draws = torch.Generator().manual_seed(seed)
        seen: Any = env.reset(seed=seed)[0]
        comparison = Comparison(env.physics_dt)
        for _ in range(steps):
            drawn = torch.randn(num_envs, env.action_manager.total_action_dim, generator=draws)
            seen = env.step(policy(seen["policy"]) if policy else drawn)[0]
    count = np.concatenate(comparison.iterations)
    return [
        {
            "actions": actions,
            "solves": count.size,
            "iterations": case[0],
            "line_search": case[1],
            "cut_short": round(float((count > case[0]).mean()), 5),
            "error_radps": {
                str(q): float(f"{v:.2g}") for q, v in zip(QUANTILES, np.quantile(found, QUANTILES), strict=True)
            },
        }
        for case, found in comparison.errors.items()
    ]


def metrics(policy: str, velocity: float | None, num_envs: int, seconds: float, seed: int) -> dict[str, Any]:
    """Measure a shipped policy with each of :data:`ROLLOUTS`."""
    setup = MeasuringSetup(checkpoint=f"policies/{policy}", num_envs=num_envs, seconds=seconds, seed=seed)
    command = (float("nan") if velocity is None else velocity, 0.0)
    by_limit = {}
    for iterations, line_search in ROLLOUTS:
        with opened(setup, [command]) as measured, limited(iterations, line_search):
            rollout = measured.hold(command, WARMUP_S + seconds)
            found = evaluate_rollout(rollout, nearest_reference(rollout, measured.references), WARMUP_S)
        by_limit[f"{iterations}/{line_search}"] = {n: round(v, 5) for n, v in found.items() if np.isfinite(v)}
    return {"policy": policy, "velocity_mps": velocity, "metrics": by_limit}


def main() -> int:
    """Measure, and write after each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num_envs", type=int, default=32)
    parser.add_argument("--steps", type=int, default=200, help="control steps with solves compared (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time of a rollout, s, after 3 s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    report: dict[str, Any] = provenance() | {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "num_envs": given.num_envs,
        "seconds": given.seconds,
        "seed": given.seed,
        "mujoco_warp": version("mujoco-warp"),
        "solves": [],
        "policies": [],
    }
    for actions in ("random", "g1_walk"):
        report["solves"] += solves(actions, given.num_envs, given.steps, given.seed)
        write_json(given.output, report)
    for policy, velocity in POLICIES:
        report["policies"].append(metrics(policy, velocity, given.num_envs, given.seconds, given.seed))
        write_json(given.output, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
