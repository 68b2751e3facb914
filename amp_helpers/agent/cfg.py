"""Configuration of the AMP agent: every knob once, with its unit, its range and the reason for its default."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from amp_helpers.errors import InputError

DiscriminatorLoss = Literal["lsgan", "bce"]

_AT_LEAST = {
    "rollouts": 1,
    "learning_epochs": 1,
    "mini_batches": 1,
    "task_weight": 0,
    "style_weight": 0,
    "entropy": 0,
    "gradient_penalty": 0,
    "discriminator_epochs": 1,
    "discriminator_batch_size": 1,
    "discriminator_noise": 0,
    "replay_size": 1,
    "kl_threshold": 0,
    "final_kl_threshold": 0,
    "min_learning_rate": 0,
    "value_clip": 0,
    "value_loss_scale": 0,
    "grad_norm_clip": 0,
    "discriminator_logit_regularization": 0,
    "discriminator_weight_decay": 0,
    "discriminator_grad_norm_clip": 0,
    "final_std": 0,
    "final_std_updates": 1,
}
_ABOVE_ZERO = ("learning_rate", "discriminator_learning_rate", "initial_std", "ratio_clip")


@dataclass(frozen=True, kw_only=True)
class AmpAgentCfg:
    """Configuration of the AMP agent."""

    rollouts: int = 24
    """Control steps between updates."""
    learning_epochs: int = 5
    """Passes over a rollout in an update."""
    mini_batches: int = 4
    """Mini-batches that each pass splits a rollout into."""
    discount_factor: float = 0.99
    """Discount per control step, in [0, 1]."""
    gae_lambda: float = 0.95
    """Lambda of the generalized advantage estimate, in [0, 1]."""
    time_limit_bootstrap: bool = True
    """Add the discounted value of the state that a time limit cut off to the last reward of its episode."""

    hidden: tuple[int, ...] = (512, 256, 128)
    """Widths of the hidden layers of policy and value."""
    discriminator_hidden: tuple[int, ...] = (1024, 512)
    """Widths of the hidden layers of the discriminator."""

    task_weight: float = 1.0
    """Weight of the task reward, which Isaac Lab has already multiplied by the control step."""
    style_weight: float = 20.0
    """Weight of the style reward, per second, like the weight of an Isaac Lab reward term. The published recipe counts
    per step: 0.1 a step at 50 Hz is 5 per second."""

    learning_rate: float = 1e-3
    """Initial learning rate of policy and value."""
    kl_threshold: float = 0.01
    """KL divergence that the KL-adaptive learning rate aims for; 0 keeps the rate fixed."""
    final_kl_threshold: float = 0.0
    """KL divergence that the threshold is annealed to, geometrically; 0 leaves it where it is. Large steps wander about
    the best policy, and which way they went last is chance."""
    final_kl_updates: tuple[int, int] = (1150, 1600)
    """Updates between which that annealing takes place."""
    min_learning_rate: float = 1e-5
    """Lower bound of the KL-adaptive learning rate."""
    max_learning_rate: float = 1e-2
    """Upper bound of the KL-adaptive learning rate."""
    ratio_clip: float = 0.2
    """Clip range of PPO's likelihood ratio."""
    value_clip: float = 0.2
    """Clip range of the predicted value; 0 turns clipping off."""
    value_loss_scale: float = 1.0
    """Weight of the value loss."""
    grad_norm_clip: float = 1.0
    """Maximum gradient norm of policy and value together; 0 turns clipping off."""
    entropy: float = 0.005
    """Weight of the entropy bonus, which keeps the standard deviation of the actions up."""
    initial_std: float = 1.0
    """Standard deviation of the untrained policy's actions."""
    final_std: float = 0.15
    """Standard deviation that the actions are annealed to, geometrically; 0 leaves it to the policy. Action noise lets
    the discriminator recognize a policy whatever its gait."""
    final_std_updates: int = 360
    """Updates that the annealing takes."""

    discriminator_loss: DiscriminatorLoss = "lsgan"
    """lsgan: squared distance of the logits to +1 (reference) and -1 (policy), style reward in [0, 1]. bce: binary
    cross entropy as in skrl, style reward in [0, 9.2]."""
    gradient_penalty: float = 10.0
    """Weight of half the squared norm of the logit's gradient at reference windows. skrl has no factor 1/2: its 5 is
    10 here."""
    discriminator_learning_rate: float = 2e-4
    """Learning rate of the discriminator. It is fixed: a rate that follows the policy's KL divergence would saturate
    the discriminator."""
    discriminator_epochs: int = 2
    """Learning epochs of an update in which the discriminator learns too, at most all of them."""
    discriminator_batch_size: int = 4096
    """Windows of each kind (reference, policy, replay) in a discriminator step."""
    discriminator_noise: float = 0.3
    """Standard deviation of noise on the discriminator's normalized input while it learns. It hides differences smaller
    than that, such as the tremor of a policy that explores (Arjovsky and Bottou 2017, arXiv:1701.04862)."""
    discriminator_logit_regularization: float = 0.0
    """Weight of the squared norm of the discriminator's last layer."""
    discriminator_weight_decay: float = 1e-4
    """Weight decay of the discriminator's weights; its biases have none."""
    discriminator_grad_norm_clip: float = 1.0
    """Maximum gradient norm of the discriminator; 0 turns clipping off."""
    replay_size: int = 50_000
    """Windows that the replay buffer holds, at most those of 50 rollouts."""
    replay_share: float = 0.1
    """Share of the replay buffer that one rollout may replace, in (0, 1]."""

    @property
    def min_std(self) -> float:
        """Smallest standard deviation of the actions: 0.05, or a smaller one that was asked for."""
        return min(0.05, self.initial_std, self.final_std or math.inf)

    def validate(self) -> None:
        """Check every value against its range.

        Raises:
            InputError: a value is out of range.
        """
        if self.discriminator_loss not in get_args(DiscriminatorLoss):
            names = ", ".join(get_args(DiscriminatorLoss))
            raise InputError(f"discriminator_loss '{self.discriminator_loss}' not found; available: {names}")
        if not 0 < self.replay_share <= 1:
            raise InputError(f"replay_share is {self.replay_share}; give a share above 0 and up to 1")
        for name in ("discount_factor", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; give a number in 0..1")
        for name in (*_AT_LEAST, *_ABOVE_ZERO, "max_learning_rate"):
            if getattr(self, name) == math.inf:
                raise InputError(f"{name} is inf; give a finite number")
        for name, least in _AT_LEAST.items():
            if not getattr(self, name) >= least:
                raise InputError(f"{name} is {getattr(self, name)}; give at least {least}")
        if self.discriminator_epochs > self.learning_epochs:
            epochs, most = self.discriminator_epochs, self.learning_epochs
            raise InputError(f"discriminator_epochs is {epochs}; give at most learning_epochs, {most}")
        for name in _ABOVE_ZERO:
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}; give a number above 0")
        if not self.max_learning_rate >= self.min_learning_rate:
            low, high = self.min_learning_rate, self.max_learning_rate
            raise InputError(f"max_learning_rate is {high}; give at least min_learning_rate, {low}")
        first, last = self.final_kl_updates
        if not 0 <= first < last:
            raise InputError(f"final_kl_updates is {first} {last}; give two increasing numbers of updates from 0 on")
        for name in ("hidden", "discriminator_hidden"):
            widths = getattr(self, name)
            if not widths or min(widths) < 1:
                raise InputError(f"{name} is {' '.join(map(str, widths)) or 'empty'}; give widths of at least 1")
