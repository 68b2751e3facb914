"""Let an exported policy walk in plain MuJoCo, and record it as Isaac Lab's evaluation does."""

import math
from collections.abc import Sequence

import numpy as np

from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.mujoco_sim import MujocoSim
from amp_helpers.metrics.conditions import PUSH_INTERVAL_S, PUSH_MPS, START_NOISE_RAD
from amp_helpers.metrics.rollout import Rollout


def walk(
    controller: Controller,
    sim: MujocoSim,
    commands: Sequence[tuple[float, float]] | np.ndarray,
    *,
    num_envs: int = 1,
    seed: int = 0,
    pushes: bool = False,
) -> Rollout:
    """Run a policy from the default pose, and record every control step.

    The environments run one after the other in the same simulator. After a fall the robot starts again, and the frame
    of the fall is the new start, as in Isaac Lab.

    Args:
        controller: the policy.
        sim: the simulator, built with this controller.
        commands: forward speed, m/s, and turning speed, rad/s, left positive, of each control step, (T, 2).
        num_envs: environments, which differ by noise in the pose they start in, and by the directions of pushes.
        seed: of both.
        pushes: push the robot by ``PUSH_MPS`` in a random horizontal direction every ``PUSH_INTERVAL_S``.

    Returns:
        A rollout of E = ``num_envs`` environments over T steps.
    """
    profile = np.asarray(commands, float).reshape(-1, 2)
    envs = [_walk(controller, sim, profile, np.random.default_rng((seed, env)), pushes) for env in range(num_envs)]
    changing = (profile != profile[0]).any()
    return Rollout(
        joint_names=controller.joint_names,
        dt=sim.dt,
        command=float(profile[0, 0]),
        command_turn=float(profile[0, 1]),
        command_profile=profile if changing else None,
        **{name: np.stack([env[name] for env in envs]) for name in envs[0]},
    )


def _walk(
    controller: Controller, sim: MujocoSim, profile: np.ndarray, random: np.random.Generator, pushes: bool
) -> dict[str, np.ndarray]:
    """One environment: the arrays (T, ...) of a rollout."""
    frames: dict[str, np.ndarray] = {}
    push_steps, since_start = round(PUSH_INTERVAL_S / sim.dt), 0
    _start(controller, sim, random)
    for step, (forward, turn) in enumerate(profile):
        sim.advance(controller.step(**vars(sim.sense()), command=(forward, 0.0, turn)))
        since_start += 1
        # A robot that has fallen starts again before its state is recorded, but its action and torque are of the step.
        frame = {"actions": controller.action, "joint_torque": sim.joint_torque, "fell": sim.fallen}
        if frame["fell"]:
            _start(controller, sim, random)
            since_start = 0
        elif pushes and since_start % push_steps == 0:
            angle = random.uniform(0.0, 2 * math.pi)
            sim.push((PUSH_MPS * math.cos(angle), PUSH_MPS * math.sin(angle)))
        for name, value in (frame | _state(sim)).items():
            if name not in frames:
                frames[name] = np.empty((len(profile), *np.shape(value)), np.asarray(value).dtype)
            frames[name][step] = value
    return frames


def _start(controller: Controller, sim: MujocoSim, random: np.random.Generator) -> None:
    sim.reset(joint_offsets=random.uniform(-START_NOISE_RAD, START_NOISE_RAD, len(controller.joint_names)))
    controller.start()


def _state(sim: MujocoSim) -> dict[str, np.ndarray]:
    """What a rollout records of a simulator's state."""
    sensed = sim.sense()
    return {
        "joint_pos": sensed.joint_pos,
        "joint_vel": sensed.joint_vel,
        "root_pos": sim.root_pos,
        "root_quat": sim.root_quat,
        "root_lin_vel": sim.root_lin_vel,
        "root_ang_vel": sensed.gyro,
        "foot_pos": sim.foot_pos,
        "foot_contact": sim.foot_contact,
    }
