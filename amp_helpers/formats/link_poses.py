"""Link poses for formats that store every link, such as BeyondMimic's and Isaac Lab's AMP npz: forward kinematics."""

from typing import TYPE_CHECKING

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import conjugate, multiply, rotation_vector
from amp_helpers.robots.lookup import robot_with
from amp_helpers.robots.robot import Robot

if TYPE_CHECKING:
    from amp_helpers.robots.kinematics import Kinematics


def robot_for(motion: Motion, robot: Robot | None) -> Robot:
    """Return ``robot``, or without it the first of this project's that has the motion's joints.

    Raises:
        InputError: none has.
    """
    robot = robot or robot_with(motion.joint_names)
    if robot is None:
        raise InputError(
            f"{motion.label}: no robot known here has all of its joints, and the format stores links; give the robot"
        )
    return robot


def default_columns(robot: Robot, order: tuple[str, ...]) -> np.ndarray:
    """Return the robot's default pose in a column order, (J,) float32, rad."""
    pose = robot.default_positions()
    return np.array([pose[name] for name in order], np.float32)


def link_poses(motion: Motion, robot: Robot) -> "tuple[Kinematics, dict[str, np.ndarray]]":
    """Compute the poses and velocities of every link in the world frame.

    Returns:
        The robot's kinematics, and by name (N, B, ...) float32, links depth-first: ``pos`` m, ``quat`` wxyz,
        ``lin_vel`` m/s and ``ang_vel`` rad/s, the velocities by central differences.

    Raises:
        InputError: the motion has a single frame.
    """
    # MuJoCo is loaded only where a model is needed.
    from amp_helpers.robots.kinematics import Kinematics

    kinematics = Kinematics(robot)
    places, turns = kinematics.body_positions(motion), kinematics.body_rotations(motion)
    frames = np.arange(motion.num_frames)
    before, after = np.maximum(frames - 1, 0), np.minimum(frames + 1, motion.num_frames - 1)
    seconds = ((after - before) * motion.dt)[:, None, None]
    if motion.num_frames < 2:
        raise InputError(f"{motion.label}: has one frame; velocities need at least two")
    links = {
        "pos": places,
        "quat": turns[..., [3, 0, 1, 2]],
        "lin_vel": (places[after] - places[before]) / seconds,
        "ang_vel": rotation_vector(multiply(turns[after], conjugate(turns[before]))) / seconds,
    }
    return kinematics, {name: values.astype(np.float32) for name, values in links.items()}
