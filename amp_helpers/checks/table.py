"""A check's answer, and how answers print in a terminal and in a notebook."""

import html
import textwrap
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

    @property
    def findings(self) -> "CheckTable":
        """What is not ok, failures first."""
        found = (check for check in self if check.verdict != "ok")
        return CheckTable(sorted(found, key=lambda check: -SEVERITY[check.verdict]))

    @property
    def sound(self) -> "CheckTable":
        """What is ok."""
        return CheckTable(check for check in self if check.verdict == "ok")

    def __str__(self) -> str:
        return format_table(self)

    def _repr_html_(self) -> str:
        """The findings as a table; under it the sound checks, folded away with their evidence."""
        parts = []
        if self.findings:
            parts.append(_html_table(self.findings))
        if self.sound:
            names = html.escape(", ".join(check.name for check in self.sound))
            summary = f'<b style="color:{_COLOUR["ok"]}">{len(self.sound)} ok</b>: {names}'
            parts.append(f"<details><summary>{summary}</summary>{_html_table(self.sound)}</details>")
        return "".join(parts)


_COLOUR = {"ok": "#1a7f37", "warn": "#9a6700", "fail": "#cf222e"}


def _html_table(checks: "CheckTable") -> str:
    columns = ["check", "verdict", "evidence", *(["remedy"] if checks.findings else [])]
    head = "".join(f"<th>{name}</th>" for name in columns)
    return f"<table><tr>{head}</tr>{''.join(_html_row(check, columns) for check in checks)}</table>"


def _html_row(check: Check, columns: list[str]) -> str:
    style = {"check": "white-space:nowrap", "verdict": f"color:{_COLOUR[check.verdict]};font-weight:bold"}
    text = {"check": check.name, "verdict": check.verdict, "evidence": check.evidence, "remedy": check.remedy}
    cells = (f'<td style="text-align:left;{style.get(name, "")}">{html.escape(text[name])}</td>' for name in columns)
    return f"<tr>{''.join(cells)}</tr>"


def format_table(checks: Iterable[Check], evidence: bool = False) -> str:
    """Findings first, a line and a remedy each; then the sound checks by name, or with their ``evidence``."""
    table = CheckTable(checks)
    lines = []
    for check in table.findings:
        lines += textwrap.wrap(f"{check.verdict:<5}{check.name:<20}{check.evidence}", _WIDTH, subsequent_indent=_INDENT)
        lines += textwrap.wrap(f"{_INDENT}-> {check.remedy}", _WIDTH, subsequent_indent=f"{_INDENT}   ")
    if evidence:
        lines += [f"{check.verdict:<5}{check.name:<20}{check.evidence}" for check in table.sound]
    elif table.sound:
        names = f"ok   {', '.join(check.name for check in table.sound)}"
        lines += textwrap.wrap(names, _WIDTH, subsequent_indent=" " * 5)
    return "\n".join(lines)


_WIDTH = 120
_INDENT = " " * 25
