"""AMP in two dimensions: a discriminator on points of a plane, and a policy that follows the slope of its reward.

Each point stands for a window of two numbers. ``docs/amp_in_two_dimensions.html`` is the same experiment for a browser.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch

from amp_helpers.agent.losses import discriminator_loss, style_reward
from amp_helpers.agent.networks import mlp

REFERENCE, POLICY = (1.12, 0.56), (-1.12, -0.56)
"""Where the centers of the two clouds are at first. A unit is about one standard deviation of both clouds together, as
for the normalized windows of training."""
SPREAD = 0.35
"""Standard deviation of a cloud in both directions."""
POINTS = 64
"""Points of a cloud."""
NOISE = 0.3
"""Standard deviation of the input noise, as in this project's recipe."""
HIDDEN = (32, 32)
LEARNING_RATE = 3e-3
STEPS = 400
"""Optimizer steps in which the discriminator learns to tell two clouds apart."""
CLIMB_RATE = 0.12
"""Way of a climbing point per step, over the slope of the reward there."""


def cloud(center: Sequence[float] | np.ndarray, seed: int = 0) -> torch.Tensor:
    """Draw :data:`POINTS` points (N, 2) whose mean is ``center`` and whose standard deviation is :data:`SPREAD`."""
    points = np.random.default_rng(seed).normal(size=(POINTS, 2))
    points = SPREAD * (points - points.mean(0)) / points.std(0)
    return torch.tensor(points + np.asarray(center), dtype=torch.float32)


class PlaneAmp:
    """A reference, a policy and a discriminator in the plane, trained with the losses of training.

    Every step takes all points. Experiments of the same seed are equal.
    """

    half_width: ClassVar[float] = 2.5
    """The plane reaches from minus to plus this in both directions."""

    def __init__(
        self,
        policy: Sequence[float] = POLICY,
        reference: Sequence[float] = REFERENCE,
        *,
        loss: str = "lsgan",
        gradient_penalty: float = 10.0,
        input_noise: float = NOISE,
        seed: int = 0,
    ) -> None:
        """Draw the clouds and create an untrained discriminator.

        Args:
            policy, reference: centers of the clouds.
            loss: ``lsgan`` or ``bce``.
            gradient_penalty: weight, as in :func:`amp_helpers.agent.losses.discriminator_loss`.
            input_noise: standard deviation of noise on the points while the discriminator learns.
            seed: of initial weights and noise. The global generator is left as it was.
        """
        self.reference, self.policy = cloud(reference, 0), cloud(policy, 1)
        """Points (N, 2)."""
        self.loss, self.gradient_penalty, self.input_noise = loss, gradient_penalty, input_noise
        self._random = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = mlp(2, HIDDEN, 1, "relu")
        self._optimizer = torch.optim.Adam(self.net.parameters(), lr=LEARNING_RATE)

    def train(self, steps: int = STEPS) -> "PlaneAmp":
        """Take optimizer steps of the discriminator and return the experiment."""
        for _ in range(steps):
            reference, policy = self._noisy(self.reference), self._noisy(self.policy)
            total, _ = discriminator_loss(self.net, reference, policy, self.loss, self.gradient_penalty)
            self._optimizer.zero_grad()
            total.backward()
            self._optimizer.step()
        return self

    def _noisy(self, points: torch.Tensor) -> torch.Tensor:
        return points + self.input_noise * torch.randn(points.shape, generator=self._random)

    def reward(self, points: torch.Tensor | np.ndarray) -> np.ndarray:
        """Compute the style reward (n,) of points (n, 2)."""
        with torch.no_grad():
            logits = self.net(torch.as_tensor(points, dtype=torch.float32))
        return style_reward(logits, self.loss)[:, 0].numpy()

    def slope(self, points: torch.Tensor | np.ndarray) -> np.ndarray:
        """Compute the gradient (n, 2) of the style reward at points (n, 2)."""
        at = torch.as_tensor(points, dtype=torch.float32).detach().clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(style_reward(self.net(at), self.loss).sum(), at)
        return slope.numpy()

    def policy_slope(self) -> float:
        """Compute the norm of the reward's gradient, averaged over the policy's points: 0 on a plateau."""
        return float(np.linalg.norm(self.slope(self.policy), axis=1).mean())

    def climb(self, steps: int = 200) -> np.ndarray:
        """Follow the slope of the reward from the center of the policy's cloud; return the path (steps + 1, 2)."""
        path = [self.policy.mean(0).numpy()]
        for _ in range(steps):
            path.append(path[-1] + CLIMB_RATE * self.slope(path[-1][None])[0])
        return np.array(path)

    def climbed(self, steps: int = 200) -> float:
        """Compute the share of the way to the center of the reference that :meth:`climb` covers."""
        path, goal = self.climb(steps), self.reference.mean(0).numpy()
        start, end = (np.linalg.norm(goal - point) for point in (path[0], path[-1]))
        return float(1 - end / start)

    def gap(self) -> float:
        """Compute the distance between the centers of the two clouds."""
        return float((self.policy.mean(0) - self.reference.mean(0)).norm())

    def learn(self, rounds: int = 1, steps: int = 20) -> "PlaneAmp":
        """Let both learn in turns: the policy's points follow the slope, then the discriminator takes ``steps``."""
        for _ in range(rounds):
            self.policy = self.policy + CLIMB_RATE * torch.from_numpy(self.slope(self.policy))
            self.train(steps)
        return self
