"""Convert motion files to a dataset at the control rate: ``python -m amp_helpers.convert MOTION... --output D.npz``."""

import functools
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError, one_line, run_cli
from amp_helpers.formats.joint_names import shown
from amp_helpers.formats.options import add_reading_options
from amp_helpers.formats.paths import motion_files
from amp_helpers.formats.registry import FORMATS, read_motions
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion, check_control_step
from amp_helpers.motion.repair import REPAIRS, apply_repairs, check_repairs, find_defects
from amp_helpers.motion.repeats import ClipIndex
from amp_helpers.robots.lookup import get_robot
from amp_helpers.robots.robot import Robot
from amp_helpers.utils.command_line import OneLineParser
from amp_helpers.utils.resources import find_data

SpeedBy = Literal["time", "gait"]
SPEED_BY: tuple[SpeedBy, ...] = get_args(SpeedBy)
"""Ways to change the speed of a clip."""
GAIT_SPEEDS = (0.4, 1.9)
"""Lowest and highest speed, relative to the clip's, at which a changed gait stays close to the captured style."""
_FORMATS = ", ".join(f"{kind.name} {kind.suffixes[0]}" for kind in FORMATS if kind.suffixes)


def convert(
    motions: Sequence[str | os.PathLike],
    output: str | os.PathLike,
    *,
    weights: Sequence[float] | None = None,
    robot: str | Robot = "g1_23dof",
    feet: Sequence[str] = (),
    control_dt: float = 0.02,
    quaternion: str = "auto",
    joint_order: str | None = None,
    fill_missing: bool = False,
    fps: float | None = None,
    up: str | None = None,
    repair: bool | Collection[str] = (),
    speeds: Sequence[float] = (1.0,),
    speed_by: SpeedBy = "time",
    verbose: bool = True,
) -> MotionDataset:
    """Read motions, resample them to the control step, select the robot's joints, and write one dataset.

    Args:
        motions: motion files, folders (searched recursively) and glob patterns; a file named twice counts twice. A
            dataset in a folder or pattern beside the files that it was made from adds only the clips that they lack;
            a copy that is no dataset is taken, with a note.
        output: npz file, replaced only on success.
        weights: one for each of ``motions``, by default 1: how often each frame is drawn when training, against those
            of weight 1. The weight of a folder or pattern applies to each of its files, that of a file to each clip.
        robot: the robot, or its name, whose joints become the columns.
        feet: links that are the feet of a robot named by its file; by default they are found in it.
        control_dt: the environment's step, s.
        quaternion: ``auto``, ``xyzw`` or ``wxyz``, see :func:`amp_helpers.formats.registry.read_motions`.
        joint_order: for files that do not name their joints: a key of ``JOINT_ORDERS``, or ``robot`` or ``physx`` for
            the robot's own, depth-first or breadth-first.
        fill_missing: hold robot joints that a motion lacks at the default pose; otherwise they are an error.
        fps: frames per second of files that do not state them, such as CSV.
        up: axis of the files' worlds that points up, ``z`` or ``y``; by default z, unless the feet speak for y.
        repair: names of ``motion.repair.REPAIRS`` to apply where a clip needs them, or True for all; the dataset's
            ``findings`` record them.
        speeds: speeds relative to the file's; each clip is included once per speed, so that slow and fast commands have
            a reference too.
        speed_by: ``time`` plays the clip slower or faster, with the same steps; ``gait`` changes stride and cadence as
            people do, see :func:`amp_helpers.feet.gait_speed.at_gait_speed`, with a warning outside ``GAIT_SPEEDS``.
        verbose: print what was done to each motion, and which repairs it needs.

    Returns:
        The dataset, as written.

    Raises:
        InputError: a motion or an argument cannot be used.
    """
    robot = get_robot(robot, feet) if isinstance(robot, str) else robot
    repairs = tuple(REPAIRS) if repair is True else check_repairs(repair or ())
    check_control_step(control_dt, "--control_dt")
    if Path(output).suffix != ".npz":
        raise InputError(f"{output}: a dataset file ends in .npz; choose such a name")
    if not motions:
        raise InputError("no motion given; name at least one motion file or folder")
    _check_speeds(speeds, speed_by)
    at_speed = Motion.at_speed if speed_by == "time" else _gait_speed(robot)
    files, lines = _weighted_files(motions, weights, output)
    report = _Report(lines)
    read = functools.partial(
        read_motions, joint_names=joint_order, quaternion=quaternion, fps=fps, up=up, robot=robot, repairs=repairs
    )
    extreme = [speed for speed in speeds if speed_by == "gait" and not GAIT_SPEEDS[0] <= speed <= GAIT_SPEEDS[1]]

    def clips() -> Iterator[Motion]:
        for path, stored in _new_clips(files, read, report):
            motion = apply_repairs(stored, repairs)
            joints = JointOrder(robot.joint_names).compare(motion.joint_names)
            motion = _for_robot(path, motion, robot, joints.missing, fill_missing)
            if extreme:
                report.warn(_far_from_captured(extreme), stored.label)
            for speed in speeds:
                played = at_speed(motion, speed)
                if verbose:
                    report.lines += _summary(played, control_dt, joints.extra, joints.missing)
                yield played

    dataset = MotionDataset.from_motions(clips(), joint_names=robot.joint_names, control_dt=control_dt)
    dataset.save(output)
    if verbose:
        count = f"{dataset.num_motions} motion{'s' if dataset.num_motions > 1 else ''}"
        report.lines.append(
            f"{output}: {count}, {len(dataset)} pairs of {robot.num_joints} joints ({robot.name}), "
            f"{len(dataset) * control_dt:.2f} s"
        )
        report.print()
    return dataset


@dataclass
class _Report:
    """What is printed about the motions once all are read."""

    lines: list[str]
    warnings: dict[str, list[str]] = field(default_factory=dict)
    """Warning -> labels of the clips that it is about."""

    def warn(self, warning: str, label: str) -> None:
        """Add a clip to those that a warning is about."""
        self.warnings.setdefault(warning, []).append(label)

    def print(self) -> None:
        """Print the lines, and the warnings to stderr."""
        print("\n".join(map(one_line, self.lines)))
        for warning, labels in self.warnings.items():
            more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
            print(f"warning: {labels[0]}{more}: {warning}", file=sys.stderr)


def _new_clips(
    files: Sequence[tuple[Path, float, bool]], read: Callable[[Path], list[Motion]], report: _Report
) -> Iterator[tuple[Path, Motion]]:
    """Yield the clips of :func:`_weighted_files` with their weights, without those that a found dataset repeats."""
    # Shown on a terminal only, because tqdm writes to stderr, where scripts read errors.
    from tqdm import tqdm

    index = ClipIndex()
    for path, weight, searched in tqdm(files, unit="file", disable=None if len(files) > 1 else True, leave=False):
        for stored in read(path):
            earlier = index.repeated(stored) if searched else None
            if earlier and path.suffix == ".npz":
                report.lines.append(f"{stored.label}: left out, the same clip as {earlier}")
                continue
            if earlier:
                report.lines.append(
                    f"note: {stored.label}: the same clip as {earlier}; both are taken, so remove one if it should "
                    "not count twice"
                )
            for warning in stored.findings.warnings():
                report.warn(warning, stored.label)
            yield path, replace(stored, weight=weight * stored.weight)


def _check_speeds(speeds: Sequence[float], speed_by: str) -> None:
    given = " ".join(f"{speed:g}" for speed in speeds) or "nothing"
    if not speeds or any(not (np.isfinite(speed) and speed > 0) for speed in speeds):
        raise InputError(f"--speeds {given}: not all are speeds; give positive numbers, 1 for a clip as it is")
    if len(set(speeds)) < len(speeds):
        raise InputError(f"--speeds {given}: names a speed twice; name each once, and weigh motions with --weights")
    if speed_by not in SPEED_BY:
        raise InputError(f"--speed_by {speed_by}: not a way to change the speed; give one of {', '.join(SPEED_BY)}")
    if speed_by == "gait" and tuple(speeds) == (1.0,):
        raise InputError(f"--speed_by {speed_by}: no other speed is asked for; give --speeds too, such as 1 0.6 1.4")


def _weighted_files(
    motions: Sequence[str | os.PathLike], weights: Sequence[float] | None, output: str | os.PathLike
) -> tuple[list[tuple[Path, float, bool]], list[str]]:
    """List the files: path, weight of its argument, and whether a search found it; and a line on each folder."""
    if weights is None:
        weights = [1.0] * len(motions)
    if len(weights) != len(motions):
        raise InputError(
            f"--weights: {len(weights)} given for {len(motions)} motions; give one for each file, folder or pattern"
        )
    wrong = [weight for weight in weights if not (np.isfinite(weight) and weight > 0)]
    if wrong:
        raise InputError(
            f"--weights {wrong[0]:g}: not a weight; give a positive number, and leave out unwanted motions"
        )
    files, lines = [], []
    for motion, weight in zip(motions, weights, strict=True):
        found, notes = motion_files([motion], output=output)
        if any(_same_file(path, output) for path in found):
            raise InputError(f"{output}: is also a motion to read, and would be replaced; choose another --output")
        searched = found != [find_data(motion)]
        # A dataset holds fewer joints, at another rate, than the file that it was made from, which is taken first.
        found = sorted(found, key=lambda path: path.suffix == ".npz")
        files += [(path, float(weight), searched) for path in found]
        lines += notes
    return files, lines


def _gait_speed(robot: Robot) -> Callable[[Motion, float], Motion]:
    # Imported here, because it needs MuJoCo, and files convert also where MUJOCO_GL names a library that is missing.
    from amp_helpers.feet.gait_speed import at_gait_speed
    from amp_helpers.robots.kinematics import Kinematics

    kinematics = Kinematics(robot)
    return lambda motion, speed: at_gait_speed(motion, kinematics, speed)


def _far_from_captured(speeds: Sequence[float]) -> str:
    return (
        f"--speeds {' '.join(f'{speed:g}' for speed in speeds)} with --speed_by gait makes steps unlike the captured "
        f"ones; give speeds from {GAIT_SPEEDS[0]} to {GAIT_SPEEDS[1]}, or a faster or slower clip"
    )


def _same_file(path: Path, output: str | os.PathLike) -> bool:
    return path.exists() and os.path.exists(output) and os.path.samefile(path, output)


def _for_robot(
    path: str | os.PathLike, motion: Motion, robot: Robot, missing: Sequence[str], fill_missing: bool
) -> Motion:
    if len(missing) == robot.num_joints:
        raise InputError(
            f"{path}: has no joint of {robot.name} (found: {', '.join(map(shown, motion.joint_names[:8]))}); choose "
            "the robot it was made for with --robot"
        )
    if missing and not fill_missing:
        raise InputError(
            f"{path}: lacks joints of {robot.name}: {', '.join(missing)}; choose the robot it was made for with "
            "--robot, or hold them at the default pose with --fill_missing"
        )
    return motion.select(robot.joint_names, fill=robot.default_pose() if missing else None)


def _summary(motion: Motion, control_dt: float, dropped: Sequence[str], filled: Sequence[str]) -> Iterator[str]:
    frames = int(np.floor(motion.duration_s / control_dt + 1e-6)) + 1
    weight = "" if motion.weight == 1 else f", weight {motion.weight:g}"
    yield (
        f"{motion.label}: {motion.fps:.4g} fps -> {1 / control_dt:.4g} Hz, {motion.num_frames} -> {frames} frames, "
        f"{motion.duration_s:.2f} s{weight}"
    )
    if dropped:
        yield f"  joints dropped: {', '.join(dropped)}"
    if filled:
        yield f"  joints held at the default pose: {', '.join(filled)}"
    if found := motion.findings.sentence():
        yield f"  {found}"
    for repair, defect in find_defects(motion).items():
        yield f"  offered: --repair {repair} ({defect.what})"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        InputError: a file or an argument cannot be used.
    """
    # argparse, not tyro: choices and help come from the registries of formats, orders and repairs at run time, and
    # --repair without names means all of them.
    description = "Convert motion files to a dataset at the control rate."
    parser = OneLineParser(prog="python -m amp_helpers.convert", description=description)
    parser.add_argument("motions", nargs="+", metavar="MOTION", help=f"file, folder or glob; {_FORMATS}")
    parser.add_argument(
        "--weights",
        type=float,
        nargs="+",
        metavar="W",
        help="how often frames of each MOTION are drawn (1 each)",
    )
    parser.add_argument("--output", required=True, metavar="D.npz", help="dataset to write")
    parser.add_argument(
        "--robot",
        default="g1_23dof",
        help="robot whose joints become the columns: a name, your MJCF or URDF, or package.module:NAME (%(default)s)",
    )
    parser.add_argument(
        "--control_dt", type=float, default=0.02, help="control step of the environment, s (%(default)s)"
    )
    add_reading_options(parser)
    parser.add_argument(
        "--fill_missing", action="store_true", help="hold robot joints that a motion lacks at the default pose"
    )
    parser.add_argument(
        "--repair",
        nargs="*",
        choices=tuple(REPAIRS),
        metavar="NAME",
        help=f"apply these repairs where a clip needs them; without names, all of them: {', '.join(REPAIRS)}",
    )
    parser.add_argument(
        "--speeds",
        type=float,
        nargs="+",
        default=(1.0,),
        metavar="S",
        help="include each clip at each of these speeds, relative to its own, for slow and fast commands (1)",
    )
    parser.add_argument(
        "--speed_by",
        choices=SPEED_BY,
        default="time",
        help="time: play it slower or faster; gait: longer and quicker steps, as people change speed (%(default)s)",
    )
    arguments = vars(parser.parse_args(argv))
    if arguments["repair"] == []:
        arguments["repair"] = True
    convert(**arguments)


if __name__ == "__main__":
    sys.exit(run_cli(main))
