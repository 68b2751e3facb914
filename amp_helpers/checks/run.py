"""Whether a training run teaches: the shares of the reward, and the discriminator."""

import os
from dataclasses import fields, replace

import numpy as np

from amp_helpers.agent.health import Health
from amp_helpers.checks.table import Check, CheckTable
from amp_helpers.errors import InputError
from amp_helpers.training.run_folder import read_run

LAST = 20
"""Updates looked at, the run's last."""


def check_run(folder: str | os.PathLike) -> CheckTable:
    """Reward shares and discriminator over the last updates of a run folder.

    Raises:
        InputError: there is no such run, or it has made no update yet.
    """
    updates = read_run(folder).updates[-LAST:]
    if not updates:
        raise InputError(f"{folder}: holds no update; let the run make one, or name another run folder")
    return check_health([update.health for update in updates])


def check_health(records: list[Health]) -> CheckTable:
    """The same of health records, whose mean is judged as :attr:`Health.verdict` judges one update."""
    means = {f.name: float(np.mean([getattr(r, f.name) for r in records])) for f in fields(Health)}
    mean = replace(records[-1], **{name: value for name, value in means.items() if name != "update"})
    over = f"over {len(records)} update{'s' if len(records) > 1 else ''} up to {records[-1].update}"
    share = (
        f"task {mean.weighted_task:+.2f} and style {mean.weighted_style:+.2f} a second, style is "
        f"{mean.style_share:.0%} {over}"
    )
    seen = (
        f"{mean.accuracy:.0%} of windows told apart, {mean.style_reward:.2f} of {mean.style_reward_limit:.1f} style "
        f"paid {over}"
    )
    _, _, remedy = mean.sentence.partition("; ")
    drowned = "drowned" in mean.verdict
    table = CheckTable([Check("reward shares", "warn" if drowned else "ok", share, remedy if drowned else "")])
    if mean.verdict == "saturated":
        table.append(Check("discriminator", "fail", seen, remedy))
    elif mean.verdict == "fooled":
        table.append(Check("discriminator", "warn", seen, remedy))
    else:
        table.append(Check("discriminator", "ok", seen))
    return table
