"""Command lines that argparse parses, with one-line errors, and command lines as words."""

import argparse
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from amp_helpers.errors import InputError


class OneLineParser(argparse.ArgumentParser):
    """An argument parser that raises :class:`InputError` instead of printing the usage, of up to thirty lines."""

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
