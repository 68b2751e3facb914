"""A run's ``config.json``, whoever wrote it: data, checked against the types of the configuration.

Everything that reads the file does so here. A policy or run may come from somebody else, so a task or robot that the
file names as ``package.module:NAME`` is refused, unless it is this package's or Isaac Lab's: importing runs code.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.errors import InputError, brief_repr, one_line
from amp_helpers.robots.lookup import FILE_SUFFIXES
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.run_folder import CONFIG_FILE, WRITTEN_BY_TRAINING
from amp_helpers.utils.json_data import fits, read_json, wrong_types
from amp_helpers.utils.plugins import imports_users_module

_RECORDED: dict[str, Any] = {
    "amp_state": dict[str, Any],
    "joint_names": tuple[str, ...],
    "dataset_sources": tuple[str, ...],
    "dataset_sha256": tuple[str, ...],
    "dataset_digest": str,
    "processes": int,
    "commit": str,
    "updates": int,
    "wall_s": float,
    "peak_gpu_memory_gib": float,
    "resumed": list[dict[str, Any]],
}
"""What training adds to the settings: field -> type."""
_MOST_LAYERS, _WIDEST = 64, 2**16


def read_config(file: Path, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read ``config.json`` and check the types of everything in it; nothing that it names is imported.

    Args:
        file: the file.
        needs: fields that it must have.

    Raises:
        InputError: it is no JSON object, lacks a field, or a field is of another type.
    """
    config = read_json(file, WRITTEN_BY_TRAINING)
    if not isinstance(config, dict):
        raise InputError(f"{file}: is {brief_repr(config)}, not a configuration; {WRITTEN_BY_TRAINING}")
    if missing := [key for key in needs if key not in config]:
        raise InputError(f"{file}: lacks {', '.join(missing)}; {WRITTEN_BY_TRAINING}")
    for key in ("hidden", "discriminator_hidden"):
        widths = config.get(key, [1])
        network = fits(widths, tuple[int, ...]) and 0 < len(widths) <= _MOST_LAYERS
        if not network or not all(0 < width <= _WIDEST for width in widths):
            raise InputError(f"{file}: {key} is {brief_repr(widths)}, not a list of widths; {WRITTEN_BY_TRAINING}")
    kinds = get_type_hints(TrainCfg) | get_type_hints(AmpAgentCfg) | _RECORDED
    if wrong := wrong_types(config, kinds):
        raise InputError(
            f"{file}: {wrong[0]} is {brief_repr(config[wrong[0]])}, which is no such setting; {WRITTEN_BY_TRAINING}"
        )
    return config


def config_beside(checkpoint: Path, needs: tuple[str, ...] = ()) -> tuple[Path, dict[str, Any]] | None:
    """Return the ``config.json`` of the run that a file of weights belongs to, and its content; None where none is.

    Args:
        checkpoint: the file, in the run's folder or in a folder of it.
        needs: fields that the configuration must have.

    Raises:
        InputError: see :func:`read_config`.
    """
    files = [folder / CONFIG_FILE for folder in (checkpoint.parent, checkpoint.parent.parent)]
    file = next((file for file in files if file.is_file()), None)
    return (file, read_config(file, needs)) if file else None


def choose_names(file: Path, config: dict[str, Any], task: str | None, robot: str | None) -> dict[str, Any]:
    """Return the configuration with the user's task and robot, where given, in place of those that the file names.

    Raises:
        InputError: the file itself names a module that only the user may name.
    """
    given = {key: value for key, value in (("task", task), ("robot", robot)) if value is not None}
    if missing := {key: name for key, name in users_names(config).items() if key not in given}:
        named = " and the ".join(f"{key} {brief_repr(name)}" for key, name in missing.items())
        options = " ".join(f"--{key} {shlex.quote(one_line(name, 200))}" for key, name in missing.items())
        raise InputError(
            f"{file}: asks for the {named}, whose module would be imported and run, and only you can ask for that; "
            f"if you trust it, give {options}"
        )
    return config | given


def users_names(config: Mapping[str, Any]) -> dict[str, str]:
    """The task and robot of a configuration, where naming them imports a module of a user: key -> name."""
    names = {key: config.get(key) or "" for key in ("task", "robot")}
    if names["robot"].lower().endswith(FILE_SUFFIXES):  # a path, which may hold a colon
        del names["robot"]
    return {key: name for key, name in names.items() if imports_users_module(name)}
