"""Measure a policy in its task, in Isaac Lab."""

import amp_helpers.env  # noqa: F401 - first, because it starts Warp without output

# isort: split
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.held_command import check_command
from amp_helpers.env.make import make_env
from amp_helpers.env.memory import check_environments
from amp_helpers.env.rollout import record_profile, record_rollout, reference_dataset
from amp_helpers.env.task_cfg import takes_velocity as task_takes_velocity
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.metrics.grid import Command
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.robots.lookup import named_robot, other_joints, robot_with_links
from amp_helpers.robots.robot import Robot
from amp_helpers.training.command_grid import record_grid, rounds_of
from amp_helpers.training.policy import TrainedPolicy, check_weights, find_policy, load_policy
from amp_helpers.utils.devices import check_device


@dataclass(frozen=True)
class MeasuredInIsaacLab:
    """An open environment with a policy in it; see :class:`amp_helpers.measure.Measured`."""

    env: ManagerBasedRLEnv
    policy: TrainedPolicy
    num_envs: int
    robot: Robot
    references: MotionDataset

    @property
    def dt(self) -> float:
        """Control step, s."""
        return float(self.env.step_dt)

    def hold(self, command: Command, seconds: float) -> Rollout:
        """Run the policy under the command that the environment was opened with."""
        forward, turn = command
        rollout = record_rollout(self.env, self.policy, forward, seconds, self.robot, turn)
        if not math.isnan(forward):
            check_command(self.env, forward, turn)
        return rollout

    def follow(self, profile: np.ndarray) -> Rollout:
        """Run the policy under a command that changes."""
        return record_profile(self.env, self.policy, profile, self.robot)

    def grid(self, commands: Sequence[Command], seconds: float) -> Iterator[Rollout]:
        """Run the policy under each command, side by side."""
        return record_grid(self.env, self.policy, commands, self.num_envs, seconds, self.robot)


def takes_velocity(setup: MeasuringSetup) -> bool:
    """Whether the policy's task has a velocity command."""
    _, config = find_policy(setup.checkpoint, task=setup.task, robot=setup.robot_name)
    return task_takes_velocity(config["task"])


def references(setup: MeasuringSetup) -> MotionDataset:
    """Return the clips that the policy is compared with, before its task is opened."""
    _, config = find_policy(setup.checkpoint, task=setup.task, robot=setup.robot_name)
    return reference_dataset(config, setup.dataset)


@contextmanager
def opened(setup: MeasuringSetup, commands: Sequence[Command]) -> Iterator[MeasuredInIsaacLab]:
    """Open the task of a policy for measuring, with ``setup.num_envs`` environments for each command of a round.

    Raises:
        InputError: the checkpoint, the dataset or an option cannot be used.
    """
    file, config = find_policy(setup.checkpoint, task=setup.task, robot=setup.robot_name)
    # Damaged weights, a missing dataset and what does not fit the memory are refused before the simulator starts.
    check_weights(file)
    references = reference_dataset(config, setup.dataset)
    robot, feet = setup.robot, setup.feet
    if robot is None:
        robot, feet = config.get("robot"), feet or config.get("feet", ())
    robot = named_robot(robot, feet)
    together = len(rounds_of(commands, setup.num_envs)[0])
    if note := check_environments(setup.num_envs, config["task"], check_device(setup.device), times=together):
        print(f"note: {note}", file=sys.stderr)
    setup.check_memory(references, together)
    forward, turn = commands[0]
    with make_env(
        config["task"],
        asset=setup.asset or config.get("asset"),
        num_envs=setup.num_envs * together,
        device=setup.device,
        seed=setup.seed,
        physics="physx" if setup.simulator == "physx" else None,
        play=True,
        velocity=None if math.isnan(forward) else forward,
        turn=0.0 if math.isnan(turn) else turn,
        pushes=setup.pushes,
        randomize=setup.randomize,
    ) as env:
        scene = scene_robot(env)
        robot = robot or robot_with_links(scene.body_names)
        if other := other_joints(robot, scene.joint_names):
            print(f"note: {other}; its feet alone are used", file=sys.stderr)
        policy, references = load_policy(setup.checkpoint, env), reference_dataset(config, setup.dataset, env)
        yield MeasuredInIsaacLab(env, policy, setup.num_envs, robot, references)
