"""The skrl wrapper of an Isaac Lab environment, with AMP windows and terminal observations."""

from collections.abc import Callable
from typing import Any, cast

import torch
from isaaclab.envs import ManagerBasedRLEnv
from skrl.envs.wrappers.torch.isaaclab_envs import IsaacLabWrapper

from amp_helpers.amp_state.hooks import EnvIds, StepHooks
from amp_helpers.amp_state.sources import AmpSource
from amp_helpers.amp_state.state import AmpState
from amp_helpers.utils.deferred import DeferredQueue


class AmpEnv(IsaacLabWrapper):
    """skrl's Isaac Lab wrapper, which adds to ``infos`` what :class:`amp_helpers.agent.AmpAgent` needs.

    ``amp_obs`` (E, dim) and ``amp_whole`` (E,), the windows and the mask of complete ones, come from
    :meth:`AmpSource.step`. In a step that truncated episodes, ``terminal_states`` (``terminal_observations`` for a task
    without a ``critic`` group) is the value function's input just before the reset, valid in the rows of the truncated
    episodes; in other steps it may be ``None``.
    """

    def __init__(
        self, env: ManagerBasedRLEnv, state: AmpState, group: str | None = None, *, stagger: bool = False
    ) -> None:
        """Wrap ``env``.

        Args:
            env: an open manager-based environment.
            state: the discriminator's input.
            group: see :meth:`AmpState.from_env`.
            stagger: draw the remaining time of the first episodes at random, so that they do not all end in one step.
        """
        super().__init__(env)
        self._stagger = stagger
        self.lab = env
        self.source: AmpSource = state.from_env(env, group)
        self._value_group = "critic" if "critic" in env.observation_manager.active_terms else "policy"
        self._terminal: torch.Tensor | None = None
        self.deferred = DeferredQueue()
        """Work for the next step, run after the physics has been launched and before the host waits for it. Until then,
        the tensors returned by a step keep their values."""
        hooks = StepHooks.of(env)
        hooks.before_reset.append(self._capture)
        hooks.after_physics.append(self.deferred.run)
        self.on_step: list[Callable[[torch.Tensor, torch.Tensor], None]] = []
        """Called after every step with the masks (E,) of terminated and of truncated episodes."""

    def _capture(self, env_ids: EnvIds) -> None:
        # A step by mask does not wait to learn whether an episode was truncated. reset_time_outs does not exist before
        # the first step.
        time_outs = getattr(self.lab, "reset_time_outs", None)
        if getattr(self.lab, "by_mask", False) or (time_outs is not None and time_outs.any()):
            self._terminal = cast(torch.Tensor, self.lab.observation_manager.compute_group(self._value_group))

    def step(self, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, Any]:
        """Take a control step with actions (E, A).

        Returns:
            Observations (E, O) after the step, and after the reset of episodes that it ended; rewards of the task
            (E, 1); masks (E, 1) of terminated and of truncated episodes; and ``infos``, see the class.
        """
        self._terminal = None
        observations, reward, terminated, truncated, infos = super().step(actions)
        windows, complete = self.source.step((terminated | truncated).flatten())
        for listener in self.on_step:
            listener(terminated.flatten(), truncated.flatten())
        infos = dict(infos, amp_obs=windows, amp_whole=complete)
        key = "terminal_states" if self._value_group == "critic" else "terminal_observations"
        infos |= {"terminal_states": None, "terminal_observations": None, key: self._terminal}
        return observations, reward, terminated, truncated, infos

    def reset(self) -> tuple[torch.Tensor, dict[str, Any]]:
        """Return the observations (E, O); as in skrl's wrapper, only the first call resets the environment."""
        first = self._reset_once
        observations, infos = super().reset()
        if first:
            self.source.restart()
            if self._stagger:
                length = self.lab.episode_length_buf
                self.lab.episode_length_buf = torch.randint_like(length, high=self.lab.max_episode_length)
        return observations, infos

    def close(self) -> None:
        """Remove the listeners; the environment stays open, see :func:`amp_helpers.env.make_env`."""
        self.source.detach()
        hooks = StepHooks.of(self.lab)
        hooks.before_reset.remove(self._capture)
        hooks.after_physics.remove(self.deferred.run)
