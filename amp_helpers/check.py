"""Is this fit to train on: a dataset, motion files, an environment, a run?

``python -m amp_helpers.check --dataset D.npz [--task ID]``, ``python -m amp_helpers.check MOTION...`` or ``python -m
amp_helpers.check --run DIR``: exit code 0 when no check fails, 1 when one does, 2 when the input cannot be used.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from amp_helpers.checks.preflight import check_dataset, check_motion
from amp_helpers.checks.table import CheckTable, format_table
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError, run_cli
from amp_helpers.formats.column_order import OWN_ORDERS
from amp_helpers.formats.paths import motion_files
from amp_helpers.formats.registry import read_motions
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_23DOF, JOINT_ORDERS, ROBOTS, Robot, get_robot, robot_with


def check(
    dataset: str | os.PathLike,
    task: str | None = None,
    robot: str | Robot | None = None,
    amp_group: str | None = None,
) -> CheckTable:
    """Load a dataset and check it, against an environment too when a task is named.

    Args:
        dataset: npz file.
        task: gymnasium id of an Isaac Lab task, opened for a moment (half a minute) to be read and tried.
        robot: the robot or its name; by default the one whose joints the dataset holds.
        amp_group: observation group of the task that AMP states come from; ``None`` for the simulator's own state.

    Raises:
        InputError: the dataset, the task, its group or the robot cannot be used.
    """
    data = MotionDataset.load(dataset)
    if isinstance(robot, str):
        robot = get_robot(robot)
    robot = robot or _robot_of(data.joint_names)
    if task is None:
        return check_dataset(data, robot)
    # The simulator takes seconds to import; nothing else here needs it.
    from amp_helpers.checks.environment import check_environment
    from amp_helpers.env.make import facts, make_env

    with make_env(task, num_envs=2) as env:
        env.reset()
        lab = facts(env)
        environment = check_environment(env, data, amp_group)
    return CheckTable([*check_dataset(data, robot, lab.joint_names, lab.default_pose, lab.step_dt), *environment])


def check_files(
    motions: Sequence[str | os.PathLike],
    robot: str | Robot | None = None,
    *,
    joint_order: str | None = None,
    quaternion: str = "auto",
    fps: float | None = None,
) -> dict[str, CheckTable]:
    """The tables of all clips in motion files, folders and glob patterns, by clip.

    Raises:
        InputError: a file or an argument cannot be used.
    """
    robot = get_robot(robot) if isinstance(robot, str) else robot
    tables: dict[str, CheckTable] = {}
    for path in motion_files(motions)[0]:
        for motion in read_motions(path, joint_names=joint_order, quaternion=quaternion, fps=fps, robot=robot):
            label = _unused(motion.label, tables)
            tables[label] = check_motion(motion, robot or _robot_for(motion))
    return tables


def _unused(label: str, taken: dict[str, CheckTable]) -> str:
    return label if label not in taken else f"{label} #{sum(name.startswith(label) for name in taken) + 1}"


def _robot_for(motion: Motion) -> Robot:
    """The smallest robot that has all the clip's joints, or has all its own in the clip."""
    return robot_with(motion.joint_names) or next(
        (robot for robot in ROBOTS.values() if set(robot.joint_names) <= set(motion.joint_names)), G1_23DOF
    )


def _robot_of(joint_names: Sequence[str]) -> Robot:
    return next((robot for robot in ROBOTS.values() if set(robot.joint_names) == set(joint_names)), G1_23DOF)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m amp_helpers.check", description=__doc__.splitlines()[0])
    parser.add_argument("motions", nargs="*", metavar="MOTION", help="motion files, folders or globs, as for convert")
    parser.add_argument("--dataset", metavar="D.npz", help="dataset of python -m amp_helpers.convert")
    parser.add_argument("--task", metavar="ID", help="also open this environment, and check that it fits the dataset")
    parser.add_argument("--amp_group", metavar="GROUP", help="observation group of the task to read AMP states from")
    parser.add_argument("--run", metavar="DIR", help="run folder: reward shares and discriminator")
    parser.add_argument("--robot", help=f"{', '.join(ROBOTS)} or your MJCF; default: the one with these joints")
    parser.add_argument(
        "--joint_order", choices=(*OWN_ORDERS, *JOINT_ORDERS), help="columns of motion files that do not name them"
    )
    parser.add_argument("--quaternion", choices=("auto", "xyzw", "wxyz"), default="auto", help="of motion files")
    parser.add_argument("--fps", type=float, help="frames per second of motion files that do not say (CSV)")
    parser.add_argument("--all", action="store_true", help="show the evidence of sound checks too")
    given = parser.parse_args(argv)
    if not (given.motions or given.dataset or given.run):
        raise InputError("nothing to check; name motion files, --dataset D.npz or --run DIR")
    if (given.task or given.amp_group) and not given.dataset:
        raise InputError("--task and --amp_group compare an environment with a dataset; give --dataset D.npz too")
    tables: dict[str, CheckTable] = {}
    if given.motions:
        tables |= check_files(
            given.motions, given.robot, joint_order=given.joint_order, quaternion=given.quaternion, fps=given.fps
        )
    if given.dataset:
        tables[given.dataset] = check(given.dataset, given.task, given.robot, given.amp_group)
    if given.run:
        from amp_helpers.checks.run import check_run

        tables[given.run] = check_run(given.run)
    for label, table in tables.items():
        if len(tables) > 1:
            print(f"{label}:")
        print(format_table(table, evidence=given.all), end="\n\n")
    failed = [check.name for table in tables.values() for check in table if check.verdict == "fail"]
    count = sum(map(len, tables.values()))
    print(f"{count} checks, {len(failed)} failed{': ' + ', '.join(dict.fromkeys(failed)) if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run_cli(main))
