"""One-line errors for command lines that argparse or tyro parse.

argparse prints the usage, of up to thirty lines, before the error. tyro prints a wrong option as a box and exits; it
has no hook that would give the error as data.
"""

import argparse
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from itertools import dropwhile, takewhile
from typing import Any, NoReturn

from amp_helpers.errors import InputError

_RULE = re.compile(r"[─-]{5,}|^[╭╰]")
"""Lines of the boxes that tyro draws."""
_NO_TYPE = re.compile(r"no type matching \{None\}\|\{?(.+?)\}? could be instantiated from \[(.*?)\]\. Got errors: .*")
"""What tyro says of a wrong value of an option that may be left open."""


class OneLineParser(argparse.ArgumentParser):
    """An argument parser that raises :class:`InputError` instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        """Raise :class:`InputError` with the message."""
        raise InputError(f"{message}; --help lists the options")


def option_words(options: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line that tyro parses: ``--no_x`` for False, all items of a sequence."""
    words = []
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no_{name}")
        else:
            words += [f"--{name}", *map(str, value if isinstance(value, list | tuple) else (value,))]
    return words


def without_options(words: Iterable[str], names: Collection[str]) -> list[str]:
    """Return the words of :func:`option_words` without these options and their values."""
    kept, keep = [], True
    for word in words:
        if word.startswith("--"):
            keep = word.removeprefix("--") not in names
        if keep:
            kept.append(word)
    return kept


def given(words: Sequence[str], option: str) -> str | None:
    """Return what stands behind an option, empty if it is missing; ``None`` where the option is not given."""
    for word, following in zip(words, [*words, ""][1:], strict=True):
        name, equals, value = word.partition("=")
        if word.startswith("--") and name[2:].replace("-", "_") == option:
            return value if equals else following
    return None


def check_values(words: Sequence[str], values: Mapping[str, Any], names: Iterable[str]) -> None:
    """Check options that take one value or more, where none would count as not given.

    Args:
        words: the command line.
        values: option -> what was read.
        names: these options.

    Raises:
        InputError: one is given without a value.
    """
    for name in names:
        if given(words, name) is not None and not values[name]:
            raise InputError(f"--{name}: has no value; give one or more, or leave it out")


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
    # A title in the upper rule, or above it where the terminal has no UTF-8; then the sentences and another rule.
    lines = [line for line in (line.strip("│ ") for line in box.splitlines()) if line]
    lines = list(dropwhile(_RULE.search, lines[1:]))
    lines = list(takewhile(lambda line: not _RULE.search(line), lines))
    if lines and lines[0].startswith("Missing from"):  # followed by the help text of each required option
        return "Missing options: " + ", ".join(line.split()[0] for line in lines if line.startswith("--"))
    return _NO_TYPE.sub(r"expects \1, not \2", " ".join(lines)).rstrip(".")
