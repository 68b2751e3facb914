"""What the terms of a task keep from call to call, wherever they keep it.

In attributes, in objects, lists and dictionaries below them, in attributes and closures of functions, in classes, in
global variables of the modules that they come from, in the states of random number generators, and in iterators.
Besides, what they are configured with.
"""

import pickle
import random
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import partial
from itertools import count
from types import (
    BuiltinMethodType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import numpy as np
import torch
import warp as wp

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_BOUND = (partial, MethodType, BuiltinMethodType, MethodWrapperType)
"""Functions that hold what they are called with."""
_LIBRARIES = {
    *("amp_helpers", "gymnasium", "matplotlib", "mujoco", "mujoco_warp", "newton", "numpy", "omni", "pxr", "pytest"),
    *("scipy", "skrl", "torch", "trimesh", "usdrt", "warp"),
}
"""Packages whose objects are not looked into, besides Isaac Lab's and Python's own."""
_LOOKED_INTO = ("isaaclab.utils.buffers", "isaaclab.utils.noise", "isaaclab.utils.modifiers")
"""Modules of Isaac Lab whose objects are."""
_DEPTH = 6
_MOST_BYTES = 2**20
"""Of an array whose content is compared."""


class Place:
    """Where a tensor lies in memory; equal for another tensor that shows the same numbers in the same place."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor  # kept, so that no other tensor can get its place
        self._key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self._key == other._key


class Slot:
    """A tensor that another of its kind may replace, because :func:`.masking.in_place` copies the other into it."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Slot)
            and (self.tensor.shape, self.tensor.dtype) == (other.tensor.shape, other.tensor.dtype)
            and other.tensor._base is None
        )


class Itself:
    """An object that is compared by what it is, not by its content."""

    def __init__(self, source: object) -> None:
        self.source = source  # kept, so that no other object can get its place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and self.source is other.source


class Unread(Itself):
    """Something whose next value cannot be known without taking it: an iterator, or the system's random numbers."""


def kept(
    owners: Iterable[Any], functions: Iterable[Any], parameters: Mapping[str, Any] | None = None
) -> dict[str, object]:
    """Return everything that a step could leave outside of tensors that it changes in place: name -> content or place.

    Args:
        owners: the environment, and its terms that are objects.
        functions: terms that are functions or objects.
        parameters: parameters of terms, by name.
    """
    owners, functions, parameters, seen = list(owners), list(functions), parameters or {}, set()
    found: list[tuple[str, object]] = [
        ("Python's random numbers", random.getstate()),
        ("NumPy's random numbers", pickle.dumps(np.random.get_state())),
        *_reached(owners, functions, parameters, seen),
    ]
    for module in _modules((*owners, *functions, *parameters.values())):
        found += _content(module.__name__, vars(module), seen)
    return _numbered(found)


def settings(configurations: Mapping[str, Any]) -> dict[str, object]:
    """Return what configurations say, those of Isaac Lab's own classes too: name -> plain value or the object itself.

    Args:
        configurations: configurations of terms, by name.
    """
    seen: set[int] = set()
    return _numbered(part for name, value in configurations.items() for part in _settings(name, value, seen))


def unread(owners: Iterable[Any], functions: Iterable[Any], parameters: Mapping[str, Any] | None = None) -> list[str]:
    """Name what a step can draw on without a trace for :func:`kept`: iterators, and random numbers of the system.

    Of global variables, those count that the terms' code names.

    Args:
        owners: see :func:`kept`.
        functions: see :func:`kept`.
        parameters: see :func:`kept`.
    """
    reached = _reached(list(owners), list(functions), parameters or {}, set())
    return [name for name, value in reached if isinstance(value, Unread)]


def tensors(values: dict[str, object]) -> dict[str, torch.Tensor]:
    """Return the tensors of :func:`kept` by name."""
    return {name: value.tensor for name, value in values.items() if isinstance(value, Place | Slot)}


def _numbered(parts: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Tell apart what has the same name, such as attributes of two objects of one class."""
    times: Counter[str] = Counter()
    found: dict[str, object] = {}
    for name, value in parts:
        times[name] += 1
        found[name if times[name] == 1 else f"{name} ({times[name]})"] = value
    return found


def _settings(name: str, value: object, seen: set[int]) -> Iterator[tuple[str, object]]:
    """What a value in a configuration says; of functions and of objects other than data classes, which one it is."""
    if isinstance(value, _PLAIN):
        yield name, value
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        parts = {f"{name}[{key!r}]": part for key, part in value.items()}
    elif isinstance(value, list | tuple):
        parts = {f"{name}[{index}]": part for index, part in enumerate(value)}
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {f"{name}.{attribute}": part for attribute, part in _attributes(value)}
    else:
        yield name, Itself(value)
        return
    for part_name, part in parts.items():
        yield from _settings(part_name, part, seen)


def _reached(
    owners: list[Any], functions: list[Any], parameters: Mapping[str, Any], seen: set[int]
) -> Iterator[tuple[str, object]]:
    """What terms hold, and what the global variables hold that their code names."""
    seen.update(map(id, owners))
    for owner in owners:
        name = type(owner).__name__
        for attribute, value in list(vars(owner).items()):
            yield from _attribute(f"{name}.{attribute}", value, seen)
        for kind in type(owner).__mro__:
            if users(kind.__module__):
                yield from _content(kind.__name__, vars(kind), seen)
    for function in functions:
        yield from _walk(type(function).__name__, function, seen, 0)
    for name, parameter in parameters.items():
        yield from _walk(name, parameter, seen, 0)


def _attribute(name: str, value: Any, seen: set[int]) -> Iterator[tuple[str, object]]:
    """What an attribute of an owner holds: tensors of its own, also in a dictionary, may be replaced."""
    if isinstance(value, torch.Tensor) and value._base is None:
        yield name, Slot(value)
    elif type(value) is dict and id(value) not in seen:
        seen.add(id(value))
        yield f"{name} (keys)", list(value)
        for key, part in list(value.items()):
            if isinstance(part, torch.Tensor) and part._base is None:
                yield f"{name}[{key!r}]", Slot(part)
            else:
                yield from _walk(f"{name}[{key!r}]", part, seen, 1)
    else:
        yield from _walk(name, value, seen, 0)


def _content(name: str, values: Any, seen: set[int]) -> Iterator[tuple[str, object]]:
    """What a module or a class holds; of functions that are defined there, what they keep."""
    for key, value in list(values.items()):
        if key.startswith("__"):
            continue
        if not isinstance(value, FunctionType) or users(value.__module__):
            yield from _walk(f"{name}.{key}", value, seen, 0)


def _function(value: FunctionType, seen: set[int]) -> Iterator[tuple[str, object]]:
    name = value.__name__
    for key, part in vars(value).items():
        yield from _walk(f"{name}.{key}", part, seen, 0)
    for key, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        try:
            held = cell.cell_contents
        except ValueError:  # not set yet
            continue
        yield from _walk(f"{name}.{key}", held, seen, 0)
    for defaults in (value.__defaults__, value.__kwdefaults__):
        yield from _walk(f"{name}'s defaults", defaults, seen, 0)
    if own(value.__module__):
        for key, part in _named(value.__globals__, _names_in(value.__code__), set()):
            yield from _walk(key, part, seen, 0)


def _named(variables: dict[str, Any], names: set[str], visited: set[str]) -> Iterator[tuple[str, Any]]:
    """The global variables of a module, and of the user's modules among them, that have one of the names."""
    module = variables.get("__name__", "")
    visited.add(module)
    for name in names & variables.keys():
        value = variables[name]
        if isinstance(value, ModuleType):
            if own(value.__name__) and value.__name__ not in visited:
                yield from _named(vars(value), names, visited)
        elif not isinstance(value, FunctionType) or own(value.__module__):
            yield f"{module}.{name}", value


def _names_in(code: CodeType) -> set[str]:
    """The names of global variables and attributes in a function's code, and in that of functions inside it."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(_names_in, inner))


def _walk(name: str, value: Any, seen: set[int], depth: int) -> Iterator[tuple[str, object]]:
    if isinstance(value, _PLAIN):
        yield name, value
        return
    if id(value) in seen or depth > _DEPTH:
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        yield name, Place(value)
    elif isinstance(value, wp.array):
        yield name, value.ptr
    elif isinstance(value, np.ndarray | np.generic):
        yield name, value.tobytes() if value.nbytes <= _MOST_BYTES else id(value)
    elif isinstance(value, np.random.Generator):
        yield name, repr(value.bit_generator.state)
    elif isinstance(value, np.random.RandomState):
        yield name, pickle.dumps(value.get_state())
    elif isinstance(value, torch.Generator):
        yield name, value.get_state().tolist()
    elif isinstance(value, random.Random) and not isinstance(value, random.SystemRandom):
        yield name, value.getstate()
    elif isinstance(value, count):
        yield name, repr(value)
    elif isinstance(value, list | tuple | set | frozenset | deque | dict):
        yield from _collection(name, value, seen, depth)
    elif isinstance(value, FunctionType):
        yield from _function(value, seen)
    elif isinstance(value, _BOUND):
        for part in ("func", "args", "keywords", "__self__", "__func__"):
            yield from _walk(f"{name}.{part}", getattr(value, part, None), seen, depth)
    elif isinstance(value, type):
        if own(value.__module__):
            yield from _content(value.__name__, vars(value), seen)
    elif _looked_into(value):
        for attribute, part in _attributes(value):
            yield from _walk(f"{name}.{attribute}", part, seen, depth + 1)
        for kind in type(value).__mro__:
            yield from _walk(name, kind, seen, 0)
    elif isinstance(value, Iterator | random.SystemRandom):
        yield name, Unread(value)


def _attributes(value: object) -> list[tuple[str, Any]]:
    """The attributes of an object, in slots too."""
    members = [(name, member) for kind in type(value).__mro__ for name, member in vars(kind).items()]
    slots = [name for name, member in members if isinstance(member, MemberDescriptorType) and hasattr(value, name)]
    return [*getattr(value, "__dict__", {}).items(), *((name, getattr(value, name)) for name in slots)]


def _collection(name: str, value: Any, seen: set[int], depth: int) -> Iterator[tuple[str, object]]:
    parts = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    if all(isinstance(part, _PLAIN) for _, part in parts):
        yield name, repr(value)
        return
    yield f"{name} (length)", len(parts)
    for key, part in parts:
        yield from _walk(f"{name}[{key!r}]", part, seen, depth + 1)


def _modules(terms: Iterable[Any]) -> list[ModuleType]:
    """The modules that terms come from, and the user's own modules that these use."""
    names = [_module_of(what) for what in terms]
    packages = {name.partition(".")[0] for name in names}
    found: dict[str, ModuleType] = {}
    while names:
        name = names.pop()
        module = sys.modules.get(name)
        if name in found or module is None:
            continue
        found[name] = module
        if users(name):
            used = [value.__name__ if isinstance(value, ModuleType) else _module_of(value) for value in _names(module)]
            names += [name for name in used if users(name) and (name.partition(".")[0] in packages or own(name))]
    return list(found.values())


def _names(module: ModuleType) -> list[Any]:
    return [value for value in list(vars(module).values()) if isinstance(value, ModuleType | FunctionType | type)]


def _module_of(what: Any) -> str:
    """Name of the module that a function, or the class of an object, comes from."""
    return str(getattr(what.func if isinstance(what, partial) else what, "__module__", ""))


def users(module: str | None) -> bool:
    """Whether a module is neither Python's nor of a library."""
    package = (module or "").partition(".")[0]
    return bool(package) and not (
        package in _LIBRARIES or package in sys.stdlib_module_names or package.startswith("isaaclab")
    )


def own(module: str | None) -> bool:
    """Whether a module was not installed, but lies in a folder or a notebook of the user's."""
    file = getattr(sys.modules.get(module or ""), "__file__", None) or ""
    return module == "__main__" or (users(module) and bool(file) and "site-packages" not in file)


def _looked_into(value: object) -> bool:
    module = type(value).__module__
    return isinstance(value, SimpleNamespace) or users(module) or module.startswith(_LOOKED_INTO)
