"""The layout of an observation group as a table, with the terms that an AMP state is read from."""

from collections.abc import Iterable

from amp_helpers.amp_state.sources import TERM_FUNCTIONS, ObservationTerm
from amp_helpers.amp_state.state import AmpState
from amp_helpers.utils.table import Table


def observation_table(terms: Iterable[ObservationTerm], state: AmpState) -> Table:
    """The layout of an observation group, the terms that ``state`` can be read from marked.

    Terms are recognised by the function that computes them, not by their name, which is the author's choice.
    """
    rows, marked = [], set()
    for index, term in enumerate(terms):
        feature = next((name for name in state.features if term.function in TERM_FUNCTIONS[name]), "")
        if feature:
            marked.add(index)
        newest = f"{term.newest.start} … {term.newest.stop - 1}" if feature else ""
        order = ", ".join(name.removesuffix("_joint") for name in term.joint_names[:2])
        noise = "yes" if term.noise else "no"
        columns = f"{term.start} … {term.stop - 1}"
        rows.append((term.name, columns, term.history, noise, order and f"{order}, …", feature, newest))
    header = ("term", "columns", "history", "noise", "joint order", "AMP feature", "its newest frame")
    return Table(header, rows, frozenset(marked))
