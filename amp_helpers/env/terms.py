"""The terms of a task as tables, read from their configuration without opening the environment."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from isaaclab.managers import ManagerTermBaseCfg, ObservationTermCfg, RewardTermCfg, SceneEntityCfg

from amp_helpers.utils.table import Table


def term_table(cfg: object) -> Table:
    """Tabulate the terms of rewards, terminations, events or an observation group: name, function, setting.

    Args:
        cfg: configuration whose fields are terms of Isaac Lab's managers.
    """
    rows = [(name, _meaning(term.func), _setting(term)) for name, term in _terms(cfg)]
    return Table(("term", "what it is", _heading(cfg)), rows)


def _terms(cfg: object) -> Iterator[tuple[str, ManagerTermBaseCfg]]:
    return ((name, term) for name, term in vars(cfg).items() if isinstance(term, ManagerTermBaseCfg))


def _heading(cfg: object) -> str:
    first = next((term for _, term in _terms(cfg)), None)
    if isinstance(first, RewardTermCfg):
        return "weight per second"
    return "noise" if isinstance(first, ObservationTermCfg) else "parameters"


def _meaning(function: Any) -> str:
    """Return the first sentence of a term's docstring, or its name."""
    text = inspect.getdoc(function) or function.__name__
    paragraph = text.split("\n\n")[0].replace("\n", " ").replace("`", "")
    return re.split(r"\. (?=[A-Z])", paragraph)[0].rstrip(".")


def _setting(term: ManagerTermBaseCfg) -> object:
    if isinstance(term, RewardTermCfg):
        return float(term.weight)
    if isinstance(term, ObservationTermCfg):
        noise: Any = term.noise
        return f"± {noise.n_max:g}" if hasattr(noise, "n_max") else "none" if noise is None else type(noise).__name__
    plain = {name: value for name, value in term.params.items() if not isinstance(value, SceneEntityCfg)}
    return ", ".join(f"{name} {value}" for name, value in plain.items())
