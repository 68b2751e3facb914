"""The velocity commands of a task's configuration, and the range of speeds that they are drawn from."""

from typing import Any

import isaaclab.envs.mdp as lab

from amp_helpers.amp_state.commands import COMPONENTS, velocity_commands
from amp_helpers.amp_state.terms import set_term, terms
from amp_helpers.errors import InputError
from amp_helpers.metrics.grid import check_range, check_speeds


def command_velocity(cfg: Any, forward: tuple[float, float], turn: float | None = None, task: str = "") -> list[str]:
    """Set the range (low, high) of the commanded forward speed, m/s, and no sideways speed: changes ``cfg`` in place.

    Args:
        cfg: configuration of a manager-based environment.
        forward: (low, high), m/s.
        turn: turning speed, rad/s; ``None`` leaves the task's turning as it is.
        task: the task's name, for messages.

    Returns:
        The commands of another kind, a sentence each.

    Raises:
        InputError: the task has no velocity command, or see :func:`.grid.check_range`.
    """
    check_range(*forward)
    check_speeds(turn or 0.0)
    commands, others = dict(velocity_commands(cfg)), other_commands(cfg)
    if not commands:
        found = ", ".join(f"'{name}' ({kind})" for name, kind in others.items()) or "none"
        raise InputError(
            f"task '{task}' has no velocity command; its commands: {found}; leave out velocity, turn, steps "
            "and grid, or give a task with a UniformVelocityCommandCfg"
        )
    for name, command in commands.items():
        if not hasattr(command.ranges, "lin_vel_x"):  # the normal distribution flips signs at random
            command = _uniform(command)
            set_term(cfg.commands, name, command)
        command.ranges.lin_vel_x = (float(forward[0]), float(forward[1]))
        command.ranges.lin_vel_y = (0.0, 0.0)
        if turn is not None:
            command.ranges.ang_vel_z = (float(turn), float(turn))
    also = {
        name: [part for part in vars(term.ranges) if part not in (*COMPONENTS, "heading")]
        for name, term in velocity_commands(cfg)
    }
    return [
        *(f"command '{name}' ({kind}) is drawn as the task has it" for name, kind in others.items()),
        *(f"command '{name}' draws {', '.join(parts)} as the task has it" for name, parts in also.items() if parts),
    ]


def has_velocity_command(cfg: Any) -> bool:
    """Whether a task has a velocity command, under any name."""
    return any(True for _ in velocity_commands(cfg))


def other_commands(cfg: Any) -> dict[str, str]:
    """Commands of other kinds: name -> kind."""
    known = dict(velocity_commands(cfg))
    return {name: type(term).__name__ for name, term in terms(cfg.commands) if name not in known}


def _uniform(command: Any) -> lab.UniformVelocityCommandCfg:
    return lab.UniformVelocityCommandCfg(
        asset_name=command.asset_name,
        resampling_time_range=command.resampling_time_range,
        ranges=lab.UniformVelocityCommandCfg.Ranges(lin_vel_x=(0.0, 0.0), lin_vel_y=(0.0, 0.0), ang_vel_z=(0.0, 0.0)),
    )
