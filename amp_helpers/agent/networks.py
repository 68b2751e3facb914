"""The three networks of AMP, as skrl models: policy, value and discriminator."""

import math
from collections.abc import Sequence
from typing import Any

import gymnasium
import torch
from skrl.models.torch import DeterministicMixin, GaussianMixin, Model
from torch import nn

from amp_helpers.agent.cuda_graphs import aligned

_ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU}


class _Affine(torch.autograd.Function):
    """``rows @ weight.T + bias``, with the gradient of the bias as a matrix product.

    For 24,576 rows of 512 that takes a GPU half as long as the reduction that autograd uses.
    """

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows, weight)
        return nn.functional.linear(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
        rows, weight = ctx.saved_tensors
        ones = slope.new_ones(1, len(slope))
        return slope @ weight if ctx.needs_input_grad[0] else None, slope.T @ rows, (ones @ slope)[0]


class BatchLinear(nn.Linear):
    """A linear layer that is faster for batches (N, inputs) of tens of thousands of rows."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return _Affine.apply(aligned(rows), aligned(self.weight), self.bias)


def mlp(
    inputs: int, hidden: Sequence[int], outputs: int, activation: str, linear: type[nn.Linear] = nn.Linear
) -> nn.Sequential:
    """Create a multilayer perceptron with linear output; ``activation`` is ``elu`` or ``relu``."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [linear(inputs, width), _ACTIVATIONS[activation]()]
        inputs = width
    return nn.Sequential(*layers, linear(inputs, outputs))


class Policy(GaussianMixin, Model):
    """Gaussian policy whose standard deviation does not depend on the observations."""

    def __init__(
        self,
        observation_space: gymnasium.Space,
        action_space: gymnasium.Space,
        device: str,
        *,
        hidden: Sequence[int] = (512, 256, 128),
        initial_std: float = 1.0,
        min_std: float = 0.05,
    ) -> None:
        Model.__init__(self, observation_space=observation_space, action_space=action_space, device=device)
        GaussianMixin.__init__(self, min_log_std=float(torch.tensor(min_std).log()))
        self.net = mlp(self.num_observations, hidden, self.num_actions, "elu", BatchLinear)
        self.log_std = nn.Parameter(torch.full((self.num_actions,), float(torch.tensor(initial_std).log())))

    def compute(self, inputs: dict, role: str = "") -> tuple[torch.Tensor, dict]:
        return self.net(inputs["observations"]), {"log_std": self.log_std}

    def act(self, inputs: dict, *, role: str = "") -> tuple[torch.Tensor, dict]:
        """Draw actions as skrl does; given ``taken_actions``, return the mean and their likelihood instead.

        An update needs only the likelihood, and drawing actions would launch many small kernels more.
        """
        if "taken_actions" not in inputs:
            return super().act(inputs, role=role)
        mean, _ = self.compute(inputs, role)
        log_std = self._clamped_log_std()
        distances = (inputs["taken_actions"] - mean) * (-log_std).exp()
        constant = (log_std + 0.5 * math.log(2 * math.pi)).sum()
        log_prob = -0.5 * distances.square().sum(dim=-1, keepdim=True) - constant
        return mean, {"log_std": log_std, "log_prob": log_prob, "mean_actions": mean}

    def get_entropy(self, *, role: str = "") -> torch.Tensor:
        """Return the entropy of the actions, (1, 1), the same for every observation."""
        return (self._clamped_log_std() + 0.5 * math.log(2 * math.pi * math.e)).sum().view(1, 1)

    def _clamped_log_std(self) -> torch.Tensor:
        return self.log_std.clamp(self._g_min_log_std, self._g_max_log_std)


class Value(DeterministicMixin, Model):
    """State value of the noise-free ``critic`` group, or of the observations where the task has no such group."""

    def __init__(
        self,
        observation_space: gymnasium.Space,
        state_space: gymnasium.Space | None,
        action_space: gymnasium.Space,
        device: str,
        *,
        hidden: Sequence[int] = (512, 256, 128),
    ) -> None:
        Model.__init__(
            self,
            observation_space=observation_space,
            state_space=state_space,
            action_space=action_space,
            device=device,
        )
        DeterministicMixin.__init__(self)
        self._key = "observations" if state_space is None else "states"
        width = self.num_observations if state_space is None else self.num_states
        self.net = mlp(width, hidden, 1, "elu", BatchLinear)

    def compute(self, inputs: dict, role: str = "") -> tuple[torch.Tensor, dict]:
        return self.net(inputs[self._key]), {}


class Discriminator(DeterministicMixin, Model):
    """Logit (N, 1) of "this window is from the reference"."""

    def __init__(
        self,
        amp_observation_space: gymnasium.Space,
        action_space: gymnasium.Space,
        device: str,
        *,
        hidden: Sequence[int] = (1024, 512),
    ) -> None:
        Model.__init__(self, observation_space=amp_observation_space, action_space=action_space, device=device)
        DeterministicMixin.__init__(self)
        self.net = mlp(self.num_observations, hidden, 1, "relu")

    def compute(self, inputs: dict, role: str = "") -> tuple[torch.Tensor, dict]:
        return self.net(inputs["observations"]), {}
