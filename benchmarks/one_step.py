"""Does plain MuJoCo step like Newton? ``python benchmarks/one_step.py --output one_step.json``.

A policy walks in its task. From each of its states, the same targets are simulated for one control step in plain
MuJoCo, and the next states are compared. Writes JSON::

    command, commit, hardware, seconds
    policies: [{policy, forward, steps, median: {root_pos_m, joint_pos_rad, explicit_joint_pos_rad, ...}, max: {...}}]

``explicit_...``: joints with explicit actuators, whose torque Isaac Lab computes outside the solver.
"""

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import torch
from isaaclab.actuators import ImplicitActuatorCfg
from provenance import provenance

from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.deploy import Controller, MujocoSim
from amp_helpers.env import make_env
from amp_helpers.errors import run_cli
from amp_helpers.export import export
from amp_helpers.joints import JointOrder
from amp_helpers.robots import get_robot
from amp_helpers.training import find_policy, load_policy, write_json

COMMANDS = {"g1_walk": 0.75, "g1_run": 2.72, "g1_locomotion": 1.0}
"""Policy -> commanded forward speed, m/s."""
WARMUP_S = 3.0


def states(policy: str, speed: float, joint_names: tuple[str, ...], seconds: float) -> tuple[list, np.ndarray]:
    """Return the state before each control step with its targets, and which joints have explicit actuators, (A,) bool.

    A state is root position, orientation (xyzw), velocity and angular velocity in the root frame, joint positions and
    velocities, and the targets.
    """
    _, config = find_policy(policy)
    rows = []
    with make_env(config["task"], num_envs=1, play=True, velocity=speed) as env:
        act, robot = load_policy(policy, env), scene_robot(env)
        data: Any = robot.data
        term: Any = env.action_manager.get_term("joint_pos")
        order = list(JointOrder(joint_names).indices_from(tuple(robot.joint_names)))
        driven = list(JointOrder(joint_names).indices_from(tuple(term._joint_names)))
        explicit = np.zeros(len(robot.joint_names), bool)
        for cfg in robot.cfg.actuators.values():
            if not isinstance(cfg, ImplicitActuatorCfg):
                explicit[robot.find_joints(cfg.joint_names_expr)[0]] = True
        seen: Any = env.reset()[0]
        begin = round(WARMUP_S / env.step_dt)
        with torch.inference_mode():
            for _ in range(begin + round(seconds / env.step_dt)):
                state = [
                    data.root_link_pos_w.torch - env.scene.env_origins,
                    data.root_link_quat_w.torch,
                    data.root_link_lin_vel_b.torch,
                    data.root_link_ang_vel_b.torch,
                    data.joint_pos.torch[:, order],
                    data.joint_vel.torch[:, order],
                ]
                state = [value[0].double().cpu().numpy().copy() for value in state]
                seen, *_ = env.step(act(seen["policy"]))
                rows.append((*state, term.processed_actions[0, driven].double().cpu().numpy().copy()))
    return rows[begin:], explicit[order]


def compare(sim: MujocoSim, rows: list, explicit: np.ndarray) -> dict[str, Any]:
    """Step from each state in plain MuJoCo, and compare with the next one."""
    names = ("root_pos_m", "root_lin_vel_mps", "root_ang_vel_radps", "joint_pos_rad", "joint_vel_radps")
    apart: dict[str, list[float]] = {}
    for now, following in itertools.pairwise(rows):
        put(sim, now)
        sim.advance(now[6])
        sensed = sim.sense()
        got = (sim.root_pos, sim.root_lin_vel, sensed.gyro, sensed.joint_pos, sensed.joint_vel)
        wanted = (following[0], following[2], following[3], following[4], following[5])
        for name, here, there in zip(names, got, wanted, strict=True):
            difference = np.abs(here - there)
            parts = {name: difference}
            if name.startswith("joint"):
                parts = {name: difference[~explicit], f"explicit_{name}": difference[explicit]}
            for part, values in parts.items():
                if values.size:
                    apart.setdefault(part, []).append(float(values.max()))
    return {
        "steps": len(rows) - 1,
        "median": {name: float(np.median(values)) for name, values in apart.items()},
        "max": {name: max(values) for name, values in apart.items()},
    }


def put(sim: MujocoSim, state: tuple) -> None:
    """Put the robot into a state."""
    position, quat, velocity, gyro, joint_pos, joint_vel, _ = state
    sim.reset(joint_offsets=joint_pos - sim.controller.default_joint_pos)
    data, matrix = sim.data, np.empty(9)
    data.qpos[:7] = (*position, *quat[[3, 0, 1, 2]])
    mujoco.mju_quat2Mat(matrix, data.qpos[3:7])
    data.qvel[:6] = (*(matrix.reshape(3, 3) @ velocity), *gyro)
    for name, value in zip(sim.controller.joint_names, joint_vel, strict=True):
        data.qvel[sim.model.joint(name).dofadr[0]] = value


def main() -> int:
    """Compare, and print a line for each policy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="compared time per policy, s, after 3 s")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    found = []
    for policy, speed in COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:
            facts = export(policy, folder).facts
            sim = MujocoSim(Controller(folder), get_robot(facts["robot"]))
        rows, explicit = states(policy, speed, sim.controller.joint_names, args.seconds)
        found.append({"policy": policy, "forward": speed, **compare(sim, rows, explicit)})
        print(policy, {name: f"{value:.1e}" for name, value in found[-1]["median"].items()}, flush=True)
    write_json(args.output, provenance() | {"seconds": args.seconds, "policies": found})
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
