"""A velocity command that is set, not drawn: one for each environment, which may change at any step."""

from collections.abc import Iterator
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import CommandTerm
from isaaclab.utils.string import string_to_callable

from amp_helpers.amp_state.commands import velocity_commands
from amp_helpers.errors import InputError


class HeldCommand(CommandTerm):
    """Mixin for a velocity command of any class: each environment keeps its command until it is set anew.

    The class still draws commands and computes what else it has, such as errors; its command is then replaced. It
    starts with the lower end of the configured ranges.
    """

    def __init__(self, cfg: Any, env: Any) -> None:
        super().__init__(cfg, env)
        low = [values[0] for values in (cfg.ranges.lin_vel_x, cfg.ranges.lin_vel_y, cfg.ranges.ang_vel_z)]
        self._held = torch.tensor(low, device=self.device).repeat(self.num_envs, 1)

    def hold(self, commands: torch.Tensor) -> None:
        """Set the command of every environment, at once and for later episodes.

        Args:
            commands: forward m/s, left m/s, turn rad/s, left positive: (E, 3), or (3,) for all.
        """
        self._held[:] = commands.to(self._held)
        self.command[:, :3] = self._held

    def _resample_command(self, env_ids: Any) -> None:
        super()._resample_command(env_ids)  # pyright: ignore[reportAbstractUsage]  (of the class it is mixed into)
        self.command[env_ids, :3] = self._held[env_ids]

    def _update_command(self) -> None:
        super()._update_command()  # pyright: ignore[reportAbstractUsage]
        self.command[:, :3] = self._held


def held(command_class: Any) -> type:
    """Return a subclass of a velocity command's class, or of ``module:name``, whose command is held."""
    resolved: Any = string_to_callable(str(command_class)) if isinstance(command_class, str) else command_class
    if issubclass(resolved, HeldCommand):
        return resolved
    return type(resolved.__name__, (HeldCommand, resolved), {})


def set_command(env: ManagerBasedRLEnv, forward: float | torch.Tensor, turn: float | torch.Tensor = 0.0) -> None:
    """Change the velocity command of an environment that is open for measuring, at once and for later episodes.

    Args:
        env: environment opened with a commanded velocity, see :func:`.configure_for_measuring`.
        forward: forward speed, m/s, of all environments or of each, (E,).
        turn: turning speed, rad/s, left positive, likewise.

    Raises:
        InputError: the environment was opened without a commanded velocity.
    """
    for name, term in _command_terms(env):
        if not isinstance(term, HeldCommand):
            raise InputError(f"command '{name}' is drawn at random; open the environment with a velocity to set it")
        term.hold(_commands(term, forward, turn))


def check_command(env: ManagerBasedRLEnv, forward: float | torch.Tensor, turn: float | torch.Tensor = 0.0) -> None:
    """Check that every environment commands exactly (``forward``, 0, ``turn``), as given to :func:`set_command`.

    Raises:
        InputError: a command term computes something else from its configuration.
    """
    for name, term in _command_terms(env):
        wanted = _commands(term, forward, turn)
        wrong = ~torch.isclose(term.command[:, :3], wanted, atol=1e-6).all(dim=1)
        if wrong.any():
            env_id = int(wrong.nonzero()[0])
            got, asked = (
                ", ".join(f"{value:.3g}" for value in values[env_id, :3].tolist()) for values in (term.command, wanted)
            )
            raise InputError(
                f"command '{name}' ({type(term).__name__}) gives ({got}) in environment {env_id}, asked for ({asked}); "
                "measure with Isaac Lab's UniformVelocityCommandCfg in its place"
            )


def _command_terms(env: ManagerBasedRLEnv) -> Iterator[tuple[str, Any]]:
    """The velocity command terms of an open environment by name."""
    for name, _ in velocity_commands(env.cfg):
        yield name, env.command_manager.get_term(name)


def _commands(term: Any, forward: float | torch.Tensor, turn: float | torch.Tensor) -> torch.Tensor:
    """(E, 3): forward, left and turning speed."""
    commands = torch.zeros(term.num_envs, 3, device=term.command.device)
    commands[:, 0], commands[:, 2] = (torch.as_tensor(value).to(commands) for value in (forward, turn))
    return commands
