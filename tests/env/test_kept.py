"""What terms keep is found wherever they keep it; a recorded step would repeat it without a word."""

import itertools
import random
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("warp", reason="Warp is not installed; pip install -e '.[sim]'")

from amp_helpers.env.kept import kept, tensors

BOX = SimpleNamespace(calls=0)
HISTORY: list[torch.Tensor] = []


class Counter:
    def __init__(self) -> None:
        self.calls = 0
        self.past: deque[torch.Tensor] = deque(maxlen=2)


class Term:
    """An object that keeps something in every way."""

    total = 0

    def __init__(self) -> None:
        self.number = 0
        self.array = np.zeros(3)
        self.mine = torch.zeros(3)
        self.named = {"mine": torch.zeros(3)}
        self.listed = [torch.zeros(3)]
        self.counter = Counter()
        self.steps = itertools.count()
        self.random = np.random.default_rng(0)
        self.python = random.Random(0)

    def count(self) -> None:
        self.number += 1

    def count_in_numpy(self) -> None:
        self.array += 1

    def count_below(self) -> None:
        self.counter.calls += 1

    def count_in_its_class(self) -> None:
        Term.total += 1

    def count_with_itertools(self) -> None:
        next(self.steps)

    def replace_in_a_list(self) -> None:
        self.listed[0] = self.listed[0] + 1

    def queue(self) -> None:
        self.counter.past.append(torch.zeros(3))

    def replace_by_another_shape(self) -> None:
        self.mine = torch.zeros(4)

    def name_another(self) -> None:
        self.named["other"] = torch.zeros(3)

    def draw(self) -> None:
        self.random.random()

    def draw_in_python(self) -> None:
        self.python.random()

    def replace(self) -> None:
        self.mine = self.mine + 1

    def replace_in_a_dictionary(self) -> None:
        self.named["mine"] = self.named["mine"] + 1

    def change_in_place(self) -> None:
        self.listed[0] += 1
        self.mine[0] = 5.0


def counting():
    calls = 0

    def term() -> None:
        nonlocal calls
        calls += 1

    return term


def remembering() -> None:
    remembering.calls = getattr(remembering, "calls", 0) + 1


def with_a_default(past=[]) -> None:  # noqa: B006 - as people write it
    past.append(1)


def in_an_object() -> None:
    BOX.calls += 1


def in_a_list() -> None:
    HISTORY.append(torch.zeros(3))


def drawing() -> None:
    random.random()


def drawing_in_numpy() -> None:
    np.random.rand()


def changed(call, owners=(), functions=()) -> list[str]:
    call()
    before = kept(owners, functions)
    call()
    now = kept(owners, functions)
    return [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("count", "Term.number"),
        ("count_in_numpy", "Term.array"),
        ("count_below", "Term.counter.calls"),
        ("count_in_its_class", "Term.total"),
        ("count_with_itertools", "Term.steps"),
        ("replace_in_a_list", "Term.listed[0]"),
        ("queue", "Term.counter.past[1]"),
        ("draw", "Term.random"),
        ("draw_in_python", "Term.python"),
    ],
)
def test_what_an_object_keeps_on_the_host(method, name):
    term = Term()
    assert name in changed(getattr(term, method), [term])


@pytest.mark.parametrize("method", ["replace_by_another_shape", "name_another"])
def test_tensors_that_come_and_go_are_the_hosts(method):
    term = Term()
    before = kept([term], [])
    getattr(term, method)()
    assert before != kept([term], [])


@pytest.mark.parametrize("method", ["replace", "replace_in_a_dictionary", "change_in_place"])
def test_tensors_that_a_recording_can_follow_are_none_of_it(method):
    term = Term()
    assert changed(getattr(term, method), [term]) == []


@pytest.mark.parametrize(
    ("term", "name"),
    [
        (counting(), "term.calls"),
        (remembering, "remembering.calls"),
        (with_a_default, "with_a_default's defaults[0]"),
        (in_an_object, f"{__name__}.BOX.calls"),
        (in_a_list, f"{__name__}.HISTORY (length)"),
        (drawing, "Python's random numbers"),
        (drawing_in_numpy, "NumPy's random numbers"),
    ],
)
def test_what_a_function_keeps(term, name):
    assert any(found.startswith(name) for found in changed(term, functions=[term]))


def test_another_view_of_the_same_numbers_is_the_same():
    numbers = torch.zeros(6)
    term = SimpleNamespace(view=numbers[2:])
    assert changed(lambda: setattr(term, "view", numbers[2:]), [term]) == []
    assert changed(lambda: setattr(term, "view", numbers.clone()[2:]), [term])


def test_every_tensor_of_an_object_is_found():
    term = Term()
    assert {"Term.mine", "Term.named['mine']", "Term.listed[0]"} <= set(tensors(kept([term], [])))
