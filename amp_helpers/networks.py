"""The three networks of AMP, as skrl models: policy, value and discriminator."""

from collections.abc import Sequence

import gymnasium
import torch
from skrl.models.torch import DeterministicMixin, GaussianMixin, Model
from torch import nn

_ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU}


def mlp(inputs: int, hidden: Sequence[int], outputs: int, activation: str) -> nn.Sequential:
    """A multilayer perceptron with linear output; ``activation`` is ``elu`` or ``relu``."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), _ACTIVATIONS[activation]()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class Policy(GaussianMixin, Model):
    """Gaussian policy of the observations, with a standard deviation that does not depend on them."""

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
        self.net = mlp(self.num_observations, hidden, self.num_actions, "elu")
        self.log_std = nn.Parameter(torch.full((self.num_actions,), float(torch.tensor(initial_std).log())))

    def compute(self, inputs: dict, role: str = "") -> tuple[torch.Tensor, dict]:
        return self.net(inputs["observations"]), {"log_std": self.log_std}


class Value(DeterministicMixin, Model):
    """State value. It sees the noise-free ``critic`` group where the task has one, else the observations."""

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
        self.net = mlp(width, hidden, 1, "elu")

    def compute(self, inputs: dict, role: str = "") -> tuple[torch.Tensor, dict]:
        return self.net(inputs[self._key]), {}


class Discriminator(DeterministicMixin, Model):
    """Logit of "this window is from the reference", (N, 1)."""

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
