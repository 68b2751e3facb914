"""Refine a clip: trim, loop, smooth, mirror, ground it, lock its feet.

    python -m amp_helpers.refine walk.pkl --output walk_refined.pkl --lock_feet

The edits are those of :mod:`amp_helpers.feet.edits`, applied in the order in which ``--help`` lists them.
"""

import sys
from collections.abc import Sequence

from amp_helpers.errors import run_cli
from amp_helpers.feet.edits import EDITS, Edit, compare_clips, refine_file
from amp_helpers.formats.options import add_reading_options
from amp_helpers.joints import JointOrder
from amp_helpers.utils.command_line import OneLineParser
from amp_helpers.utils.table import Table


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and print the feet before and after.

    Raises:
        InputError: the motion, an edit, the robot or the output cannot be used.
    """
    # argparse, not tyro: the options and their number of values come from EDITS, and the choices from ORDER_CHOICES.
    parser = OneLineParser(prog="python -m amp_helpers.refine", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("motion", metavar="MOTION", help="motion file to refine")
    parser.add_argument("--output", required=True, metavar="NEW.pkl", help="GMR pickle to write, never the source")
    for name, kind in EDITS.items():
        if kind.counts == (0,):
            parser.add_argument(f"--{name}", action="store_const", const=[], help=kind.help)
        else:
            parser.add_argument(f"--{name}", type=float, nargs="*", metavar="X", help=kind.help)
    parser.add_argument(
        "--robot",
        help="a name, your MJCF or URDF, or package.module:NAME (default: the smallest G1 that has all joints)",
    )
    add_reading_options(parser)
    given = vars(parser.parse_args(argv))
    values = {name: given.pop(name) for name in EDITS}
    edits = [Edit(name, tuple(numbers)) for name, numbers in values.items() if numbers is not None]
    source, output = given.pop("motion"), given.pop("output")
    before, after, kinematics = refine_file(source, output, edits, **given)
    warnings = list(before.findings.warnings())
    robot = kinematics.robot
    if missing := JointOrder(robot.joint_names).compare(before.joint_names).missing:
        warnings.append(
            f"lacks joints of {robot.name}, which stay at the default pose and cannot be moved: {', '.join(missing)}; "
            "give a clip that has those of the legs, or the robot that it was made for with --robot"
        )
    for warning in warnings:
        print(f"warning: {before.label}: {warning}", file=sys.stderr)
    print(Table(("", "before", "after"), compare_clips(before, after, kinematics)))
    print(f"{output}: {after.num_frames} frames at {after.fps:.4g} fps; {', '.join(map(str, edits))}")


if __name__ == "__main__":
    sys.exit(run_cli(main))
