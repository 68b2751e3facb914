"""Signals that end a process, noted instead, so that what is being learned can be kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from amp_helpers.errors import handled_signals

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl-C, the signal of ``kill`` and of job schedulers, and that of a terminal that closes."""


@contextmanager
def noted_signals(insist: bool = True) -> Iterator[Callable[[], str]]:
    """Note the first ending signal instead of ending; a second one raises :class:`KeyboardInterrupt` at once.

    Outside the main thread, where Python handles no signals, nothing is noted.

    Args:
        insist: whether a second one raises. Not where a scheduler signals a process both itself and through its
            launcher.

    Yields:
        A function that returns the name of the signal noted, or an empty string.
    """
    noted: list[str] = []

    def note(name: str) -> None:
        noted.append(name)
        if insist and len(noted) > 1:
            raise KeyboardInterrupt

    with handled_signals(ENDING, note):
        yield lambda: noted[0] if noted else ""
