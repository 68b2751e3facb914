"""The command line of training, made from the fields of its configuration."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tyro

from amp_helpers.errors import InputError
from amp_helpers.training.cfg import RECIPES, Recipe, TrainCfg, options, recorded_cfg
from amp_helpers.training.foreign_options import answer
from amp_helpers.training.run_folder import CONFIG_FILE
from amp_helpers.utils.command_line import check_values, given, option_words
from amp_helpers.utils.resources import runs_folder
from amp_helpers.utils.tyro_options import one_line_errors

_WITHOUT_EFFECT = {
    "match_commands": "condition_on_command",
    "no_match_commands": "condition_on_command",
    "feet": "robot",
    "final_std_updates": "final_std",
    "final_kl_threshold": "kl_threshold",
    "final_kl_updates": "final_kl_threshold",
    "min_learning_rate": "kl_threshold",
    "max_learning_rate": "kl_threshold",
}
"""Option -> the option without which, or at whose 0, it would be ignored."""


@dataclass(frozen=True, kw_only=True)
class _Origin:
    """What the defaults of all other options come from, with the checkpoint."""

    recipe: Recipe = "walk"
    """Recipe that the other defaults come from."""
    resume: bool = False
    """Go on from the newest run under runs/ in the current folder, unless --checkpoint names one."""


@dataclass(frozen=True, kw_only=True)
class _OriginAndCheckpoint(_Origin):
    checkpoint: Path | None = None


@dataclass(frozen=True, kw_only=True)
class _CommandLine(_Origin):
    headless: bool = False
    """Accepted as in Isaac Lab's scripts; training never opens a window."""
    run: TrainCfg = field(default_factory=TrainCfg)


def parse(arguments: Sequence[str] | None = None) -> TrainCfg:
    """Read the command line; options have the names of the fields of :class:`TrainCfg` and :class:`AmpAgentCfg`.

    With ``--checkpoint``, what is not given is as in the checkpoint's run; otherwise, as in the recipe.

    Raises:
        InputError: an option is unknown, would be ignored, or its value is not of its type; or a checkpoint cannot be
            gone on from.
    """
    run, idle = read(sys.argv[1:] if arguments is None else arguments)
    check_used(idle)
    return run


def read(words: Sequence[str]) -> tuple[TrainCfg, dict[str, str]]:
    """Read a command line as :func:`parse` does, and return also its options that others leave without effect.

    Returns:
        The run, and for each of these options the one that it needs, for :func:`check_used`.

    Raises:
        InputError: as :func:`parse`, but not about these options.
    """
    run = _read(list(words))
    values = options(run)
    idle = {
        option: switch
        for option, switch in _WITHOUT_EFFECT.items()
        if given(words, option) is not None and not values[switch]
    }
    return run, idle


def check_used(idle: Mapping[str, str]) -> None:
    """Raise :class:`InputError` where an option is given that has no effect: option -> the one that it needs."""
    for option, switch in idle.items():
        raise InputError(f"--{option}: has no effect without --{switch}; give --{switch} too, or leave it out")


def _read(words: list[str]) -> TrainCfg:
    known: dict[str, Any] = {
        "args": words,
        "prog": "python -m amp_helpers.train",
        "description": "Train a policy with AMP on an Isaac Lab task.",
        "use_underscores": True,
        "return_unknown_args": True,
        "config": (tyro.conf.OmitArgPrefixes,),
    }
    with one_line_errors():
        # First, because the defaults of everything else depend on it.
        origin, _ = tyro.cli(_OriginAndCheckpoint, add_help=False, **known)
    checkpoint = _newest_run() if origin.resume and origin.checkpoint is None else origin.checkpoint
    run = RECIPES[origin.recipe]
    if checkpoint is not None and not {"-h", "--help"} & {*words}:
        if given(words, "recipe") is not None:
            raise InputError("a run that goes on keeps its own settings; leave --recipe out, or --checkpoint")
        run = replace(_settings_of(checkpoint, given(words, "task"), given(words, "robot")), checkpoint=checkpoint)
        if given(words, "distributed") is not None and (run.device or "").startswith("cuda"):
            run = replace(run, device="cuda")  # each process has another
    with one_line_errors():
        default = _CommandLine(recipe=origin.recipe, run=run)
        line, unknown = tyro.cli(_CommandLine, default=default, **known)
    if unknown:
        raise InputError(answer(unknown, [*options(run), "recipe", "resume", "headless"]))
    if not run.feet:  # nothing to take back
        check_values(words, options(line.run), ("feet",))
    return line.run


def command_line(cfg: TrainCfg) -> list[str]:
    """Return the options of ``python -m amp_helpers.train`` that :func:`parse` turns into ``cfg``.

    Options that others leave without effect are left out: :func:`parse` would refuse them.
    """
    base = TrainCfg()
    if cfg.checkpoint is not None:
        # Task and robot are always named: a run folder may ask for no module of the user's.
        base = replace(_settings_of(cfg.checkpoint, cfg.task, cfg.robot), task="", robot=None)
    values, usual = options(cfg), options(base)
    # Feet without a robot are a mistake, which parse tells.
    idle = {name for name, switch in _WITHOUT_EFFECT.items() if name != "feet" and not values[switch]}
    return option_words({name: v for name, v in values.items() if v != usual[name] and name not in idle})


def _newest_run() -> Path:
    """Return the run under ``runs/`` that was begun last."""
    runs = sorted(path.parent for path in runs_folder().glob(f"*/{CONFIG_FILE}"))
    if not runs:
        raise InputError(f"{runs_folder()}: holds no run to resume; name the folder of one with --checkpoint")
    return max(runs, key=lambda run: run.stat().st_mtime)


def _settings_of(path: Path, task: str | None, robot: str | None) -> TrainCfg:
    """Return the settings of the run that wrote a checkpoint, with the user's task and robot where given."""
    # torch takes seconds to load, and --help does not need it.
    from amp_helpers.training.checkpoints import find_checkpoint
    from amp_helpers.training.config_file import choose_names, config_beside
    from amp_helpers.utils.devices import check_device

    found = find_checkpoint(path)
    beside = config_beside(found.file)
    if beside is None:
        raise InputError(
            f"{found.file}: has no {CONFIG_FILE} beside it, so the settings of its run are unknown; give the folder of "
            "its run, or put the run's config.json beside it"
        )
    run = recorded_cfg(choose_names(*beside, task, robot))
    try:
        check_device(run.device)
    except InputError:  # another machine: the first GPU or the CPU
        run = replace(run, device=None)
    return run
