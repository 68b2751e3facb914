"""Options of every command that reads motion files."""

import argparse

from amp_helpers.formats.column_order import ORDER_CHOICES, ORDER_HELP
from amp_helpers.formats.up_axis import UP_AXES
from amp_helpers.robots.lookup import FEET_HELP


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add what a user may say of motion files and their robot: --feet, --joint_order, --quaternion, --fps and --up."""
    parser.add_argument("--feet", nargs="+", default=(), metavar="LINK", help=FEET_HELP)
    parser.add_argument("--joint_order", choices=ORDER_CHOICES, help=ORDER_HELP)
    parser.add_argument(
        "--quaternion",
        choices=("auto", "xyzw", "wxyz"),
        default="auto",
        help="order of root quaternions in motion files (%(default)s)",
    )
    parser.add_argument("--fps", type=float, help="frames per second of motion files that do not state them (CSV)")
    parser.add_argument("--up", choices=UP_AXES, help="axis of the world that points up in motion files (z)")
