"""Find the robot that a name, a file or a set of joints means."""

import sys
from collections.abc import Sequence

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.robots.robot import ROBOTS, Robot
from amp_helpers.utils.plugins import import_user_module

FEET_HELP = "links that are the feet of a robot named by its file (default: those lowest in its default pose)"
"""Help text of ``--feet``."""
FILE_SUFFIXES = (".xml", ".mjcf", ".urdf")
"""Suffixes of robot files, in lower case."""


def get_robot(name: str, feet: Sequence[str] = ()) -> Robot:
    """Find a robot by its built-in name, its file (MJCF or URDF), or its Python name ``package.module:NAME``.

    What is assumed about a robot from a file is printed to stderr.

    Args:
        name: one of these.
        feet: links that are the feet, for a robot from a file; by default they are found in it.

    Raises:
        InputError: there is no such robot, and the message lists the names; or its file cannot be used.
    """
    if name.lower().endswith(FILE_SUFFIXES):
        robot = Robot.from_file(name, foot_bodies=tuple(feet))
        for remark in robot.remarks:
            print(f"note: {remark}", file=sys.stderr)
        return robot
    if feet:
        raise InputError(
            f"--feet {' '.join(feet)}: robot '{name}' has its feet; give --feet beside a robot's file only"
        )
    if name in ROBOTS:
        return ROBOTS[name]
    module, colon, attribute = name.rpartition(":")
    if colon:
        robot = getattr(import_user_module(module, f"robot '{name}'", "NAME"), attribute, None)
        if isinstance(robot, Robot):
            return robot
        raise InputError(f"robot '{name}': module '{module}' has no Robot '{attribute}'; make one with Robot.from_file")
    raise InputError(
        f"robot '{name}' not found; available: {', '.join(ROBOTS)}, a path of an MJCF (.xml) or URDF file, or "
        "package.module:NAME"
    )


def named_robot(robot: Robot | str | None, feet: Sequence[str] = ()) -> Robot | None:
    """Return the robot that an option names, see :func:`get_robot`; ``None`` where none is named.

    Raises:
        InputError: there is no such robot, or feet are named without its file.
    """
    if isinstance(robot, str):
        return get_robot(robot, feet)
    if feet:
        raise InputError(f"--feet {' '.join(feet)}: names links of no robot; name its file with --robot too")
    return robot


def other_joints(robot: Robot, joint_names: Sequence[str], whose: str = "policy") -> str | None:
    """Say, for a note, in which joints a robot differs from the one that is simulated; ``None`` where in none.

    Args:
        robot: the one that is named.
        joint_names: of the one that is simulated.
        whose: what that one belongs to.
    """
    report = JointOrder(robot.joint_names).compare(joint_names)
    parts = {"only it has": report.missing, "it lacks": report.extra}
    told = ", and ".join(f"{what} {', '.join(names)}" for what, names in parts.items() if names)
    return f"robot '{robot.name}' is not the {whose}'s: {told}" if told else None


def robots_beside(robot: Robot | None) -> list[Robot]:
    """The robots that a file may belong to: the built-in ones; or ``robot`` and those with all of its joints."""
    if robot is None:
        return list(ROBOTS.values())
    larger = (known for known in ROBOTS.values() if set(robot.joint_names) <= set(known.joint_names))
    return [robot, *(known for known in larger if known is not robot)]


def robot_with(names: Sequence[str], robot: Robot | None = None) -> Robot | None:
    """The first of :func:`robots_beside` that has all these joints; else None."""
    return next((known for known in robots_beside(robot) if set(names) <= set(known.joint_names)), None)


def nearest_robot(names: Sequence[str]) -> Robot:
    """The built-in robot that has most of these joints; of several, the one with the fewest others."""

    def rank(robot: Robot) -> tuple[int, int]:
        return len(set(robot.joint_names).intersection(names)), -robot.num_joints

    return max(ROBOTS.values(), key=rank)


def robot_with_links(body_names: Sequence[str]) -> Robot:
    """The first built-in robot whose feet are among these links.

    Raises:
        InputError: there is none.
    """
    for robot in ROBOTS.values():
        if set(robot.foot_bodies) <= set(body_names):
            return robot
    raise InputError("the feet of the task's robot are not known; name the robot with --robot, by its MJCF or URDF")
