"""Find the bug: five clips and five tasks, each broken as real ones are, and judges that ask the preflight."""

import ast
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from amp_helpers.checks.files import check_dataset_file
from amp_helpers.checks.preflight import check_motion
from amp_helpers.checks.table import CheckTable
from amp_helpers.errors import InputError
from amp_helpers.motion.findings import Findings
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import Robot
from amp_helpers.utils.table import Table

FAULTS = {
    "angles in degrees": "units",
    "wrong quaternion order": "quaternion order",
    "columns in another order": "column order",
    "left and right exchanged": "left and right",
    "one joint with the opposite sign": "mirrored axes",
    "default pose added or subtracted": "default offset",
    "frames repeated": "repeated frames",
    "frames lost": "missing frames",
    "a jump of the root": "root jumps",
    "ground not at height 0": "ground height",
}
"""Fault of a clip that can be named -> the check that reports it."""
TASK_FAULTS = {
    "another control step than the dataset's": "control step",
    "a robot that lies or stands on its head at the start": "upright start",
    "joints that no action drives": "driven joints",
    "a default angle with the wrong sign": "offset sign",
    "no start in reference states": "reference states",
    "joints in another order": "joint order",
    "another robot than the dataset's": "robot asset",
    "a fall that is recorded after the reset": "terminal frames",
}
"""Fault of a task that can be named -> the check that reports it."""
_TASKS = "broken_tasks"
_LOST = slice(70, 76)


def broken_clips(clip: Motion, robot: Robot) -> dict[str, Motion]:
    """Break a clip in five ways; letter -> clip.

    Args:
        clip: a sound clip at its file's rate, with the joints of the robot, of at least 100 frames.
        robot: the robot.
    """
    names = clip.joint_names
    other = [name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right") for name in names]
    exchanged = clip.select(other).joint_pos
    sign = np.where(np.array(names) == "left_hip_roll_joint", -1.0, 1.0)
    rows = np.arange(clip.num_frames)
    held, kept = rows - rows % 2, np.delete(rows, _LOST)
    broken = {
        "A": replace(clip, joint_pos=clip.joint_pos * sign),
        "B": clip.at_frames(held),
        "C": replace(clip, joint_pos=exchanged),
        "D": clip.at_frames(kept),
        "E": replace(clip, joint_pos=clip.joint_pos + robot.default_pose()),
    }
    return {letter: replace(motion, name=f"clip {letter}", findings=Findings()) for letter, motion in broken.items()}


def judge(named: Mapping[str, str], clips: Mapping[str, Motion], sound: Motion, robot: Robot) -> Table:
    """Judge the faults that a reader named by the preflight's worst finding in each clip.

    Args:
        named: letter -> one of :data:`FAULTS`, or an empty text.
        clips: letter -> broken clip.
        sound: the clip before it was broken; what the preflight says of it too is no fault.
        robot: the robot.

    Raises:
        InputError: a fault that cannot be named.
    """
    before = check_motion(sound, robot)
    rows = []
    for letter, clip in clips.items():
        fault = _known(named.get(letter, ""), f"clip {letter}", FAULTS)
        found = check_motion(clip, robot).worse_than(before) if fault else CheckTable()
        rows.append(_judged(letter, fault, found, FAULTS))
    return Table(("clip", "you say", "", "the preflight says"), rows)


def task_code() -> dict[str, str]:
    """Return the code of five tasks, each with one mistake; letter -> code."""
    text = Path(__file__).with_name(f"{_TASKS}.py").read_text(encoding="utf-8")
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    return {node.name[-1]: f"@configclass\n{ast.get_source_segment(text, node)}" for node in classes}


def judge_tasks(named: Mapping[str, str], dataset: str | Path) -> Table:
    """Judge the faults that a reader named by what ``check --task`` finds; only tasks with a named fault are opened.

    Args:
        named: letter -> one of :data:`TASK_FAULTS`, or an empty text.
        dataset: dataset that fits the sound task.

    Raises:
        InputError: a fault that cannot be named.
    """
    rows = []
    for letter in task_code():
        fault = _known(named.get(letter, ""), f"task {letter}", TASK_FAULTS)
        task = f"{__package__}.{_TASKS}:Task-{letter}"
        found = check_dataset_file(dataset, task) if fault else CheckTable()
        rows.append(_judged(letter, fault, found, TASK_FAULTS))
    return Table(("task", "you say", "", "the preflight says"), rows)


def _known(fault: str, subject: str, faults: Mapping[str, str]) -> str:
    if fault and fault not in faults:
        raise InputError(f"{subject}: '{fault}' is no fault of the list; available: {', '.join(faults)}")
    return fault


def _judged(letter: str, fault: str, found: CheckTable, faults: Mapping[str, str]) -> tuple[str, str, str, str]:
    """A row: the fault is right if the worst finding, among the faults that can be named, is it."""
    causes = [result for result in found.findings if result.name in faults.values()]
    right = bool(fault and causes) and faults[fault] == causes[0].name
    said = causes[0].evidence if right else "not yet" if fault else "name its fault"
    return letter, fault or "?", "right" if right else "", said
