"""Measure a policy: ``python -m amp_helpers.evaluate --checkpoint P --velocity 0.8 --output DIR``.

``--grid`` measures many commands at once, ``--steps 0 1 2 0`` a command that changes, ``--simulator physx`` in
PhysX, ``--simulator mujoco`` in plain MuJoCo.
"""

import itertools
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, folder_fault, run_cli
from amp_helpers.measure.command_line import MeasuringOptions, parse_measuring
from amp_helpers.measure.results import write_figure, write_grid, write_metrics
from amp_helpers.measure.setup import Measured, MeasuringSetup, Simulator
from amp_helpers.metrics.conditions import HOLD_S, WARMUP_S
from amp_helpers.metrics.grid import GRID, Command, check_speeds, grid_rows
from amp_helpers.metrics.lying import lying_share
from amp_helpers.metrics.policy import evaluate_rollout
from amp_helpers.metrics.references import (
    nearest_reference,
    profile_reference,
    rollout_motion,
    step_profile,
)
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.metrics.tables import grid_table
from amp_helpers.motion.motion import Motion
from amp_helpers.utils.threads import spin_briefly

VELOCITY = 0.8
"""Commanded forward speed where none is given, m/s."""


def evaluate(
    setup: MeasuringSetup,
    output: str | Path,
    *,
    velocity: float | None = None,
    turn: float = 0.0,
    steps: Sequence[float] = (),
    video: bool = False,
) -> dict[str, float]:
    """Run a policy under one command, or through steps of it, and compare it with its reference.

    Actions are deterministic, and the task is configured by :func:`amp_helpers.env.configure_for_measuring`: no noise,
    pushes or randomization unless asked for, the same command all the time. A warm-up of 3 s precedes the measured
    time. Writes ``metrics.json``, ``rollout.npz`` and, with ``video``, ``video.mp4`` (policy beside reference) to
    ``output``.

    Args:
        setup: the policy, and what it is measured with.
        output: folder for the results.
        velocity: commanded forward speed, m/s; ``None`` for ``VELOCITY``, and for no command on a task without a
            velocity command, whose metrics of obeying are then undefined.
        turn: commanded turning speed, rad/s, left positive.
        steps: commanded forward speeds, m/s, each held for ``HOLD_S``, without ``velocity`` and the setup's
            ``seconds``; what compares with one reference is then undefined.
        video: write ``video.mp4``.

    Returns:
        The metrics of :func:`amp_helpers.metrics.evaluate_rollout`.

    Raises:
        InputError: the checkpoint, dataset or an option cannot be used.
    """
    _check(setup, output, (velocity or 0.0, turn, *steps))
    if steps and (velocity is not None or turn):
        raise InputError("--steps commands the speed, straight ahead; leave out --velocity and --turn, or --steps")
    setup = setup.through(steps)
    if velocity is None:
        commanded = steps or turn or _simulator(setup).takes_velocity(setup)
        velocity, turn = (VELOCITY, turn) if commanded else (math.nan, math.nan)
    command = (steps[0], 0.0) if steps else (velocity, turn)
    with open_simulator(setup, [command]) as measured:
        references, robot = measured.references, measured.robot
        if steps:
            profile = step_profile(steps, HOLD_S, measured.dt)
            reference, shown = None, profile_reference(references, profile, measured.dt)
            rollout = measured.follow(profile)
        else:
            rollout = measured.hold(command, setup.duration_s)
            reference = shown = nearest_reference(rollout, references)
            if references.num_motions > 1:
                by = "poses" if math.isnan(velocity) else "command"  # NaN where there is no command
                about = f"one of {references.num_motions} clips, nearest to the {by}"
                print(f"reference: {reference.label}, {about}; pose RMSE and coverage RMSE are of it")
    output = Path(output)
    metrics = evaluate_rollout(rollout, reference, WARMUP_S)
    if not rollout.settled(WARMUP_S).any():
        print(f"note: most metrics are undefined (nan), because every robot falls within its warm-up of {WARMUP_S:g} s")
    _note_lying(lying_share(rollout, references.clips()))
    rollout.save(output / "rollout.npz")
    write_metrics(output / "metrics.json", metrics)
    if video:
        from amp_helpers.render.comparison import write_comparison  # opens OpenGL, which nothing else needs

        write_comparison(output / "video.mp4", rollout, shown, robot)
    return metrics


def evaluate_grid(
    setup: MeasuringSetup, output: str | Path, *, commands: Sequence[Command] | None = None
) -> list[dict[str, float]]:
    """Measure a policy under a grid of commands, all in one environment, each against the clip nearest to it.

    Writes ``grid.json``, a list of the rows of :func:`amp_helpers.metrics.grid_row`, and the figures ``grid.png`` and,
    for legs with hip pitch and knee, ``gait.png`` (their phase beside the clip's at four speeds) to ``output``.

    Args:
        setup: the policy, and what it is measured with; ``num_envs`` environments for each command.
        output: folder for the results.
        commands: forward speed, m/s, and turning speed, rad/s; ``None`` for :data:`amp_helpers.metrics.GRID`.

    Returns:
        The rows.

    Raises:
        InputError: the checkpoint, dataset or an option cannot be used.
    """
    from amp_helpers.plots.commands import command_grid, gait_phases

    commands = list(GRID if commands is None else commands)
    if not commands:
        raise InputError("no command to measure; give at least one, or None for the usual grid")
    _check(setup, output, [value for command in commands for value in command])
    gaits: dict[str, tuple[Motion, Motion]] = {}
    lying: list[float] = []
    drawn = _spread(sorted({forward for forward, turn in commands if forward and not turn}), 4)

    def keep(rollout: Rollout, reference: Motion) -> None:
        lying.append(lying_share(rollout, [reference]))
        if rollout.command in drawn and not rollout.command_turn:
            gaits[f"{rollout.command:g} m/s"] = rollout_motion(rollout, start_s=WARMUP_S), reference

    with open_simulator(setup, commands) as measured:
        joint_names = measured.references.joint_names
        size = f"{setup.num_envs} environment{'s' if setup.num_envs > 1 else ''} each"
        print(f"measuring {len(commands)} commands, {size}; this takes minutes on a CPU", flush=True)
        rows = grid_rows(measured.grid(commands, setup.seconds), measured.references, keep)
    _note_lying(max(lying, key=np.nan_to_num), " under some command")
    output = Path(output)
    write_grid(output / "grid.json", rows)
    write_figure(output / "grid.png", command_grid(rows))
    if gaits and all(any(part in name for name in joint_names) for part in ("_hip_pitch", "_knee")):
        write_figure(output / "gait.png", gait_phases(gaits))
    return rows


def _note_lying(share: float, where: str = "") -> None:
    if share >= 0.01:
        print(
            f"note: robots lie in {share:.0%} of the measured time{where}, and no termination of the task ends their "
            "episode; falls_per_env_10s counts terminations alone"
        )


def _simulator(setup: MeasuringSetup) -> Simulator:
    """The module that measures in the chosen simulator. Isaac Lab takes seconds to load."""
    if setup.simulator == "mujoco":
        from amp_helpers.measure import mujoco

        return mujoco
    from amp_helpers.measure import isaaclab

    return isaaclab


def open_simulator(setup: MeasuringSetup, commands: Sequence[Command]) -> AbstractContextManager[Measured]:
    """Open the chosen simulator with the policy in it, to measure it at these commands.

    Args:
        setup: the policy, and what it is measured with.
        commands: forward speed, m/s, and turning speed, rad/s; NaN for a task without a velocity command.

    Raises:
        InputError: the checkpoint, dataset or an option cannot be used.
    """
    setup.check()
    return _simulator(setup).opened(setup, commands)


def _spread(values: Sequence[float], count: int) -> list[float]:
    """At most ``count`` of the values, evenly from the first to the last."""
    places = range(count) if len(values) > count else range(len(values))
    last = max(len(places) - 1, 1)
    return [values[round(place * (len(values) - 1) / last)] for place in places]


def _check(setup: MeasuringSetup, output: str | Path, speeds: Sequence[float]) -> None:
    setup.check()
    check_speeds(*speeds)
    if fault := folder_fault(output):
        raise InputError(f"{fault}; give a folder for the results")


@dataclass(frozen=True, kw_only=True)
class _CommandLine(MeasuringOptions):
    output: Path
    """Folder for metrics.json and rollout.npz."""
    velocity: float | None = None
    """Commanded forward speed, m/s; by default 0.8 on a task with a velocity command."""
    turn: float = 0.0
    """Commanded turning speed, rad/s, left positive."""
    steps: tuple[float, ...] = ()
    """Commanded forward speeds, m/s, each held for 4 s, without --velocity and --seconds: how fast it responds."""
    grid: bool = False
    """Measure many commands, num_envs environments for each: writes grid.json, grid.png and gait.png."""
    grid_forward: tuple[float, ...] = ()
    """Forward speeds of the grid, m/s, each with every turn; by default 0 to 2.5 straight ahead, and turns at three."""
    grid_turn: tuple[float, ...] = ()
    """Turning speeds of the grid, rad/s, left positive; by default 0 with --grid_forward."""
    video: bool = False
    """Also write video.mp4, policy beside reference."""
    headless: bool = False
    """Accepted as in Isaac Lab's scripts; evaluation never opens a window."""


def parse(arguments: Sequence[str] | None = None) -> _CommandLine:
    """Read the command line.

    Raises:
        InputError: an option is unknown, or its value is not of its type.
    """
    return parse_measuring(
        _CommandLine,
        "amp_helpers.evaluate",
        "Run a policy under one command, steps of it, or a grid of commands, beside its reference.",
        ("steps", "grid_forward", "grid_turn", "feet"),
        arguments,
    )


def main() -> int:
    """Evaluate from the command line and print the metrics."""
    spin_briefly()
    cfg = parse()
    if cfg.grid or cfg.grid_forward or cfg.grid_turn:
        return _grid(cfg)
    metrics = evaluate(cfg, cfg.output, velocity=cfg.velocity, turn=cfg.turn, steps=cfg.steps, video=cfg.video)
    for name, value in metrics.items():
        print(f"{name:24s} {value:.4f}")
    return 0


def _grid(cfg: _CommandLine) -> int:
    """Measure a grid and print a line for each command."""
    for name, default in {"velocity": None, "turn": 0.0, "steps": (), "video": False}.items():
        if getattr(cfg, name) != default:
            raise InputError(f"--grid measures commands of its own; leave out --{name}, or --grid")
    forward, turn = cfg.grid_forward or (0.0,), cfg.grid_turn or (0.0,)
    commands = list(itertools.product(forward, turn)) if cfg.grid_forward or cfg.grid_turn else None
    rows = evaluate_grid(cfg, cfg.output, commands=commands)
    print(grid_table(rows))
    if fallen := [row for row in rows if math.isnan(row["forward_speed_mps"])]:
        told = ", ".join(f"{row['forward']:g} m/s {row['turn']:g} rad/s" for row in fallen)
        print(f"note: most metrics are undefined at {told}, because every robot falls within its warm-up")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
