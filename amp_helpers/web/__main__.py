"""Write a page to drive a robot in: ``python -m amp_helpers.web --policy BUNDLE --output drive.html``."""

import sys
from pathlib import Path

from amp_helpers.errors import run_cli
from amp_helpers.utils.command_line import OneLineParser
from amp_helpers.web.page import write_page


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = OneLineParser(
        prog="python -m amp_helpers.web",
        description="Write one HTML file in which a robot is driven by exported policies, in any browser.",
    )
    parser.add_argument("--policy", nargs="+", required=True, help="bundles, runs or shipped policies")
    parser.add_argument("--output", type=Path, default=Path("drive.html"), help="the page")
    parser.add_argument("--task", help="package.module:ID, for a run of a task of your own; a bundle needs none")
    parser.add_argument("--robot", help="name, MJCF, URDF or package.module:NAME (default: that of the bundles)")
    parser.add_argument("--documentation", metavar="ADDRESS", help="where the page links to as the documentation")
    args = parser.parse_args(argv)
    made = write_page(args.policy, args.output, task=args.task, robot=args.robot, documentation=args.documentation)
    print(f"{made.path}: {made.megabytes:.1f} MB, {made.robot} with {', '.join(made.policies)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_cli(main))
