"""Command lines that tyro parses, with one-line errors."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from itertools import dropwhile, takewhile
from typing import Any

import tyro

from amp_helpers.errors import InputError

_RULE = re.compile(r"[─-]{5,}|^[╭╰]")
"""Lines of the boxes that tyro draws."""
_NO_TYPE = re.compile(r"no type matching \{None\}\|\{?(.+?)\}? could be instantiated from \[(.*?)\]\. Got errors: .*")
"""What tyro says of a wrong value of an option that may be left open."""


def tyro_settings(command: str, description: str) -> dict[str, Any]:
    """Return the arguments of ``tyro.cli`` that are alike for most commands.

    Args:
        command: the module that is run.
        description: a sentence for ``--help``.
    """
    return {
        "prog": f"python -m {command}",
        "description": description,
        "use_underscores": True,
        "config": (tyro.conf.FlagCreatePairsOff,),
    }


def parse_options[Options](kind: type[Options], command: str, description: str) -> Options:
    """Read the program's command line.

    Args:
        kind: the options, a data class.
        command: see :func:`tyro_settings`.
        description: likewise.

    Raises:
        InputError: an option is unknown, or its value is not of its type.
    """
    with one_line_errors():
        return tyro.cli(kind, **tyro_settings(command, description))


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Raise :class:`InputError` with the first sentence of the box that ``tyro.cli`` prints about a wrong option.

    tyro has no hook that would give the error as data.
    """
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            yield
    except SystemExit as stopped:
        if not stopped.code:  # --help
            raise
        raise InputError(f"{_first_sentence(printed.getvalue())}; --help lists the options") from None


def _first_sentence(box: str) -> str:
    # A title in the upper rule, or above it where the terminal has no UTF-8; then the sentences and another rule.
    lines = [line for line in (line.strip("│ ") for line in box.splitlines()) if line]
    lines = list(dropwhile(_RULE.search, lines[1:]))
    lines = list(takewhile(lambda line: not _RULE.search(line), lines))
    if lines and lines[0].startswith("Missing from"):  # followed by the help text of each required option
        return "Missing options: " + ", ".join(line.split()[0] for line in lines if line.startswith("--"))
    return _NO_TYPE.sub(r"expects \1, not \2", " ".join(lines)).rstrip(".")
