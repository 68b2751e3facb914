"""Checks of a training run: the shares of the reward, and the discriminator."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from amp_helpers.agent.health import Health
from amp_helpers.checks.table import Outcome, fail, ok, warn


@dataclass(frozen=True, eq=False)
class CheckedRun:
    """Health records (at least one) of a run's updates, in order."""

    records: Sequence[Health]

    @property
    def mean(self) -> Health:
        """Mean of the records; ``update`` is that of the last."""
        names = [field.name for field in fields(Health) if field.name != "update"]
        means = {name: float(np.mean([getattr(record, name) for record in self.records])) for name in names}
        return replace(self.records[-1], **means)

    @property
    def period(self) -> str:
        """The updates that the mean covers, for the evidence."""
        count = len(self.records)
        return f"over {count} update{'s' if count > 1 else ''} up to {self.records[-1].update}"


def reward_shares(run: CheckedRun) -> Outcome:
    """Check that neither the style reward nor the task reward dominates the other."""
    mean = run.mean
    evidence = (
        f"task {mean.weighted_task:+.2f} and style {mean.weighted_style:+.2f} a second, style is "
        f"{mean.style_share:.0%} {run.period}"
    )
    return warn(evidence, mean.remedy) if mean.verdict in ("task drowned", "style drowned") else ok(evidence)


def discriminator(run: CheckedRun) -> Outcome:
    """Check that the discriminator is neither saturated nor fooled."""
    mean = run.mean
    evidence = (
        f"{mean.accuracy:.0%} of windows classified correctly, style reward {mean.style_reward:.2f} of at most "
        f"{mean.style_reward_limit:.1f} {run.period}"
    )
    if mean.verdict == "saturated":
        return fail(evidence, mean.remedy)
    return warn(evidence, mean.remedy) if mean.verdict == "fooled" else ok(evidence)
