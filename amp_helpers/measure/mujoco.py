"""Measure a policy in plain MuJoCo, from its bundle alone: neither torch nor Isaac Lab.

A checkpoint is exported to a temporary bundle first, which takes both.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.dataset import MotionDataset, check_joints
from amp_helpers.deploy.bundles import find_bundle, ready_bundle
from amp_helpers.deploy.controller import Controller, read_facts
from amp_helpers.deploy.limits import LATERAL_LIMIT, command_ranges, limit_command
from amp_helpers.deploy.mujoco_model import MujocoPhysics
from amp_helpers.deploy.mujoco_sim import MujocoSim
from amp_helpers.deploy.mujoco_walk import walk
from amp_helpers.deploy.observation import takes_command
from amp_helpers.errors import InputError, brief_repr
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.metrics.conditions import WARMUP_S
from amp_helpers.metrics.grid import Command
from amp_helpers.metrics.references import recorded_dataset
from amp_helpers.metrics.rollout import Rollout, check_rollout
from amp_helpers.robots.lookup import FILE_SUFFIXES, get_robot, other_joints
from amp_helpers.robots.robot import Robot
from amp_helpers.utils.plugins import imports_users_module
from amp_helpers.utils.resources import find_run


@dataclass(frozen=True)
class MeasuredInMujoco:
    """A simulator with an exported policy in it; see :class:`amp_helpers.measure.Measured`."""

    controller: Controller
    sim: MujocoSim
    setup: MeasuringSetup
    robot: Robot
    references: MotionDataset

    @property
    def dt(self) -> float:
        """Control step, s."""
        return self.sim.dt

    def hold(self, command: Command, seconds: float) -> Rollout:
        """Run the policy under one command; NaN stands for none."""
        self._note_limits([command])
        return self._held(command, seconds)

    def _held(self, command: Command, seconds: float) -> Rollout:
        profile = np.broadcast_to(np.nan_to_num(command), (round(seconds / self.dt), 2))  # takes no memory
        rollout = self._walked(profile)
        return replace(rollout, command=command[0], command_turn=command[1])

    def follow(self, profile: np.ndarray) -> Rollout:
        """Run the policy under a command that changes."""
        self._note_limits(profile)
        return self._walked(profile)

    def _walked(self, profile: np.ndarray) -> Rollout:
        numbers = 8 * len(self.controller.joint_names)  # four a joint, of 8 bytes
        check_rollout(len(profile), self.setup.num_envs, numbers)
        setup = self.setup
        return walk(self.controller, self.sim, profile, num_envs=setup.num_envs, seed=setup.seed, pushes=setup.pushes)

    def grid(self, commands: Sequence[Command], seconds: float) -> Iterator[Rollout]:
        """Run the policy under each command, one after the other."""
        self._note_limits(commands)
        return (self._held(command, WARMUP_S + seconds) for command in commands)

    def _note_limits(self, commands: Sequence[Command] | np.ndarray) -> None:
        facts = self.controller.facts
        asked = np.insert(np.nan_to_num(commands), 1, 0.0, axis=1)
        if (limit_command(facts, asked) != asked).any():
            print(f"note: the controller limits commands to what was trained, {_trained(facts)}", file=sys.stderr)


def _trained(facts: dict[str, Any]) -> str:
    (slow, fast), _, (right, left) = command_ranges(facts)
    limit = f", speed times turn up to {facts[LATERAL_LIMIT]:g} m/s²" if LATERAL_LIMIT in facts else ""
    return f"forward {slow:g} to {fast:g} m/s, turn {right:g} to {left:g} rad/s{limit}"


def takes_velocity(setup: MeasuringSetup) -> bool:
    """Whether the policy observes a velocity command, or a checkpoint's task has one, which takes no export."""
    folder = _ready(setup)
    if folder is None:
        from amp_helpers.measure import isaaclab  # takes seconds to load, and torch, which a bundle does not need

        return isaaclab.takes_velocity(setup)
    return takes_command(read_facts(folder))


@contextmanager
def opened(
    setup: MeasuringSetup, commands: Sequence[Command], physics: MujocoPhysics | None = None
) -> Iterator[MeasuredInMujoco]:
    """Build the robot of a bundle, or of a checkpoint exported to a temporary one, on flat ground.

    Raises:
        InputError: the bundle, the dataset or an option cannot be used.
    """
    if setup.randomize:
        raise InputError(
            "--randomize: mujoco simulates the nominal robot alone; leave it out, or measure with --simulator newton"
        )
    if setup.device not in (None, "cpu"):
        raise InputError(f"--device {setup.device}: MuJoCo runs on the CPU; leave --device out")
    folder = _bundle(setup)
    controller = Controller(folder)
    if np.isfinite(commands).any() and not takes_command(controller.facts):
        raise InputError(
            f"{setup.checkpoint}: has no velocity command; leave out --velocity, --turn, --steps and --grid"
        )
    references = _references(controller, folder, setup)
    robot = _robot(controller.facts, folder, setup)
    sim = MujocoSim(controller, robot, physics or MujocoPhysics())
    if other := other_joints(robot, controller.joint_names):
        print(f"note: {other}; those joints are not driven", file=sys.stderr)
    yield MeasuredInMujoco(controller, sim, setup, robot, references)


def _ready(setup: MeasuringSetup) -> Path | None:
    """The bundle that the checkpoint has; None where an option changes what would be exported."""
    if not setup.is_bundle and (setup.task or setup.asset or setup.robot):
        return None
    return ready_bundle(setup.checkpoint)


def _bundle(setup: MeasuringSetup) -> Path:
    """The policy's bundle; where it has none, it is exported, unless the memory could not hold what is recorded."""
    if _ready(setup) is None and find_run(setup.checkpoint).exists():
        from amp_helpers.measure import isaaclab

        setup.check_memory(isaaclab.references(setup))
    options = {"task": setup.task, "asset": setup.asset}
    return find_bundle(setup.checkpoint, **options, robot=None if setup.is_bundle else setup.robot_name)


def _references(controller: Controller, folder: Path, setup: MeasuringSetup) -> MotionDataset:
    if setup.dataset is None and not isinstance(controller.facts.get("dataset"), str):
        raise InputError(f"{folder}: names no dataset to compare with; name one with --dataset, or export it again")
    references = recorded_dataset(controller.facts, setup.dataset, controller.dt)
    check_joints(references, controller)
    return references


def _robot(facts: dict[str, Any], folder: Path, setup: MeasuringSetup) -> Robot:
    if isinstance(setup.robot, Robot):
        return setup.robot
    name = setup.robot or str(facts.get("robot", ""))
    users = not name.lower().endswith(FILE_SUFFIXES) and imports_users_module(name)
    if setup.robot is None and users:
        raise InputError(
            f"{folder}: asks for the robot {brief_repr(name)}, whose module would be imported and run, and only you "
            f"can ask for that; if you trust it, give --robot {name}"
        )
    return get_robot(name, setup.feet or (() if setup.robot else facts.get("feet", ())))
