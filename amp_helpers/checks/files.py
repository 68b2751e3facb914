"""Preflight of files: motion files, and a converted dataset with or without its task."""

import itertools
import os
from collections.abc import Sequence

from amp_helpers.checks.preflight import check_dataset, check_environment, check_motion, check_task
from amp_helpers.checks.table import CheckTable
from amp_helpers.dataset import MotionDataset
from amp_helpers.formats.paths import motion_files
from amp_helpers.formats.registry import read_motions
from amp_helpers.robots.lookup import named_robot, nearest_robot
from amp_helpers.robots.robot import Robot


def check_motion_files(
    motions: Sequence[str | os.PathLike[str]],
    robot: str | Robot | None = None,
    *,
    feet: Sequence[str] = (),
    joint_order: str | None = None,
    quaternion: str = "auto",
    fps: float | None = None,
    up: str | None = None,
) -> dict[str, CheckTable]:
    """Check all clips of motion files.

    Args:
        motions: files, folders or glob patterns.
        robot: robot or its name; by default the built-in one with most of the clip's joints, as the table's note says.
        feet: links that are the feet of a robot named by its file.
        joint_order, quaternion, fps, up: as in :func:`amp_helpers.formats.registry.read_motions`.

    Returns:
        Label of the clip -> its table; labels that repeat are numbered.

    Raises:
        InputError: a file or an argument cannot be used.
    """
    robot = named_robot(robot, feet)
    tables: dict[str, CheckTable] = {}
    for path in motion_files(motions)[0]:
        for motion in read_motions(path, joint_names=joint_order, quaternion=quaternion, fps=fps, up=up, robot=robot):
            taken = robot or nearest_robot(motion.joint_names)
            table = check_motion(motion, taken)
            label = _unused(motion.label, tables)
            tables[label] = table if robot else _compared_by_names(table, taken, motion.joint_names)
    return tables


def check_dataset_file(
    dataset: str | os.PathLike[str],
    task: str | None = None,
    robot: str | Robot | None = None,
    amp_group: str | None = None,
    asset: str | None = None,
    feet: Sequence[str] = (),
    physics: str | None = None,
) -> CheckTable:
    """Load a dataset and check it, and the environment too when a task is named.

    Args:
        dataset: npz file of ``python -m amp_helpers.convert``.
        task: gymnasium id of an Isaac Lab task; its environment is opened for about half a minute.
        robot: robot or its name; by default the built-in one with most of the dataset's joints, which the table's note
            says.
        feet: links that are the feet of a robot named by its file.
        amp_group: observation group of the task that AMP states come from; ``None`` for the simulator's state.
        asset: name of the robot's articulation in the task's scene; ``None`` for ``robot``, or the only one.
        physics: physics preset of the task; ``None`` for the task's default.

    Raises:
        InputError: the dataset, the task, its group or the robot cannot be used.
    """
    data = MotionDataset.load(dataset)
    named = named_robot(robot, feet)
    taken = named or nearest_robot(data.joint_names)
    table = _check_dataset(data, taken, task, amp_group, asset, physics)
    return table if named else _compared_by_names(table, taken, data.joint_names)


def _check_dataset(
    data: MotionDataset, robot: Robot, task: str | None, amp_group: str | None, asset: str | None, physics: str | None
) -> CheckTable:
    if task is None:
        return check_dataset(data, robot)
    from amp_helpers.env.env_facts import facts  # loads Isaac Lab, which takes seconds
    from amp_helpers.env.make import make_env

    with make_env(task, asset=asset, num_envs=2, physics=physics) as env:
        env.reset()
        lab = facts(env)
        environment = [*check_task(env, data, robot=robot), *check_environment(env, data, amp_group)]
    table = check_dataset(data, robot, lab.joint_names, lab.default_pose, lab.step_dt)
    table.extend(environment)
    return table


def _compared_by_names(table: CheckTable, robot: Robot, joint_names: Sequence[str]) -> CheckTable:
    """Add to a table's note which robot was taken for the one that nobody named."""
    shared = len(set(robot.joint_names).intersection(joint_names))
    if shared:
        most = f"the built-in robot with most of these joints ({shared} of {len(joint_names)})"
        note = f"compared with {robot.name}, {most}; --robot names another"
    else:
        note = "no robot is named, and no built-in one has any of these joints"
    return CheckTable(table, "; ".join(filter(None, (table.note, note))))


def _unused(label: str, taken: dict[str, CheckTable]) -> str:
    numbered = (f"{label} #{number}" for number in itertools.count(2))
    return label if label not in taken else next(name for name in numbered if name not in taken)
