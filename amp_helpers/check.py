"""Is this dataset fit to train on, and for this environment?

``python -m amp_helpers.check --dataset D.npz [--task ID]``: exit code 0 when no check fails, 1 when one does, 2 when
the input cannot be used.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from amp_helpers.checks import CheckTable, check_dataset
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import run_cli
from amp_helpers.robots import G1_23DOF, ROBOTS, Robot, get_robot


def check(dataset: str | os.PathLike, task: str | None = None, robot: str | Robot | None = None) -> CheckTable:
    """Load a dataset and check it, against an environment too when a task is named.

    Args:
        dataset: npz file.
        task: gymnasium id of an Isaac Lab task, opened for a moment (half a minute) to read its facts.
        robot: the robot or its name; by default the one whose joints the dataset holds.

    Raises:
        InputError: the dataset, the task or the robot cannot be used.
    """
    data = MotionDataset.load(dataset)
    if isinstance(robot, str):
        robot = get_robot(robot)
    robot = robot or _robot_of(data)
    if task is None:
        return check_dataset(data, robot)
    # The simulator takes seconds to import; nothing else here needs it.
    from amp_helpers.env import env_facts

    facts = env_facts(task)
    return check_dataset(data, robot, facts.joint_names, facts.default_pose, facts.step_dt)


def _robot_of(dataset: MotionDataset) -> Robot:
    matching = (robot for robot in ROBOTS.values() if set(robot.joint_names) == set(dataset.joint_names))
    return next(matching, G1_23DOF)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m amp_helpers.check", description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True, metavar="D.npz")
    parser.add_argument("--task", metavar="ID", help="also check against this environment")
    parser.add_argument("--robot", help=f"{', '.join(ROBOTS)} or your MJCF; default: the one with the dataset's joints")
    arguments = parser.parse_args(argv)
    table = check(arguments.dataset, arguments.task, arguments.robot)
    print(table)
    failed = [check.name for check in table if check.verdict == "fail"]
    print(f"\n{len(table)} checks, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run_cli(main))
