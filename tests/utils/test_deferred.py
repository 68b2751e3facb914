"""The queue of deferred work."""

import pytest

from amp_helpers.utils.deferred import DeferredQueue


def test_deferred_work_runs_once_and_in_order():
    queue, done = DeferredQueue(), []
    queue.add(lambda: done.append("first"))
    queue.add(lambda: (done.append("second"), queue.add(lambda: done.append("third"))))
    assert done == []
    queue.run()
    queue.run()
    assert done == ["first", "second", "third"]


def test_a_task_that_raises_is_removed_and_the_rest_stays():
    queue, done = DeferredQueue(), []

    def fail() -> None:
        raise ValueError("no")

    queue.add(fail)
    queue.add(lambda: done.append("rest"))
    with pytest.raises(ValueError, match="no"):
        queue.run()
    assert done == []
    queue.run()
    assert done == ["rest"]
