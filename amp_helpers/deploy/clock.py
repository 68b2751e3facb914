"""The clock of a stride that a policy observes, as ``deploy.json`` describes it. Needs numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from amp_helpers.motion.stride import Pair, StrideLaw


@dataclass(frozen=True, kw_only=True)
class ClockTerm:
    """What the entry ``gait_clock`` of ``observation`` says beyond name, size and history."""

    law: StrideLaw
    hips: Pair
    """Index in ``joint_names`` of the left and the right joint that swings a thigh, negative forwards."""
    knees: Pair
    """Index in ``joint_names`` of the left and the right joint that bends a knee, positive bent."""

    @classmethod
    def read(cls, entry: Mapping[str, Any], joint_names: Sequence[str]) -> "ClockTerm":
        """Read an entry.

        Raises:
            KeyError, TypeError, ValueError: a key is missing, or a value is no finite number or no joint.
        """
        numbers = {field.name: float(entry["stride"][field.name]) for field in fields(StrideLaw)}
        if odd := [name for name, value in numbers.items() if not np.isfinite(value)]:
            raise ValueError(f"{', '.join(odd)} is NaN or infinite")
        left_hip, right_hip = (joint_names.index(name) for name in entry["hip_joints"])
        left_knee, right_knee = (joint_names.index(name) for name in entry["knee_joints"])
        return cls(law=StrideLaw(**numbers), hips=(left_hip, right_hip), knees=(left_knee, right_knee))

    def stride_s(self, command: np.ndarray) -> float:
        """Return the duration of a stride at a command (3,), s."""
        law, (forward, _, turn) = self.law, command
        if forward < law.run_from:
            return law.walk_s * max(np.hypot(forward, law.turn_radius * turn), law.slowest) ** law.walk_exponent
        return law.run_s * forward**law.run_exponent

    def leg_phase(self, joint_pos: np.ndarray, joint_vel: np.ndarray, stride_s: float) -> float:
        """Return the phase that the legs are at, in 0..1: 0 where the left foot comes down.

        Args:
            joint_pos: (A,) rad.
            joint_vel: (A,) rad/s.
            stride_s: duration of a stride, s.
        """

        def apart(values: np.ndarray, joints: Pair) -> float:
            left, right = joints
            return values[right] - values[left]

        speed = joint_vel * (stride_s / (2 * np.pi))
        sine = self.law.knee_share * apart(joint_pos, self.knees) - apart(speed, self.hips)
        cosine = apart(joint_pos, self.hips) + self.law.knee_share * apart(speed, self.knees)
        return float(np.arctan2(sine, cosine) / (2 * np.pi) % 1)


class Clock:
    """The part of a stride that has passed: first read from the legs, then counted; it stops with the command."""

    def __init__(self, term: ClockTerm, dt: float) -> None:
        self._term = term
        self._dt = dt
        self._phase: float | None = None

    def update(self, joint_pos: np.ndarray, joint_vel: np.ndarray, command: np.ndarray) -> np.ndarray:
        """Add a control step and return sine and cosine of the phase, (2,).

        Args:
            joint_pos: (A,) rad.
            joint_vel: (A,) rad/s.
            command: (3,), forward m/s, left m/s, turn rad/s.
        """
        stride = self._term.stride_s(command)
        if self._phase is None:
            self._phase = self._term.leg_phase(joint_pos, joint_vel, stride)
        elif command.any():
            self._phase = (self._phase + self._dt / stride) % 1
        angle = 2 * np.pi * self._phase
        return np.array([np.sin(angle), np.cos(angle)])
