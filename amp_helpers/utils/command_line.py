"""One-line errors for command lines that argparse or tyro parse.

argparse prints the usage, of up to thirty lines, before the error. tyro prints a wrong option as a box and exits; it
has no hook that would give the error as data.
"""

import argparse
import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from itertools import takewhile
from typing import NoReturn

from amp_helpers.errors import InputError


class OneLineParser(argparse.ArgumentParser):
    """An argument parser that raises :class:`InputError` instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        """Raise :class:`InputError` with the message."""
        raise InputError(f"{message}; --help lists the options")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Raise :class:`InputError` with the first sentence of the box that ``tyro.cli`` prints about a wrong option."""
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            yield
    except SystemExit as stopped:
        if not stopped.code:  # --help
            raise
        raise InputError(f"{_first_sentence(printed.getvalue())}; --help lists the options") from None


def _first_sentence(box: str) -> str:
    lines = [line.strip("│ ") for line in box.splitlines() if not line.startswith("╭")]
    lines = list(takewhile(lambda line: line.strip("─╰╯"), lines))
    if lines and lines[0].startswith("Missing from"):  # followed by the help text of each required option
        return "Missing options: " + ", ".join(line.split()[0] for line in lines if line.startswith("--"))
    return " ".join(lines).rstrip(".")
