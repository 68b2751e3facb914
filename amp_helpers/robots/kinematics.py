"""Where a motion puts the links and soles of a robot: forward kinematics by MuJoCo, without dynamics."""

from dataclasses import dataclass, field

import mujoco
import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.model import lowest_points, shapes
from amp_helpers.robots.model_file import bare_model
from amp_helpers.robots.robot import Robot


@dataclass(frozen=True, eq=False)
class Kinematics:
    """Forward kinematics of a robot. World frame, z up, metres; the ground is z = 0.

    A motion may lack joints of the robot, which then hold the default pose; joints that the robot lacks raise
    :class:`~amp_helpers.errors.InputError`.
    """

    robot: Robot
    model: mujoco.MjModel = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", bare_model(self.robot.mjcf_path))

    @property
    def body_names(self) -> tuple[str, ...]:
        """The links, (B), depth-first; the first is the root."""
        return tuple(self.model.body(index).name for index in range(1, self.model.nbody))

    @property
    def parents(self) -> tuple[int, ...]:
        """Index into ``body_names`` of each link's parent, (B); -1 for the root."""
        return tuple(int(parent) - 1 for parent in self.model.body_parentid[1:])

    def qpos(self, motion: Motion) -> np.ndarray:
        """The motion as MuJoCo's generalised positions, (N, 7 + J): root m, root rotation **wxyz**, joints rad.

        Raises:
            InputError: the motion has a joint that the robot lacks.
        """
        extra = JointOrder(self.robot.joint_names).compare(motion.joint_names).extra
        if extra:
            raise InputError(
                f"{motion.source or 'motion'}: robot '{self.robot.name}' has no joint {', '.join(extra)}; "
                f"select the robot's joints first; available: {', '.join(self.robot.joint_names)}"
            )
        pose = np.tile(self.robot.default_pose(), (motion.num_frames, 1))
        pose[:, [self.robot.joint_names.index(name) for name in motion.joint_names]] = motion.joint_pos
        # The model lists its joints in the robot's order: building it made sure.
        return np.concatenate([motion.root_pos, motion.root_quat[:, [3, 0, 1, 2]], pose], axis=1)

    def body_positions(self, motion: Motion) -> np.ndarray:
        """Origins of the links, (N, B, 3), m, in the order of ``body_names``."""
        return self._per_frame(motion, lambda data: data.xpos)[:, 1:]

    def body_rotations(self, motion: Motion) -> np.ndarray:
        """Rotations of the links, (N, B, 4) xyzw, in the order of ``body_names``."""
        return self._per_frame(motion, lambda data: data.xquat)[:, 1:, [1, 2, 3, 0]]

    def foot_positions(self, motion: Motion) -> np.ndarray:
        """Origins of the foot links in the order of ``Robot.foot_bodies``, (N, F, 3), m."""
        feet = [self.model.body(name).id for name in self.robot.foot_bodies]
        return self._per_frame(motion, lambda data: data.xpos)[:, feet]

    def foot_rotations(self, motion: Motion) -> np.ndarray:
        """Rotation matrices (N, F, 3, 3) of the foot links: from each link's frame to the world."""
        feet = [self.model.body(name).id for name in self.robot.foot_bodies]
        return self._per_frame(motion, lambda data: data.xmat[feet]).reshape(-1, len(feet), 3, 3)

    def foot_points(self, motion: Motion) -> np.ndarray:
        """Where ``Robot.foot_points`` are, (N, F, 3), m: a foot far from its link's origin slides when these do."""
        places = self.foot_positions(motion)
        if self.robot.foot_points:
            places = places + np.einsum("nfij,fj->nfi", self.foot_rotations(motion), np.array(self.robot.foot_points))
        return places

    def sole_heights(self, motion: Motion) -> np.ndarray:
        """Height of the lowest point of each foot's collision shapes, (N, F), m.

        Negative where the foot is below the ground.
        """
        geoms = [self._foot_shapes(name) for name in self.robot.foot_bodies]
        everything = np.concatenate(geoms)
        centre = self._per_frame(motion, lambda data: data.geom_xpos[everything, 2])
        # The last row of a shape's rotation is the world's vertical seen from the shape.
        up = self._per_frame(motion, lambda data: data.geom_xmat[everything, 6:])
        lowest = lowest_points(self.model, everything, centre, up)
        return np.stack([lowest[:, np.isin(everything, foot)].min(axis=1) for foot in geoms], axis=1)

    def _foot_shapes(self, body: str) -> np.ndarray:
        found = shapes(self.model, self.model.body(body).id)
        if len(found) == 0:
            raise InputError(f"{self.robot.mjcf_path}: '{body}' has no collision shape; name another foot body")
        return found

    def _per_frame(self, motion: Motion, read) -> np.ndarray:
        data = mujoco.MjData(self.model)
        frames = []
        for qpos in self.qpos(motion):
            data.qpos[:] = qpos
            mujoco.mj_kinematics(self.model, data)
            frames.append(np.array(read(data)))
        return np.stack(frames)
