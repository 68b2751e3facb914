"""The clock of a stride that a policy observes, as ``deploy.json`` describes it. Needs numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

_Pair = tuple[int, int]


@dataclass(frozen=True)
class ClockTerm:
    """What the entry ``gait_clock`` of ``observation`` says beyond name, size and history."""

    walk_s: float
    """Of a stride at a walking speed of 1 m/s, s."""
    walk_exponent: float
    run_s: float
    """Of a running stride, taken back to 1 m/s, s."""
    run_exponent: float
    run_from: float
    """Forward speed from which the robot runs, m/s."""
    turn_radius: float
    """Turning at w rad/s takes as many steps as walking at ``turn_radius`` w m/s, m."""
    slowest: float
    """Speed whose strides slower commands have too, m/s."""
    knee_share: float
    """Weight of the knees beside the hips where the first phase is read from the legs."""
    hips: _Pair
    """Index in ``joint_names`` of the left and the right joint that swings a thigh, negative forwards."""
    knees: _Pair

    @classmethod
    def read(cls, entry: Mapping[str, Any], joint_names: Sequence[str]) -> "ClockTerm":
        """Read an entry.

        Raises:
            KeyError, TypeError, ValueError: something is missing, or no number or joint.
        """
        numbers = {field.name: float(entry["stride"][field.name]) for field in fields(cls) if field.type is float}
        left_hip, right_hip = (joint_names.index(name) for name in entry["hip_joints"])
        left_knee, right_knee = (joint_names.index(name) for name in entry["knee_joints"])
        return cls(**numbers, hips=(left_hip, right_hip), knees=(left_knee, right_knee))

    def stride_s(self, command: np.ndarray) -> float:
        """Duration of a stride at a command (3,), s."""
        forward, _, turn = command
        if forward < self.run_from:
            return self.walk_s * max(np.hypot(forward, self.turn_radius * turn), self.slowest) ** self.walk_exponent
        return self.run_s * forward**self.run_exponent

    def leg_phase(self, joint_pos: np.ndarray, joint_vel: np.ndarray, stride_s: float) -> float:
        """Phase that the legs (A,) are at, in 0..1: 0 where the left foot comes down."""

        def apart(values: np.ndarray, joints: _Pair) -> float:
            left, right = joints
            return values[right] - values[left]

        speed = joint_vel * (stride_s / (2 * np.pi))
        sine = self.knee_share * apart(joint_pos, self.knees) - apart(speed, self.hips)
        cosine = apart(joint_pos, self.hips) + self.knee_share * apart(speed, self.knees)
        return float(np.arctan2(sine, cosine) / (2 * np.pi) % 1)


class Clock:
    """The part of a stride that has passed: first read from the legs, then counted; it stops with the command."""

    def __init__(self, term: ClockTerm, dt: float) -> None:
        self._term = term
        self._dt = dt
        self._phase: float | None = None

    def update(self, joint_pos: np.ndarray, joint_vel: np.ndarray, command: np.ndarray) -> np.ndarray:
        """Add a control step; return sine and cosine of the phase, (2,)."""
        stride = self._term.stride_s(command)
        if self._phase is None:
            self._phase = self._term.leg_phase(joint_pos, joint_vel, stride)
        elif command.any():
            self._phase = (self._phase + self._dt / stride) % 1
        angle = 2 * np.pi * self._phase
        return np.array([np.sin(angle), np.cos(angle)])
