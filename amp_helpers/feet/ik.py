"""Inverse kinematics of the feet: the poses nearest to a clip with the foot links at given targets."""

from dataclasses import dataclass, replace

import mink
import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.soles import Sole

_MAX_ITERATIONS = 12
_CONVERGED = 1e-4
"""Iteration ends when no coordinate changes by more than this, m or rad."""


@dataclass(frozen=True, kw_only=True)
class FootIkCosts:
    """Task costs of the inverse kinematics; the feet weigh far more than the rest."""

    foot: tuple[float, float] = (100.0, 20.0)
    """Position error (1/m) and orientation error (1/rad) of a foot against its target."""
    root: tuple[float, float] = (2.0, 2.0)
    """Position error (1/m) and orientation error (1/rad) of the root against the clip."""
    joint: float = 0.5
    """Error of a joint against the clip, 1/rad."""


def solve_foot_ik(
    motion: Motion,
    kinematics: Kinematics,
    soles: tuple[Sole, ...],
    position: np.ndarray,
    rotation: np.ndarray,
    costs: FootIkCosts,
) -> Motion:
    """Solve for the motion nearest to ``motion`` whose foot links reach their targets.

    Differential inverse kinematics (mink) solves each frame as a short sequence of quadratic programs within the joint
    limits, starting from the clip's pose. A foot without a flat side is constrained at its contact point only, so its
    link may rotate about that point.

    Args:
        motion: clip of N frames.
        kinematics: kinematics of its robot, which has F feet.
        soles: (F) soles of the feet.
        position: (N, F, 3) m, world frame, targets of the foot links' origins.
        rotation: (N, F, 3, 3), targets of the foot links' rotation matrices, link to world.
        costs: task costs of the quadratic programs.

    Returns:
        The motion with new joint positions and root poses.

    Raises:
        InputError: a frame has no solution, or the robot lacks a joint of the clip.
    """
    robot, model = kinematics.robot, kinematics.model
    feet = [
        mink.FrameTask(name, "body", *costs.foot) if sole.flat else PointTask(model, name, _tip(sole), costs.foot[0])
        for name, sole in zip(robot.foot_bodies, soles, strict=True)
    ]
    root = mink.FrameTask(kinematics.body_names[0], "body", *costs.root)
    posture = mink.PostureTask(model, costs.joint)
    limits = [mink.ConfigurationLimit(model, gain=1.0)]
    configuration = mink.Configuration(model)
    quat = Rotation.from_matrix(rotation.reshape(-1, 3, 3)).as_quat(scalar_first=True).reshape(*position.shape[:2], 4)
    wanted = kinematics.qpos(motion).astype(np.float64)
    solved = np.empty_like(wanted)
    for frame, qpos in enumerate(wanted):
        for task, its_quat, its_position in zip(feet, quat[frame], position[frame], strict=True):
            task.set_target(mink.SE3(np.concatenate([its_quat, its_position])))
        root.set_target(mink.SE3(np.concatenate([qpos[3:7], qpos[:3]])))
        posture.set_target(qpos)
        configuration.update(qpos)
        for _ in range(_MAX_ITERATIONS):
            try:
                step = mink.solve_ik(configuration, (*feet, root, posture), 1.0, "daqp", damping=1e-6, limits=limits)
            except mink.NoSolutionFound as error:
                raise InputError(
                    f"{motion.label}: no pose within the joint limits keeps the feet in place in frame "
                    f"{frame}; trim the clip before it"
                ) from error
            configuration.integrate_inplace(step, 1.0)
            if np.abs(step).max() < _CONVERGED:
                break
        solved[frame] = configuration.q
    columns = [robot.joint_names.index(name) for name in motion.joint_names]
    return replace(
        motion,
        joint_pos=solved[:, 7:][:, columns],
        root_pos=solved[:, :3],
        root_quat=solved[:, [4, 5, 6, 3]],
    )


class PointTask(mink.Task):
    """Move a point of a body to its position in a target frame.

    Args:
        model: the robot's model.
        body: name of the body.
        point: (3,) m, in the body frame.
        cost: cost of the position error, 1/m.
    """

    def __init__(self, model: mujoco.MjModel, body: str, point: np.ndarray, cost: float) -> None:
        super().__init__(cost=np.full(3, cost))
        self._body, self._point, self._target = model.body(body).id, point, np.zeros(3)

    def set_target(self, transform_target_to_world: mink.SE3) -> None:
        """Set the target pose of the body frame; only the position of the point in it counts."""
        self._target = transform_target_to_world.apply(self._point)

    def compute_error(self, configuration: mink.Configuration) -> np.ndarray:
        """Position error, point minus target, (3,) m in the world frame."""
        return self._position(configuration) - self._target

    def compute_jacobian(self, configuration: mink.Configuration) -> np.ndarray:
        """Translational Jacobian of the point in the world frame, (3, nv)."""
        jacobian = np.zeros((3, configuration.nv))
        point = self._position(configuration)
        mujoco.mj_jac(configuration.model, configuration.data, jacobian, None, point, self._body)
        return jacobian

    def _position(self, configuration: mink.Configuration) -> np.ndarray:
        data = configuration.data
        return data.xpos[self._body] + data.xmat[self._body].reshape(3, 3) @ self._point


def _tip(sole: Sole) -> np.ndarray:
    """Center of the lowest ball of a foot without a flat side, in the default pose, (3,) m in the link frame."""
    return sole.centers[np.argmin(sole.centers @ sole.up - sole.radii)]
