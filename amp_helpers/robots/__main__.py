"""Fetch and build the model files of all built-in robots: ``python -m amp_helpers.robots``."""

import os

from amp_helpers.errors import run_cli
from amp_helpers.robots.assets import cache_dir
from amp_helpers.robots.robot import ROBOTS
from amp_helpers.utils.command_line import OneLineParser


def main() -> int:
    """Build every robot and print the paths of its files."""
    OneLineParser(prog="python -m amp_helpers.robots", description=(__doc__ or "").split(":")[0] + ".").parse_args()
    for robot in ROBOTS.values():
        robot.build()
        print(f"{robot.name}: {robot.num_joints} joints")
        for path in (robot.mjcf_path, robot.usd_path, robot.ground_usd_path):
            print(f"  {os.fspath(path)}")
    print(f"cache: {cache_dir()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
