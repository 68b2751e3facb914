"""Mistakes that people make when they take a policy to another simulator or a robot, each as a controller with one.

Each is a :class:`~amp_helpers.deploy.controller.Controller` that can take the right one's place, in a replay and in
plain MuJoCo. Neither torch nor Isaac Lab is needed.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.mujoco_sim import MujocoSim
from amp_helpers.deploy.observation import Observation, Sensors
from amp_helpers.deploy.sensor_log import SensorLog, replay, term_differences
from amp_helpers.joints import expand_patterns
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import from_euler, rotate_inverse
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.model import breadth_first
from amp_helpers.robots.robot import G1_23DOF, Robot

SETTLING_S = 2.0
"""Time after a start that the speed error leaves out, s."""

ROUNDING = 1e-4
"""Differences below this are rounding."""
OTHER_TASK = {
    ".*_hip_(roll|yaw)_joint": (150.0, 5.0),
    "(.*_hip_pitch|.*_knee|waist_yaw)_joint": (200.0, 5.0),
    ".*_ankle_.*_joint": (20.0, 2.0),
    ".*_(shoulder|elbow|wrist)_.*": (40.0, 10.0),
}
"""Stiffness, N m/rad, and damping, N m s/rad, of the G1 in Isaac Lab's own velocity task."""


@dataclass
class _Rearranged(Observation):
    """An observation whose columns are in another order."""

    order: np.ndarray

    def __call__(self, sensors: Sensors, last_action: np.ndarray) -> np.ndarray:
        return super().__call__(sensors, last_action)[self.order]


class NewestFirst(Controller):
    """Each term's history begins with the newest frame."""

    def __init__(self, folder: str | os.PathLike) -> None:
        super().__init__(folder)
        _rearrange(self, [frames[::-1] for frames in _columns(self)])


class FrameByFrame(Controller):
    """All terms of the oldest frame come first, then all of the next: not each term with its history."""

    def __init__(self, folder: str | os.PathLike) -> None:
        super().__init__(folder)
        columns = _columns(self)
        longest = max(len(frames) for frames in columns)
        ages = range(longest, 0, -1)
        _rearrange(self, [frames[-age][None] for age in ages for frames in columns if len(frames) >= age])


class PhysxOrder(Controller):
    """The joints are read and driven in PhysX's order, breadth-first, and the policy has MuJoCo's, depth-first."""

    def __init__(self, folder: str | os.PathLike, robot: Robot = G1_23DOF) -> None:
        super().__init__(folder)
        self._order = [self.joint_names.index(name) for name in breadth_first(Kinematics(robot).model)]

    def step(self, gyro: Any, gravity: Any, joint_pos: Any, joint_vel: Any, command: Any, **more: Any) -> np.ndarray:
        """Return the targets of a policy that takes each joint for another."""
        joint_pos, joint_vel = (np.asarray(values)[self._order] for values in (joint_pos, joint_vel))
        targets = np.empty(len(self.joint_names))
        targets[self._order] = super().step(gyro, gravity, joint_pos, joint_vel, command, **more)
        return targets


class TargetsWithoutOffset(Controller):
    """The actions are scaled, but the default pose is not added."""

    def step(self, gyro: Any, gravity: Any, joint_pos: Any, joint_vel: Any, command: Any, **more: Any) -> np.ndarray:
        """Return targets around 0 instead of around the default pose."""
        targets = super().step(gyro, gravity, joint_pos, joint_vel, command, **more)
        return targets - self.default_joint_pos * self.running


class ClippedTargets(Controller):
    """Targets are clipped at the joint limits, as if they were positions: a joint near its limit loses torque."""

    def __init__(self, folder: str | os.PathLike) -> None:
        super().__init__(folder)
        self.target_limits = self.joint_limits


class AbsoluteJoints(Controller):
    """Joint positions are observed as the encoders give them: the default pose is not subtracted."""

    def __init__(self, folder: str | os.PathLike) -> None:
        super().__init__(folder)
        self.observation.default_joint_pos = np.zeros_like(self.default_joint_pos)


class OtherGains(Controller):
    """Stiffness and damping are those of another task with the same robot, :data:`OTHER_TASK`."""

    def __init__(self, folder: str | os.PathLike) -> None:
        super().__init__(folder)
        stiffness, damping = ({pattern: gains[i] for pattern, gains in OTHER_TASK.items()} for i in range(2))
        self.stiffness = expand_patterns(stiffness, self.joint_names).astype(float)
        self.damping = expand_patterns(damping, self.joint_names).astype(float)
        self.facts = self.facts | {"stiffness": self.stiffness.tolist(), "damping": self.damping.tolist()}


class QuaternionOrder(Controller):
    """Gravity is computed from the IMU's quaternion, wxyz, by a function that takes xyzw."""

    def step(self, gyro: Any, gravity: Any, joint_pos: Any, joint_vel: Any, command: Any, **more: Any) -> np.ndarray:
        """Return the targets of a policy that believes in this gravity."""
        x, y, z, w = _orientation(np.asarray(gravity), more.get("heading") or 0.0)
        misread = rotate_inverse(np.array([w, x, y, z]), np.array([0.0, 0.0, -1.0]))
        return super().step(gyro, misread, joint_pos, joint_vel, command, **more)


MISTAKES: Mapping[str, type[Controller]] = {
    "history newest first": NewestFirst,
    "history frame by frame": FrameByFrame,
    "joints in PhysX order": PhysxOrder,
    "targets without the default pose": TargetsWithoutOffset,
    "targets clipped at the joint limits": ClippedTargets,
    "joint positions not relative": AbsoluteJoints,
    "gains of another task": OtherGains,
    "quaternion wxyz read as xyzw": QuaternionOrder,
}
"""Label -> the controller that makes this mistake."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Walked:
    """What the robot did under one controller in plain MuJoCo."""

    motion: Motion
    """Also after a fall."""
    fall_s: float
    """Time of the first fall, s; NaN for none."""
    speed_error_mps: float
    """|mean forward speed - command| from ``SETTLING_S`` to the fall; NaN if it falls before."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a replay of a :class:`~amp_helpers.deploy.sensor_log.SensorLog` shows of a controller, without a robot."""

    observation: Mapping[str, float]
    """Term -> its largest difference from the recorded observation."""
    targets_rad: float
    """Largest difference between the targets and the recorded ones, within the limits of targets."""
    stiffness: float
    """Largest difference of a joint's stiffness from ``deploy.json``, as a share of it."""

    @property
    def numbers(self) -> dict[str, float]:
        """All of them by name."""
        return {**self.observation, "targets": self.targets_rad, "stiffness": self.stiffness}

    @property
    def telling(self) -> tuple[str, float]:
        """The largest in the observation; where that shows rounding only, of the targets, and then of the gains."""
        for part in (dict(self.observation), {"targets": self.targets_rad}, {"stiffness": self.stiffness}):
            name = max(part, key=part.__getitem__)
            if part[name] > ROUNDING:
                return name, part[name]
        return "none", 0.0


def walk_with(controller: Controller, forward: float, seconds: float, robot: Robot = G1_23DOF) -> Walked:
    """Let a controller walk straight ahead in plain MuJoCo, from standing; a fall ends nothing.

    Args:
        controller: right or wrong.
        forward: commanded speed, m/s.
        seconds: length, s.
        robot: the bundle's.
    """
    sim = MujocoSim(controller, robot)
    controller.start()
    frames, fall_s = [], math.nan
    for step in range(round(seconds / sim.dt)):
        sim.advance(controller.step(**vars(sim.sense()), command=(forward, 0.0, 0.0)))
        frames.append((sim.sense().joint_pos, sim.root_pos, sim.root_quat))
        if math.isnan(fall_s) and sim.fallen:
            fall_s = (step + 1) * sim.dt
    joint_pos, root_pos, root_quat = (np.stack(part) for part in zip(*frames, strict=True))
    motion = Motion(
        fps=1 / sim.dt,
        joint_names=controller.joint_names,
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_quat=root_quat,
        name=f"{type(controller).__name__} at {forward:g} m/s",
    )
    upright = root_pos[: None if math.isnan(fall_s) else round(fall_s / sim.dt), 0]
    travel = upright[round(SETTLING_S / sim.dt) :]
    error = abs((travel[-1] - travel[0]) / ((len(travel) - 1) * sim.dt) - forward) if len(travel) > 1 else math.nan
    return Walked(motion=motion, fall_s=fall_s, speed_error_mps=float(error))


def evidence(controller: Controller, right: Controller, log: SensorLog) -> Evidence:
    """Replay a log through a controller and compare what it computes, and its gains, with what is right.

    The recorded actions are remembered as the last ones, so that one wrong term does not reach others.

    Args:
        controller: right or wrong.
        right: the controller of the same bundle without a mistake.
        log: recorded with the bundle's policy.
    """
    replayed = replay(controller, log, own_actions=False)
    wanted = np.clip(log.targets, *right.target_limits.T)
    return Evidence(
        observation=term_differences(controller, log, replayed),
        targets_rad=float(np.abs(replayed.targets - wanted).max()),
        stiffness=float(np.abs(controller.stiffness / right.stiffness - 1).max()),
    )


def _columns(controller: Controller) -> list[np.ndarray]:
    """Columns of each term in the observation, (history, size), oldest first."""
    observation = controller.observation
    numbers = np.arange(observation.size)
    return [numbers[columns].reshape(term.history, term.size) for term, columns in observation.columns]


def _rearrange(controller: Controller, columns: list[np.ndarray]) -> None:
    right = controller.observation
    order = np.concatenate([part.ravel() for part in columns])
    controller.observation = _Rearranged(right.terms, right.default_joint_pos, right.dt, order=order)


def _orientation(gravity: np.ndarray, heading: float) -> np.ndarray:
    """The root's quaternion, xyzw, with this direction of gravity in its frame and this heading."""
    x, y, z = gravity / np.linalg.norm(gravity)
    return from_euler(np.array([np.arctan2(-y, -z), np.arcsin(np.clip(x, -1, 1)), heading]))
