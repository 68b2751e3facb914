"""The terms of a manager's configuration, a class or a dictionary."""

from collections.abc import Iterator
from typing import Any


def terms(group: Any) -> Iterator[tuple[str, Any]]:
    """The terms of a manager's configuration by name, without those that are off."""
    found = group if isinstance(group, dict) else {} if group is None else vars(group)
    yield from ((name, term) for name, term in list(found.items()) if term is not None)


def set_term(group: Any, name: str, term: Any) -> None:
    """Set a term of a manager's configuration; None turns it off."""
    if isinstance(group, dict):
        group[name] = term
    else:
        setattr(group, name, term)


def function_name(function: Any) -> str:
    """Name of a term's function, class, instance or ``module:name``."""
    if isinstance(function, str):
        return function.rpartition(":")[2]
    return getattr(function, "__name__", type(function).__name__)
