"""Mend a clip instead of leaving its feet out: trim, loop, smooth, mirror, put it on the ground, hold its feet.

    python -m amp_helpers.refine walk.pkl --output walk_refined.pkl --lock_feet

A refined clip is a list of edits applied to its source. It is written to a new GMR pickle that keeps this list as its
history, never over the source.
"""

import argparse
import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, run_cli
from amp_helpers.feet.lock import ground, lock_feet
from amp_helpers.feet.report import feet_report
from amp_helpers.formats.gmr import read_history, write_gmr
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.cycle import as_cycle, close_loop
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import JOINT_ORDERS, ROBOTS, Robot, get_robot
from amp_helpers.utils.resources import find_data
from amp_helpers.utils.table import Table

PICKLES = (".pkl", ".pickle")


@dataclass(frozen=True)
class EditKind:
    """What an edit of this kind does, and how many numbers it takes."""

    apply: Callable[..., Motion]
    """``apply(motion, kinematics, *values)``."""
    counts: tuple[int, ...]
    """How many values may be given."""
    help: str
    """One line for a command line or a tooltip."""


EDITS: dict[str, EditKind] = {
    "trim": EditKind(lambda m, _, *span: m.trim(*span), (2,), "keep what lies between two moments, s"),
    "loop": EditKind(
        lambda m, _, *seam: close_loop(m, *seam),
        (0, 2),
        "keep one round and close it, between two moments, s, or where the clip repeats itself best",
    ),
    "smooth": EditKind(
        lambda m, _, hz: as_cycle(lambda clip: clip.smooth(hz), m), (1,), "take out what is faster than this, Hz"
    ),
    "mirror": EditKind(lambda m, k: k.mirror(m), (0,), "exchange left and right"),
    "ground": EditKind(lambda m, k: ground(m, k), (0,), "put standing soles at height 0, by one shift of the clip"),
    "lock_feet": EditKind(
        lambda m, k: lock_feet(m, k), (0,), "hold standing feet on the ground by inverse kinematics; grounds as well"
    ),
}
"""The edits by name, in the order in which the command line applies them."""


@dataclass(frozen=True)
class Edit:
    """One change of a clip; as text, a line of a file's history.

    Raises:
        InputError: no such edit, or another number of values than it takes.
    """

    name: str
    """A key of :data:`EDITS`."""
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.name not in EDITS:
            raise InputError(f"edit '{self.name}' not found; available: {', '.join(EDITS)}")
        if len(self.values) not in EDITS[self.name].counts:
            counts = " or ".join(map(str, EDITS[self.name].counts))
            raise InputError(f"edit '{self.name}' takes {counts} number(s), not {len(self.values)}; give as many")

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{value:g}" for value in self.values)])


def apply_edits(motion: Motion, edits: Iterable[Edit], kinematics: Kinematics) -> Motion:
    """The clip after all edits, the first one first.

    Raises:
        InputError: an edit does not fit the clip, or the robot lacks a joint of it.
    """
    return functools.reduce(lambda clip, edit: EDITS[edit.name].apply(clip, kinematics, *edit.values), edits, motion)


def joint_change(before: Motion, after: Motion) -> float:
    """Root mean square, rad, of what was done to the joints; NaN when the clips have other frames or joints."""
    if before.joint_pos.shape != after.joint_pos.shape or before.joint_names != after.joint_names:
        return float("nan")
    return float(np.sqrt(np.mean(np.square(after.joint_pos.astype(np.float64) - before.joint_pos))))


def robot_of(motion: Motion) -> Robot:
    """The smallest robot of this project that has all joints of a clip.

    Raises:
        InputError: none has.
    """
    fitting = [robot for robot in ROBOTS.values() if set(motion.joint_names) <= set(robot.joint_names)]
    if not fitting:
        raise InputError(
            f"{motion.source or 'motion'}: fits none of {', '.join(ROBOTS)}; name your robot's MJCF file with --robot"
        )
    return min(fitting, key=lambda robot: robot.num_joints)


def save_refined(path: str | os.PathLike, motion: Motion, source: str | os.PathLike, edits: Sequence[Edit]) -> None:
    """Write a refined clip to a new GMR pickle; its ``history`` names the source by SHA-256, then the edits.

    A source that was refined before passes its own history on.

    Args:
        path: file to write, a ``.pkl``.
        motion: the clip after the edits.
        source: the file that it was made of.
        edits: what was done, in order.

    Raises:
        InputError: ``path`` is the source, or is no ``.pkl``, or cannot be written.
    """
    path, source = Path(path), Path(source)
    if path.suffix not in PICKLES:
        raise InputError(f"{path}: a refined clip is written as a GMR pickle; choose a name that ends in .pkl")
    if path.exists() and path.samefile(source):
        raise InputError(f"{path}: is the source itself, which is never written over; choose another name")
    earlier = read_history(source) if source.suffix.lower() in PICKLES else ()
    lines = [*earlier, f"read {source.name}, SHA-256 {motion.sha256}", *map(str, edits)]
    write_gmr(path, motion, history=lines)


def refine(
    source: str | os.PathLike,
    output: str | os.PathLike,
    edits: Sequence[Edit],
    *,
    robot: str | Robot | None = None,
    joint_order: str | None = None,
    quaternion: str = "auto",
    fps: float | None = None,
) -> tuple[Motion, Motion, Kinematics]:
    """Read a motion file, apply the edits, write a new GMR pickle; returns the clip before and after, and the robot's
    kinematics.

    Args:
        source: a motion file of any format; ``datasets/NAME`` is the demo motion where there is no such file.
        output: the new file.
        edits: what to do, in order.
        robot: whose joints and feet; by default :func:`robot_of` the clip.
        joint_order, quaternion, fps: as :func:`amp_helpers.formats.registry.read_motion`.

    Raises:
        InputError: the file, an edit or the output cannot be used.
    """
    source = find_data(source)
    if not edits:
        raise InputError(f"{source}: nothing to do; name at least one of {', '.join(EDITS)}")
    before = read_motion(source, joint_names=joint_order, quaternion=quaternion, fps=fps)
    kinematics = Kinematics(
        robot_of(before) if robot is None else get_robot(robot) if isinstance(robot, str) else robot
    )
    after = apply_edits(before, edits, kinematics)
    save_refined(output, after, source, edits)
    return before, after, kinematics


def compare(before: Motion, after: Motion, kinematics: Kinematics) -> list[tuple[str, float, float]]:
    """What refining did, as rows: what is measured, before, after.

    Raises:
        InputError: as :func:`feet_report`.
    """
    named = [feet_report(motion, kinematics).named() for motion in (before, after)]
    rows = [("seconds", before.duration_s, after.duration_s)]
    rows += [(name, value, named[1][name]) for name, value in named[0].items()]
    change = joint_change(before, after)
    return rows if np.isnan(change) else [*rows, ("joints moved, rad (root mean square)", 0.0, change)]


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m amp_helpers.refine", description=__doc__.partition("\n")[0])
    parser.add_argument("motion", metavar="MOTION", help="the motion file to start from")
    parser.add_argument("--output", required=True, metavar="NEW.pkl", help="GMR pickle to write, never the source")
    for name, kind in EDITS.items():
        numbers = {"action": "store_true"} if kind.counts == (0,) else {"type": float, "nargs": "*", "metavar": "X"}
        parser.add_argument(f"--{name}", help=kind.help, **numbers)
    parser.add_argument("--robot", help="whose joints and feet: a name or your MJCF (the smallest G1 that fits)")
    parser.add_argument("--joint_order", choices=tuple(JOINT_ORDERS), help="columns of files that do not name them")
    parser.add_argument(
        "--quaternion", choices=("auto", "xyzw", "wxyz"), default="auto", help="order of root rotations (%(default)s)"
    )
    parser.add_argument("--fps", type=float, help="frames per second of files that do not say (CSV)")
    given = vars(parser.parse_args(argv))
    chosen = {name: given.pop(name) for name in EDITS}
    edits = [
        Edit(name, tuple(values) if isinstance(values, list) else ())
        for name, values in chosen.items()
        if values is not None and values is not False
    ]
    output = given["output"]
    before, after, kinematics = refine(given.pop("motion"), given.pop("output"), edits, **given)
    print(Table(("", "before", "after"), compare(before, after, kinematics)))
    print(f"{output}: {after.num_frames} frames at {after.fps:.4g} fps; {', '.join(map(str, edits))}")


if __name__ == "__main__":
    sys.exit(run_cli(main))
