"""The terms of Isaac Lab's managers, by the names that messages give them."""

from collections.abc import Iterator
from typing import Any

from isaaclab.managers import ManagerBase


def named_terms(*managers: ManagerBase) -> Iterator[tuple[str, Any]]:
    """Yield the terms of managers by name, such as ``reward 'alive'`` and ``observation 'policy/joint_pos'``.

    A term is the object where a manager keeps objects, as those of actions and commands do, else its configuration.
    """
    for manager in managers:
        held = vars(manager)
        yield from ((term_name(manager, name), term) for name, term in held.get("_terms", {}).items())
        lists = [("", held.get("_term_names", ()), held.get("_term_cfgs", ()))]
        for mode, names in held.get("_mode_term_names", {}).items():
            lists.append(("", names, held["_mode_term_cfgs"].get(mode, ())))
        for group, names in held.get("_group_obs_term_names", {}).items():
            lists.append((group, names, held["_group_obs_term_cfgs"].get(group, ())))
        for group, names, terms in lists:
            for name, term in zip(names, terms, strict=False):  # not all of them while a manager is made
                yield term_name(manager, name, group), term


def term_name(manager: ManagerBase, name: str, group: str = "") -> str:
    """Return what messages call a term.

    Args:
        manager: what it belongs to.
        name: its name there.
        group: group of an observation.
    """
    base = next(kind.__name__ for kind in type(manager).__mro__ if kind.__name__.endswith("Manager"))
    kind = base.removesuffix("Manager").lower()
    return f"{kind} '{group}/{name}'" if group else f"{kind} '{name}'"
