"""The shipped policies in several simulators: ``python benchmarks/simulators.py --simulators newton mujoco``.

Each policy is measured at its trained commands, ``g1_locomotion`` at the usual grid, as ``evaluate`` does it. With
``--changes``, one thing is changed at a time: in mujoco and physx friction, contacts, solver, gains and the like,
everywhere the limits of the targets. Runs that are not asked for stay in the file, so that simulators and policies can
be measured one by one. Writes JSON::

    runs: [{policy, simulator, command, commit, hardware, num_envs, seconds, seed,
            rows: [{changed, forward, turn, ...metrics of amp_helpers.metrics.grid_row}]}]
"""

import argparse
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from physx_changes import PHYSX_CHANGES, changed_task
from provenance import provenance

from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.deploy import MujocoPhysics
from amp_helpers.errors import run_cli
from amp_helpers.evaluate import open_simulator
from amp_helpers.measure import SIMULATORS, Measured, MeasuringSetup, mujoco
from amp_helpers.metrics import GRID, grid_rows
from amp_helpers.metrics.grid import Command
from amp_helpers.training import write_json

RESULTS = Path(__file__).parent / "results" / "simulators.json"
POLICIES: dict[str, tuple[Command, ...]] = {
    "g1_walk": ((0.75, 0.0),),
    "g1_walk_speeds": ((0.45, 0.0), (0.75, 0.0), (1.05, 0.0)),
    "g1_run": ((2.72, 0.0),),
    "g1_locomotion": GRID,
}
"""Policy -> the commands that it is measured at, m/s and rad/s."""
CHANGES: dict[str, MujocoPhysics] = {
    "friction 0.6": MujocoPhysics(friction=0.6),
    "friction 2": MujocoPhysics(friction=2.0),
    "elliptic cone": MujocoPhysics(cone="elliptic"),
    "elliptic cone, impratio 10": MujocoPhysics(cone="elliptic", impratio=10.0),
    "100 solver iterations": MujocoPhysics(iterations=100),
    "timestep 1 ms": MujocoPhysics(timestep=0.001),
    "euler": MujocoPhysics(integrator="euler"),
    "contact time constant 10 ms": MujocoPhysics(solref=(0.01, 1.0)),
    "contact time constant 40 ms": MujocoPhysics(solref=(0.04, 1.0)),
    "no self-collisions": MujocoPhysics(self_collisions=False),
    "stiffness 0.9": MujocoPhysics(stiffness=0.9),
    "stiffness 1.1": MujocoPhysics(stiffness=1.1),
    "damping 0.9": MujocoPhysics(damping=0.9),
    "damping 1.1": MujocoPhysics(damping=1.1),
    "armature 0.5": MujocoPhysics(armature=0.5),
    "armature 1.5": MujocoPhysics(armature=1.5),
    "mass 0.9": MujocoPhysics(mass=0.9),
    "mass 1.1": MujocoPhysics(mass=1.1),
    "latency of one control step": MujocoPhysics(latency=1),
}
"""What is changed -> the physics."""
CHANGED_AT = {"g1_walk": ((0.75, 0.0),), "g1_run": ((2.72, 0.0),), "g1_locomotion": ((0.9, 0.0), (2.0, 0.0))}
"""Policy -> the commands at which things are changed."""


TARGETS = "targets within the joint limits"
"""A change that is not of the physics: targets are clipped where the joints end."""


def rows(measured: Measured, commands: Sequence[Command], seconds: float, changed: str = "") -> list[dict[str, Any]]:
    """Measure a policy at its commands."""
    found = grid_rows(measured.grid(commands, seconds), measured.references)
    made = [
        {"changed": changed} | {key: value if math.isfinite(value) else None for key, value in row.items()}
        for row in found
    ]
    for row in made:
        shown = ("falls_per_env_10s", "forward_speed_mps", "gait_frequency_ratio", "pose_rmse_rad")
        told = ", ".join(f"{name} {math.nan if row[name] is None else row[name]:.3f}" for name in shown)
        print(f"{changed:32s} {row['forward']:5.2f} {row['turn']:5.2f}: {told}", flush=True)
    return made


def clip_targets(measured: Any) -> None:
    """Clip targets at the joint limits: in the controller, or in the task's action terms."""
    if isinstance(measured, mujoco.MeasuredInMujoco):
        measured.controller.target_limits = measured.controller.joint_limits
        return
    manager, limits = measured.env.action_manager, scene_robot(measured.env).data.joint_pos_limits.torch
    for name in manager.active_terms:
        term = manager.get_term(name)
        term.cfg.clip, term._clip = {".*": (-math.inf, math.inf)}, limits[:, term._joint_ids].clone()


def measure(setup: MeasuringSetup, policy: str, changes: bool) -> list[dict[str, Any]]:
    """Measure a policy in one simulator."""
    with open_simulator(setup, POLICIES[policy]) as measured:
        made = rows(measured, POLICIES[policy], setup.seconds)
    if not changes or policy not in CHANGED_AT:
        return made
    commands = CHANGED_AT[policy]
    if setup.simulator == "mujoco":
        for changed, physics in CHANGES.items():
            with mujoco.opened(setup, commands, physics) as measured:
                made += rows(measured, commands, setup.seconds, changed)
    if setup.simulator == "physx":
        for changed in PHYSX_CHANGES:
            with open_simulator(changed_task(setup, changed), commands) as measured:
                made += rows(measured, commands, setup.seconds, changed)
    with open_simulator(setup, commands) as measured:
        clip_targets(measured)
        made += rows(measured, commands, setup.seconds, TARGETS)
    return made


def main() -> int:
    """Measure, and print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulators", nargs="+", choices=SIMULATORS, default=["newton", "mujoco"])
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=list(POLICIES))
    parser.add_argument("--changes", action="store_true", help="also change one thing at a time")
    parser.add_argument("--num_envs", type=int, default=4, help="environments for each command")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time per command, s, after 3 s")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    for policy, simulator in itertools.product(args.policies, args.simulators):
        print(f"{policy} in {simulator}", flush=True)
        conditions = {"num_envs": args.num_envs, "seconds": args.seconds, "seed": args.seed}
        setup = MeasuringSetup(checkpoint=policy, simulator=simulator, device=args.device, **conditions)
        key = {"policy": policy, "simulator": simulator}
        made = {**key, **provenance(args.device), **conditions, "rows": measure(setup, policy, args.changes)}
        # Read again, because another process may have added its runs.
        runs = json.loads(args.output.read_text())["runs"] if args.output.is_file() else []
        kept = [run for run in runs if {name: run[name] for name in key} != key]
        write_json(args.output, {"runs": [*kept, made]})
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
