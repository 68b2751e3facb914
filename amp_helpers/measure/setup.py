"""What a policy is measured with, whatever is measured."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, Self, get_args

import numpy as np

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.metrics.conditions import HOLD_S, WARMUP_S
from amp_helpers.metrics.grid import Command
from amp_helpers.metrics.rollout import Rollout, check_rollout
from amp_helpers.robots.robot import Robot
from amp_helpers.training.cfg import MAX_SEED
from amp_helpers.utils.resources import find_run

SimulatorName = Literal["newton", "physx", "mujoco"]
SIMULATORS: tuple[str, ...] = get_args(SimulatorName)
"""Names of ``--simulator``."""
MAX_SECONDS = 1e6
"""Longest measured time, s: twelve days."""


@dataclass(frozen=True, kw_only=True)
class MeasuringSetup:
    """The policy, the simulator, and the conditions under which every command is measured."""

    checkpoint: Path | str
    """Run folder, checkpoint file, name of a shipped policy, such as g1_walk, or a bundle that export wrote."""
    simulator: SimulatorName = "newton"
    """Simulator: in Isaac Lab the task's own (newton) or physx; or mujoco, which a bundle needs neither Isaac Lab nor
    torch for."""
    num_envs: int = 16
    """Environments for each command."""
    seconds: float = 10.0
    """Measured time, s, after a warm-up of 3 s."""
    pushes: bool = False
    """Push every robot by 0.6 m/s every 3 s in a random horizontal direction."""
    randomize: bool = False
    """Keep everything that the task randomizes in training: physics, noise, pushes; not in mujoco."""
    device: str | None = "cpu"
    """cpu or cuda:0; None for the first GPU, or the CPU where there is none. MuJoCo runs on the CPU."""
    seed: int = 0
    """Random seed of the environment."""
    dataset: Path | str | None = None
    """Reference to compare with; by default the dataset that the policy was trained on."""
    task: str | None = None
    """Task to evaluate in: an ID, or package.module:ID; by default the one trained in. A module of another package than
    this and Isaac Lab has to be named here, because importing it runs its code."""
    asset: str | None = None
    """Name of the robot's articulation in the task's scene; by default as in training."""
    robot: Robot | str | None = None
    """Robot whose feet are measured: a name, your MJCF or URDF, or package.module:NAME; by default as in training."""
    feet: Sequence[str] = ()
    """Links that are the feet of a robot named by its file; by default as in training."""

    def check(self) -> None:
        """Check what can be checked without a simulator.

        Raises:
            InputError: a number is out of range, or the simulator is unknown or lacks an option.
        """
        if self.simulator not in SIMULATORS:
            raise InputError(f"simulator '{self.simulator}' not found; available: {', '.join(SIMULATORS)}")
        if self.num_envs < 1:
            raise InputError(f"num_envs is {self.num_envs}; give at least 1")
        if not 0 < self.seconds < math.inf:
            raise InputError(f"seconds is {self.seconds:g}; give a number above 0")
        if self.seconds > MAX_SECONDS:
            raise InputError(f"seconds is {self.seconds:g}; give at most {MAX_SECONDS:g}")
        if not 0 <= self.seed <= MAX_SEED:
            raise InputError(f"seed is {self.seed}; give a number from 0 to {MAX_SEED}")
        if self.simulator != "mujoco" and self.is_bundle and not (find_run(self.checkpoint) / "config.json").is_file():
            raise InputError(
                f"{self.checkpoint}: is a bundle, which Isaac Lab does not run; measure it with --simulator mujoco, or "
                "give the run that it was exported from"
            )

    def check_memory(self, references: MotionDataset, times: int = 1) -> None:
        """Check, before a simulator opens, that what is recorded fits the machine's memory.

        Args:
            references: clips at the control rate, of all joints of the robot.
            times: how often ``num_envs`` environments are simulated at the same time.

        Raises:
            InputError: positions, velocities and torques of the joints alone take more than there is.
        """
        steps = round(self.duration_s / references.dt)
        check_rollout(steps, self.num_envs * times, 3 * len(references.joint_names))

    @property
    def duration_s(self) -> float:
        """Length of each command's rollout, s: the warm-up and the measured time."""
        return WARMUP_S + self.seconds

    def through(self, steps: Sequence[float]) -> Self:
        """Return this setup for a command that takes ``steps``, each of which is held for ``HOLD_S``.

        Args:
            steps: forward speeds, m/s; without any, the setup stays as it is.

        Raises:
            InputError: ``seconds`` is given as well.
        """
        if not steps:
            return self
        if self.seconds != MeasuringSetup.seconds:
            raise InputError(f"--steps measures each speed for {HOLD_S:g} s; leave out --seconds, or --steps")
        return replace(self, seconds=HOLD_S * len(steps) - WARMUP_S)

    @property
    def is_bundle(self) -> bool:
        """Whether ``checkpoint`` is a folder that ``export`` wrote."""
        return (find_run(self.checkpoint) / "deploy.json").is_file()

    @property
    def robot_name(self) -> str | None:
        """Name of ``robot``."""
        return self.robot.name if isinstance(self.robot, Robot) else self.robot


class Measured(Protocol):
    """An open simulator with a policy in it."""

    @property
    def robot(self) -> Robot:
        """The model whose feet are recorded."""
        ...

    @property
    def references(self) -> MotionDataset:
        """The clips that the policy imitates."""
        ...

    @property
    def dt(self) -> float:
        """Control step, s."""
        ...

    def hold(self, command: Command, seconds: float) -> Rollout:
        """Run the policy under the command that the simulator was opened with."""
        ...

    def follow(self, profile: np.ndarray) -> Rollout:
        """Run the policy under the forward and turning speed of each step, (T, 2) m/s and rad/s."""
        ...

    def grid(self, commands: Sequence[Command], seconds: float) -> Iterator[Rollout]:
        """Run the policy under each command, and yield a rollout for each."""
        ...


class Simulator(Protocol):
    """What a module of this package has that measures in a simulator."""

    def takes_velocity(self, setup: MeasuringSetup) -> bool:
        """Whether the policy's task has a velocity command."""
        ...

    def opened(self, setup: MeasuringSetup, commands: Sequence[Command]) -> AbstractContextManager[Measured]:
        """Open the simulator for these commands; NaN stands for no command."""
        ...
