"""Measure a policy: ``python -m amp_helpers.evaluate --checkpoint P --velocity 0.8 --output DIR``."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError, run_cli
from amp_helpers.metrics import Rollout, evaluate_rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_23DOF, ROBOTS, Robot, get_robot
from amp_helpers.utils.resources import find_data, read_recorded_path

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

    from amp_helpers.training.policy import TrainedPolicy

WARMUP_S = 3.0
"""Left out of every number but the falls: the time to get from standing into the gait."""
CONTACT_FORCE_N = 1.0


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
    """Play a policy at one speed and measure it against its reference.

    Deterministic actions, no noise, no pushes, from within 0.05 rad of the default pose. ``seconds`` are measured after
    a warm-up of 3 s.
    Writes ``metrics.json``, ``rollout.npz`` and, if asked, ``video.mp4`` (policy beside reference) to ``output``.

    Args:
        checkpoint: see :func:`amp_helpers.training.policy.load_policy`.
        output: folder.
        num_envs: environments side by side.
        seconds: measured time, s.
        velocity: commanded forward speed, m/s.
        device: ``cpu`` or ``cuda:0``; ``None`` is the GPU if there is one.
        seed: of the environment.
        dataset: reference to compare with; the one that the policy was trained on when ``None``.
        video: render the first environment beside the reference.
        robot: whose feet are watched, see :func:`amp_helpers.robots.get_robot`; when ``None``, the one that training
            was told, or the one of this project's that has the task's links.

    Returns:
        The metrics of :func:`amp_helpers.metrics.evaluate_rollout`.

    Raises:
        InputError: for a checkpoint, dataset or option that cannot be used.
    """
    from amp_helpers.env.make import make_env
    from amp_helpers.training.policy import find_policy, load_policy

    if not 0 < seconds < math.inf or not math.isfinite(velocity):
        raise InputError(f"seconds is {seconds} and velocity {velocity}; give a positive time and a finite speed")
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; give a folder for the results")
    _, config = find_policy(checkpoint)
    reference_motion(config, dataset)
    robot = robot or config.get("robot")
    robot = get_robot(robot) if isinstance(robot, str) else robot
    with make_env(config["task"], num_envs=num_envs, device=device, seed=seed, play=True, velocity=velocity) as env:
        reference = reference_motion(config, dataset, env, velocity)
        robot = robot or _robot_of(env.scene["robot"].body_names)
        rollout = play(env, load_policy(checkpoint, env), velocity, WARMUP_S + seconds, robot)
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


def play(
    env: "ManagerBasedRLEnv", policy: "TrainedPolicy", velocity: float, seconds: float, model: Robot = G1_23DOF
) -> Rollout:
    """Let a policy act in an open environment for ``seconds`` and record what happened, ``model``'s feet included."""
    import torch
    from isaaclab.utils.math import quat_apply

    robot = env.scene["robot"]
    feet = _columns(model.foot_bodies, robot.body_names, "the task's robot has no link")
    sensor = env.scene.sensors.get("contact_forces")
    contacts = _columns(
        model.foot_bodies, sensor.sensor_names if sensor else (), "the task has no 'contact_forces' sensor on"
    )
    points = torch.tensor(model.foot_points or [(0.0, 0.0, 0.0)] * len(feet), device=env.device)
    points = points.expand(env.num_envs, -1, -1)
    steps = round(seconds / env.step_dt)
    env.cfg.episode_length_s = seconds + 1.0  # a time-out would be a reset that is not a fall
    frames: dict[str, list[np.ndarray]] = {}
    observations, _ = env.reset()
    with torch.inference_mode():
        for _ in range(steps):
            actions = policy(observations["policy"])
            observations, _, terminated, _, _ = env.step(actions)
            data = robot.data
            now = {
                "joint_pos": data.joint_pos.torch,
                "joint_vel": data.joint_vel.torch,
                "joint_torque": data.applied_torque.torch,
                "actions": actions,
                "root_pos": data.root_link_pos_w.torch - env.scene.env_origins,
                "root_quat": data.root_link_quat_w.torch,
                "root_lin_vel": data.root_link_lin_vel_b.torch,
                "foot_pos": data.body_link_pos_w.torch[:, feet]
                + quat_apply(data.body_link_quat_w.torch[:, feet], points)
                - env.scene.env_origins[:, None],
                "foot_contact": sensor.data.net_normal_forces_w.torch[:, contacts].norm(dim=-1) > CONTACT_FORCE_N,
                "fell": terminated,
            }
            for name, value in now.items():
                frames.setdefault(name, []).append(value.cpu().numpy().copy())
    arrays = {name: np.stack(values, axis=1) for name, values in frames.items()}
    return Rollout(joint_names=tuple(robot.joint_names), dt=float(env.step_dt), command=velocity, **arrays)


def rollout_motion(rollout: Rollout, env_index: int = 0, start_s: float = 0.0) -> Motion:
    """One environment of a rollout as a motion, to draw or to measure like a clip; ``start_s`` cuts the beginning."""
    first = round(start_s / rollout.dt)
    return Motion(
        fps=1.0 / rollout.dt,
        joint_names=rollout.joint_names,
        joint_pos=rollout.joint_pos[env_index, first:],
        root_pos=rollout.root_pos[env_index, first:],
        root_quat=rollout.root_quat[env_index, first:],
        name=f"policy at {rollout.command} m/s",
    )


def reference_motion(
    config: dict,
    dataset: str | Path | None = None,
    env: "ManagerBasedRLEnv | None" = None,
    velocity: float | None = None,
) -> Motion:
    """The clip to compare with, of the dataset that a policy's configuration names, or of the one given.

    That is the one whose speed is nearest to ``velocity``, m/s, and without one the first.

    Raises:
        InputError: when it is not there, or was made for another robot or control step than ``env``'s, or when the
            file that the configuration names holds other motions by now.
    """
    from amp_helpers.dataset import check_joints

    path = find_data(dataset) if dataset else read_recorded_path(config["dataset"])
    if not path.is_file():
        raise InputError(f"{path}: the dataset that the policy imitates is not there; name it with --dataset")
    loaded = MotionDataset.load(path, control_dt=env.step_dt if env else None)
    if not dataset and config.get("dataset_sha256", list(loaded.sha256)) != list(loaded.sha256):
        raise InputError(
            f"{path}: holds other motions than those the policy was trained on; name theirs with --dataset, "
            "or this file, to compare with it all the same"
        )
    if env:
        check_joints(path, loaded, env.scene["robot"])
    clips = loaded.clips()
    return clips[0] if velocity is None else min(clips, key=lambda clip: abs(clip.forward_speed - velocity))


def write_comparison(
    path: str | Path,
    rollout: Rollout,
    reference: Motion,
    robot: Robot = G1_23DOF,
    seconds: float = 8.0,
    fps: float = 30,
) -> Path:
    """A video of the first environment beside the reference, in step and in real time."""
    from amp_helpers.render.renderer import Renderer, side_by_side, write_video

    policy = rollout_motion(rollout, start_s=WARMUP_S)
    length = min(seconds, policy.duration_s)
    reference = reference.loop(max(1, math.ceil(length / reference.duration_s)))
    with Renderer(robot) as renderer:
        frames = [renderer.video(motion.trim(0.0, length), fps) for motion in (policy, reference)]
    return write_video(path, side_by_side(*frames, labels=(f"policy, {rollout.command:g} m/s", "reference")), fps)


def _columns(names: Sequence[str], available: Sequence[str], complaint: str) -> list[int]:
    missing = [name for name in names if name not in available]
    if missing:
        raise InputError(f"{complaint} {', '.join(missing)}, whose sliding is measured; has: {', '.join(available)}")
    return [available.index(name) for name in names]


def _robot_of(body_names: Sequence[str]) -> Robot:
    for robot in ROBOTS.values():
        if set(robot.foot_bodies) <= set(body_names):
            return robot
    raise InputError("which links are the robot's feet is not known; name the robot with --robot, by its MJCF or URDF")


def main() -> int:
    """Evaluate from the command line and print the metrics."""
    parser = argparse.ArgumentParser(prog="python -m amp_helpers.evaluate", description=__doc__)
    parser.add_argument(
        "--checkpoint",
        required=True,
        help="a run folder, a checkpoint file, or a shipped policy by name, such as g1_walk",
    )
    parser.add_argument("--output", required=True, type=Path, help="folder for metrics.json and rollout.npz")
    parser.add_argument("--num_envs", type=int, default=16, help="environments (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time, s (default: %(default)s)")
    parser.add_argument("--velocity", type=float, default=0.8, help="forward speed, m/s (default: %(default)s)")
    parser.add_argument("--device", help="cpu or cuda:0 (default: the GPU if there is one)")
    parser.add_argument("--seed", type=int, default=0, help="of the environment (default: %(default)s)")
    parser.add_argument("--dataset", type=Path, help="reference (default: the one it was trained on)")
    parser.add_argument("--robot", help="whose feet to watch: your MJCF or URDF (default: as in training)")
    parser.add_argument("--video", action="store_true", help="also write video.mp4, policy beside reference")
    parser.add_argument("--headless", action="store_true", help="accepted for Isaac Lab's sake; no window opens")
    options = vars(parser.parse_args())
    del options["headless"]
    for name, value in evaluate(options.pop("checkpoint"), options.pop("output"), **options).items():
        print(f"{name:24s} {value:.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
