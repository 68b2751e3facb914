"""Preflight: check motion files, a dataset, an environment or a training run before it costs GPU time.

    python -m amp_helpers.check MOTION...
    python -m amp_helpers.check --dataset D.npz [--task ID [--physics NAME]]
    python -m amp_helpers.check --run DIR

Exit code 0 when no check fails, 1 when one does, 2 when the input cannot be used.
"""

import argparse
import sys
from collections.abc import Sequence

from amp_helpers.checks.files import check_dataset_file, check_motion_files
from amp_helpers.checks.preflight import check_run
from amp_helpers.checks.table import CheckTable, format_table
from amp_helpers.errors import InputError, run_cli
from amp_helpers.formats.options import add_reading_options
from amp_helpers.formats.paths import motion_files
from amp_helpers.robots.robot import ROBOTS
from amp_helpers.utils.command_line import OneLineParser
from amp_helpers.utils.threads import spin_briefly


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, print the tables, and return the exit code, 0 or 1.

    Raises:
        InputError: a file, a task, a run or a combination of options cannot be used.
    """
    spin_briefly()
    # argparse, not tyro: choices come from registries at run time, and there is no configuration.
    parser = OneLineParser(prog="python -m amp_helpers.check", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("motions", nargs="*", metavar="MOTION", help="motion files, folders or globs, as for convert")
    parser.add_argument("--dataset", metavar="D.npz", help="dataset of python -m amp_helpers.convert")
    parser.add_argument("--task", metavar="ID", help="also open this environment and check that it fits the dataset")
    parser.add_argument("--asset", metavar="NAME", help="the robot's name in the task's scene (default: robot)")
    parser.add_argument("--physics", metavar="NAME", help="physics preset of the task (default: the task's own)")
    parser.add_argument("--amp_group", metavar="GROUP", help="observation group of the task to read AMP states from")
    parser.add_argument("--run", metavar="DIR", help="run folder: check reward shares and discriminator")
    parser.add_argument(
        "--robot",
        help=f"{', '.join(ROBOTS)}, your MJCF or URDF, or package.module:NAME (default: the name with most of its "
        "joints)",
    )
    add_reading_options(parser)
    parser.add_argument("--all", action="store_true", help="show the evidence of passed checks too")
    given = parser.parse_args(argv)
    _check_combination(given)
    tables: dict[str, CheckTable] = {}
    if given.motions:
        files, notes = motion_files(given.motions)
        print("".join(f"{note}\n" for note in notes), end="")
        tables |= check_motion_files(
            files,
            given.robot,
            feet=given.feet,
            joint_order=given.joint_order,
            quaternion=given.quaternion,
            fps=given.fps,
            up=given.up,
        )
    if given.dataset:
        tables[given.dataset] = check_dataset_file(
            given.dataset, given.task, given.robot, given.amp_group, given.asset, given.feet, given.physics
        )
    if given.run:
        tables[given.run] = check_run(given.run)
    for label, table in tables.items():
        if len(tables) > 1:
            print(f"{label}:")
        print(format_table(table, evidence=given.all), end="\n\n")
    failed = [result.name for table in tables.values() for result in table if result.verdict == "fail"]
    count = sum(map(len, tables.values()))
    print(f"{count} checks, {len(failed)} failed{': ' + ', '.join(dict.fromkeys(failed)) if failed else ''}")
    return 1 if failed else 0


def _check_combination(given: argparse.Namespace) -> None:
    if not (given.motions or given.dataset or given.run):
        raise InputError("nothing to check; name motion files, --dataset D.npz or --run DIR")
    if given.asset and not given.task:
        raise InputError(f"--asset {given.asset} names the robot in a task's scene; give --task ID too")
    if given.physics and not given.task:
        raise InputError(f"--physics {given.physics} is a preset of a task; give --task ID too")
    if (given.task or given.amp_group) and not given.dataset:
        raise InputError("--task and --amp_group compare an environment with a dataset; give --dataset D.npz too")
    if given.amp_group and not given.task:
        raise InputError(f"--amp_group {given.amp_group} is a group of observations of a task; give --task ID too")
    reading = {"--joint_order": given.joint_order, "--fps": given.fps, "--up": given.up}
    reading |= {} if given.quaternion == "auto" else {"--quaternion": given.quaternion}
    unused = [option for option, value in reading.items() if value is not None and not given.motions]
    robots = {"--robot": given.robot, "--feet": given.feet}
    unused += [option for option, value in robots.items() if value and not (given.motions or given.dataset)]
    if unused:
        kind = "motion files" if given.dataset else "motion files or a dataset"
        raise InputError(f"{', '.join(unused)}: for {kind}, and none is named; name one, or leave the option out")


if __name__ == "__main__":
    sys.exit(run_cli(main))
