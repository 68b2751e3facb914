"""Make a trained policy as fast as it is commanded: ``python -m amp_helpers.calibrate --checkpoint RUN``.

A policy that hardly senses its speed obeys on the average of what it was trained in, with its noise and pushes, so at
some commands an undisturbed robot is too fast or too slow, always by the same amount. This measures by how much, finds
the command at which it goes as fast as asked, and has the policy observe that one. Written to the run's ``policy.pt``,
it holds in every simulator and in what ``export`` makes of it; the weights stay as they are, and so does the gait
clock, which follows the command itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amp_helpers.errors import InputError, run_cli
from amp_helpers.measure.command_line import MeasuringOptions, parse_measuring
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.metrics.conditions import WARMUP_S
from amp_helpers.metrics.frames import mean
from amp_helpers.metrics.grid import check_speeds
from amp_helpers.metrics.tracking import forward_speed
from amp_helpers.utils.resources import POLICY_FILE
from amp_helpers.utils.table import Table, number
from amp_helpers.utils.threads import spin_briefly

if TYPE_CHECKING:
    from amp_helpers.agent.calibration import SpeedCalibration
    from amp_helpers.measure.isaaclab import MeasuredInIsaacLab

SPEEDS_MPS = (0.3, 0.6, 0.9, 1.2, 1.4, 1.6, 1.8, 2.0, 2.25, 2.5)
"""Commands at which a policy is measured by default, m/s."""
FARTHEST_MPS = 0.3
"""A policy that is further off than this needs more training, not a calibration, m/s."""


@dataclass(frozen=True)
class CalibratedSpeed:
    """One command, m/s, and what was measured at it."""

    asked: float
    """The command."""
    before: float
    """Speed without the calibration."""
    told: float
    """What the policy observes now."""
    after: float
    """Speed with the calibration."""


def calibrate(
    setup: MeasuringSetup, *, speeds: Sequence[float] = SPEEDS_MPS, rounds: int = 3, share: float = 1.0
) -> list[CalibratedSpeed]:
    """Calibrate the commanded speeds of a run's ``policy.pt``, and replace the file.

    Each round measures all speeds side by side, straight ahead, and moves what the policy observes by the error; of
    each speed, the best round counts. A calibration that the policy has is not built upon.

    Args:
        setup: the run, and what it is measured with, in Isaac Lab.
        speeds: forward commands, m/s. Between them the correction is interpolated, beyond them it stays as it is.
        rounds: of measuring.
        share: part of the correction that is made, above 0 to 1. A robot that is told less is slower to get there too.

    Returns:
        The commands, slowest first.

    Raises:
        InputError: the policy is not that of a run, has no velocity command, or is off by more than ``FARTHEST_MPS``.
    """
    speeds = sorted(set(map(float, speeds)) - {0.0})
    _check(setup, speeds, rounds, share)
    file = _policy_file(setup)
    from amp_helpers.agent.calibration import rising
    from amp_helpers.measure.isaaclab import opened, takes_velocity
    from amp_helpers.training.policy import save_calibration

    if not takes_velocity(setup):
        raise InputError(f"{setup.checkpoint}: its task has no velocity command; calibrate a policy that obeys one")
    with opened(setup, [(speed, 0.0) for speed in speeds]) as measured:
        listed = ", ".join(f"{speed:g}" for speed in speeds)
        print(f"measuring {listed} m/s, {rounds + 1} times; this takes minutes on a CPU", flush=True)
        found = _search(measured, speeds, setup.seconds, rounds)
        asked = np.array(speeds)
        told = rising(asked, asked + share * (np.array([speed.told for speed in found]) - asked)).tolist()
        calibration = _calibration(measured, speeds, told)
        after = _speeds(measured, calibration, speeds, setup.seconds)
        save_calibration(file, calibration)
    return [
        replace(speed, told=observed, after=float(gone))
        for speed, observed, gone in zip(found, told, after, strict=True)
    ]


def remove_calibration(setup: MeasuringSetup) -> None:
    """Take the calibration of a run's ``policy.pt`` away; nothing is opened, so the run's task and robot do not matter.

    Raises:
        InputError: the policy is not that of a run.
    """
    file = _policy_file(setup)
    from amp_helpers.training.policy import check_weights, save_calibration

    check_weights(file)
    save_calibration(file, None)


def _policy_file(setup: MeasuringSetup) -> Path:
    """The file to replace."""
    if setup.simulator == "mujoco":
        raise InputError("--simulator mujoco: runs bundles; calibrate the run in newton or physx, then export it")
    import amp_helpers.env  # noqa: F401 - first, because it starts Warp without output

    # isort: split
    from amp_helpers.training.policy import find_weights

    file = find_weights(setup.checkpoint)
    if file.name != POLICY_FILE:
        raise InputError(f"{file}: is no {POLICY_FILE}; give the folder of a run that ended")
    return file


def _search(
    measured: "MeasuredInIsaacLab", speeds: Sequence[float], seconds: float, rounds: int
) -> list[CalibratedSpeed]:
    """Measure each speed ``rounds`` times; keep the command that comes nearest to it."""
    from amp_helpers.agent.calibration import rising

    asked = np.array(speeds)
    told, best, before = asked, asked, None
    nearest = np.full(len(asked), np.inf)
    for _ in range(rounds):
        calibration = None if before is None else _calibration(measured, speeds, told.tolist())
        gone = _speeds(measured, calibration, speeds, seconds)
        if before is None:
            before = gone
            _check_near(asked, gone)
        better = np.abs(gone - asked) < np.abs(nearest - asked)
        best, nearest = np.where(better, told, best), np.where(better, gone, nearest)
        told = rising(asked, told + np.nan_to_num(asked - gone))
    assert before is not None
    return [CalibratedSpeed(*map(float, row)) for row in zip(asked, before, best, nearest, strict=True)]


def _speeds(
    measured: "MeasuredInIsaacLab",
    calibration: "SpeedCalibration | None",
    speeds: Sequence[float],
    seconds: float,
) -> np.ndarray:
    """Mean forward speed at each command, m/s; NaN where every robot falls."""
    calibrated = replace(measured, policy=measured.policy.with_calibration(calibration))
    rollouts = calibrated.grid([(speed, 0.0) for speed in speeds], seconds)
    return np.array([mean(forward_speed(rollout)[rollout.settled(WARMUP_S)]) for rollout in rollouts])


def _calibration(measured: "MeasuredInIsaacLab", asked: Sequence[float], told: Sequence[float]) -> "SpeedCalibration":
    """Build the map for the columns of the policy's observations that hold the commanded forward speed."""
    import torch

    from amp_helpers.agent.calibration import SpeedCalibration, speed_knots
    from amp_helpers.amp_state.observation_group import observation_terms
    from amp_helpers.deploy.bundle import input_columns

    terms = [term for term in observation_terms(measured.env) if term.function in _COMMANDS]
    if not terms:
        raise InputError(
            f"the policy does not observe its velocity command; calibrate one that observes {' or '.join(_COMMANDS)}"
        )
    scale = input_columns(measured.env).scale
    commanded = torch.zeros(len(scale), dtype=torch.bool)
    for term in terms:
        commanded[term.start : term.stop : term.width] = True
    factor = scale[commanded][0]
    knots = [factor * part for part in speed_knots(asked, told)]
    return SpeedCalibration(commanded, *knots).to(measured.env.device)


_COMMANDS = ("generated_commands", "steered_commands")
"""Functions whose first column is the commanded forward speed."""


def _check(setup: MeasuringSetup, speeds: Sequence[float], rounds: int, share: float) -> None:
    setup.check()
    check_speeds(*speeds)
    if not speeds:
        raise InputError("no speed to calibrate; give at least one that is not 0")
    if not 0 < share <= 1:
        raise InputError(f"share is {share:g}; give a number above 0, at most 1")
    if rounds < 2:
        raise InputError(f"rounds is {rounds}; give at least 2: one to measure, one with the calibration")


def _check_near(asked: np.ndarray, gone: np.ndarray) -> None:
    for speed, reached in zip(asked, gone, strict=True):
        if not abs(reached - speed) <= FARTHEST_MPS:
            told = "every robot falls" if math.isnan(reached) else f"the policy goes {reached:.2f} m/s"
            raise InputError(
                f"at {speed:g} m/s {told}, which a calibration of at most {FARTHEST_MPS:g} m/s does not mend; train it "
                "longer, or leave this speed out of --speeds"
            )


@dataclass(frozen=True, kw_only=True)
class _CommandLine(MeasuringOptions):
    """Options; those of every measuring command are described here where the help says something else of them.

    Attributes:
        checkpoint: Run folder, or name of a shipped policy; its policy.pt is replaced.
        simulator: Simulator of Isaac Lab: the task's own (newton) or physx. An exported run is calibrated in mujoco
            too.
        device: cpu or cuda:0; by default the first GPU, or the CPU where there is none.
        dataset: Dataset of the policy, where it is not where it was in training.
        robot: Robot of the policy, where its configuration names one that cannot be found.
    """

    speeds: tuple[float, ...] = SPEEDS_MPS
    """Forward commands to measure, m/s."""
    rounds: int = 3
    """How often they are measured to find what to observe; once more measures the result."""
    share: float = 1.0
    """Part of the correction that is made: less than 1 leaves some of the error, and responds to a step sooner."""
    remove: bool = False
    """Take the calibration away."""
    headless: bool = False
    """Accepted as in Isaac Lab's scripts; nothing opens a window."""


def parse(arguments: Sequence[str] | None = None) -> _CommandLine:
    """Read the command line.

    Raises:
        InputError: an option is unknown, or its value is not of its type.
    """
    return parse_measuring(
        _CommandLine,
        "amp_helpers.calibrate",
        "Make a trained policy as fast as it is commanded.",
        ("speeds", "feet"),
        arguments,
    )


def main() -> int:
    """Calibrate from the command line and print a line for each command."""
    spin_briefly()
    cfg = parse()
    if cfg.remove:
        remove_calibration(cfg)
        print(f"{cfg.checkpoint}: has no calibration; export it again if a bundle was made of it")
        return 0
    found = calibrate(cfg, speeds=cfg.speeds, rounds=cfg.rounds, share=cfg.share)
    heads = ("command, m/s", "speed before, m/s", "observed now, m/s", "speed now, m/s")
    print(Table(heads, [[number(v) for v in (s.asked, s.before, s.told, s.after)] for s in found]))
    print(f"{cfg.checkpoint}: calibrated; export it again if a bundle was made of it")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
