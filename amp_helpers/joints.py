"""Joints by name: patterns, orders, and differences between orders. Names identify an order, a count does not."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amp_helpers.errors import InputError


def match_joints(patterns: Iterable[str], names: Sequence[str]) -> tuple[str, ...]:
    """Joints that one of the regular expressions matches in full, in the order of ``names``.

    Raises:
        InputError: a pattern matches no joint, or is not a regular expression.
    """
    names = tuple(names)
    patterns = (patterns,) if isinstance(patterns, str) else tuple(patterns)
    matched = {name for pattern in patterns for name in _matches(pattern, names)}
    return tuple(name for name in names if name in matched)


def expand_patterns(patterns: Mapping[str, float], names: Sequence[str]) -> np.ndarray:
    """Expand ``{pattern: value}`` to one value per joint, as Isaac Lab does with ``InitialStateCfg.joint_pos``.

    A pattern must match a joint name in full (``re.fullmatch``). Joints without a pattern get 0.

    Args:
        patterns: regular expression -> value (rad for a pose).
        names: joint names, (J).

    Returns:
        (J,) float32 in the order of ``names``.

    Raises:
        InputError: a pattern matches no joint, or two patterns match one joint.
    """
    names = tuple(names)
    values = np.zeros(len(names), dtype=np.float32)
    owner: dict[str, str] = {}
    for pattern, value in patterns.items():
        for name in _matches(pattern, names):
            if name in owner:
                raise InputError(
                    f"joint '{name}' is matched by both '{owner[name]}' and '{pattern}'; "
                    "make the patterns exclude each other"
                )
            owner[name] = pattern
            values[names.index(name)] = value
    return values


def _matches(pattern: str, names: tuple[str, ...]) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"joint pattern '{pattern}' is not a regular expression ({error}); correct it") from None
    found = [name for name in names if compiled.fullmatch(name)]
    if not found:
        close = difflib.get_close_matches(pattern.replace(".*", ""), names, n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(close)}" if close else ""
        raise InputError(f"joint pattern '{pattern}' matches no joint{hint}; available: {', '.join(names)}")
    return found


@dataclass(frozen=True)
class OrderReport:
    """Differences between a joint order (here) and another (there)."""

    missing: tuple[str, ...]
    """Joints that only this order has."""
    extra: tuple[str, ...]
    """Joints that only the other order has."""
    moved: tuple[tuple[str, int, int], ...]
    """(name, index here, index there) of joints at different indices."""

    @property
    def ok(self) -> bool:
        """Whether both orders are the same, so that columns need no mapping."""
        return not (self.missing or self.extra or self.moved)

    def __str__(self) -> str:
        if self.ok:
            return "same joints in the same order"
        parts = []
        if self.missing:
            parts.append(f"{len(self.missing)} missing: {', '.join(self.missing)}")
        if self.extra:
            parts.append(f"{len(self.extra)} extra: {', '.join(self.extra)}")
        if self.moved:
            shown = ", ".join(f"{name} {here}->{there}" for name, here, there in self.moved)
            parts.append(f"{len(self.moved)} at another index: {shown}")
        return "; ".join(parts)


@dataclass(frozen=True)
class JointOrder:
    """An ordered set of joint names, with mappings to and from other orders."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(str(name) for name in self.names))
        repeated = [name for name, count in Counter(self.names).items() if count > 1]
        if repeated:
            raise InputError(f"joint names repeat: {', '.join(repeated)}; give every joint once")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def index(self, name: str) -> int:
        """Column of a joint.

        Raises:
            InputError: there is no such joint; the message lists the names.
        """
        if name not in self.names:
            raise InputError(f"joint '{name}' not found; available: {', '.join(self.names)}")
        return self.names.index(name)

    def indices_from(self, source: "JointOrder | Sequence[str]") -> np.ndarray:
        """Columns such that ``values[..., columns]`` is in this order when ``values`` is in the order ``source``.

        Args:
            source: order of the values; it may have joints that this order lacks.

        Returns:
            (J,) int64, for the J joints of this order.

        Raises:
            InputError: ``source`` lacks joints of this order; the message lists them.
        """
        where = {name: column for column, name in enumerate(JointOrder(tuple(source)).names)}
        missing = [name for name in self.names if name not in where]
        if missing:
            raise InputError(f"joints {', '.join(missing)} not found; available: {', '.join(where)}")
        return np.array([where[name] for name in self.names], dtype=np.int64)

    def reorder(self, values: np.ndarray, source: "JointOrder | Sequence[str]") -> np.ndarray:
        """Bring ``values`` (..., S) from the order ``source`` to this order, (..., J), dropping joints it lacks.

        Raises:
            InputError: ``values`` do not have one column per joint of ``source``, or ``source`` lacks joints.
        """
        indices = self.indices_from(source)
        width = len(tuple(source))
        if np.shape(values)[-1:] != (width,):
            raise InputError(f"values have shape {np.shape(values)} but {width} joints are named; give one column each")
        return values[..., indices]

    def without(self, names_or_patterns: Iterable[str]) -> "JointOrder":
        """Drop the joints that the names or regular expressions match.

        Raises:
            InputError: a pattern matches no joint.
        """
        dropped = match_joints(names_or_patterns, self.names)
        return JointOrder(tuple(name for name in self.names if name not in dropped))

    def compare(self, other: "JointOrder | Sequence[str]") -> OrderReport:
        """Compare this order (here) with another (there)."""
        other = JointOrder(tuple(other))
        there = {name: column for column, name in enumerate(other.names)}
        return OrderReport(
            missing=tuple(name for name in self.names if name not in there),
            extra=tuple(name for name in other.names if name not in self.names),
            moved=tuple(
                (name, here, there[name])
                for here, name in enumerate(self.names)
                if name in there and there[name] != here
            ),
        )

    def isaaclab_cfg(self) -> str:
        """Isaac Lab configuration with which actions and joint observations follow this order.

        Without ``preserve_order=True`` Isaac Lab sorts the named joints into the simulator's order.
        """
        names = "\n".join(f'    "{name}",' for name in self.names)
        return f"""JOINT_NAMES = [
{names}
]


@configclass
class ActionsCfg:
    joint_pos = mdp.JointPositionActionCfg(
        asset_name="robot", joint_names=JOINT_NAMES, scale=0.5, use_default_offset=True, preserve_order=True
    )


@configclass
class PolicyCfg(ObsGroup):  # in ObservationsCfg
    joint_pos = ObsTerm(
        func=mdp.joint_pos_rel,
        params={{"asset_cfg": SceneEntityCfg("robot", joint_names=JOINT_NAMES, preserve_order=True)}},
    )
    joint_vel = ObsTerm(
        func=mdp.joint_vel_rel,
        params={{"asset_cfg": SceneEntityCfg("robot", joint_names=JOINT_NAMES, preserve_order=True)}},
    )
"""
