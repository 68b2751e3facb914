"""Errors of a task's own terms, told by the name of the term."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from isaaclab.managers import ManagerBase

from amp_helpers.env.named_terms import named_terms, term_name
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
        if name := next((name for name, term in named_terms(manager) if term is calling), None):
            return name
        if name := frame.f_locals.get("term_name"):  # while the manager is made, it does not list the term yet
            return term_name(manager, name, frame.f_locals.get("group_name", ""))
    return None
