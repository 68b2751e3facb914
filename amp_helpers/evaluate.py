"""Measure a policy: ``python -m amp_helpers.evaluate --checkpoint P --velocity 0.8 --output DIR``.

``--grid`` measures many commands at once, ``--steps 0 1 2 0`` a command that changes.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from amp_helpers.errors import InputError, atomic_path, run_cli
from amp_helpers.metrics.frames import settled_frames
from amp_helpers.metrics.policy import evaluate_rollout
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import Robot, get_robot, robot_with_links
from amp_helpers.training.cfg import MAX_SEED
from amp_helpers.training.foreign_options import EVALUATION, answer
from amp_helpers.utils.command_line import one_line_errors
from amp_helpers.utils.table import grid_table
from amp_helpers.utils.threads import spin_briefly

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

    from amp_helpers.dataset import MotionDataset
    from amp_helpers.training.policy import TrainedPolicy

VELOCITY = 0.8
"""Commanded forward speed where none is given, m/s."""
HOLD_S = 4.0
"""Time that each command of ``steps`` is held, s."""


def evaluate(
    checkpoint: str | Path,
    output: str | Path,
    *,
    num_envs: int = 16,
    seconds: float = 10.0,
    velocity: float | None = None,
    turn: float = 0.0,
    steps: Sequence[float] = (),
    device: str | None = "cpu",
    seed: int = 0,
    dataset: str | Path | None = None,
    video: bool = False,
    task: str | None = None,
    asset: str | None = None,
    robot: str | Robot | None = None,
    feet: Sequence[str] = (),
    pushes: bool = False,
    randomize: bool = False,
) -> dict[str, float]:
    """Run a policy under one command, or through steps of it, and compare it with its reference.

    Actions are deterministic, and the task is configured by :func:`amp_helpers.env.configure_for_measuring`: no noise,
    pushes or randomization unless asked for, the same command all the time. A warm-up of 3 s precedes the measured
    time. Writes ``metrics.json``, ``rollout.npz`` and, with ``video``, ``video.mp4`` (policy beside reference) to
    ``output``.

    Args:
        checkpoint: see :func:`amp_helpers.training.load_policy`.
        output: folder for the results.
        num_envs: environments simulated side by side.
        seconds: measured time, s.
        velocity: commanded forward speed, m/s; ``None`` for ``VELOCITY``, and for no command on a task without a
            velocity command, whose metrics of obeying are then undefined.
        turn: commanded turning speed, rad/s, left positive.
        steps: commanded forward speeds, m/s, each held for ``HOLD_S``, in place of ``velocity`` and ``seconds``; what
            compares with one reference is then undefined.
        device: ``cpu`` or ``cuda:0``; ``None`` selects the first GPU, or the CPU where there is none.
        seed: random seed of the environment.
        dataset: reference to compare with; ``None`` for the dataset that the policy was trained on.
        video: write ``video.mp4``.
        task: task to evaluate in, see :func:`amp_helpers.env.make_env`; ``None`` for the one trained in. A module of
            another package than this and Isaac Lab has to be named here, because importing it runs its code.
        asset: name of the robot's articulation in the task's scene; ``None`` as in training.
        robot: robot whose feet are measured, see :func:`amp_helpers.robots.get_robot`; ``None`` for the one named in
            training, else a built-in robot with the same links.
        feet: links that are the feet of a robot named by its file; by default as in training, else found in it.
        pushes: push every robot by 0.6 m/s every 3 s in a random horizontal direction.
        randomize: keep everything that the task randomizes in training.

    Returns:
        The metrics of :func:`amp_helpers.metrics.evaluate_rollout`.

    Raises:
        InputError: the checkpoint, dataset or an option cannot be used.
    """
    # The simulator takes seconds to load, and --help does not need it.
    from amp_helpers.env.measuring import check_command
    from amp_helpers.env.rollout import WARMUP_S, profile_reference, record_profile, record_rollout, step_profile
    from amp_helpers.render.comparison import write_comparison

    _check(output, num_envs, seconds, seed, (velocity or 0.0, turn, *steps))
    if steps and (velocity is not None or turn):
        raise InputError("--steps commands the speed, straight ahead; leave out --velocity and --turn, or --steps")
    if velocity is None:
        commanded = steps or turn or _takes_velocity(checkpoint, task)
        velocity, turn = (VELOCITY, turn) if commanded else (math.nan, math.nan)
    first = (steps[0], 0.0) if steps else (velocity, turn)
    opened = _open(
        checkpoint,
        num_envs=num_envs,
        command=first,
        device=device,
        seed=seed,
        dataset=dataset,
        task=task,
        asset=asset,
        robot=robot,
        feet=feet,
        pushes=pushes,
        randomize=randomize,
    )
    with opened as (env, policy, references, measured):
        if steps:
            profile = step_profile(steps, HOLD_S, env.step_dt)
            reference, shown = None, profile_reference(references, profile, env.step_dt)
            rollout = record_profile(env, policy, profile, measured)
        else:
            reference = shown = references.nearest(first)
            rollout = record_rollout(env, policy, velocity, WARMUP_S + seconds, measured, turn)
            if not math.isnan(velocity):
                check_command(env, velocity, turn)
            if references.num_motions > 1:
                about = f"one of {references.num_motions} clips"
                print(f"reference: {reference.label}, {about}, nearest to the command; pose and coverage are of it")
    output = Path(output)
    metrics = evaluate_rollout(rollout, reference, WARMUP_S)
    if nothing_measured(rollout, WARMUP_S):
        print(f"note: most metrics are undefined (nan), because every robot falls within its warm-up of {WARMUP_S:g} s")
    rollout.save(output / "rollout.npz")
    write_metrics(output / "metrics.json", metrics)
    if video:
        write_comparison(output / "video.mp4", rollout, shown, measured)
    return metrics


def evaluate_grid(
    checkpoint: str | Path,
    output: str | Path,
    *,
    commands: Sequence[tuple[float, float]] | None = None,
    num_envs: int = 16,
    seconds: float = 10.0,
    device: str | None = "cpu",
    seed: int = 0,
    dataset: str | Path | None = None,
    task: str | None = None,
    asset: str | None = None,
    robot: str | Robot | None = None,
    feet: Sequence[str] = (),
    pushes: bool = False,
    randomize: bool = False,
) -> list[dict[str, float]]:
    """Measure a policy under a grid of commands, all in one environment, each against the clip nearest to it.

    Writes ``grid.json``, a list of the rows of :func:`amp_helpers.training.grid_row`, and the figures ``grid.png`` and,
    for legs with hip pitch and knee, ``gait.png`` (their phase beside the clip's at four speeds) to ``output``.

    Args:
        commands: forward speed, m/s, and turning speed, rad/s; ``None`` for :data:`amp_helpers.training.GRID`.
        num_envs: environments for each command.
        checkpoint, output, seconds, device, seed, dataset, task, asset, robot, feet, pushes, randomize: see
            :func:`evaluate`.

    Returns:
        The rows.

    Raises:
        InputError: the checkpoint, dataset or an option cannot be used.
    """
    from amp_helpers.env.rollout import WARMUP_S, rollout_motion
    from amp_helpers.plots.commands import command_grid, gait_phases
    from amp_helpers.training.command_grid import GRID, measure_grid, rounds_of
    from amp_helpers.training.run_folder import write_json

    commands = list(GRID if commands is None else commands)
    if not commands:
        raise InputError("no command to measure; give at least one, or None for the usual grid")
    _check(output, num_envs, seconds, seed, [value for command in commands for value in command])
    side_by_side = num_envs * len(rounds_of(commands, num_envs)[0])
    opened = _open(
        checkpoint,
        num_envs=side_by_side,
        command=commands[0],
        device=device,
        seed=seed,
        dataset=dataset,
        task=task,
        asset=asset,
        robot=robot,
        feet=feet,
        pushes=pushes,
        randomize=randomize,
    )
    gaits: dict[str, tuple[Motion, Motion]] = {}
    drawn = _spread(sorted({forward for forward, turn in commands if forward and not turn}), 4)

    def keep_gait(rollout: Rollout, reference: Motion) -> None:
        if rollout.command in drawn and not rollout.command_turn:
            gaits[f"{rollout.command:g} m/s"] = rollout_motion(rollout, start_s=WARMUP_S), reference

    with opened as (env, policy, references, measured):
        rows = measure_grid(env, policy, commands, num_envs, references, seconds, measured, keep_gait)
    write_json(Path(output) / "grid.json", [_for_json(row) for row in rows])
    figures = {"grid.png": command_grid(rows)}
    if gaits and all(any(part in name for name in references.joint_names) for part in ("_hip_pitch", "_knee")):
        figures["gait.png"] = gait_phases(gaits)
    for name, figure in figures.items():
        with atomic_path(Path(output) / name) as temporary:
            figure.savefig(temporary, dpi=110)
    return rows


def _spread(values: Sequence[float], count: int) -> list[float]:
    """At most ``count`` of the values, evenly from the first to the last."""
    places = range(count) if len(values) > count else range(len(values))
    last = max(len(places) - 1, 1)
    return [values[round(place * (len(values) - 1) / last)] for place in places]


def _check(output: str | Path, num_envs: int, seconds: float, seed: int, commands: Sequence[float]) -> None:
    if num_envs < 1:
        raise InputError(f"num_envs is {num_envs}; give at least 1")
    if not 0 < seconds < math.inf:
        raise InputError(f"seconds is {seconds:g}; give a number above 0")
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"seed is {seed}; give a number from 0 to {MAX_SEED}")
    if wrong := [value for value in commands if not math.isfinite(value)]:
        raise InputError(f"a commanded speed is {wrong[0]}; give finite speeds, in m/s and rad/s")
    if Path(output).exists() and not Path(output).is_dir():
        raise InputError(f"{output}: is a file; give a folder for the results")


def _takes_velocity(checkpoint: str | Path, task: str | None) -> bool:
    """Whether the policy's task has a velocity command."""
    from amp_helpers.env.make import takes_velocity
    from amp_helpers.training.policy import find_policy

    return takes_velocity(find_policy(checkpoint, task=task)[1]["task"])


@contextmanager
def _open(
    checkpoint: str | Path,
    *,
    num_envs: int,
    command: tuple[float, float],
    device: str | None,
    seed: int,
    dataset: str | Path | None,
    task: str | None,
    asset: str | None,
    robot: str | Robot | None,
    feet: Sequence[str],
    pushes: bool,
    randomize: bool,
) -> "Iterator[tuple[ManagerBasedRLEnv, TrainedPolicy, MotionDataset, Robot]]":
    """Open the task of a policy for measuring: the environment, the policy, its references and the robot."""
    from amp_helpers.env.make import make_env

    # isort: split
    from amp_helpers.amp_state.asset import scene_robot
    from amp_helpers.env.rollout import reference_dataset
    from amp_helpers.training.policy import find_policy, load_policy

    _, config = find_policy(checkpoint, task=task, robot=robot.name if isinstance(robot, Robot) else robot)
    reference_dataset(config, dataset)  # reports a missing dataset before the simulator starts
    if robot is None:
        robot, feet = config.get("robot"), feet or config.get("feet", ())
    robot = get_robot(robot, feet) if isinstance(robot, str) else robot
    with make_env(
        config["task"],
        asset=asset or config.get("asset"),
        num_envs=num_envs,
        device=device,
        seed=seed,
        play=True,
        velocity=None if math.isnan(command[0]) else command[0],
        turn=0.0 if math.isnan(command[1]) else command[1],
        pushes=pushes,
        randomize=randomize,
    ) as env:
        robot = robot or robot_with_links(scene_robot(env).body_names)
        yield env, load_policy(checkpoint, env), reference_dataset(config, dataset, env), robot


def nothing_measured(rollout: Rollout, warmup_s: float) -> bool:
    """Whether every robot of a rollout falls, again and again, within ``warmup_s`` of its start."""
    return not settled_frames(rollout.fell, rollout.dt, warmup_s).any()


def write_metrics(path: Path, metrics: dict[str, float]) -> None:
    """Write ``metrics.json``; NaN, which JSON lacks, is written as null."""
    from amp_helpers.training.run_folder import write_json

    write_json(path, _for_json(metrics))


def _for_json(metrics: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


@dataclass(frozen=True, kw_only=True)
class _CommandLine:
    checkpoint: Path
    """Run folder, checkpoint file, or name of a shipped policy, such as g1_walk."""
    output: Path
    """Folder for metrics.json and rollout.npz."""
    num_envs: int = 16
    """Environments simulated side by side."""
    seconds: float = 10.0
    """Measured time, s, after a warm-up of 3 s."""
    velocity: float | None = None
    """Commanded forward speed, m/s; by default 0.8 on a task with a velocity command."""
    turn: float = 0.0
    """Commanded turning speed, rad/s, left positive."""
    steps: tuple[float, ...] = ()
    """Commanded forward speeds, m/s, each held for 4 s, in place of --velocity and --seconds: how fast it responds."""
    grid: bool = False
    """Measure many commands in one environment, num_envs for each: writes grid.json, grid.png and gait.png."""
    grid_forward: tuple[float, ...] = ()
    """Forward speeds of the grid, m/s, each with every turn; by default 0 to 2.5 straight ahead, and turns at three."""
    grid_turn: tuple[float, ...] = ()
    """Turning speeds of the grid, rad/s, left positive; by default 0 with --grid_forward."""
    pushes: bool = False
    """Push every robot by 0.6 m/s every 3 s in a random horizontal direction."""
    randomize: bool = False
    """Keep everything that the task randomizes in training: physics, noise, pushes."""
    device: str | None = None
    """cpu or cuda:0; by default the first GPU, or the CPU where there is none."""
    seed: int = 0
    """Random seed of the environment."""
    dataset: Path | None = None
    """Reference to compare with; by default the dataset that the policy was trained on."""
    task: str | None = None
    """Task to evaluate in: an ID, or package.module:ID; by default the one trained in."""
    asset: str | None = None
    """Name of the robot's articulation in the task's scene; by default as in training."""
    robot: str | None = None
    """Robot whose feet are measured: a name, your MJCF or URDF, or package.module:NAME; by default as in training."""
    feet: tuple[str, ...] = ()
    """Links that are the feet of a robot named by its file; by default as in training."""
    video: bool = False
    """Also write video.mp4, policy beside reference."""
    headless: bool = False
    """Accepted as in Isaac Lab's scripts; evaluation never opens a window."""


def main() -> int:
    """Evaluate from the command line and print the metrics."""
    spin_briefly()
    with one_line_errors():
        cfg, unknown = tyro.cli(
            _CommandLine,
            return_unknown_args=True,
            prog="python -m amp_helpers.evaluate",
            description="Run a policy under one command, steps of it, or a grid of commands, beside its reference.",
            use_underscores=True,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    options = vars(cfg)
    if unknown:
        raise InputError(answer(unknown, options, EVALUATION))
    grid, forward, turn, _ = (options.pop(name) for name in ("grid", "grid_forward", "grid_turn", "headless"))
    if grid or forward or turn:
        return _grid(options, list(itertools.product(forward or (0.0,), turn or (0.0,))) if forward or turn else None)
    for name, value in evaluate(**options).items():
        print(f"{name:24s} {value:.4f}")
    return 0


def _grid(options: dict[str, Any], commands: list[tuple[float, float]] | None) -> int:
    """Measure a grid and print a line for each command."""
    for name, default in {"velocity": None, "turn": 0.0, "steps": (), "video": False}.items():
        if options.pop(name) != default:
            raise InputError(f"--grid measures commands of its own; leave out --{name}, or --grid")
    count = "the usual grid" if commands is None else f"{len(commands)} commands"
    print(f"measuring {count}, {options['num_envs']} environments each; this takes minutes on a CPU", flush=True)
    rows = evaluate_grid(commands=commands, **options)
    print(grid_table(rows))
    if fallen := [row for row in rows if math.isnan(row["forward_speed_mps"])]:
        told = ", ".join(f"{row['forward']:g} m/s {row['turn']:g} rad/s" for row in fallen)
        print(f"note: most metrics are undefined at {told}, because every robot falls within its warm-up")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
