"""Preflight of files: motion files, and a converted dataset with or without its task."""

import itertools
import os
from collections.abc import Sequence

from amp_helpers.checks.preflight import check_dataset, check_environment, check_motion, check_task
from amp_helpers.checks.table import CheckTable
from amp_helpers.dataset import MotionDataset
from amp_helpers.formats.paths import motion_files
from amp_helpers.formats.registry import read_motions
from amp_helpers.robots.lookup import named_robot, robot_with
from amp_helpers.robots.robot import G1_23DOF, ROBOTS, Robot


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
        robot: robot or its name; by default the smallest built-in one that has the clip's joints.
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
            tables[_unused(motion.label, tables)] = check_motion(motion, robot or _default_robot(motion.joint_names))
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
        robot: robot or its name; by default the smallest built-in one that has the dataset's joints.
        feet: links that are the feet of a robot named by its file.
        amp_group: observation group of the task that AMP states come from; ``None`` for the simulator's state.
        asset: name of the robot's articulation in the task's scene; ``None`` for ``robot``, or the only one.
        physics: physics preset of the task; ``None`` for the task's default.

    Raises:
        InputError: the dataset, the task, its group or the robot cannot be used.
    """
    data = MotionDataset.load(dataset)
    robot = named_robot(robot, feet) or _default_robot(data.joint_names)
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


def _default_robot(joint_names: Sequence[str]) -> Robot:
    """The smallest built-in robot that has all these joints, else one whose joints are all among them, else the G1."""
    return robot_with(joint_names) or next(
        (robot for robot in ROBOTS.values() if set(robot.joint_names) <= set(joint_names)), G1_23DOF
    )


def _unused(label: str, taken: dict[str, CheckTable]) -> str:
    numbered = (f"{label} #{number}" for number in itertools.count(2))
    return label if label not in taken else next(name for name in numbered if name not in taken)
