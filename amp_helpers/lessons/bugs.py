"""Find the bug: five clips, each broken as real files are, and a judge that asks the preflight."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from amp_helpers.checks.preflight import check_motion
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
"""Fault that can be named -> the check that reports it."""
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
        "B": _take(clip, held),
        "C": replace(clip, joint_pos=exchanged),
        "D": _take(clip, kept),
        "E": replace(clip, joint_pos=clip.joint_pos + robot.default_pose()),
    }
    return {letter: replace(motion, name=f"clip {letter}", findings=Findings()) for letter, motion in broken.items()}


def _take(clip: Motion, rows: np.ndarray) -> Motion:
    return replace(clip, joint_pos=clip.joint_pos[rows], root_pos=clip.root_pos[rows], root_quat=clip.root_quat[rows])


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
        fault = named.get(letter, "")
        if fault and fault not in FAULTS:
            raise InputError(f"clip {letter}: '{fault}' is no fault of the list; available: {', '.join(FAULTS)}")
        found = check_motion(clip, robot).worse_than(before).findings
        causes = [result for result in found if result.name in FAULTS.values()]
        right = bool(fault and causes) and FAULTS[fault] == causes[0].name
        said = causes[0].evidence if right else "not yet" if fault else "name its fault"
        rows.append((letter, fault or "?", "right" if right else "", said))
    return Table(("clip", "you say", "", "the preflight says"), rows)
