"""The steps between two updates, of all environments, in a skrl memory."""

from typing import Any

import gymnasium
import torch
from skrl.memories.torch import RandomMemory

from amp_helpers.agent.normalizers import Normalizers


class Rollout(RandomMemory):
    """Tensors (T, E, ...) by name: what was observed and done, and what the update computes from it.

    Args:
        steps: T.
        num_envs: E.
        observation_space: what the policy sees.
        state_space: what the value sees, or ``None`` where it sees the observations.
        action_space: of the policy.
        window_space: of an AMP window, (dim,).
        device: of the tensors.
    """

    def __init__(
        self,
        *,
        steps: int,
        num_envs: int,
        observation_space: gymnasium.Space,
        state_space: gymnasium.Space | None,
        action_space: gymnasium.Space,
        window_space: gymnasium.Space,
        device: str | torch.device,
    ) -> None:
        super().__init__(memory_size=steps, num_envs=num_envs, device=device)
        sizes: dict[str, gymnasium.Space | int | None] = {
            "observations": observation_space,
            "states": state_space,
            "terminal": observation_space if state_space is None else state_space,
            "actions": action_space,
            "amp_observations": window_space,
            "normalized_observations": observation_space,
            "normalized_states": state_space,
        }
        sizes |= dict.fromkeys(("rewards", "log_prob", "values", "returns", "advantages"), 1)
        for name, size in sizes.items():  # without a size, nothing is allocated
            self.create_tensor(name=name, size=size, dtype=torch.float32)
        for name in ("done", "truncated", "amp_whole"):
            self.create_tensor(name=name, size=1, dtype=torch.bool)

    def store(
        self,
        *,
        observations: torch.Tensor,
        states: torch.Tensor | None,
        actions: torch.Tensor,
        log_prob: torch.Tensor,
        rewards: torch.Tensor,
        terminated: torch.Tensor,
        truncated: torch.Tensor,
        infos: dict[str, Any],
    ) -> None:
        """Add a step of all environments.

        Args:
            observations: (E, O) that the actions were drawn for.
            states: (E, S) of the same instant, or ``None``.
            actions: (E, A).
            log_prob: (E, 1) of the actions.
            rewards: (E, 1) of the task.
            terminated: (E, 1) bool, episodes that ended in a fall or a goal.
            truncated: (E, 1) bool, episodes that a time limit cut off.
            infos: ``amp_obs`` (E, dim), ``amp_whole`` (E,) bool and ``terminal_states`` or ``terminal_observations``,
                see :class:`amp_helpers.env.AmpEnv`.
        """
        seen, terminal = observations, infos["terminal_observations"]
        if states is not None:
            seen, terminal = states, infos["terminal_states"]
        step: dict[str, Any] = {
            "observations": observations,
            "states": states,
            "terminal": seen if terminal is None else terminal,
            "actions": actions,
            "rewards": rewards,
            "done": terminated | truncated,
            "truncated": truncated & ~terminated,
            "log_prob": log_prob,
            "amp_observations": infos["amp_obs"],
            "amp_whole": infos["amp_whole"].view(-1, 1),
        }
        self.add_samples(**step)

    def rows(self, name: str) -> torch.Tensor:
        """Return the rows (T * E, ...) of a tensor, a view."""
        return self.get_tensor_by_name(name).flatten(0, 1)

    def normalize(self, normalizers: Normalizers) -> dict[str, torch.Tensor]:
        """Store normalized ``observations`` and ``states`` for the batches below, and return them, (T * E, ...)."""
        states = self.rows("states") if "states" in self.tensors else None
        inputs = normalizers.inputs(self.rows("observations"), states)
        return {name: self.rows(f"normalized_{name}").copy_(rows) for name, rows in inputs.items()}

    def policy_rows(self, indices: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the rows (n, ...) that the policy learns from, with normalized ``observations``."""
        return self._batch(indices, "actions", "log_prob", "advantages", observations="normalized_observations")

    def value_rows(self, indices: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the rows (n, ...) that the value function learns from, with normalized ``states``, if there are any.

        Without them it sees the ``observations``.
        """
        seen = "states" if "states" in self.tensors else "observations"
        return self._batch(indices, "values", "returns", **{seen: f"normalized_{seen}"})

    def _batch(self, indices: torch.Tensor, *names: str, **renamed: str) -> dict[str, torch.Tensor]:
        tensors = {name: name for name in names} | renamed
        return {name: self.rows(tensor)[indices] for name, tensor in tensors.items()}
