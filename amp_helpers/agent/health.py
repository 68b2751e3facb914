"""Health of an update: losses, rewards, and a verdict on whether the discriminator gives the policy a signal."""

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
    """Figures of an update; rewards are means over the rollout, per second of simulated time."""

    update: int
    policy_loss: float
    value_loss: float
    kl: float
    """Mean KL divergence of the policy's step."""
    discriminator_loss: float
    gradient_penalty: float
    """Mean squared norm of the logit's gradient at reference windows, in normalized inputs."""
    expert_logit: float
    policy_logit: float
    accuracy: float
    """Share of windows on the right side of zero, mean of reference and policy; 0.5 is chance."""
    style_reward: float
    """Mean style reward of whole windows, before weighting."""
    style_reward_limit: float
    """Maximum of the style reward: 1.0 for lsgan, 9.2 for bce."""
    weighted_style: float
    """Contribution of style to the reward, per second."""
    weighted_task: float
    """Contribution of the task to the reward, per second."""
    learning_rate: float
    action_std: float

    @classmethod
    def loss_names(cls) -> tuple[str, ...]:
        """Names of the fields that are means over the mini-batches."""
        return _LOSSES

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all fields, in order."""
        return tuple(field.name for field in fields(cls))

    @property
    def style_share(self) -> float:
        """Share of style in the reward, in [0, 1]."""
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
    def remedy(self) -> str:
        """What to do about the verdict; empty where nothing is wrong."""
        return {
            "saturated": "lower the discriminator's learning rate, raise its gradient penalty, or show it fewer "
            "features.",
            "fooled": "either the policy moves like the reference, or the discriminator sees too little: look at the "
            "gait, and lengthen the window if it is wrong.",
            "task drowned": "lower style_weight or raise task_weight.",
            "style drowned": "raise style_weight.",
        }.get(self.verdict, "")

    @property
    def sentence(self) -> str:
        """What the figures mean and what to do, in one sentence."""
        paid = f"the style reward is {self.style_reward:.2f}"
        seen = f"the discriminator classifies {self.accuracy:.0%} of windows correctly, and {paid}"
        return {
            "off": "Style is off (style_weight 0): only the task is rewarded.",
            "saturated": f"Saturated: {seen}, so every motion earns equally little; {self.remedy}",
            "fooled": f"Fooled: {seen}; {self.remedy}",
            "task drowned": f"The task is drowned out: {self.style_share:.0%} of the reward is style; {self.remedy}",
            "style drowned": f"Style is drowned out: it is {self.style_share:.0%} of the reward; {self.remedy}",
            "learning": f"Learning: {seen}; style is {self.style_share:.0%} of the reward.",
        }[self.verdict]
