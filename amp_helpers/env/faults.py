"""Errors of a task's own terms, told by the name of the term."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isaaclab.managers import ManagerBase

from amp_helpers.errors import InputError, one_line

_OF_CODE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)
_NAMES_AND_TERMS = (
    ("_term_names", "_term_cfgs"),
    ("_mode_term_names", "_mode_term_cfgs"),
    ("_group_obs_term_names", "_group_obs_term_cfgs"),
)
"""Where Isaac Lab's managers keep the names of their terms, and the terms in the same order; also by mode or group."""


@contextmanager
def naming_terms() -> Iterator[None]:
    """Turn what a manager's call of a term raises into an error of one sentence; full memory is no fault of a term.

    Isaac Lab's traceback names no term where, for example, a reward has a column in place of a number an environment.

    Raises:
        InputError: a term raised, or returned what its manager cannot use.
    """
    try:
        yield
    except _OF_CODE as error:
        term = None if isinstance(error, InputError) or "memory" in str(error).lower() else _failed_term(error)
        if term is None:
            raise
        reason = one_line(f"{type(error).__name__}: {error}", 200)
        raise InputError(f"{term} fails: {reason}; correct it, with the traceback that AMP_DEBUG=1 shows") from error


def _failed_term(error: BaseException) -> str | None:
    """Return the kind and the name of the term that a manager was calling, or whose result it was using."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        manager = frame.f_locals.get("self")
        if not isinstance(manager, ManagerBase):
            continue
        calling = frame.f_locals.get("term_cfg", frame.f_locals.get("term"))
        preparing = frame.f_locals.get("term_name")  # while the manager is made, it does not list the term yet
        if name := next((name for name, term in _terms(manager) if term is calling), preparing):
            return f"{type(manager).__name__.removesuffix('Manager').lower()} '{name}'"
    return None


def _terms(manager: ManagerBase) -> Iterator[tuple[str, Any]]:
    yield from getattr(manager, "_terms", {}).items()
    for holders in _NAMES_AND_TERMS:
        names, terms = (getattr(manager, holder, {}) for holder in holders)
        if not isinstance(names, dict):
            names, terms = {"": names}, {"": terms}
        for group, own in names.items():
            yield from zip(own, terms.get(group, ()), strict=False)
