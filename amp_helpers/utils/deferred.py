"""Deferred work: kept until the host would otherwise wait for the GPU, and done in the order it was added."""

from collections import deque
from collections.abc import Callable


class DeferredQueue:
    """A first-in, first-out queue of functions to call later."""

    def __init__(self) -> None:
        self._tasks: deque[Callable[[], None]] = deque()

    def add(self, task: Callable[[], None]) -> None:
        """Append ``task``."""
        self._tasks.append(task)

    def run(self) -> None:
        """Call everything in the queue. A task that raises is removed; those after it stay."""
        while self._tasks:
            self._tasks.popleft()()
