"""Results of checks, and how they print in a terminal and in a notebook."""

import html
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from amp_helpers.utils.table import keep_options_whole

Verdict = Literal["ok", "warn", "fail"]
"""``ok``, ``warn`` (look at it) or ``fail`` (training on it would teach something wrong)."""

SEVERITY: dict[Verdict, int] = {"ok": 0, "warn": 1, "fail": 2}
"""Rank of each verdict, the worst highest."""


@dataclass(frozen=True)
class Outcome:
    """What a check function returns; build it with :func:`ok`, :func:`warn` or :func:`fail`."""

    verdict: Verdict
    evidence: str
    """What was measured, with numbers, joint and frame."""
    remedy: str = ""
    """What to do, in one sentence; empty for ``ok``."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Measured numbers for programs; each name ends in its unit, such as ``slip_mps``."""


def ok(evidence: str, **values: float) -> Outcome:
    """Report that nothing is wrong."""
    return Outcome("ok", evidence, values=values)


def warn(evidence: str, remedy: str, **values: float) -> Outcome:
    """Report a suspicious finding with its remedy."""
    return Outcome("warn", evidence, remedy, values)


def fail(evidence: str, remedy: str, **values: float) -> Outcome:
    """Report a fault with its remedy."""
    return Outcome("fail", evidence, remedy, values)


@dataclass(frozen=True)
class CheckResult:
    """A check's name and outcome; the fields are those of :class:`Outcome`."""

    name: str
    verdict: Verdict
    evidence: str
    remedy: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


class CheckTable(list[CheckResult]):
    """A list of results that prints as a table in a terminal and in a notebook, with a note below it."""

    def __init__(self, results: Iterable[CheckResult] = (), note: str = "") -> None:
        super().__init__(results)
        self.note = note
        """What the checks did not look at; empty where they looked at everything."""

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; ``ok`` for an empty table."""
        verdicts: list[Verdict] = ["ok", *(result.verdict for result in self)]
        return max(verdicts, key=lambda verdict: SEVERITY[verdict])

    def worse_than(self, other: "CheckTable") -> "CheckTable":
        """The results that are worse here than in ``other``; a check absent from ``other`` counts as ok there."""
        before = {result.name: SEVERITY[result.verdict] for result in other}
        return CheckTable(result for result in self if SEVERITY[result.verdict] > before.get(result.name, 0))

    @property
    def findings(self) -> "CheckTable":
        """The results that are not ok, failures first."""
        found = (result for result in self if result.verdict != "ok")
        return CheckTable(sorted(found, key=lambda result: -SEVERITY[result.verdict]))

    @property
    def passed(self) -> "CheckTable":
        """The results that are ok."""
        return CheckTable(result for result in self if result.verdict == "ok")

    def __str__(self) -> str:
        return format_table(self)

    def _repr_html_(self) -> str:
        """The findings as a table; below it the passed checks, collapsed, and the note."""
        parts = []
        if self.findings:
            parts.append(_html_table(self.findings))
        if self.passed:
            names = html.escape(", ".join(result.name for result in self.passed))
            summary = f'<b style="color:var(--amp-ok,{_COLOR["ok"]})">{len(self.passed)} ok</b>: {names}'
            parts.append(f"<details><summary>{summary}</summary>{_html_table(self.passed)}</details>")
        if self.note:
            parts.append(f"<p>{html.escape(self.note)}</p>")
        return "".join(parts)


_COLOR = {"ok": "#1a7f37", "warn": "#8a5c00", "fail": "#cf222e"}


def _html_table(results: CheckTable) -> str:
    """Write results as a table, which the pages of notebooks show as cards on a phone, by its class."""
    columns = ["check", "verdict", "evidence", *(["remedy"] if results.findings else [])]
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in columns)
    body = "".join(_html_row(result, columns) for result in results)
    return f'<table class="amp-checks"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _html_row(result: CheckResult, columns: list[str]) -> str:
    text = {"check": result.name, "verdict": result.verdict, "evidence": result.evidence, "remedy": result.remedy}
    # Named colors of the pages, which are lighter where the page is dark.
    color = f"color:var(--amp-{result.verdict},{_COLOR[result.verdict]});font-weight:bold"
    style = {"check": "white-space:nowrap", "verdict": color}
    shown = {name: keep_options_whole(html.escape(text[name])) for name in columns}
    cells = (f'<td style="text-align:left;{style.get(name, "")}">{shown[name]}</td>' for name in columns)
    return f"<tr>{''.join(cells)}</tr>"


def format_table(table: CheckTable, evidence: bool = False) -> str:
    """Format results for a terminal, at most 120 characters wide.

    Args:
        table: the results.
        evidence: whether to give each passed check a line with its evidence; otherwise they are listed by name.
    """
    lines = []
    for result in table.findings:
        line = f"{result.verdict:<5}{result.name:<20}{result.evidence}"
        lines += textwrap.wrap(line, _WIDTH, subsequent_indent=_INDENT)
        lines += textwrap.wrap(f"{_INDENT}-> {result.remedy}", _WIDTH, subsequent_indent=f"{_INDENT}   ")
    if evidence:
        lines += [f"{result.verdict:<5}{result.name:<20}{result.evidence}" for result in table.passed]
    elif table.passed:
        names = f"ok   {', '.join(result.name for result in table.passed)}"
        lines += textwrap.wrap(names, _WIDTH, subsequent_indent=" " * 5)
    lines += textwrap.wrap(f"note {table.note}", _WIDTH, subsequent_indent=" " * 5) if table.note else []
    return "\n".join(lines)


_WIDTH = 120
_INDENT = " " * 25
