"""Exceptions of an executed notebook, also those that did not stop their cell."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from amp_helpers.notebook import pages

if TYPE_CHECKING:
    from nbformat import NotebookNode

ERRORS_SEEN = "errors_seen"
"""Entry of a notebook's metadata: one line for every error message of the kernel."""

_TRACEBACK = "Traceback (most recent call last)"


def hidden_errors(notebook: "NotebookNode") -> list[str]:
    """Return one line for every exception of an executed notebook, also those that did not stop their cell.

    Four places are searched: cell outputs; outputs in the widget state, where a callback's exception appears;
    tracebacks on stderr, from threads and asyncio tasks; and the errors that the engine recorded during the run,
    because a widget clears its outputs when it draws again.
    """
    found = list(notebook.metadata.get(ERRORS_SEEN, []))
    for cell in notebook.cells:
        found += _errors_in(cell.get("outputs", []))
    for model in pages.widget_state(notebook).values():
        found += _errors_in(model.get("state", {}).get("outputs", []))
    return list(dict.fromkeys(found))


def _errors_in(outputs: Iterable[Mapping]) -> list[str]:
    found = []
    for output in outputs:
        if output["output_type"] == "error":
            found.append(exception_line(output["ename"], output["evalue"]))
        elif output["output_type"] == "stream" and _TRACEBACK in (text := "".join(output["text"])):
            found.append(text.rsplit(_TRACEBACK, 1)[1].strip().splitlines()[-1].strip())
    return found


def exception_line(ename: str, evalue: str) -> str:
    """Return an exception's type and the last line of its text."""
    lines = [line.strip() for line in evalue.splitlines() if line.strip()]
    return f"{ename}: {lines[-1]}" if lines else ename
