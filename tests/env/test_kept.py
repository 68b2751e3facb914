"""What terms keep is found wherever they keep it; a recorded step would repeat it without a word."""

import itertools
import random
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("warp", reason="Warp is not installed; pip install -e '.[sim]'")

import test_kept

from amp_helpers.env.kept import kept, settings, tensors, unread

BOX = SimpleNamespace(calls=0)
HISTORY: list[torch.Tensor] = []


class Counter:
    def __init__(self) -> None:
        self.calls = 0
        self.past: deque[torch.Tensor] = deque(maxlen=2)


class Slots:
    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls = 0


class Statistics:
    calls = 0


@dataclass
class Range:
    low: float = 0.0
    steps: list[float] = field(default_factory=lambda: [1.0, 2.0])


@dataclass
class Cfg:
    func: object
    inner: Range
    owner: object = None


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
        self.old = np.random.RandomState(0)
        self.slots = Slots()
        self.source: object = None
        self.next_step = itertools.count().__next__

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

    def count_in_slots(self) -> None:
        self.slots.calls += 1

    def count_by_a_method(self) -> None:
        self.next_step()

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

    def draw_as_of_old(self) -> None:
        self.old.rand()

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


def with_another(past=[]) -> None:  # noqa: B006
    past.append(1)


def with_a_third(past=[]) -> None:  # noqa: B006
    past.append(1)


def in_a_class() -> None:
    Statistics.calls += 1


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
        ("count_in_slots", "Term.slots.calls"),
        ("count_by_a_method", "Term.next_step.__self__"),
        ("replace_in_a_list", "Term.listed[0]"),
        ("queue", "Term.counter.past[1]"),
        ("draw", "Term.random"),
        ("draw_in_python", "Term.python"),
        ("draw_as_of_old", "Term.old"),
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
        (in_a_class, "Statistics.calls"),
        (in_an_object, f"{__name__}.BOX.calls"),
        (in_a_list, f"{__name__}.HISTORY (length)"),
        (drawing, "Python's random numbers"),
        (drawing_in_numpy, "NumPy's random numbers"),
    ],
)
def test_what_a_function_keeps(term, name):
    assert any(found.startswith(name) for found in changed(term, functions=[term]))


def test_what_each_of_several_functions_keeps():
    functions = [with_a_default, with_another, with_a_third]
    for function in functions:
        assert changed(lambda function=function: function(), functions=functions)


def test_another_view_of_the_same_numbers_is_the_same():
    numbers = torch.zeros(6)
    term = SimpleNamespace(view=numbers[2:])
    assert changed(lambda: setattr(term, "view", numbers[2:]), [term]) == []
    assert changed(lambda: setattr(term, "view", numbers.clone()[2:]), [term])


def test_every_tensor_of_an_object_is_found():
    term = Term()
    assert {"Term.mine", "Term.named['mine']", "Term.listed[0]"} <= set(tensors(kept([term], [])))


SOURCES = {
    "cycle": lambda: itertools.cycle((1, 2)),
    "iterator of a list": lambda: iter([1, 2]),
    "generator": lambda: (number for number in (1, 2)),
    "map": lambda: map(abs, (1, 2)),
    "method": lambda: itertools.cycle((1, 2)).__next__,
    "in a list": lambda: [itertools.cycle((1, 2))],
    "in a partial": lambda: partial(next, itertools.cycle((1, 2))),
    "system": random.SystemRandom,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_what_tells_nothing_of_its_next_value_is_named(kind):
    term, source = Term(), SOURCES[kind]()
    assert unread([term], []) == []
    term.source = source
    assert [name.startswith("Term.source") for name in unread([term], [])] == [True]
    assert [name.startswith("<lambda>.source") for name in unread([], [lambda: source])] == [True]


SIGNS = itertools.cycle((1, -1))


def alternating() -> int:
    return next(SIGNS)


def alternating_inside() -> list[int]:
    return [alternating() * number for number in (1, 2)]


def alternating_elsewhere() -> int:
    return test_kept.alternating_inside()[0]


@pytest.mark.parametrize("term", [alternating, alternating_inside, alternating_elsewhere])
def test_an_iterator_in_a_global_variable_is_the_terms_whose_code_names_it(term):
    assert unread([], [term]) == [f"{__name__}.SIGNS"]
    assert unread([], [drawing, in_a_list]) == []


def asserting() -> None:
    assert HISTORY is not None, "pytest has rewritten this, so that it names a module of pytest"


def test_global_variables_of_installed_packages_are_not_the_terms():
    assert [name for name in kept([], [asserting]) if name.startswith("_pytest")] == []


def test_parameters_of_one_type_are_each_compared():
    """And attributes of two objects of one class."""
    before = kept([], [], {"first": (0, 1), "second": (0, 1)})
    assert before != kept([], [], {"first": (0, 2), "second": (0, 1)})
    first, second = Counter(), Counter()
    before = kept([first, second], [])
    first.calls += 1
    assert before != kept([first, second], [])


def test_what_a_parameter_draws_on_is_named_as_it_is():
    assert unread([], [], {"params['sign']": SIGNS}) == ["params['sign']"]


def test_what_a_configuration_says_is_compared_at_any_depth():
    """Its functions by what they are, because their content is that of the terms."""
    cfg = Cfg(counting, Range())
    cfg.owner = cfg  # as people write it
    before = settings({"term": cfg})
    assert before == settings({"term": cfg})
    assert {"term.func", "term.inner.low", "term.inner.steps[0]", "term.inner.steps[1]"} == set(before)
    cfg.inner.steps[1], cfg.func = 3.0, drawing
    now = settings({"term": cfg})
    assert [name for name in before if before[name] != now[name]] == ["term.func", "term.inner.steps[1]"]
