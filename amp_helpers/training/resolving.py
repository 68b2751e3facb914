"""Check the settings of a run, and fill in those that depend on the machine, the task and the time."""

import importlib.util
import math
import shlex
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import get_args

from amp_helpers.errors import InputError, folder_fault
from amp_helpers.training.cfg import MAX_SEED, TASK_DEFAULTS, Frontend, Logger, TaskDefaults, TrainCfg
from amp_helpers.training.run_folder import HEALTH_FILE, check_free
from amp_helpers.utils.resources import find_data, runs_folder


def resolve(cfg: TrainCfg) -> TrainCfg:
    """Fill in the defaults that depend on device, task and time.

    Raises:
        InputError: a value is out of range, a device or package is missing, or the run folder cannot be used.
    """
    # torch and the simulator take seconds to load, and --help does not need them.
    from amp_helpers.env.registration import canonical_task
    from amp_helpers.utils.devices import check_device

    check_settings(cfg)
    device = check_device(cfg.device)
    task = canonical_task(cfg.task)
    usual = TASK_DEFAULTS.get(task, TaskDefaults())
    run_dir = Path(cfg.run_dir or runs_folder() / datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")).resolve()
    _check_run_dir(run_dir, cfg.checkpoint)
    _check_numbering(run_dir, cfg)
    return replace(
        cfg,
        dataset=find_data(cfg.dataset),
        task=task,
        reference_share=usual.reference_share if cfg.reference_share is None else cfg.reference_share,
        velocity_range=cfg.velocity_range or usual.velocity_range,
        device=device,
        num_envs=cfg.num_envs or (4096 if device.startswith("cuda") else 16),
        run_dir=run_dir,
    )


def check_settings(cfg: TrainCfg) -> None:
    """Check what can be checked of a run without its device, its task and its files.

    Raises:
        InputError: a value is out of range, or a package is missing.
    """
    from amp_helpers.metrics.grid import check_range  # loads what --help does not need

    _check_numbers(cfg)
    cfg.agent.validate()
    if cfg.velocity_range is not None:
        check_range(*cfg.velocity_range)
    for name, known in (("frontend", get_args(Frontend)), ("logger", get_args(Logger))):
        if getattr(cfg, name) not in known:
            raise InputError(f"{name} '{getattr(cfg, name)}' not found; available: {', '.join(known)}")
    if cfg.logger == "wandb" and importlib.util.find_spec("wandb") is None:
        raise InputError("wandb is not installed; pip install wandb, or use --logger tensorboard")


def _check_numbers(cfg: TrainCfg) -> None:
    counts = dict.fromkeys(("num_envs", "max_iterations", "checkpoint_interval", "keep_checkpoints"), (1, math.inf))
    for name, (least, most) in (counts | {"seed": (0, MAX_SEED)}).items():
        value = getattr(cfg, name)
        if value is not None and not least <= value <= most:
            limit = f"at most {most}" if value > most else f"at least {least}"
            raise InputError(f"{name} is {value}; give {limit}")
    for name in ("max_seconds", "checkpoint_seconds"):
        value = getattr(cfg, name)
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{name} is {value}; give a number above 0")
    if cfg.num_envs == cfg.agent.rollouts == 1:
        raise InputError("a rollout of 1 step in 1 environment has no spread to learn from; raise num_envs or rollouts")


def _check_run_dir(run_dir: Path, checkpoint: Path | None) -> None:
    """Raise :class:`InputError` when ``run_dir`` cannot be a folder, or another run is or was written there."""
    if fault := folder_fault(run_dir):
        raise InputError(f"{fault}; choose a folder as --run_dir")
    check_free(run_dir)
    check_unused(run_dir, checkpoint)


def _goes_on(run_dir: Path, checkpoint: Path | None) -> bool:
    """Whether a run goes on in the folder that its checkpoint lies in."""
    return checkpoint is not None and run_dir in Path(checkpoint).resolve().parents


def _check_numbering(run_dir: Path, cfg: TrainCfg) -> None:
    """Raise :class:`InputError` when a run goes on in its folder and would number checkpoints by other rollouts.

    Their numbers are steps, the updates times those of a rollout: later ones would seem to be older than earlier ones,
    or replace them.
    """
    from amp_helpers.training.config_file import config_beside

    if not _goes_on(run_dir, cfg.checkpoint):
        return
    assert cfg.checkpoint is not None
    beside = config_beside(cfg.checkpoint)
    before, now = beside[1].get("rollouts") if beside else None, cfg.agent.rollouts
    if before not in (None, now):
        raise InputError(
            f"--rollouts {now}: the checkpoints in {run_dir} are numbered by the steps of rollouts of {before}; keep "
            f"--rollouts {before}, or choose another --run_dir"
        )


def check_unused(run_dir: Path, checkpoint: Path | None) -> None:
    """Raise :class:`InputError` when ``run_dir`` holds a run that ``checkpoint`` does not belong to."""
    file = run_dir / HEALTH_FILE
    if file.exists() and file.stat().st_size and not _goes_on(run_dir, checkpoint):
        from amp_helpers.training.checkpoints import newest_checkpoint  # torch takes seconds to load

        newest = newest_checkpoint(run_dir)
        go_on = f", or go on with --checkpoint {shlex.quote(str(newest.file))}" if newest else ""
        raise InputError(f"{run_dir}: already holds a run; choose another --run_dir{go_on}")
