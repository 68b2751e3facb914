"""Experiment: what hiding the ankles and repairing the feet pay the right gait, for any clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amp_helpers.lessons.discriminators import StyleResult, style_experiment
from amp_helpers.lessons.gaits import add_tracking_error, half_steps
from amp_helpers.motion.motion import Motion

AS_IT_IS, HIDDEN, REPAIRED = "as it is", "without the ankles", "with repaired feet"
_LITTLE = 0.02
"""Change of a style reward, of at most 1, that is called none."""


@dataclass(frozen=True)
class FeetResult:
    """Result of :func:`feet_experiment`."""

    outcomes: Mapping[str, Sequence[StyleResult]]
    """``as it is``, ``without the ankles`` and ``with repaired feet`` -> one result a seed."""

    def right_gait(self, label: str) -> float:
        """Mean style reward of the right gait, 0 to 1."""
        return float(np.mean([outcome.right_gait for outcome in self.outcomes[label]]))

    def wrong_gait(self, label: str) -> float:
        """Mean style reward of the half steps, 0 to 1."""
        return float(np.mean([outcome.wrong_gait for outcome in self.outcomes[label]]))

    def lead(self, label: str) -> float:
        """Mean difference of the two rewards."""
        return self.right_gait(label) - self.wrong_gait(label)

    def changes(self, label: str) -> np.ndarray:
        """What the remedy adds to the reward of the right gait, (S,) by seed."""
        pairs = zip(self.outcomes[label], self.outcomes[AS_IT_IS], strict=True)
        return np.array([after.right_gait - before.right_gait for after, before in pairs])

    def effect(self, label: str) -> int:
        """1 where the remedy pays, -1 where it costs, and 0 where it does little or the seeds disagree on the sign."""
        changes = self.changes(label)
        if abs(changes.mean()) < _LITTLE or np.ptp(np.sign(changes)):
            return 0
        return int(np.sign(changes.mean()))

    def influence(self, label: str) -> dict[str, float]:
        """Influence of each joint on the right gait's logit, mean over the seeds."""
        shares = [outcome.influence for outcome in self.outcomes[label]]
        return {joint: float(np.mean([share[joint] for share in shares])) for joint in shares[0]}

    @property
    def sentence(self) -> str:
        """What each remedy does to the rewards, and whether it pays."""
        words = {1: "pays", -1: "costs reward", 0: "hardly matters"}
        effects = {label: self.effect(label) for label in (HIDDEN, REPAIRED)}
        names = {HIDDEN: "hiding the ankles", REPAIRED: "repairing the feet"}
        if len(set(effects.values())) == 1:
            verdict = {1: "both remedies pay", -1: "both remedies cost reward", 0: "neither remedy matters much"}
            end = verdict[effects[HIDDEN]]
        else:
            end = " and ".join(f"{names[label]} {words[effect]}" for label, effect in effects.items())
        return f"{self._describe(HIDDEN)} {self._describe(REPAIRED)} On this clip, {end}."

    def _describe(self, label: str) -> str:
        before, after, change = self.right_gait(AS_IT_IS), self.right_gait(label), self.changes(label)
        amount = {1: f"{change.mean():.2f} more", -1: f"{-change.mean():.2f} less", 0: "about as much"}
        lead, lead_before = self.lead(label), self.lead(AS_IT_IS)
        instead = "as before" if abs(lead - lead_before) < _LITTLE else f"in place of {lead_before:.2f}"
        return (
            f"{label.capitalize()}, the right gait earns {amount[self.effect(label)]} ({after:.2f} in place of "
            f"{before:.2f}), and it leads the half steps by {lead:.2f}, {instead}."
        )


def feet_experiment(
    clip: Motion,
    refined: Motion,
    default_pose: Mapping[str, float],
    ankles: Sequence[str],
    still: Sequence[str] = (),
    seeds: int = 3,
) -> FeetResult:
    """Train discriminators on a clip as it is, without its ankles, and refined, against two gaits on the ground.

    The right gait is the refined clip with :func:`add_tracking_error`, since a policy's feet obey the ground; the wrong
    one is :func:`half_steps` of it.

    Args:
        clip: the clip at the control rate.
        refined: the same clip with its feet on the ground.
        default_pose: rad by joint name.
        ankles: regular expressions of the joints that one remedy hides.
        still: joints hidden from all discriminators.
        seeds: number of repetitions, each with its own tracking error and discriminator.
    """
    ways = {AS_IT_IS: (clip, still), HIDDEN: (clip, [*ankles, *still]), REPAIRED: (refined, still)}
    outcomes: dict[str, list[StyleResult]] = {label: [] for label in ways}
    for seed in range(seeds):
        gaits = add_tracking_error(refined, seed=2 * seed), add_tracking_error(half_steps(refined), seed=2 * seed + 1)
        for label, (seen, drop) in ways.items():
            outcomes[label].append(style_experiment(seen, default_pose, drop, gaits, seed=seed))
    return FeetResult(outcomes)
