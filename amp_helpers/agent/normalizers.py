"""Running standardization of what the networks see and of the returns, by the rows of all ranks."""

from dataclasses import dataclass

import gymnasium
import torch
from skrl.resources.preprocessors.torch import RunningStandardScaler

from amp_helpers.agent.ranks import Ranks


class Scaler(RunningStandardScaler):
    """skrl's running standardization, of what all ranks saw."""

    def __init__(self, size: gymnasium.Space | int, device: str | torch.device, ranks: Ranks) -> None:
        super().__init__(size=size, device=device)
        self._ranks = ranks

    def _parallel_variance(self, input_mean: torch.Tensor, input_var: torch.Tensor, input_count: int) -> None:
        tensors = dict(self.named_buffers())
        super()._parallel_variance(*self._ranks.moments(input_mean, input_var, input_count))
        for name, tensor in tensors.items():  # skrl replaces them, but a recording goes on with those that it read
            setattr(self, name, tensor.copy_(getattr(self, name)))


@dataclass(frozen=True)
class Normalizers:
    """The normalizers of an agent; each one learns where it is called with ``train=True``."""

    observations: Scaler
    """Of the policy's observations, (n, O)."""
    states: Scaler | None
    """Of the value function's states, (n, S); ``None`` where it sees the observations."""
    values: Scaler
    """Of values and returns, (n, 1)."""
    windows: Scaler
    """Of AMP windows, (n, dim)."""

    @classmethod
    def create(
        cls,
        observation_space: gymnasium.Space,
        state_space: gymnasium.Space | None,
        window_space: gymnasium.Space,
        device: str | torch.device,
        ranks: Ranks,
    ) -> "Normalizers":
        """Create normalizers that change nothing yet; ``ranks`` are the processes whose rows count."""

        def scaler(size: gymnasium.Space | int) -> Scaler:
            return Scaler(size, device, ranks)

        states = None if state_space is None else scaler(state_space)
        return cls(scaler(observation_space), states, scaler(1), scaler(window_space))

    def inputs(self, observations: torch.Tensor | None, states: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Normalize what policy and value function see, by skrl's names; leave out what the task does not have.

        Args:
            observations: (n, O).
            states: (n, S).
        """
        inputs = {}
        if observations is not None:
            inputs["observations"] = self.observations(observations)
        if states is not None and self.states is not None:
            inputs["states"] = self.states(states)
        return inputs
