"""Writing files that hold every link: BeyondMimic's and Isaac Lab's AMP npz, by forward kinematics of the robot."""

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import conjugate, multiply, rotation_vector
from amp_helpers.robots.robot import Robot, robot_with


def robot_of(motion: Motion, robot: Robot | None) -> Robot:
    robot = robot or robot_with(motion.joint_names)
    if robot is None:
        raise InputError(
            f"{motion.label}: no robot known here has all of its joints, and links are to be written; give the robot"
        )
    return robot


def default_columns(robot: Robot, order: tuple[str, ...]) -> np.ndarray:
    pose = dict(zip(robot.joint_names, robot.default_pose(), strict=True))
    return np.array([pose[name] for name in order])


def link_poses(motion: Motion, robot: Robot) -> tuple[object, dict[str, np.ndarray]]:
    """The robot's kinematics, and of every link, depth-first, (N, B, ...) float32 in the world: place, m; rotation,
    wxyz; velocity, m/s; and angular velocity, rad/s, both by central differences."""
    from amp_helpers.robots.kinematics import Kinematics

    kinematics = Kinematics(robot)
    places, turns = kinematics.body_positions(motion), kinematics.body_rotations(motion)
    frames = np.arange(motion.num_frames)
    before, after = np.maximum(frames - 1, 0), np.minimum(frames + 1, motion.num_frames - 1)
    seconds = ((after - before) * motion.dt)[:, None, None]
    if motion.num_frames < 2:
        raise InputError(f"{motion.label}: has one frame; velocities need two")
    links = {
        "pos": places,
        "quat": turns[..., [3, 0, 1, 2]],
        "lin_vel": (places[after] - places[before]) / seconds,
        "ang_vel": rotation_vector(multiply(turns[after], conjugate(turns[before]))) / seconds,
    }
    return kinematics, {name: values.astype(np.float32) for name, values in links.items()}
