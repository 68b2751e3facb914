"""Edits that refine a clip: trim, loop, smooth, mirror, ground it, lock its feet.

A refined clip is a list of edits applied to its source. It is written to a new GMR pickle that records the list as its
history; the source is never overwritten.
"""

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.feet.lock import ground, lock_feet
from amp_helpers.feet.report import feet_report
from amp_helpers.formats.gmr import read_history, write_gmr
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.cycle import as_cycle, close_loop
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.lookup import named_robot, robot_with
from amp_helpers.robots.robot import ROBOTS, Robot
from amp_helpers.utils.resources import find_data

PICKLE_SUFFIXES = (".pkl", ".pickle")


@dataclass(frozen=True)
class EditKind:
    """What an edit of this kind does, and how many numbers it takes."""

    apply: Callable[..., Motion]
    """``apply(motion, kinematics, *values)`` returns the edited motion."""
    counts: tuple[int, ...]
    """Permitted numbers of values."""
    help: str
    """One line for a command line or a tooltip."""


EDITS: dict[str, EditKind] = {
    "trim": EditKind(lambda m, _, *span: m.trim(*span), (2,), "keep the part between two times, s"),
    "loop": EditKind(
        lambda m, _, *seam: close_loop(m, *seam),
        (0, 2),
        "keep one cycle and close it: between two times, s, or without numbers where the clip repeats itself best",
    ),
    "smooth": EditKind(
        lambda m, _, hz: as_cycle(lambda clip: clip.smooth(hz), m), (1,), "low-pass filter with this cutoff, Hz"
    ),
    "mirror": EditKind(lambda m, k: k.mirror(m), (0,), "exchange left and right"),
    "ground": EditKind(lambda m, k: ground(m, k), (0,), "shift the clip vertically so that its feet stand at height 0"),
    "lock_feet": EditKind(
        lambda m, k: lock_feet(m, k),
        (0,),
        "keep standing feet in place on the ground by inverse kinematics; includes --ground",
    ),
}
"""The edits by name, in the order in which the command line applies them."""


@dataclass(frozen=True)
class Edit:
    """One edit of a clip; ``str(edit)`` is its line in a file's history, such as ``trim 0.5 2``.

    Raises:
        InputError: the name is unknown, or the number of values is not one that this edit takes.
    """

    name: str
    """A key of :data:`EDITS`."""
    values: tuple[float, ...] = ()
    """Its numbers, in the units that :attr:`EditKind.help` states."""

    def __post_init__(self) -> None:
        if self.name not in EDITS:
            raise InputError(f"edit '{self.name}' not found; available: {', '.join(EDITS)}")
        if len(self.values) not in EDITS[self.name].counts:
            counts = " or ".join(map(str, EDITS[self.name].counts))
            raise InputError(f"edit '{self.name}' takes {counts} number(s), not {len(self.values)}; give {counts}")

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{value:g}" for value in self.values)])


def apply_edits(motion: Motion, edits: Iterable[Edit], kinematics: Kinematics) -> Motion:
    """Apply edits in order and return the resulting clip.

    Raises:
        InputError: an edit does not fit the clip, or the robot lacks a joint of the clip.
    """
    return functools.reduce(lambda clip, edit: EDITS[edit.name].apply(clip, kinematics, *edit.values), edits, motion)


def joint_change(before: Motion, after: Motion) -> float:
    """Root mean square joint difference, rad; NaN where the clips differ in frames or joints."""
    if before.joint_pos.shape != after.joint_pos.shape or before.joint_names != after.joint_names:
        return float("nan")
    return float(np.sqrt(np.mean(np.square(after.joint_pos.astype(np.float64) - before.joint_pos))))


def compare_clips(before: Motion, after: Motion, kinematics: Kinematics) -> list[tuple[str, float, float]]:
    """Compare a clip's feet before and after refining.

    Returns:
        Rows of a quantity with its unit, its value before, and its value after.

    Raises:
        InputError: as :func:`amp_helpers.feet.report.feet_report`.
    """
    named = [feet_report(motion, kinematics).named() for motion in (before, after)]
    rows = [("seconds", before.duration_s, after.duration_s)]
    rows += [(name, value, named[1][name]) for name, value in named[0].items()]
    change = joint_change(before, after)
    return rows if np.isnan(change) else [*rows, ("joint change, rad (root mean square)", 0.0, change)]


def default_robot(motion: Motion) -> Robot:
    """The smallest built-in robot that has all joints of a clip.

    Raises:
        InputError: there is none.
    """
    robot = robot_with(motion.joint_names)
    if robot is None:
        raise InputError(f"{motion.label}: fits none of {', '.join(ROBOTS)}; name your robot's MJCF file with --robot")
    return robot


def save_refined(path: str | os.PathLike, motion: Motion, source: str | os.PathLike, edits: Sequence[Edit]) -> None:
    """Write a refined clip to a new GMR pickle.

    Its ``history`` starts with that of the source, if the source has one, and continues with the source's SHA-256 and
    the edits.

    Args:
        path: file to write; ends in ``.pkl``.
        motion: the clip after the edits.
        source: the file that the clip was read from.
        edits: the edits, in order.

    Raises:
        InputError: ``path`` is the source, does not end in ``.pkl``, or cannot be written.
    """
    path, source = Path(path), Path(source)
    if path.suffix not in PICKLE_SUFFIXES:
        raise InputError(f"{path}: a refined clip is written as a GMR pickle; choose a name that ends in .pkl")
    if path.exists() and path.samefile(source):
        raise InputError(f"{path}: is the source itself, which is never overwritten; choose another name")
    lines = [*read_history(source), f"read {source.name}, SHA-256 {motion.sha256}", *map(str, edits)]
    write_gmr(path, motion, history=lines)


def refine_file(
    source: str | os.PathLike,
    output: str | os.PathLike,
    edits: Sequence[Edit],
    *,
    robot: str | Robot | None = None,
    feet: Sequence[str] = (),
    joint_order: str | None = None,
    quaternion: str = "auto",
    fps: float | None = None,
    up: str | None = None,
) -> tuple[Motion, Motion, Kinematics]:
    """Read a motion file, apply edits, and write the result to a new GMR pickle.

    Args:
        source: motion file of any format; ``datasets/NAME`` is the demo motion where there is no such file.
        output: the new file; ends in ``.pkl``.
        edits: at least one edit, applied in order.
        robot: robot or its name; by default :func:`default_robot`.
        feet: links that are the feet of a robot named by its file.
        joint_order, quaternion, fps, up: as in :func:`amp_helpers.formats.registry.read_motion`.

    Returns:
        The clip before, the clip after, and the robot's kinematics.

    Raises:
        InputError: the file, an edit, the robot or the output cannot be used.
    """
    source = find_data(source)
    if not edits:
        raise InputError(f"{source}: no edit is given; name at least one of {', '.join(EDITS)}")
    robot = named_robot(robot, feet)
    before = read_motion(source, joint_names=joint_order, quaternion=quaternion, fps=fps, up=up, robot=robot)
    kinematics = Kinematics(robot or default_robot(before))
    after = apply_edits(before, edits, kinematics)
    save_refined(output, after, source, edits)
    return before, after, kinematics
