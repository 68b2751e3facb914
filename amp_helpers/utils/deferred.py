"""A queue of work that can wait until the host is idle."""

from collections import deque
from collections.abc import Callable


class Meanwhile:
    """Work that nothing waits for, kept for when the host would wait for the device: what came first is done first."""

    def __init__(self) -> None:
        self._tasks: deque[Callable[[], None]] = deque()

    def add(self, task: Callable[[], None]) -> None:
        """Keep ``task`` for the next :meth:`catch_up`."""
        self._tasks.append(task)

    def catch_up(self) -> None:
        """Do all that is waiting; a task that fails is gone, and those after it wait on."""
        while self._tasks:
            self._tasks.popleft()()


class AtOnce(Meanwhile):
    """For a host that nobody lets catch up: work is done when it is given."""

    def add(self, task: Callable[[], None]) -> None:
        """Do ``task``."""
        task()
