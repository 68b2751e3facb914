"""Drive a policy on a page of this machine: ``python -m amp_helpers.drive --policy bundle``."""

import sys
from dataclasses import dataclass
from pathlib import Path

from amp_helpers.deploy.bundles import named_bundles
from amp_helpers.errors import InputError, run_cli
from amp_helpers.robots.lookup import get_robot, other_joints
from amp_helpers.utils.tyro_options import parse_options


@dataclass(frozen=True, kw_only=True)
class _CommandLine:
    policy: tuple[Path, ...]
    """Bundles that export wrote, or names of shipped policies, such as g1_locomotion. A run folder or a checkpoint is
    exported first, which needs Isaac Lab and some twenty seconds. The first one drives; the page switches."""
    port: int = 8080
    """TCP port of the page, on 127.0.0.1 only."""
    task: str | None = None
    """package.module:ID, for a run of a task of your own; a bundle needs none."""
    robot: str | None = None
    """Robot to drive: a name, your MJCF or URDF, or package.module:NAME; by default the one that the bundle names."""


def main() -> int:
    """Serve the page until Ctrl-C."""
    about = "A page on which you steer a robot in plain MuJoCo, by keys, sliders or a gamepad."
    cfg = parse_options(_CommandLine, "amp_helpers.drive", about)
    if not cfg.policy:
        raise InputError("--policy: names no policy; give at least one bundle, run or shipped policy")
    # viser takes a second to load, and --help does not need it.
    from amp_helpers.deploy.driver import Driver
    from amp_helpers.widgets.drive_page import DrivePage, check_port

    check_port(cfg.port)
    robot = get_robot(cfg.robot) if cfg.robot else None
    driver = Driver(named_bundles(cfg.policy, task=cfg.task, robot=cfg.robot), robot)
    if other := other_joints(driver.robot, driver.controller.joint_names):
        print(f"note: {other}; those joints are not driven", file=sys.stderr)
    page = DrivePage(driver, cfg.port)
    try:
        print(f"{page.url}  drives {', '.join(page.driver.policies)}; Ctrl-C ends it", flush=True)
        page.serve()
    except KeyboardInterrupt:
        print()
    finally:
        page.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
