"""Health of a run: an update's losses and rewards, whether its discriminator gives a signal, and the trend of falls."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Health:
    """Figures of an update; rewards are means over the rollout, per second of simulated time.

    Those of the discriminator are 0 in an update without a whole window.
    """

    update: int
    policy_loss: float
    """PPO's clipped surrogate loss, without the entropy bonus."""
    value_loss: float
    """Mean squared error of the value, in units of the normalized returns."""
    kl: float
    """Mean KL divergence of the policy's step."""
    discriminator_loss: float = 0.0
    """Loss of the discriminator, its gradient penalty included."""
    gradient_penalty: float = 0.0
    """Mean squared norm of the logit's gradient at reference windows, in normalized inputs."""
    expert_logit: float = 0.0
    """Mean logit of reference windows."""
    policy_logit: float = 0.0
    """Mean logit of policy windows, replayed ones among them."""
    accuracy: float = 0.0
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
    """Learning rate of the policy after the update."""
    action_std: float
    """Standard deviation of the actions, mean over the joints, before their scale."""

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
        """``off``, ``saturated``, ``fooled``, ``task drowned``, ``style drowned``, or ``sound`` where none of these.

        A run that will fail can be ``sound`` for long: so are the first updates of runs that learn.
        """
        if self.weighted_style == 0 < self.style_reward:
            return "off"
        paid = self.style_reward / self.style_reward_limit
        if self.accuracy > 0.95 and paid < 0.02:
            return "saturated"
        if self.accuracy < 0.55 and paid > 0.5:
            return "fooled"
        if self.weighted_task and self.style_share > 0.95:
            return "task drowned"
        if self.style_share < 0.05:
            return "style drowned"
        return "sound"

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
            "sound": f"In update {self.update}, {seen} of at most {self.style_reward_limit:.1f}; style is "
            f"{self.style_share:.0%} of the reward.",
        }[self.verdict]


FEW_FALLS = 1.0
"""Falls per environment in 10 s below which a run need not improve further to be called learning."""
_FEW_SHARE = 0.1
"""Share of the most falls so far below which a run need not improve further either: what is left is chance."""
_FLAT = 0.1
"""Largest change of the falls, over their mean, or of few over one fall, that counts as none; 16 environments fall
unevenly."""
_FEWEST = 4
"""Measurements from which a trend is told; three in a row are level in runs that learn, too."""


def describe_progress(records: Sequence[Health], falls: Sequence[tuple[int, float]]) -> str:
    """Say whether a run learns, from its latest health and the trend of its falls.

    The rewards of one update cannot tell: the discriminator learns too, so a policy that stands still and one that
    improves can earn the same.

    Args:
        records: the updates, at least one.
        falls: update, and falls per environment in 10 s measured there, in order.
    """
    last = records[-1]
    if last.verdict != "sound":
        return last.sentence
    if len(falls) < _FEWEST:
        counted = f"{len(falls)} measurement{'' if len(falls) == 1 else 's'} of falls"
        return f"Too early to tell whether it learns ({counted}). {last.sentence}"
    (_, first), (_, now) = falls[0], falls[-1]
    since = _flat_since(falls)
    recent = np.mean([value for _, value in falls[-_FEWEST:]])
    if recent <= max(FEW_FALLS, _FEW_SHARE * max(value for _, value in falls)):
        level = "" if since is None else f" Level since update {since}: falls no longer show whether it improves."
        return f"Learning: a robot falls {now:.2g} times in 10 s, {first:.2g} at first.{level} {last.sentence}"
    if since is not None:
        return (
            f"No clear progress since update {since}: a robot falls {now:.2g} times in 10 s, {first:.2g} at first; "
            f"train longer or with more environments. {last.sentence}"
        )
    verdict = "Learning" if now < first else "Getting worse"
    return f"{verdict}: a robot falls {now:.2g} times in 10 s, {first:.2g} at first. {last.sentence}"


def _flat_since(falls: Sequence[tuple[int, float]]) -> int | None:
    """Return the first update from which a line through the falls changes by less than a tenth; None without one.

    Of few falls, a tenth of :data:`FEW_FALLS`, because a single robot's fall is a large share of them.
    """
    for start in range(len(falls) - _FEWEST + 1):
        values = np.array([value for _, value in falls[start:]])
        slope = np.polyfit(np.arange(len(values)), values, 1)[0]
        if abs(slope) * (len(values) - 1) < _FLAT * max(values.mean(), FEW_FALLS):
            return falls[start][0]
    return None
