"""Positions of a robot's links and soles in a motion, and its mirror image: MuJoCo's kinematics, no dynamics."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import mujoco
import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.model import lowest_points, shapes
from amp_helpers.robots.model_file import bare_model
from amp_helpers.robots.robot import Robot
from amp_helpers.robots.symmetry import mirror_joints

GRAVITY = 9.81
"""m/s^2."""


@dataclass(frozen=True, eq=False)
class Kinematics:
    """Kinematics of a robot. World frame, z up, meters; the ground is z = 0.

    A motion may lack joints of the robot, which then hold the default pose. Every method raises
    :class:`~amp_helpers.errors.InputError` for a joint that the robot lacks.
    """

    robot: Robot
    model: mujoco.MjModel = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", bare_model(self.robot.mjcf_path))

    @property
    def body_names(self) -> tuple[str, ...]:
        """Names of the links, (B), depth-first; the first is the root."""
        return tuple(self.model.body(index).name for index in range(1, self.model.nbody))

    @property
    def parents(self) -> tuple[int, ...]:
        """Index of each link's parent in ``body_names``, (B); -1 for the root."""
        return tuple(int(parent) - 1 for parent in self.model.body_parentid[1:])

    def qpos(self, motion: Motion) -> np.ndarray:
        """MuJoCo's generalized positions, (N, 7 + J): root position m, root rotation **wxyz**, joints rad."""
        self._check_joints(motion)
        pose = np.tile(self.robot.default_pose(), (motion.num_frames, 1))
        pose[:, [self.robot.joint_names.index(name) for name in motion.joint_names]] = motion.joint_pos
        # Robot.from_file and the build of the G1 both keep the model's joint order.
        return np.concatenate([motion.root_pos, motion.root_quat[:, [3, 0, 1, 2]], pose], axis=1)

    def mirror(self, motion: Motion) -> Motion:
        """Mirror image of a motion in the world's x-z plane: left and right exchanged, signs by the joint axes.

        Raises:
            InputError: the motion has a joint without its counterpart.
        """
        self._check_joints(motion)
        names = motion.joint_names
        pairs = mirror_joints(self.model)
        lonely = [name for name in names if name not in pairs]
        if lonely:
            raise InputError(
                f"{motion.label}: robot '{self.robot.name}' has no counterpart of {', '.join(lonely)} "
                "on its other side, neither by name nor by place and axis; such a robot cannot be mirrored"
            )
        single = [name for name in names if pairs[name][0] not in names]
        if single:
            raise InputError(
                f"{motion.label}: {', '.join(single)} have no counterpart in it (missing: "
                f"{', '.join(pairs[name][0] for name in single)}); select joints in pairs before mirroring"
            )
        if all(pairs[name][0] == name for name in names):
            raise InputError(
                f"{motion.label}: no joint name tells left from right (found: {', '.join(names)}), and all sit in the "
                f"middle of robot '{self.robot.name}'; there is no left and right to exchange"
            )
        columns = [names.index(pairs[name][0]) for name in names]
        signs = [pairs[name][1] for name in names]
        return replace(
            motion,
            joint_pos=motion.joint_pos[:, columns] * np.array(signs, np.float32),
            root_pos=motion.root_pos * (1, -1, 1),
            # The axis of a rotation is a pseudovector: its components in the mirror's plane change sign.
            root_quat=motion.root_quat * (-1, 1, -1, 1),
            command=motion.command and (motion.command[0], -motion.command[1]),
        )

    def _check_joints(self, motion: Motion) -> None:
        extra = JointOrder(self.robot.joint_names).compare(motion.joint_names).extra
        if extra:
            raise InputError(
                f"{motion.label}: robot '{self.robot.name}' has no joint {', '.join(extra)}; "
                f"select the robot's joints first; available: {', '.join(self.robot.joint_names)}"
            )

    def body_positions(self, motion: Motion) -> np.ndarray:
        """Origins of the links, (N, B, 3), m, in the order of ``body_names``."""
        return self._per_frame(motion, lambda data: data.xpos)[:, 1:]

    def body_rotations(self, motion: Motion) -> np.ndarray:
        """Rotations of the links, (N, B, 4) xyzw, in the order of ``body_names``."""
        return self._per_frame(motion, lambda data: data.xquat)[:, 1:, [1, 2, 3, 0]]

    def centers_of_mass(self, motion: Motion) -> np.ndarray:
        """Centers of mass of the robot, (N, 3), m."""

        def center(data: mujoco.MjData) -> np.ndarray:
            mujoco.mj_comPos(self.model, data)
            return data.subtree_com[1]

        return self._per_frame(motion, center)

    def foot_positions(self, motion: Motion) -> np.ndarray:
        """Origins of the foot links in the order of ``Robot.foot_bodies``, (N, F, 3), m."""
        feet = [self.model.body(name).id for name in self.robot.foot_bodies]
        return self._per_frame(motion, lambda data: data.xpos)[:, feet]

    def foot_rotations(self, motion: Motion) -> np.ndarray:
        """Rotation matrices of the foot links, (N, F, 3, 3), from each link's frame to the world."""
        feet = [self.model.body(name).id for name in self.robot.foot_bodies]
        return self._per_frame(motion, lambda data: data.xmat[feet]).reshape(-1, len(feet), 3, 3)

    def foot_points(self, motion: Motion) -> np.ndarray:
        """Positions of ``Robot.foot_points``, (N, F, 3), m.

        Skate is measured at these: the origin of a link may lie far from the foot, as a calf's does.
        """
        places = self.foot_positions(motion)
        if self.robot.foot_points:
            places = places + np.einsum("nfij,fj->nfi", self.foot_rotations(motion), np.array(self.robot.foot_points))
        return places

    def sole_heights(self, motion: Motion) -> np.ndarray:
        """Height of the lowest point of each foot's shapes, (N, F), m; negative below the ground.

        A foot without shapes, whose mesh is missing for instance, is as high as its link's origin.
        """
        geoms = [shapes(self.model, self.model.body(name).id) for name in self.robot.foot_bodies]
        flat = np.concatenate(geoms)
        origins = self.foot_positions(motion)[..., 2]
        if not len(flat):
            return origins
        lowest = self._lowest(motion, flat)
        heights = [
            lowest[:, np.isin(flat, foot)].min(axis=1) if len(foot) else origins[:, column]
            for column, foot in enumerate(geoms)
        ]
        return np.stack(heights, axis=1)

    def lowest_heights(self, motion: Motion) -> np.ndarray | None:
        """Height of the robot's lowest point, (N,) m; None where the model has no shapes."""
        geoms = np.concatenate([shapes(self.model, body) for body in range(1, self.model.nbody)])
        return self._lowest(motion, geoms).min(axis=1) if len(geoms) else None

    def _lowest(self, motion: Motion, geoms: np.ndarray) -> np.ndarray:
        """Height of the lowest point of each shape, (N, G) m."""
        height = self._per_frame(motion, lambda data: data.geom_xpos[geoms, 2])
        # The last row of a shape's rotation matrix is the world's vertical in the shape's frame.
        up = self._per_frame(motion, lambda data: data.geom_xmat[geoms, 6:])
        return lowest_points(self.model, geoms, height, up)

    def _per_frame(self, motion: Motion, read: Callable[[mujoco.MjData], np.ndarray]) -> np.ndarray:
        data = mujoco.MjData(self.model)
        frames = []
        for qpos in self.qpos(motion):
            data.qpos[:] = qpos
            mujoco.mj_kinematics(self.model, data)
            frames.append(np.array(read(data)))
        return np.stack(frames)
