"""A robot in plain MuJoCo, driven by the joint position targets of an exported policy: neither torch nor Isaac Lab."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import mujoco
import numpy as np

from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.mujoco_model import MujocoPhysics, build_model
from amp_helpers.errors import InputError
from amp_helpers.metrics.feet import CONTACT_FORCE_N
from amp_helpers.robots.robot import Robot

FALL_TILT_RAD = 1.0
"""Tilt of a fall where the bundle does not say, rad."""
FALL_HEIGHT = 0.5
"""Height of a fall where the bundle does not say, as a share of the root's height in the default pose."""


@dataclass(frozen=True)
class Sensed:
    """What :meth:`~amp_helpers.deploy.Controller.step` takes beside the command; joints in the controller's order."""

    gyro: np.ndarray
    """Angular velocity in the root link's frame, (3,) rad/s."""
    gravity: np.ndarray
    """Direction of gravity in that frame, (3,)."""
    joint_pos: np.ndarray
    """(A,) rad."""
    joint_vel: np.ndarray
    """(A,) rad/s."""
    base_lin_vel: np.ndarray
    """Velocity of the root link's center of mass in the root link's frame, (3,) m/s."""
    heading: float
    """Angle of the root link's x axis about the vertical, rad, left positive."""


@dataclass
class MujocoSim:
    """One robot of an MJCF on flat ground, driven by joint position targets as a bundle states them.

    The world's z axis points up, the ground is z = 0, and the robot starts at the origin in its default pose. All joint
    arrays are in the order of ``controller.joint_names``. Joints that the policy does not drive are free within what
    the robot's file says of them.

    Raises:
        InputError: the robot lacks a joint of the bundle or a mesh, or the physics step does not divide the control
            step.
    """

    controller: Controller
    """Whose bundle states gains, armature, limits of effort, steps and what a fall is; it is not called."""
    robot: Robot
    physics: MujocoPhysics = field(default_factory=MujocoPhysics)
    visual: bool = False
    """Keep meshes that touch nothing, to draw the model; those of a G1 take a second and 400 MiB."""
    model: mujoco.MjModel = field(init=False, repr=False)
    data: mujoco.MjData = field(init=False, repr=False)
    dt: float = field(init=False)
    """Control step, s."""

    def __post_init__(self) -> None:
        facts = self.controller.facts
        self.dt = self.controller.dt
        self.model = build_model(facts, self.robot, self.physics, visual=self.visual)
        self.data = mujoco.MjData(self.model)
        self._substeps = round(self.dt / self.model.opt.timestep)
        if abs(self._substeps * self.model.opt.timestep - self.dt) > 1e-9 or self._substeps < 1:
            raise InputError(
                f"timestep is {self.model.opt.timestep:g} s, which does not divide the control step of {self.dt:g} s; "
                f"give {self.dt / 4:g}, for example"
            )
        joints = [self.model.joint(name) for name in self.controller.joint_names]
        self._qpos, self._qvel = (np.array([getattr(j, at)[0] for j in joints]) for at in ("qposadr", "dofadr"))
        self._root = int(self.model.jnt_bodyid[0])
        feet = [self.model.body(name).id for name in self.robot.foot_bodies]
        self._feet = np.array(feet, int)
        self._foot_points = np.array(self.robot.foot_points or np.zeros((len(feet), 3)))
        self._foot_of_geom = np.full(self.model.ngeom, -1)
        for number, body in enumerate(feet):
            self._foot_of_geom[self.model.geom_bodyid == body] = number
        self._height = float(facts.get("root_height", self.robot.default_root_height))
        falls = facts.get("fall", {})
        self._fall_cosine = math.cos(falls.get("tilt", FALL_TILT_RAD))
        self._fall_height = falls.get("root_height", FALL_HEIGHT * self._height)
        self._sent: deque[np.ndarray] = deque(maxlen=self.physics.latency + 1)
        self.reset()

    def reset(self, *, heading: float = 0.0, joint_offsets: Any = 0.0) -> None:
        """Put the robot at the origin in its default pose, at rest.

        Args:
            heading: direction that it faces, rad, left positive.
            joint_offsets: added to the default pose, (A,) rad.
        """
        mujoco.mj_resetData(self.model, self.data)
        pose = self.robot.default_positions()
        for name, value in pose.items():  # joints that the policy does not drive
            self.data.qpos[self.model.joint(name).qposadr[0]] = value
        self.data.qpos[:7] = (0, 0, self._height, math.cos(heading / 2), 0, 0, math.sin(heading / 2))
        self.data.qpos[self._qpos] = self.controller.default_joint_pos + joint_offsets
        self.data.ctrl[:] = self.data.qpos[self._qpos]
        self._sent.extend([self.data.ctrl.copy()] * self.physics.latency)
        mujoco.mj_forward(self.model, self.data)

    def sense(self) -> Sensed:
        """Return what the robot's sensors would tell, without noise."""
        axes = self._axes()
        gyro = self.data.qvel[3:6].copy()
        return Sensed(
            gyro=gyro,
            gravity=-axes[2],
            joint_pos=self.data.qpos[self._qpos],
            joint_vel=self.data.qvel[self._qvel],
            base_lin_vel=self.data.qvel[:3] @ axes + np.cross(gyro, self.model.body_ipos[self._root]),
            heading=math.atan2(axes[1, 0], axes[0, 0]),
        )

    def advance(self, targets: Any) -> None:
        """Simulate one control step.

        Args:
            targets: joint position targets, (A,) rad.
        """
        if self.diverged:
            return
        self._sent.append(np.asarray(targets, float))
        self.data.ctrl[:] = self._sent[0]
        with _no_log():
            mujoco.mj_step(self.model, self.data, self._substeps)
        mujoco.mj_kinematics(self.model, self.data)  # of the positions after the step

    def push(self, velocity: Sequence[float]) -> None:
        """Change the root's horizontal velocity at once.

        Args:
            velocity: the change in the world's frame, (2,) m/s.
        """
        self.data.qvel[:2] += velocity

    @property
    def diverged(self) -> bool:
        """Whether a position or velocity is NaN or infinite; the robot then no longer moves."""
        return not (np.isfinite(self.data.qpos).all() and np.isfinite(self.data.qvel).all())

    @property
    def fallen(self) -> bool:
        """Whether the root tilts too far or is too low by the bundle's ``fall``, or the simulation diverged."""
        low = self.data.qpos[2] < self._fall_height
        return bool(self.diverged or low or self._axes()[2, 2] < self._fall_cosine)

    @property
    def root_pos(self) -> np.ndarray:
        """Position of the root link, (3,) m."""
        return self.data.qpos[:3].copy()

    @property
    def root_quat(self) -> np.ndarray:
        """Orientation of the root link, (4,) xyzw."""
        return self.data.qpos[[4, 5, 6, 3]]

    @property
    def root_lin_vel(self) -> np.ndarray:
        """Velocity of the root link's origin in its frame, (3,) m/s."""
        return self.data.qvel[:3] @ self._axes()

    @property
    def joint_torque(self) -> np.ndarray:
        """Torques of the last physics step, (A,) N m, within the limits of effort."""
        return self.data.qfrc_actuator[self._qvel]

    @property
    def foot_pos(self) -> np.ndarray:
        """Contact point of each of the robot's feet, (F, 3) m."""
        frames = self.data.xmat[self._feet].reshape(-1, 3, 3)
        return self.data.xpos[self._feet] + np.einsum("fij,fj->fi", frames, self._foot_points)

    @property
    def foot_contact(self) -> np.ndarray:
        """Whether the sum of the normal forces on each foot exceeds ``CONTACT_FORCE_N``, (F,) bool."""
        forces, wrench = np.zeros((len(self._feet), 3)), np.zeros(6)
        for index, contact in enumerate(self.data.contact):
            for geom, sign in ((contact.geom1, -1.0), (contact.geom2, 1.0)):
                foot = self._foot_of_geom[geom]
                if foot >= 0:
                    mujoco.mj_contactForce(self.model, self.data, index, wrench)
                    forces[foot] += sign * wrench[0] * contact.frame[:3]
        return np.linalg.norm(forces, axis=1) > CONTACT_FORCE_N

    def _axes(self) -> np.ndarray:
        """The root link's axes in the world's frame, (3, 3), in columns."""
        matrix = np.empty(9)
        mujoco.mju_quat2Mat(matrix, self.data.qpos[3:7])
        return matrix.reshape(3, 3)


@contextmanager
def _no_log() -> Iterator[None]:
    """Keep MuJoCo from writing its warnings to MUJOCO_LOG.TXT in the working folder; :attr:`MujocoSim.fallen` tells."""
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda _: None)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(before)
