"""A check's answer, and how answers print in a terminal and in a notebook."""

import html
from collections.abc import Iterable
from dataclasses import dataclass

SEVERITY = {"ok": 0, "warn": 1, "fail": 2}
"""The verdicts, from harmless to harmful."""


@dataclass(frozen=True)
class Check:
    """One question asked of a motion or dataset."""

    name: str
    verdict: str
    """``ok``, ``warn`` (worth a look) or ``fail`` (training on it would teach something wrong)."""
    evidence: str
    """What was measured, with numbers, joint and frame."""
    remedy: str = ""
    """What to do, one sentence; empty when nothing needs doing."""


class CheckTable(list[Check]):
    """Checks that print as a table in a terminal and in a notebook."""

    @property
    def verdict(self) -> str:
        """The worst verdict."""
        return max((check.verdict for check in self), key=SEVERITY.__getitem__, default="ok")

    def worse_than(self, other: "CheckTable") -> "CheckTable":
        """The checks that came out worse here than in ``other``, a check that it lacks counting as ok there."""
        before = {check.name: SEVERITY[check.verdict] for check in other}
        return CheckTable(check for check in self if SEVERITY[check.verdict] > before.get(check.name, 0))

    def __str__(self) -> str:
        return format_table(self)

    def _repr_html_(self) -> str:
        colour = {"ok": "#1a7f37", "warn": "#9a6700", "fail": "#cf222e"}
        rows = "".join(
            f'<tr><td>{html.escape(check.name)}</td><td style="color:{colour[check.verdict]};font-weight:bold">'
            f'{check.verdict}</td><td style="text-align:left">{html.escape(check.evidence)}</td>'
            f'<td style="text-align:left">{html.escape(check.remedy)}</td></tr>'
            for check in self
        )
        return f"<table><tr><th>check</th><th>verdict</th><th>evidence</th><th>remedy</th></tr>{rows}</table>"


def format_table(checks: Iterable[Check]) -> str:
    """One line a check, and under it the remedy where there is something to do."""
    lines = []
    for check in checks:
        lines.append(f"{check.verdict:<5}{check.name:<18}{check.evidence}")
        if check.remedy:
            lines.append(f"{'':<23}-> {check.remedy}")
    return "\n".join(lines)
