"""A velocity command that is set, not drawn: one for each environment, which may change at any step."""

from typing import Any

import torch
from isaaclab.managers import CommandTerm
from isaaclab.utils.string import string_to_callable


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
