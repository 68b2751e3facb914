"""Writing files that hold every link: BeyondMimic's and Isaac Lab's AMP npz, by forward kinematics of the robot."""

import os

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.evidence import breadth_first, robot_with
from amp_helpers.formats_npz import write_npz
from amp_helpers.motion import Motion
from amp_helpers.robots import Robot
from amp_helpers.rotations import conjugate, multiply, rotation_vector


def write_beyondmimic(path: str | os.PathLike, motion: Motion, robot: Robot | None = None) -> None:
    """Write a BeyondMimic npz: joints and links breadth-first, as Isaac Lab has them on PhysX, and not named.

    Args:
        path: npz file, written atomically.
        motion: at the rate that the tracker runs at; joints it lacks hold the default pose.
        robot: by default the first of this project's that has the motion's joints.

    Raises:
        InputError: no robot has these joints, or the motion has a single frame.
    """
    robot = _robot_of(motion, robot)
    kinematics, links = _links(motion, robot)
    order = breadth_first(kinematics.model)
    depth = [0]
    for parent in kinematics.parents[1:]:
        depth.append(depth[parent] + 1)
    columns = sorted(range(len(depth)), key=lambda body: (depth[body], body))
    whole = motion.select(order, fill=_filled(robot, order))
    write_npz(
        path,
        {
            "fps": np.array([motion.fps]),
            "joint_pos": whole.joint_pos,
            "joint_vel": whole.joint_vel,
            **{f"body_{name}_w": values[:, columns] for name, values in links.items()},
        },
    )


def write_amp(path: str | os.PathLike, motion: Motion, robot: Robot | None = None) -> None:
    """Write an AMP npz of Isaac Lab, everything named; arguments as :func:`write_beyondmimic`."""
    robot = _robot_of(motion, robot)
    kinematics, links = _links(motion, robot)
    names = {"pos": "positions", "quat": "rotations", "lin_vel": "linear_velocities", "ang_vel": "angular_velocities"}
    write_npz(
        path,
        {
            "fps": np.array(motion.fps),
            "dof_names": np.array(motion.joint_names),
            "body_names": np.array(kinematics.body_names),
            "dof_positions": motion.joint_pos,
            "dof_velocities": motion.joint_vel,
            **{f"body_{names[name]}": values for name, values in links.items()},
        },
    )


def _robot_of(motion: Motion, robot: Robot | None) -> Robot:
    robot = robot or robot_with(motion.joint_names)
    if robot is None:
        raise InputError(
            f"{motion.source.partition(' (')[0] or 'motion'}: no robot known here has all of its joints, and links are "
            "to be written; give the robot"
        )
    return robot


def _filled(robot: Robot, order: tuple[str, ...]) -> np.ndarray:
    pose = dict(zip(robot.joint_names, robot.default_pose(), strict=True))
    return np.array([pose[name] for name in order])


def _links(motion: Motion, robot: Robot) -> tuple[object, dict[str, np.ndarray]]:
    """The robot's kinematics, and of every link, depth-first, (N, B, ...) float32 in the world: place, m; rotation,
    wxyz; velocity, m/s; and angular velocity, rad/s, both by central differences."""
    from amp_helpers.kinematics import Kinematics

    kinematics = Kinematics(robot)
    places, turns = kinematics.body_positions(motion), kinematics.body_rotations(motion)
    frames = np.arange(motion.num_frames)
    before, after = np.maximum(frames - 1, 0), np.minimum(frames + 1, motion.num_frames - 1)
    seconds = ((after - before) * motion.dt)[:, None, None]
    if motion.num_frames < 2:
        raise InputError(f"{motion.source.partition(' (')[0] or 'motion'}: has one frame; velocities need two")
    links = {
        "pos": places,
        "quat": turns[..., [3, 0, 1, 2]],
        "lin_vel": (places[after] - places[before]) / seconds,
        "ang_vel": rotation_vector(multiply(turns[after], conjugate(turns[before]))) / seconds,
    }
    return kinematics, {name: values.astype(np.float32) for name, values in links.items()}
