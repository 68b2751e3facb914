"""Is the discriminator teaching? One record an update, and one sentence that says what it means."""

from dataclasses import dataclass, fields

_LOSSES = (
    "policy_loss",
    "value_loss",
    "kl",
    "discriminator_loss",
    "gradient_penalty",
    "expert_logit",
    "policy_logit",
    "accuracy",
)


@dataclass(frozen=True, kw_only=True)
class Health:
    """What one update says about the training; rewards are means over the rollout, per second of simulated time."""

    update: int
    policy_loss: float
    value_loss: float
    kl: float
    """Mean KL divergence of the policy's step."""
    discriminator_loss: float
    gradient_penalty: float
    """Mean squared norm of the logit's gradient at reference windows, in normalised inputs."""
    expert_logit: float
    policy_logit: float
    accuracy: float
    """Share of windows on the right side of zero, reference and policy weighed alike; 0.5 is guessing."""
    style_reward: float
    """Mean style reward of whole windows, before its weight."""
    style_reward_limit: float
    """The most that the style reward can be: 1.0 for lsgan, 9.2 for bce."""
    weighted_style: float
    """What style adds to the reward, per second."""
    weighted_task: float
    """What the task adds to the reward, per second."""
    learning_rate: float
    action_std: float

    @classmethod
    def loss_names(cls) -> tuple[str, ...]:
        """The fields that are means over the update's steps."""
        return _LOSSES

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """All fields, in order."""
        return tuple(field.name for field in fields(cls))

    @property
    def style_share(self) -> float:
        """Style's share of the reward that the policy earns, in [0, 1]."""
        total = abs(self.weighted_style) + abs(self.weighted_task)
        return abs(self.weighted_style) / total if total else 0.0

    @property
    def verdict(self) -> str:
        """``off``, ``saturated``, ``fooled``, ``task drowned``, ``style drowned`` or ``learning``."""
        if self.weighted_style == 0 < self.style_reward:
            return "off"
        paid = self.style_reward / self.style_reward_limit
        if self.accuracy > 0.95 and paid < 0.02:
            return "saturated"
        if self.accuracy < 0.55 and paid > 0.5:
            return "fooled"
        if self.style_share > 0.95:
            return "task drowned"
        if self.style_share < 0.05:
            return "style drowned"
        return "learning"

    @property
    def sentence(self) -> str:
        """What the numbers mean and what to do about it, in one sentence."""
        seen = f"the discriminator tells {self.accuracy:.0%} of windows apart and pays {self.style_reward:.2f} of style"
        return {
            "off": "Style counts for nothing (style_weight 0): the task alone says how to move.",
            "saturated": f"Saturated: {seen}, so every motion looks equally wrong; lower the discriminator's learning "
            "rate, raise its gradient penalty, or show it fewer features.",
            "fooled": f"Fooled: {seen}; either the policy moves like the reference, or the discriminator sees too "
            "little: look at the gait, and lengthen the window if it is wrong.",
            "task drowned": f"The task is drowned: {self.style_share:.0%} of the reward is style; "
            "lower style_weight or raise task_weight.",
            "style drowned": f"Style is drowned: it is {self.style_share:.0%} of the reward; raise style_weight.",
            "learning": f"Learning: {seen}; style is {self.style_share:.0%} of the reward.",
        }[self.verdict]
