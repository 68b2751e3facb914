"""Measure a policy: ``python -m amp_helpers.evaluate --checkpoint P --velocity 0.8 --output DIR``."""

import math
from dataclasses import dataclass
from pathlib import Path

import tyro

from amp_helpers.errors import InputError, run_cli
from amp_helpers.metrics.policy import evaluate_rollout
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_23DOF, Robot, get_robot, robot_with_links
from amp_helpers.utils.command_line import one_line_errors
from amp_helpers.utils.threads import spin_briefly


def evaluate(
    checkpoint: str | Path,
    output: str | Path,
    *,
    num_envs: int = 16,
    seconds: float = 10.0,
    velocity: float = 0.8,
    device: str | None = "cpu",
    seed: int = 0,
    dataset: str | Path | None = None,
    video: bool = False,
    robot: str | Robot | None = None,
) -> dict[str, float]:
    """Run a policy at one commanded speed and compare it with its reference.

    Actions are deterministic, and the task is configured by :func:`amp_helpers.env.configure_for_measuring`: no noise,
    pushes or randomization, the same command all the time. A warm-up of 3 s precedes the measured time. Writes
    ``metrics.json``, ``rollout.npz`` and, with ``video``, ``video.mp4`` (policy beside reference) to ``output``.

    Args:
        checkpoint: see :func:`amp_helpers.training.load_policy`.
        output: folder for the results.
        num_envs: environments simulated side by side.
        seconds: measured time, s.
        velocity: commanded forward speed, m/s.
        device: ``cpu`` or ``cuda:0``; ``None`` selects the first GPU, or the CPU where there is none.
        seed: random seed of the environment.
        dataset: reference to compare with; ``None`` for the dataset that the policy was trained on.
        video: write ``video.mp4``.
        robot: robot whose feet are measured, see :func:`amp_helpers.robots.get_robot`; ``None`` for the one named in
            training, else a built-in robot with the same links.

    Returns:
        The metrics of :func:`amp_helpers.metrics.evaluate_rollout`.

    Raises:
        InputError: the checkpoint, dataset or an option cannot be used.
    """
    # The simulator takes seconds to load, and --help does not need it.
    from amp_helpers.env.make import make_env
    from amp_helpers.env.measuring import check_command
    from amp_helpers.env.rollout import WARMUP_S, record_rollout, reference_motion
    from amp_helpers.training.policy import find_policy, load_policy

    if not 0 < seconds < math.inf or not math.isfinite(velocity):
        raise InputError(f"seconds is {seconds} and velocity {velocity}; give a positive time and a finite speed")
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; give a folder for the results")
    _, config = find_policy(checkpoint)
    reference_motion(config, dataset)  # reports a missing dataset before the simulator starts
    robot = robot or config.get("robot")
    robot = get_robot(robot) if isinstance(robot, str) else robot
    with make_env(config["task"], num_envs=num_envs, device=device, seed=seed, play=True, velocity=velocity) as env:
        reference = reference_motion(config, dataset, env, velocity)
        robot = robot or robot_with_links(env.scene["robot"].body_names)
        rollout = record_rollout(env, load_policy(checkpoint, env), velocity, WARMUP_S + seconds, robot)
        check_command(env, velocity)
    metrics = evaluate_rollout(rollout, reference, WARMUP_S)
    rollout.save(output / "rollout.npz")
    write_metrics(output / "metrics.json", metrics)
    if video:
        write_comparison(output / "video.mp4", rollout, reference, robot)
    return metrics


def write_metrics(path: Path, metrics: dict[str, float]) -> None:
    """Write ``metrics.json``; NaN, which JSON lacks, is written as null."""
    from amp_helpers.training.run_folder import write_json

    write_json(path, {name: value if math.isfinite(value) else None for name, value in metrics.items()})


def write_comparison(
    path: str | Path,
    rollout: Rollout,
    reference: Motion,
    robot: Robot = G1_23DOF,
    seconds: float = 8.0,
    fps: float = 30,
) -> Path:
    """Write a real-time video of the first environment, from the end of the warm-up, beside the looped reference."""
    from amp_helpers.env.rollout import WARMUP_S, rollout_motion
    from amp_helpers.render.renderer import Renderer, side_by_side, write_video

    policy = rollout_motion(rollout, start_s=WARMUP_S)
    length = min(seconds, policy.duration_s)
    reference = reference.loop(max(1, math.ceil(length / reference.duration_s)))
    with Renderer(robot) as renderer:
        frames = [renderer.video(motion.trim(0.0, length), fps) for motion in (policy, reference)]
    return write_video(path, side_by_side(*frames, labels=(f"policy, {rollout.command:g} m/s", "reference")), fps)


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
    velocity: float = 0.8
    """Commanded forward speed, m/s."""
    device: str | None = None
    """cpu or cuda:0; by default the first GPU, or the CPU where there is none."""
    seed: int = 0
    """Random seed of the environment."""
    dataset: Path | None = None
    """Reference to compare with; by default the dataset that the policy was trained on."""
    robot: str | None = None
    """Robot whose feet are measured: a name, your MJCF or URDF, or package.module:NAME; by default as in training."""
    video: bool = False
    """Also write video.mp4, policy beside reference."""
    headless: bool = False
    """Accepted as in Isaac Lab's scripts; evaluation never opens a window."""


def main() -> int:
    """Evaluate from the command line and print the metrics."""
    spin_briefly()
    with one_line_errors():
        cfg = tyro.cli(
            _CommandLine,
            prog="python -m amp_helpers.evaluate",
            description="Run a policy at one commanded speed and compare it with its reference.",
            use_underscores=True,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    options = vars(cfg)
    del options["headless"]
    for name, value in evaluate(**options).items():
        print(f"{name:24s} {value:.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
