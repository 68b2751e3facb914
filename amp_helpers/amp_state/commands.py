"""The velocity commands of a task, recognized by their kind: a task's author names them freely."""

from collections.abc import Iterator
from typing import Any

import isaaclab.envs.mdp as lab
import torch
from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.amp_state.terms import terms
from amp_helpers.errors import InputError

COMPONENTS = ("lin_vel_x", "lin_vel_y", "ang_vel_z")
"""Ranges of a velocity command: forward and left m/s, turning rad/s."""


def velocity_commands(cfg: Any) -> Iterator[tuple[str, Any]]:
    """The velocity commands of a task by name: those of Isaac Lab's kinds, and those of a user with the same ranges."""
    for name, term in terms(cfg.commands):
        ranges = getattr(term, "ranges", None)
        if isinstance(term, lab.UniformVelocityCommandCfg) or all(hasattr(ranges, part) for part in COMPONENTS):
            yield name, term


def velocity_command(env: ManagerBasedRLEnv) -> torch.Tensor:
    """Return the commanded velocity, (E, 3): forward and left m/s, yaw rad/s.

    Raises:
        InputError: the task has no velocity command, or several.
    """
    names = [name for name, _ in velocity_commands(env.cfg)]
    if len(names) != 1:
        found = f"{len(names)} velocity commands ({', '.join(names)})" if names else "no velocity command"
        raise InputError(
            f"the task has {found}, and one is shown to the discriminator; train with --no_condition_on_command"
        )
    return env.command_manager.get_command(names[0])[:, :3]
