"""What can be set about a training run: the configuration, its command line, and what a run says about itself."""

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amp_helpers.errors import InputError
from amp_helpers.robots.robot import get_robot
from amp_helpers.utils.resources import DATASETS, present_commit, recorded_path, runs_folder

if TYPE_CHECKING:
    from amp_helpers.dataset import MotionDataset

DEMO_DATASET = DATASETS / "g1_walk.npz"
REFINED_DATASET = DATASETS / "g1_walk_refined.npz"
"""The demo walk with its feet on the ground; its steps cover the ground that its root covers, as a robot's have to."""
DEFAULT_TASK = "Isaac-AMP-Velocity-Flat-G1"


@dataclass(frozen=True, kw_only=True)
class TrainCfg:
    """Everything about a run; the defaults are the recipe that this project trains with."""

    dataset: Path = REFINED_DATASET
    """Dataset of ``python -m amp_helpers.convert``."""
    task: str = DEFAULT_TASK
    """A registered manager-based task."""
    num_envs: int | None = None
    """Environments side by side; ``None`` is 4096 on a GPU and 16 on a CPU."""
    device: str | None = None
    """``cpu`` or ``cuda:0``; ``None`` is the first GPU, or the CPU where there is none."""
    physics: str | None = None
    """Physics preset of the task; ``None`` is its default."""
    seed: int = 0
    max_iterations: int = 450
    """Updates; each follows a rollout of ``rollouts`` steps."""
    max_seconds: float | None = None
    """Stop after this much wall clock since the start, whatever the number of updates."""
    rollouts: int = 24
    """Control steps between updates."""
    checkpoint: Path | None = None
    """Whole checkpoint (``checkpoints/agent_*.pt``) to go on from."""
    run_dir: Path | None = None
    """Folder for the run; ``None`` makes one under ``runs/`` in the current folder."""
    logger: str = "tensorboard"
    """``tensorboard`` or ``wandb``."""

    features: tuple[str, ...] = (
        "joint_pos",
        "joint_vel",
        "root_height",
        "projected_gravity",
        "root_lin_vel",
        "root_ang_vel",
    )
    """What the discriminator sees, see :data:`amp_helpers.amp_state.state.FEATURE_DIMS`."""
    window: int = 6
    """Frames that it sees at once."""
    stride: int = 2
    """Control steps between them."""
    robot: str | None = None
    """Whose feet ``feet`` stands for, and evaluation watches: a name, a file or ``package.module:NAME``."""
    drop_joints: tuple[str, ...] = ("still",)
    """Joints that it does not see: ``feet``, ``still`` (those that do not move in the dataset), regular expressions."""
    amp_group: str | None = None
    """Observation group to read AMP states from; ``None`` reads the simulator."""
    task_weight: float = 1.0
    style_weight: float = 20.0
    """Weight of the style reward, per second; see :class:`amp_helpers.agent.cfg.AmpAgentCfg`."""
    discriminator_loss: str = "lsgan"
    gradient_penalty: float = 10.0
    discriminator_learning_rate: float = 2e-4
    discriminator_epochs: int = 2
    """In how many of the policy's 5 epochs it learns too."""
    discriminator_noise: float = 0.3
    """Noise on its normalised input while it learns: it cannot tell a policy by a tremble smaller than that."""
    reference_share: float | None = None
    """Share of episodes that start in a reference state; ``None`` is 0.7 on this project's task and 0 on others."""
    velocity_range: tuple[float, float] | None = None
    """Lowest and highest commanded speed, m/s; ``None`` is 0.4 to 1.1 on this project's task, others' own."""
    initial_std: float = 1.0
    """Standard deviation of the untrained policy's actions."""
    final_std: float = 0.15
    """What it is brought down to in the first 360 updates; 0 leaves it to the policy."""
    entropy: float = 0.005
    """Weight of the entropy bonus, which keeps that deviation up."""
    hidden: tuple[int, ...] = (512, 256, 128)
    """Widths of policy and value."""
    discriminator_hidden: tuple[int, ...] = (1024, 512)


STILL_RAD = 1e-3
"""A joint whose positions spread less than this (standard deviation) does not move."""

RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "published": {
        "dataset": DEMO_DATASET,
        "features": ("joint_pos",),
        "window": 2,
        "stride": 1,
        "discriminator_loss": "bce",
        "task_weight": 0.9,
        "style_weight": 5.0,
        "drop_joints": (),
        "reference_share": 0.0,
        "discriminator_learning_rate": 1e-4,
        "discriminator_epochs": 5,
        "discriminator_noise": 0.0,
        "final_std": 0.0,
    },
}
"""What ``--recipe`` stands for, as fields of :class:`TrainCfg`. ``published`` is the recipe this project started from:
joint positions of two frames, task 0.9 and style 0.1. It counts the style per step, 0.1 at 50 Hz is 5 a second; the
gradient penalty is skrl's 5, which has no factor 1/2, and so 10 here."""


def resolve(cfg: TrainCfg) -> TrainCfg:
    """Fill in what depends on the device and the time, and refuse what cannot be."""
    from amp_helpers.utils.devices import check_device

    device = check_device(cfg.device)
    check_numbers(cfg)
    if cfg.logger not in ("tensorboard", "wandb"):
        raise InputError(f"logger '{cfg.logger}' not found; available: tensorboard, wandb")
    if cfg.logger == "wandb":
        import importlib.util

        if importlib.util.find_spec("wandb") is None:
            raise InputError("wandb is not installed; pip install wandb, or use --logger tensorboard")
    ours = cfg.task == DEFAULT_TASK
    run_dir = Path(cfg.run_dir or runs_folder() / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")).resolve()
    check_run_dir(run_dir, cfg.checkpoint)
    return replace(
        cfg,
        reference_share=cfg.reference_share if cfg.reference_share is not None else (0.7 if ours else 0.0),
        velocity_range=cfg.velocity_range or ((0.4, 1.1) if ours else None),
        device=device,
        num_envs=cfg.num_envs or (4096 if device.startswith("cuda") else 16),
        run_dir=run_dir,
    )


def drop_patterns(
    names: Sequence[str], robot: str | None = None, dataset: "MotionDataset | None" = None
) -> tuple[str, ...]:
    """What ``--drop_joints`` says as regular expressions.

    Args:
        names: ``feet``, the robot's feet joints or else the ankles; ``still``, the joints that do not move in the
            dataset, whose every error would prove a fake; anything else is a regular expression already.
        robot: whose feet; ``None`` for those called ankles.
        dataset: in which joints are ``still``.
    """
    feet = get_robot(robot).feet_joints if robot else (".*ankle.*",)
    meant = {"feet": feet, "still": _still(dataset) if dataset else ()}
    return tuple(pattern for name in names for pattern in meant.get(name, (name,)))


def _still(dataset: "MotionDataset") -> tuple[str, ...]:
    spread = zip(dataset.joint_names, dataset.states.std(axis=0), strict=True)
    still = tuple(re.escape(name) for name, std in spread if std < STILL_RAD)
    return still if len(still) < len(dataset.joint_names) else ()  # a clip of one pose is seen whole


def run_config(cfg: TrainCfg, state: dict[str, Any], dataset: Any) -> dict[str, Any]:
    """What ``config.json`` says: enough to train the same again."""
    values = {f.name: getattr(cfg, f.name) for f in fields(cfg)}
    values = {k: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    # Of this machine and this moment; what came of them is in the folder that this file is in.
    del values["run_dir"], values["checkpoint"]
    values["dataset"] = recorded_path(cfg.dataset)
    return values | {
        "amp_state": state,
        "joint_names": list(dataset.joint_names),
        "dataset_sources": list(dataset.source),
        "dataset_sha256": list(dataset.sha256),
        "commit": present_commit(),
    }


def parse(arguments: Sequence[str] | None = None) -> TrainCfg:
    """The command line as a configuration; option names follow Isaac Lab's scripts."""
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument("--recipe", default="default", choices=RECIPES)
    recipe = chosen.parse_known_args(arguments)[0].recipe
    default = TrainCfg(**RECIPES[recipe])
    parser = argparse.ArgumentParser(prog="python -m amp_helpers.train", description=__doc__)
    parser.add_argument(
        "--recipe", default="default", choices=RECIPES, help="where the defaults below come from (default: default)"
    )
    parser.add_argument(
        "--headless", action="store_true", help="accepted for Isaac Lab's sake; training opens no window"
    )
    for name, kind, text in (
        ("dataset", Path, "dataset to imitate"),
        ("task", str, "registered task"),
        ("num_envs", int, "environments (4096 on a GPU, 16 on a CPU)"),
        ("device", str, "cpu or cuda:0, the GPU if there is one"),
        ("physics", str, "physics preset, such as newton_mjwarp"),
        ("seed", int, "random seed"),
        ("max_iterations", int, "updates"),
        ("max_seconds", float, "stop after this much wall clock"),
        ("rollouts", int, "control steps between updates"),
        ("checkpoint", Path, "whole checkpoint to go on from"),
        ("run_dir", Path, "folder of the run"),
        ("logger", str, "tensorboard or wandb"),
        ("window", int, "frames in an AMP window"),
        ("stride", int, "control steps between two of them"),
        ("robot", str, "robot whose feet 'feet' means and evaluation watches: a name or your MJCF or URDF"),
        ("amp_group", str, "observation group to read AMP states from, instead of the simulator"),
        ("task_weight", float, "weight of the task reward"),
        ("style_weight", float, "weight of the style reward, per second"),
        ("discriminator_loss", str, "lsgan or bce"),
        ("gradient_penalty", float, "weight of the discriminator's gradient penalty"),
        ("discriminator_learning_rate", float, "fixed rate of the discriminator"),
        ("discriminator_epochs", int, "of the policy's 5 epochs, those in which the discriminator learns too"),
        ("discriminator_noise", float, "noise on the discriminator's normalised input"),
        ("initial_std", float, "standard deviation of the untrained policy's actions"),
        ("final_std", float, "what it is brought down to in the first 360 updates, 0: as the policy likes"),
        ("entropy", float, "weight of the entropy bonus"),
        ("reference_share", float, "share of episodes that start in a reference state"),
    ):
        shown = getattr(default, name)
        shown = recorded_path(shown) if name == "dataset" else shown
        parser.add_argument(f"--{name}", type=kind, default=getattr(default, name), help=f"{text} (default: {shown})")
    parser.add_argument("--features", nargs="+", default=default.features, help="what the discriminator sees")
    parser.add_argument(
        "--drop_joints",
        nargs="*",
        default=default.drop_joints,
        help="'feet', 'still' or patterns the discriminator does not see",
    )
    parser.add_argument(
        "--velocity_range",
        nargs=2,
        type=float,
        default=default.velocity_range,
        help="lowest and highest commanded speed, m/s",
    )
    parser.add_argument("--hidden", nargs="+", type=int, default=default.hidden, help="widths of policy and value")
    parser.add_argument(
        "--discriminator_hidden", nargs="+", type=int, default=default.discriminator_hidden, help="of the discriminator"
    )
    values = vars(parser.parse_args(arguments))
    del values["headless"], values["recipe"]
    return TrainCfg(**RECIPES[recipe] | {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


_LARGEST = 2**32 - 1  # what NumPy takes for a seed


_LEAST = {
    "num_envs": 1,
    "max_iterations": 1,
    "rollouts": 1,
    "seed": 0,
    "task_weight": 0,
    "style_weight": 0,
    "gradient_penalty": 0,
    "discriminator_epochs": 1,
    "discriminator_noise": 0,
    "final_std": 0,
    "entropy": 0,
}


_ABOVE_ZERO = ("max_seconds", "discriminator_learning_rate", "initial_std")


def check_numbers(cfg: "TrainCfg") -> None:
    """Raise :class:`InputError` for a number that no run can use; ``None`` stands for a default and passes."""
    for name, least in _LEAST.items():
        value = getattr(cfg, name)
        if value is not None and not least <= value <= _LARGEST:
            limit = f"at most {_LARGEST}" if value > _LARGEST else f"at least {least}"
            raise InputError(f"{name} is {value}; give {limit}")
    for name in _ABOVE_ZERO:
        value = getattr(cfg, name)
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{name} is {value}; give a number above 0")
    for name in ("hidden", "discriminator_hidden"):
        widths = getattr(cfg, name)
        if not widths or min(widths) < 1:
            raise InputError(f"{name} is {' '.join(map(str, widths)) or 'empty'}; give widths of at least 1")
    if cfg.num_envs == cfg.rollouts == 1:
        raise InputError("a rollout of 1 step in 1 environment has no spread to learn from; raise num_envs or rollouts")


def check_run_dir(run_dir: Path, checkpoint: Path | None) -> None:
    """Raise :class:`InputError` when ``run_dir`` cannot be a folder, or holds a run that this one would overwrite."""
    taken = next((path for path in (run_dir, *run_dir.parents) if path.exists()), run_dir)
    if not taken.is_dir():
        raise InputError(f"{taken}: is a file; choose a folder as --run_dir")
    goes_on = checkpoint is not None and run_dir in Path(checkpoint).resolve().parents
    if (run_dir / "health.jsonl").exists() and not goes_on:
        raise InputError(
            f"{run_dir}: already holds a run; choose another --run_dir, or go on with "
            f"--checkpoint {run_dir / 'checkpoints' / 'agent_last.pt'}"
        )
