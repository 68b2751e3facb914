"""A robot driven live in plain MuJoCo: a command in, a moving robot and running figures out.

A :class:`Driver` has no thread, no clock and no window. Whoever shows it calls :meth:`Driver.follow` as time passes.
"""

import math
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np

from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.limits import command_ranges, limit_command
from amp_helpers.deploy.mujoco_sim import MujocoSim
from amp_helpers.deploy.observation import takes_command
from amp_helpers.errors import InputError
from amp_helpers.metrics.gait import MIN_SEGMENT_S, gait_frequency
from amp_helpers.metrics.tracking import AVERAGE_S
from amp_helpers.motion.rotations import wrap_to_pi
from amp_helpers.robots.lookup import get_robot
from amp_helpers.robots.robot import Robot
from amp_helpers.utils.plugins import imports_users_module

STEP = 0.1
"""Change of the command by a key, m/s and rad/s."""
HISTORY_S = 20.0
"""Time that :attr:`Driver.history` holds, s."""
LIE_S = 1.0
"""Time that a fallen robot lies before it is put on its feet, s."""
MOST_BEHIND_S = 0.25
"""Time that :meth:`Driver.follow` makes up for, s; what is missed beyond is left out."""
_GAIT_S = 4.0
_STANDING_RAD = 0.05
"""Standard deviation of every joint, over the shortest time that has a stride frequency, of a robot that stands."""


@dataclass(frozen=True)
class Figures:
    """What the robot does now."""

    time_s: float
    """Simulated time since the start."""
    command: tuple[float, float]
    """Forward m/s and turn rad/s, left positive."""
    forward_mps: float
    """Speed along the heading, mean of the last second."""
    turn_radps: float
    """Change of the heading, mean of the last second."""
    gait_hz: float
    """Stride frequency of the last four seconds; NaN for a robot that stands or has just started."""
    falls: int
    """Since the start."""
    real_time: float
    """Simulated over real time of the last second; NaN where the driver follows no clock."""

    def __str__(self) -> str:
        stride = "standing" if math.isnan(self.gait_hz) else f"{self.gait_hz:.2f} strides/s"
        falls = "1 fall" if self.falls == 1 else f"{self.falls} falls"
        return f"{self.forward_mps:.2f} m/s, {self.turn_radps:+.2f} rad/s, {stride}, {falls}"


@dataclass(frozen=True, eq=False)
class History:
    """The last seconds, a row for each control step."""

    times: np.ndarray
    """(N,) s, since the first row."""
    command: np.ndarray
    """(N, 2) forward m/s and turn rad/s."""
    measured: np.ndarray
    """(N, 2) means of the second before."""


class Driver:
    """A robot in plain MuJoCo that follows a command; one of several policies controls it.

    Args:
        policies: name -> bundle that :mod:`amp_helpers.export` wrote; the first one drives.
        robot: ``None`` for the one that the bundles name.

    Raises:
        InputError: a bundle cannot be used, or they are of different robots.
    """

    def __init__(self, policies: Mapping[str, str | os.PathLike], robot: Robot | None = None) -> None:
        if not policies:
            raise InputError("no policy to drive; give at least one bundle, run or shipped policy")
        self._controllers = {name: Controller(folder) for name, folder in policies.items()}
        self.robot = robot or common_robot(self._controllers)
        """The robot that is driven."""
        self._sims: dict[str, MujocoSim] = {}
        self.policy = next(iter(self._controllers))
        """Name of the policy that drives."""
        self.falls: int
        """Falls since the start."""
        self.time_s: float
        """Simulated time since the start, s."""
        self._wished = np.zeros(2)
        self._clock: float | None = None
        self._paces: deque[tuple[float, int]] = deque()
        rows = round(HISTORY_S / self.dt)
        self._rows: deque[tuple[float, float, float, float, float]] = deque(maxlen=rows)
        self.command = (0.0, 0.0)
        self.restart()

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the policies."""
        return tuple(self._controllers)

    @property
    def controller(self) -> Controller:
        """Controller of the policy that drives."""
        return self._controllers[self.policy]

    @property
    def sim(self) -> MujocoSim:
        """Simulation with the gains of the policy that drives."""
        if self.policy not in self._sims:
            self._sims[self.policy] = MujocoSim(self.controller, self.robot)
        return self._sims[self.policy]

    @property
    def dt(self) -> float:
        """Duration of a control step, s."""
        return self.controller.dt

    @property
    def ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Lowest and highest forward speed, m/s, and turn, rad/s, that the policy was trained on; not all of them
        together, where the bundle limits their product."""
        forward, _, turn = command_ranges(self.controller.facts).tolist()
        return tuple(forward), tuple(turn)

    @property
    def takes_command(self) -> bool:
        """Whether the policy that drives observes the command."""
        return takes_command(self.controller.facts)

    @property
    def command(self) -> tuple[float, float]:
        """Forward speed, m/s, and turn, rad/s, left positive; what is set is limited to what was trained.

        A turn beyond what the forward speed allows is made smaller, and given back as the robot is driven slower.
        """
        forward, turn = self._wished
        forward, _, turn = limit_command(self.controller.facts, (forward, 0.0, turn)).tolist()
        return forward, turn

    @command.setter
    def command(self, command: tuple[float, float]) -> None:
        if not np.isfinite(command).all():
            raise InputError(f"command: is {tuple(command)}; give a finite forward speed and turn")
        self._wished = np.clip(command, *np.transpose(self.ranges))

    @property
    def wished(self) -> tuple[float, float]:
        """The command as it was set, within :attr:`ranges`; its turn may be more than the forward speed allows."""
        forward, turn = self._wished.tolist()
        return forward, turn

    def nudge(self, forward: int, turn: int) -> None:
        """Change the command by so many steps of :data:`STEP`, to a multiple of it."""
        before = np.array(self.command if turn else self.wished)
        self.command = tuple(STEP * np.round(before / STEP + (forward, turn)))

    def steer(self, forward: float, turn: float) -> None:
        """Set the command by the position of a stick, -1..1 each: the ends are those of :attr:`ranges`."""
        shares = np.clip((forward, turn), -1.0, 1.0)
        low, high = np.transpose(self.ranges)
        self.command = tuple(np.where(shares >= 0, shares * high, -shares * np.minimum(low, 0.0)))

    def switch(self, policy: str) -> None:
        """Let another policy take over the robot as it moves.

        Raises:
            InputError: there is no such policy.
        """
        if policy not in self._controllers:
            raise InputError(f"policy '{policy}' not found; available: {', '.join(self._controllers)}")
        if policy == self.policy:
            return
        before, self.policy = self.sim, policy
        now = self.sim
        now.reset()
        now.data.qpos[:], now.data.qvel[:] = before.data.qpos, before.data.qvel
        mujoco.mj_forward(now.model, now.data)
        self.command = self.wished
        self.controller.start()

    def push(self, impulse: float, direction: float = 0.0) -> None:
        """Push the robot horizontally at its root.

        Args:
            impulse: N s; the velocity changes by the impulse over the robot's mass.
            direction: from the robot's heading to the left, rad.
        """
        angle = self.sim.sense().heading + direction
        speed = impulse / float(self.sim.model.body_mass.sum())
        self.sim.push((speed * math.cos(angle), speed * math.sin(angle)))

    def reset(self) -> None:
        """Put the robot on its feet where the simulation begins; command, falls and time stay."""
        self.sim.reset()
        self.controller.start()
        self._lying = 0
        self._moved: deque[tuple[float, float]] = deque(maxlen=max(1, round(AVERAGE_S / self.dt)))
        self._poses: deque[np.ndarray] = deque(maxlen=round(_GAIT_S / self.dt))

    def restart(self) -> None:
        """Reset, and begin time, falls and history anew."""
        self.falls, self.time_s = 0, 0.0
        self._rows.clear()
        self.reset()

    def step(self) -> None:
        """Advance by one control step. A robot that falls lies for :data:`LIE_S`, and is then reset."""
        if self._lying > round(LIE_S / self.dt):
            self.reset()
        sensed = self.sim.sense()
        before = self.sim.root_pos
        forward, turn = self.command
        self.sim.advance(self.controller.step(**vars(sensed), command=(forward, 0.0, turn)))
        self.time_s += self.dt
        if self._lying or self.sim.fallen:
            self.falls += not self._lying
            self._lying += 1
        if self.sim.diverged:
            self.reset()
        else:
            self._record(before, sensed.heading)

    def follow(self, now: float) -> int:
        """Advance to a moment of a clock in real time, and return the number of control steps that it took.

        Args:
            now: s, from any zero, such as ``time.monotonic()``.
        """
        if self._clock is None:
            self._clock = now
        self._clock = max(self._clock, now - MOST_BEHIND_S)
        steps = max(0, int((now - self._clock) / self.dt + 1e-9))
        for _ in range(steps):
            self.step()
        self._clock += steps * self.dt
        self._paces.append((now, steps))
        while self._paces[-1][0] - self._paces[0][0] > 1.0:
            self._paces.popleft()
        return steps

    def wait(self) -> None:
        """Let the clock of :meth:`follow` begin anew, after a pause."""
        self._clock = None
        self._paces.clear()

    @property
    def figures(self) -> Figures:
        """What the robot does now."""
        forward, turn = (round(value, 2) + 0.0 for value in self._mean())  # no -0
        return Figures(self.time_s, self.command, forward, turn, self._gait(), self.falls, self._real_time())

    @property
    def history(self) -> History:
        """The last :data:`HISTORY_S`."""
        rows = np.array(self._rows).reshape(-1, 5)
        return History(rows[:, 0] - (rows[0, 0] if len(rows) else 0.0), rows[:, 1:3], rows[:, 3:])

    def _record(self, before: np.ndarray, heading: float) -> None:
        now = self.sim.sense()
        step = self.sim.root_pos - before
        forward = step[0] * math.cos(heading) + step[1] * math.sin(heading)
        turn = wrap_to_pi(now.heading - heading)
        self._moved.append((forward / self.dt, turn / self.dt))
        self._poses.append(now.joint_pos)
        self._rows.append((self.time_s, *self.command, *self._mean()))

    def _mean(self) -> tuple[float, float]:
        forward, turn = np.mean(self._moved, axis=0) if self._moved else (0.0, 0.0)
        return float(forward), float(turn)

    def _gait(self) -> float:
        poses, shortest = np.array(self._poses), round(MIN_SEGMENT_S / self.dt)
        if self._lying or len(poses) <= shortest or poses[-shortest:].std(axis=0).max() < _STANDING_RAD:
            return math.nan
        return gait_frequency(poses[None], self.controller.joint_names, self.dt)

    def _real_time(self) -> float:
        if len(self._paces) < 2:
            return math.nan
        span = self._paces[-1][0] - self._paces[0][0]
        return sum(steps for _, steps in list(self._paces)[1:]) * self.dt / span if span else math.nan


def common_robot(controllers: Mapping[str, Controller]) -> Robot:
    """Return the robot that all bundles name.

    Raises:
        InputError: they name several or none, or one whose module would be imported: a bundle is data, whoever wrote
            it.
    """
    names = {name: controller.facts.get("robot") for name, controller in controllers.items()}
    if len(set(names.values())) > 1:
        told = ", ".join(f"{name} ({robot})" for name, robot in names.items())
        raise InputError(f"the policies are of different robots: {told}; drive one robot at a time")
    name = next(iter(names.values()))
    if not isinstance(name, str):
        raise InputError("the bundle names no robot; name one with --robot, or as robot in Python")
    if imports_users_module(name):
        raise InputError(
            f"the bundle's robot '{name}' is in a module of somebody's; if you trust it, give --robot {name}"
        )
    return get_robot(name)
