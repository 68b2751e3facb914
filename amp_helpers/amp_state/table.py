"""The layout of an observation group as a table."""

from collections.abc import Iterable

from amp_helpers.amp_state.observation_group import TERM_FUNCTIONS, ObservationTerm
from amp_helpers.amp_state.state import AmpState
from amp_helpers.utils.table import Table


def observation_table(terms: Iterable[ObservationTerm], state: AmpState) -> Table:
    """Tabulate an observation group and highlight the terms that provide features of ``state``.

    Terms are recognized by the function that computes them, because their names are free.
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
