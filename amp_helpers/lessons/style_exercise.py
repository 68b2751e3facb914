"""Test cell of the exercise of notebook 0: a style reward that a reader wrote, compared with this project's."""

from collections.abc import Callable

import torch

from amp_helpers.agent.losses import style_reward
from amp_helpers.errors import InputError
from amp_helpers.utils.table import Table

LOGITS = (-3.0, -1.0, 0.0, 0.5, 1.0, 2.0, 4.0)
"""Logits at which a style reward is graded: below, between, at and above the targets -1 and +1."""


def grade_style_reward(answer: Callable[[torch.Tensor, str], torch.Tensor | None]) -> Table:
    """Compare a reader's style reward with this project's; rows that differ are marked.

    Args:
        answer: maps logits (n, 1) and ``lsgan`` or ``bce`` to rewards (n, 1); ``None`` as long as it is not written.

    Returns:
        One row for each loss and logit, or a single row that says what is still missing.

    Raises:
        InputError: what the function returns is no tensor of the logits' shape.
    """
    logits = torch.tensor(LOGITS)[:, None]
    rows: list[tuple[object, ...]] = []
    for loss in ("lsgan", "bce"):
        given = answer(logits.clone(), loss)
        if given is None:
            rows.append((loss, "all", "not written yet", "", "to do"))
            continue
        if not isinstance(given, torch.Tensor) or given.shape != logits.shape:
            got = f"shape {tuple(given.shape)}" if isinstance(given, torch.Tensor) else type(given).__name__
            raise InputError(f"style reward for {loss}: returns {got}; return a tensor of shape {tuple(logits.shape)}")
        expected = style_reward(logits, loss)
        right = torch.isclose(given.to(expected.dtype), expected, atol=1e-4)
        for logit, mine, theirs, equal in zip(LOGITS, given[:, 0], expected[:, 0], right[:, 0], strict=True):
            rows.append((loss, logit, float(mine), float(theirs), "ok" if equal else "differs"))
    header = ("loss", "logit", "your reward", "expected", "")
    return Table(header, rows, frozenset(i for i, row in enumerate(rows) if row[-1] != "ok"))
