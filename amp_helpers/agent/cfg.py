"""What can be set about the agent, with units and reasons."""

from dataclasses import dataclass
from typing import Literal

from skrl.agents.torch.amp import AMP_CFG

from amp_helpers.agent.losses import DISCRIMINATOR_LOSSES
from amp_helpers.errors import InputError


@dataclass(kw_only=True)
class AmpAgentCfg(AMP_CFG):
    """Configuration of :class:`AmpAgent`; the fields not listed here are skrl's."""

    rollouts: int = 24
    learning_epochs: int = 5
    mini_batches: int = 4
    learning_rate: float = 1e-3
    value_loss_scale: float = 1.0
    grad_norm_clip: float = 1.0
    entropy_loss_scale: float = 0.005
    time_limit_bootstrap: bool = True

    task_reward_scale: float = 1.0
    """Weight of the environment's reward, which Isaac Lab has already multiplied by the step's seconds."""
    style_reward_scale: float = 5.0
    """Weight of the style reward, **per second**, like the weight of an Isaac Lab reward term: the agent multiplies by
    ``step_dt``. skrl (and the recipe's 0.1) counts per step; 0.1 a step at 50 Hz is 5.0 a second."""
    step_dt: float = 0.02
    """Seconds of a control step."""

    discriminator_loss: Literal["lsgan", "bce"] = "lsgan"
    """``lsgan``: squared distance of the logits to +1 (reference) and -1 (policy), style reward in [0, 1]. ``bce``:
    binary cross entropy as in skrl, style reward in [0, 9.2]."""
    discriminator_learning_rate: float = 1e-4
    """Fixed: a rate that follows the policy's KL divergence would drive the discriminator into saturation."""
    discriminator_epochs: int = 5
    """In how many of the ``learning_epochs`` the discriminator learns too."""
    discriminator_batch_size: int = 4096
    """Windows of each kind (policy, replay, reference) in a discriminator step."""
    discriminator_loss_scale: float = 1.0
    discriminator_gradient_penalty_scale: float = 10.0
    discriminator_logit_regularization_scale: float = 0.0
    discriminator_weight_decay_scale: float = 1e-4
    discriminator_grad_norm_clip: float = 1.0
    replay_share: float = 0.1
    """Share of the replay buffer that one rollout may replace, in (0, 1]."""

    discriminator_input_noise: float = 0.0
    """Standard deviation of noise on the discriminator's normalised input while it learns, which hides from it what is
    smaller: Arjovsky and Bottou 2017, https://arxiv.org/abs/1701.04862."""

    final_action_std: float = 0.0
    """What the standard deviation of the actions is brought down to, geometrically from where it started; 0 leaves it
    to the policy. Noise gives a policy away to the discriminator, whatever its gait."""
    final_action_std_updates: int = 360
    """Updates that this takes."""

    kl_threshold: float = 0.01
    """The KL divergence that the policy's learning rate is steered to; 0 keeps the rate fixed."""
    max_learning_rate: float = 1e-2
    min_learning_rate: float = 1e-5

    def validate(self) -> bool:
        """Check what skrl leaves unchecked.

        Raises:
            InputError: for a value outside its range.
        """
        if self.discriminator_loss not in DISCRIMINATOR_LOSSES:
            names = ", ".join(DISCRIMINATOR_LOSSES)
            raise InputError(f"discriminator_loss '{self.discriminator_loss}' not found; available: {names}")
        if not 0 < self.replay_share <= 1:
            raise InputError(f"replay_share is {self.replay_share}; give a share above 0 and up to 1")
        for name, least in (("discriminator_epochs", 1), ("final_action_std", 0), ("final_action_std_updates", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; give at least {least}")
        if self.mixed_precision:
            raise InputError("mixed_precision is not supported here; leave it off, the environment is the bottleneck")
        return True
