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
        """Map rows (N, inputs) to (N, outputs)."""
        weight, bias, outputs = aligned(self.weight), self.bias, self.out_features
        if outputs > 1:  # a single output is a product with a vector, which needs no alignment
            weight, bias = aligned(weight.T).T, aligned(bias)
        result = _Affine.apply(aligned(rows), weight, bias)
        return result if result.shape[1] == outputs else result[:, :outputs]


def mlp(
    inputs: int, hidden: Sequence[int], outputs: int, activation: str, linear: type[nn.Linear] = nn.Linear
) -> nn.Sequential:
    """Create a multilayer perceptron with linear output; ``activation`` is ``elu`` or ``relu``."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [linear(inputs, width), _ACTIVATIONS[activation]()]
        inputs = width
    return nn.Sequential(*layers, linear(inputs, outputs))


class Mirror(nn.Module):
    """The left-right mirror image of rows (..., C): column i becomes ``sign[i]`` times column ``index[i]``.

    The two are buffers, so they are saved with the network that they belong to.
    """

    index: torch.Tensor
    sign: torch.Tensor

    def __init__(self, index: Sequence[int], sign: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("index", torch.as_tensor(index, dtype=torch.long))
        self.register_buffer("sign", torch.as_tensor(sign, dtype=torch.float32))

    @classmethod
    def blank(cls, columns: int) -> "Mirror":
        """Return a mirror that changes nothing; loading a saved network fills it in."""
        return cls(range(columns), [1.0] * columns)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the mirror image of rows (..., C)."""
        return rows[..., self.index] * self.sign


class Policy(GaussianMixin, Model):
    """Gaussian policy whose standard deviation does not depend on the observations.

    With mirrors it is symmetric by construction: the mirror image of a situation gets the mirror image of the action,
    ``mean(o) = (net(o) + M net(M o)) / 2``. A gait then cannot favor a side, which would make the robot drift.
    """

    def __init__(
        self,
        observation_space: gymnasium.Space,
        action_space: gymnasium.Space,
        device: str,
        *,
        hidden: Sequence[int] = (512, 256, 128),
        initial_std: float = 1.0,
        min_std: float = 0.05,
        mirrors: tuple[Mirror, Mirror] | None = None,
    ) -> None:
        """Create the network.

        Args:
            observation_space: (O,).
            action_space: (A,).
            device: of the parameters.
            hidden: widths of the hidden layers.
            initial_std: standard deviation of the untrained actions.
            min_std: lower bound of the standard deviation.
            mirrors: of normalized observations and of actions, for a symmetric policy.
        """
        Model.__init__(self, observation_space=observation_space, action_space=action_space, device=device)
        GaussianMixin.__init__(self, min_log_std=math.log(min_std))
        self.net = mlp(self.num_observations, hidden, self.num_actions, "elu", BatchLinear)
        self.log_std = nn.Parameter(torch.full((self.num_actions,), math.log(initial_std)))
        self.observation_mirror, self.action_mirror = mirrors or (None, None)
        self.to(self.device)

    def compute(self, inputs: dict, role: str = "") -> tuple[torch.Tensor, dict]:
        """Return the mean actions (N, A) for ``inputs["observations"]`` (N, O), normalized; and ``log_std`` (A,)."""
        return self.mean(inputs["observations"]), {"log_std": self._log_std()}

    def mean(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the mean actions (N, A) for normalized observations (N, O)."""
        if self.observation_mirror is None or self.action_mirror is None:
            return self.net(observations)
        here, image = self.net(torch.cat((observations, self.observation_mirror(observations)))).chunk(2)
        return 0.5 * (here + self.action_mirror(image))

    def _log_std(self) -> torch.Tensor:
        if self.action_mirror is None:
            return self.log_std
        return 0.5 * (self.log_std + self.log_std[self.action_mirror.index])

    def act(self, inputs: dict, *, role: str = "") -> tuple[torch.Tensor, dict]:
        """Draw actions as skrl does; given ``taken_actions``, return the mean and their likelihood instead.

        An update needs only the likelihood, and drawing actions would launch many small kernels more.

        Args:
            inputs: ``observations`` (N, O), normalized, and ``taken_actions`` (N, A) where their likelihood is asked
                for.
            role: not used.

        Returns:
            Actions (N, A); and by name ``log_prob`` (N, 1), ``mean_actions`` (N, A) and ``log_std`` (A,).
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
        return self._log_std().clamp(self._g_min_log_std, self._g_max_log_std)


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
        """Return the values (N, 1), in units of the normalized returns, of normalized states or observations."""
        return self.net(inputs[self._key]), {}


class Discriminator(DeterministicMixin, Model):
    """Logit (N, 1) of "this window is from the reference", given the command in its last columns if it has any."""

    def __init__(
        self,
        amp_observation_space: gymnasium.Space,
        action_space: gymnasium.Space,
        device: str,
        *,
        hidden: Sequence[int] = (1024, 512),
        condition_dim: int = 0,
    ) -> None:
        """Create the network.

        Args:
            amp_observation_space: of a window, (dim,).
            action_space: (A,).
            device: of the parameters.
            hidden: widths of the hidden layers.
            condition_dim: number of columns at the end of a window that hold the command.
        """
        Model.__init__(self, observation_space=amp_observation_space, action_space=action_space, device=device)
        DeterministicMixin.__init__(self)
        self.condition_dim = condition_dim
        self.net = mlp(self.num_observations, hidden, 1, "relu")

    def compute(self, inputs: dict, role: str = "") -> tuple[torch.Tensor, dict]:
        """Return the logits (N, 1) of ``inputs["observations"]``, normalized windows (N, dim)."""
        return self.net(inputs["observations"]), {}
