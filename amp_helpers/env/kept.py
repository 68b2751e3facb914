"""What the terms of a task keep from call to call, wherever they keep it.

In attributes, in objects, lists and dictionaries below them, in attributes and closures of functions, in classes, in
global variables of the modules that they come from, and in the states of random number generators.
"""

import pickle
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import count
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
import warp as wp

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
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


def kept(owners: Iterable[Any], functions: Iterable[Any]) -> dict[str, object]:
    """Return everything that a step could leave outside of tensors that it changes in place: name -> content or place.

    Args:
        owners: the environment, and its terms that are objects.
        functions: terms that are functions or objects, and parameters of terms.
    """
    owners, functions = list(owners), list(functions)
    found: dict[str, object] = {
        "Python's random numbers": random.getstate(),
        "NumPy's random numbers": pickle.dumps(np.random.get_state()),
    }
    seen = {id(owner) for owner in owners}
    for owner in owners:
        name = type(owner).__name__
        for attribute, value in list(vars(owner).items()):
            found.update(_attribute(f"{name}.{attribute}", value, seen))
        for kind in type(owner).__mro__:
            if _users(kind.__module__):
                found.update(_content(kind.__name__, vars(kind), seen))
    for function in functions:
        found.update(_function(function, seen))
    for module in _modules((*owners, *functions)):
        found.update(_content(module.__name__, vars(module), seen))
    return found


def tensors(values: dict[str, object]) -> dict[str, torch.Tensor]:
    """Return the tensors of :func:`kept` by name."""
    return {name: value.tensor for name, value in values.items() if isinstance(value, Place | Slot)}


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
        if isinstance(value, FunctionType):
            if _users(value.__module__):
                yield from _function(value, seen)
        else:
            yield from _walk(f"{name}.{key}", value, seen, 0)


def _function(value: Any, seen: set[int]) -> Iterator[tuple[str, object]]:
    if isinstance(value, partial):
        yield from _walk("a partial", (value.args, value.keywords), seen, 0)
        value = value.func
    if not isinstance(value, FunctionType) or id(value) in seen:
        yield from _walk(type(value).__name__, value, seen, 0)
        return
    seen.add(id(value))
    name = value.__name__
    for key, part in vars(value).items():
        yield from _walk(f"{name}.{key}", part, seen, 0)
    for key, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        try:
            held = cell.cell_contents
        except ValueError:  # not set yet
            continue
        yield from _function(held, seen) if isinstance(held, FunctionType) else _walk(f"{name}.{key}", held, seen, 0)
    yield from _walk(f"{name}'s defaults", (value.__defaults__, value.__kwdefaults__), seen, 0)


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
    elif isinstance(value, random.Random):
        yield name, value.getstate()
    elif isinstance(value, np.random.Generator):
        yield name, repr(value.bit_generator.state)
    elif isinstance(value, torch.Generator):
        yield name, value.get_state().tolist()
    elif isinstance(value, count):
        yield name, repr(value)
    elif isinstance(value, list | tuple | set | frozenset | deque | dict):
        yield from _collection(name, value, seen, depth)
    elif not isinstance(value, type | ModuleType | FunctionType) and _looked_into(value):
        for attribute, part in list(getattr(value, "__dict__", {}).items()):
            yield from _walk(f"{name}.{attribute}", part, seen, depth + 1)


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
        if _users(name):
            used = [value.__name__ if isinstance(value, ModuleType) else _module_of(value) for value in _names(module)]
            names += [name for name in used if _users(name) and (name.partition(".")[0] in packages or _own(name))]
    return list(found.values())


def _names(module: ModuleType) -> list[Any]:
    return [value for value in list(vars(module).values()) if isinstance(value, ModuleType | FunctionType | type)]


def _module_of(what: Any) -> str:
    """Name of the module that a function, or the class of an object, comes from."""
    return str(getattr(what.func if isinstance(what, partial) else what, "__module__", ""))


def _users(module: str) -> bool:
    """Whether a module is neither Python's nor of a library."""
    package = module.partition(".")[0]
    return bool(package) and not (
        package in _LIBRARIES or package in sys.stdlib_module_names or package.startswith("isaaclab")
    )


def _own(module: str) -> bool:
    """Whether a module was not installed, but lies in a folder of the user's."""
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return bool(file) and "site-packages" not in file


def _looked_into(value: object) -> bool:
    module = type(value).__module__
    return isinstance(value, SimpleNamespace) or _users(module) or module.startswith(_LOOKED_INTO)
