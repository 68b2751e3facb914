"""A policy's observation from what a robot's sensors measure, as ``deploy.json`` describes it.

Needs numpy alone.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from amp_helpers.deploy.clock import Clock, ClockTerm
from amp_helpers.errors import InputError
from amp_helpers.motion.rotations import wrap_to_pi

TERM_SIZES = {
    "base_lin_vel": 3,
    "base_ang_vel": 3,
    "projected_gravity": 3,
    "velocity_commands": 3,
    "gait_clock": 2,
    "joint_pos_rel": None,
    "joint_vel_rel": None,
    "last_action": None,
}
"""Names that an observation term of a bundle can have, and their sizes; None for one value per joint."""


@dataclass(frozen=True)
class Term:
    """One entry of ``observation`` in ``deploy.json``."""

    name: str
    size: int
    history: int
    joints: tuple[int, ...] = ()
    """Index in ``joint_names`` of each column of a term about joints; empty for all of them in their order."""
    heading_gain: float = 0.0
    """Correction of the commanded turn for each radian of heading error, 1/s."""
    max_correction: float = 0.0
    """Limit of that correction, rad/s."""
    clock: ClockTerm | None = None
    """Of a ``gait_clock``."""


@dataclass
class Sensors:
    """What is measured at one instant, in the root link's frame and SI units."""

    gyro: np.ndarray
    """(3,), rad/s."""
    gravity: np.ndarray
    """(3,), unit vector that points down."""
    joint_pos: np.ndarray
    """(A,), rad."""
    joint_vel: np.ndarray
    """(A,), rad/s."""
    command: np.ndarray
    """(3,), forward m/s, left m/s, turn rad/s."""
    base_lin_vel: np.ndarray | None = None
    """(3,), m/s; from a state estimator."""
    heading: float | None = None
    """rad; None to integrate the gyroscope."""


def heading_rate(gyro: np.ndarray, gravity: np.ndarray) -> float:
    """Return the rate of the heading, rad/s, from the angular velocity and gravity in the root link's frame.

    It is the yaw rate of the z-y-x Euler angles. The angular velocity about the vertical, ``-gyro @ gravity``, differs
    from it in a robot that leans forward and rolls.
    """
    _, left, up = -gravity
    return float((left * gyro[1] + up * gyro[2]) / max(left**2 + up**2, 1e-6))


class Heading:
    """The heading error: the change of the heading less the integral of the commanded turn."""

    def __init__(self, dt: float) -> None:
        self._dt = dt
        self._last: Sensors | None = None
        self._turn = 0.0
        self.error = 0.0
        """Heading less the commanded one, rad, in -pi..pi; 0 at the start."""

    def update(self, sensors: Sensors) -> None:
        """Add a control step: its change of heading, and the turn commanded from now on."""
        if self._last is not None:
            change = self._change(self._last, sensors) - self._turn
            self.error = wrap_to_pi(self.error + change)
            self._turn = sensors.command[2] * self._dt
        self._last = sensors

    def _change(self, before: Sensors, now: Sensors) -> float:
        if before.heading is not None and now.heading is not None:
            return now.heading - before.heading
        return 0.5 * self._dt * sum(heading_rate(seen.gyro, seen.gravity) for seen in (before, now))


@dataclass
class Observation:
    """The observation vector with its history, term by term."""

    terms: Sequence[Term]
    default_joint_pos: np.ndarray
    """(A,), rad."""
    dt: float
    """Duration of a control step, s."""
    _frames: list[deque] = field(init=False)
    _heading: Heading = field(init=False)
    _clocks: dict[str, Clock] = field(init=False)

    def __post_init__(self) -> None:
        self.reset()

    @property
    def size(self) -> int:
        """Length of the vector."""
        return sum(term.size * term.history for term in self.terms)

    @property
    def columns(self) -> list[tuple[Term, slice]]:
        """Each term with its columns in the vector."""
        stops = list(accumulate(term.size * term.history for term in self.terms))
        return [
            (term, slice(stop - term.size * term.history, stop)) for term, stop in zip(self.terms, stops, strict=True)
        ]

    def reset(self) -> None:
        """Forget the history; the next frame fills it, as after a reset in Isaac Lab."""
        self._frames = [deque(maxlen=term.history) for term in self.terms]
        self._heading = Heading(self.dt)
        self._clocks = {term.name: Clock(term.clock, self.dt) for term in self.terms if term.clock}

    def __call__(self, sensors: Sensors, last_action: np.ndarray) -> np.ndarray:
        """Add a frame and return the observation (O,) float32: each term's history oldest first.

        Args:
            sensors: what is measured now.
            last_action: the last action before scale and offset, (A,).

        Raises:
            InputError: a term needs a velocity that is not given.
        """
        self._heading.update(sensors)
        for term, frames in zip(self.terms, self._frames, strict=True):
            value = np.asarray(self._value(term, sensors, last_action), np.float32)
            frames.extend([value] * (1 if frames else term.history))
        return np.concatenate([frame for frames in self._frames for frame in frames])

    def _value(self, term: Term, sensors: Sensors, last_action: np.ndarray) -> np.ndarray:
        joints = list(term.joints) or slice(None)
        match term.name:
            case "base_ang_vel":
                return sensors.gyro
            case "projected_gravity":
                return sensors.gravity
            case "velocity_commands":
                return self._steered(term, sensors.command)
            case "gait_clock":
                return self._clocks[term.name].update(sensors.joint_pos, sensors.joint_vel, sensors.command)
            case "joint_pos_rel":
                return (sensors.joint_pos - self.default_joint_pos)[joints]
            case "joint_vel_rel":
                return sensors.joint_vel[joints]
            case "last_action":
                return last_action[joints]
            case _:
                if sensors.base_lin_vel is None:
                    raise InputError(
                        "base_lin_vel: the policy observes the base's velocity; give the estimate as base_lin_vel"
                    )
                return sensors.base_lin_vel

    def _steered(self, term: Term, command: np.ndarray) -> np.ndarray:
        """The command, its turn corrected by the heading error; a robot that is told to stand is left alone."""
        if not command.any():
            return command
        correction = np.clip(-term.heading_gain * self._heading.error, -term.max_correction, term.max_correction)
        return command + np.array([0.0, 0.0, correction])


def takes_command(facts: Mapping[str, Any]) -> bool:
    """Whether the policy of a ``deploy.json`` observes a velocity command."""
    return any(entry["name"] == "velocity_commands" for entry in facts["observation"])
