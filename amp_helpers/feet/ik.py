"""The pose that has its feet where they should be and is otherwise as near to a clip as can be."""

from dataclasses import dataclass, replace

import mink
import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.soles import Sole

_MOST_STEPS = 12
_SMALL_STEP = 1e-4
"""m or rad; the search ends when no coordinate moves more."""


@dataclass(frozen=True, kw_only=True)
class FollowCosts:
    """What it costs to stray; feet far more than anything else."""

    foot: tuple[float, float] = (100.0, 20.0)
    """Of a foot's distance (1/m) and turn (1/rad) from its target."""
    root: tuple[float, float] = (2.0, 2.0)
    """Of the root's distance (1/m) and turn (1/rad) from the clip."""
    joint: float = 0.5
    """Of a joint's distance from the clip, 1/rad."""


def follow_feet(
    motion: Motion,
    kinematics: Kinematics,
    soles: tuple[Sole, ...],
    position: np.ndarray,
    rotation: np.ndarray,
    costs: FollowCosts,
) -> Motion:
    """The motion nearest to ``motion`` whose foot links are at given places: differential inverse kinematics (mink).

    Each frame is a short sequence of quadratic programs within the joint limits, started from the clip. Feet without a
    flat side are held at the one point on which they stand, however the link above turns.

    Args:
        motion: the clip.
        kinematics: of its robot.
        soles: of the feet, (F).
        position, rotation: of the foot links, (N, F, 3) m and (N, F, 3, 3).
        costs: weights of the quadratic program.

    Raises:
        InputError: a frame has no solution.
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
        for _ in range(_MOST_STEPS):
            try:
                step = mink.solve_ik(configuration, (*feet, root, posture), 1.0, "daqp", damping=1e-6, limits=limits)
            except mink.NoSolutionFound as error:
                raise InputError(
                    f"{motion.source or 'motion'}: no pose holds the feet in frame {frame}; cut the clip before it"
                ) from error
            configuration.integrate_inplace(step, 1.0)
            if np.abs(step).max() < _SMALL_STEP:
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
    """Brings a point of a body to where a target frame has it.

    Args:
        model: the model.
        body: name of the body.
        point: (3,) m in the body's frame.
        cost: of the distance, 1/m.
    """

    def __init__(self, model: mujoco.MjModel, body: str, point: np.ndarray, cost: float) -> None:
        super().__init__(cost=np.full(3, cost))
        self._body, self._point, self._target = model.body(body).id, point, np.zeros(3)

    def set_target(self, transform_target_to_world: mink.SE3) -> None:
        """Where the body's frame would be; only the place of the point counts."""
        self._target = transform_target_to_world.apply(self._point)

    def compute_error(self, configuration: mink.Configuration) -> np.ndarray:
        """From the target to the point, (3,) m."""
        return self._place(configuration) - self._target

    def compute_jacobian(self, configuration: mink.Configuration) -> np.ndarray:
        """Of the point, (3, nv)."""
        jacobian = np.zeros((3, configuration.nv))
        mujoco.mj_jac(configuration.model, configuration.data, jacobian, None, self._place(configuration), self._body)
        return jacobian

    def _place(self, configuration: mink.Configuration) -> np.ndarray:
        data = configuration.data
        return data.xpos[self._body] + data.xmat[self._body].reshape(3, 3) @ self._point


def _tip(sole: Sole) -> np.ndarray:
    """The centre of the ball on which a foot without a flat side stands in the default pose, (3,) m."""
    return sole.centres[np.argmin(sole.centres @ sole.up - sole.radii)]
