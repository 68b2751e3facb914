"""The skrl wrapper of an Isaac Lab environment that adds AMP windows and terminal observations."""

from collections.abc import Callable
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv
from skrl.envs.wrappers.torch.isaaclab_envs import IsaacLabWrapper

from amp_helpers.amp_state.hooks import before, before_reset
from amp_helpers.amp_state.sources import AmpSource
from amp_helpers.amp_state.state import AmpState
from amp_helpers.utils.deferred import Meanwhile


class AmpEnv(IsaacLabWrapper):
    """skrl's Isaac Lab wrapper, with what :class:`amp_helpers.agent.amp_agent.AmpAgent` reads from ``infos`` added.

    ``amp_obs`` (E, dim) and ``amp_whole`` (E,) are :meth:`AmpSource.step`'s. On a step that cut episodes at their time
    limit, ``terminal_states`` (or ``terminal_observations``, for a task without a ``critic`` group) hold what the
    value function would have seen next: computed before the reset, valid in the rows that were cut.
    """

    def __init__(
        self, env: ManagerBasedRLEnv, state: AmpState, group: str | None = None, *, stagger: bool = False
    ) -> None:
        """Wrap ``env``.

        Args:
            env: an open manager-based environment.
            state: what the discriminator sees.
            group: as in :meth:`AmpState.from_env`.
            stagger: let the first episodes end at random times, so that later resets do not all fall on one step.
        """
        super().__init__(env)
        self._stagger = stagger
        self.lab = env
        self.source: AmpSource = state.from_env(env, group)
        self._value_group = "critic" if "critic" in env.observation_manager.active_terms else "policy"
        self._terminal: torch.Tensor | None = None
        self.meanwhile = Meanwhile()
        """Done in the next step, when the simulator has been given all its work: the host, which is about to ask which
        episodes have ended, would wait for it. What a step returned still holds then."""
        self._hooks = [
            before_reset(env, self._capture),
            before(env.termination_manager, "compute", self.meanwhile.catch_up),
        ]
        self.on_step: list[Callable[[torch.Tensor, torch.Tensor], None]] = []
        """Called after every step with which episodes ended in a fall, (E,), and which by their time limit, (E,)."""

    def _capture(self, env_ids: torch.Tensor) -> None:
        # reset_time_outs does not exist before the first step.
        if getattr(self.lab, "reset_time_outs", None) is not None and self.lab.reset_time_outs.any():
            self._terminal = self.lab.observation_manager.compute_group(self._value_group)

    def step(self, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, Any]:
        self._terminal = None
        observations, reward, terminated, truncated, infos = super().step(actions)
        windows, whole = self.source.step((terminated | truncated).flatten())
        for listener in self.on_step:
            listener(terminated.flatten(), truncated.flatten())
        infos = dict(infos, amp_obs=windows, amp_whole=whole)
        key = "terminal_states" if self._value_group == "critic" else "terminal_observations"
        infos |= {"terminal_states": None, "terminal_observations": None, key: self._terminal}
        return observations, reward, terminated, truncated, infos

    def reset(self) -> tuple[torch.Tensor, dict[str, Any]]:
        first = self._reset_once
        observations, infos = super().reset()
        if first:
            self.source.restart()
            if self._stagger:
                self.lab.episode_length_buf = torch.randint_like(
                    self.lab.episode_length_buf, high=self.lab.max_episode_length
                )
        return observations, infos

    def close(self) -> None:
        """Take the hooks away; the environment itself is closed by :func:`make_env`."""
        for detach in (*self._hooks, self.source.detach):
            detach()
