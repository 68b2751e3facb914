"""What a training run refuses before it starts, and when it has to stop."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError

if TYPE_CHECKING:
    from .dataset import MotionDataset
    from .health import Health
    from .train_cfg import TrainCfg

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


@contextmanager
def writing(run_dir: Path) -> Iterator[None]:
    """Turn the system's refusal to write, such as a full disk, into :class:`InputError` with the folder's name."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{error.filename or run_dir}: cannot be written ({error.strerror or error}); "
            "free some space or choose another --run_dir; what was written before is kept"
        ) from error


def check_joints(path: Path, dataset: "MotionDataset", robot: Any) -> None:
    """Raise :class:`InputError` when the dataset holds joints that the environment's robot has not."""
    strangers = [name for name in dataset.joint_names if name not in robot.joint_names]
    if strangers:
        raise InputError(
            f"{path}: was made for another robot, this one has no {', '.join(strangers)}; "
            "convert the motion with --robot set to yours"
        )


def check_finite(run_dir: Path, health: "Health") -> None:
    """Raise :class:`InputError` when an update gave something that is no number: nothing good comes after it."""
    broken = [name for name, value in asdict(health).items() if not math.isfinite(value)]
    if broken:
        raise InputError(
            f"{run_dir}: update {health.update} made {', '.join(broken)} infinite or NaN, so training stopped; "
            "lower the weights or learning rates, or go on from an earlier checkpoint"
        )
