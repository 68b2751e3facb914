"""Whose angles a file's columns are: by the names in it, by its links, or as told; a count never decides."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.evidence import JOINT_ORDERS, SAME_PLACE_M, Order, orders
from amp_helpers.robots import Robot

OWN_ORDERS = {"robot": "depth-first", "physx": "breadth-first"}
"""Names for the order of the robot's model, which depends on the robot."""


def stored_names(path: Path, stored: object, width: int, *, key: str, names_key: str) -> tuple[str, ...]:
    """The names that a file gives its ``width`` columns.

    Raises:
        InputError: they are no names, too many or few, or repeat.
    """
    names = stored.tolist() if isinstance(stored, np.ndarray) else stored
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: {names_key} is not a list of names; store one name per column of {key}")
    return _of_width(path, tuple(names), width, key, f"{names_key} lists")


def told_names(path: Path, told: Sequence[str] | str, width: int, *, key: str, robot: Robot | None) -> tuple[str, ...]:
    """The names that the user gives ``width`` columns: themselves, or an order's name.

    Raises:
        InputError: there is no such order, or it is not that wide.
    """
    if isinstance(told, str) and told in OWN_ORDERS:
        wanted = OWN_ORDERS[told] == "breadth-first"
        found = [order for order in orders(width, robot) if order.breadth_first == wanted]
        if not found:
            raise InputError(
                f"{path}: {key} has {width} columns, and no robot known here has as many joints; "
                "name the robot that the file was made for with --robot"
            )
        return found[0].names
    if isinstance(told, str):
        if told not in JOINT_ORDERS:
            raise InputError(f"joint order '{told}' not found; available: {', '.join((*JOINT_ORDERS, *OWN_ORDERS))}")
        told = JOINT_ORDERS[told]
    return _of_width(path, tuple(told), width, key, "the joint order given names")


def _of_width(path: Path, names: tuple[str, ...], width: int, key: str, origin: str) -> tuple[str, ...]:
    if len(names) != width:
        raise InputError(
            f"{path}: {key} has {width} columns but {origin} {len(names)} joints; "
            "they must be equal, so give the order that the file was written in"
        )
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{path}: joint names repeat: {', '.join(repeated)}; name every column once")
    return names


def names_by_links(
    path: Path,
    width: int,
    robot: Robot | None,
    off: Callable[[Order], float],
    links: Sequence[str] | None,
) -> tuple[tuple[str, ...], str]:
    """The one known order of ``width`` columns that puts the links where the file has them, and a phrase about it.

    Args:
        path: the file, for errors.
        width: number of columns.
        robot: the one named, if any.
        off: mean distance, m, of the links from where the file has them, were this the order; infinite for a robot
            that has none of them.
        links: their names, where the file has them.

    Raises:
        InputError: no known order does, or several do.
    """
    known = orders(width, robot)
    if not known:
        raise InputError(nameless(path, width))
    distance = {order.label: off(order) for order in known}
    if links and min(distance.values()) == np.inf:
        shown = ", ".join(links[:5]) + (", ..." if len(links) > 5 else "")
        raise InputError(
            f"{path}: names no joints, and its links ({shown}) are those of no robot known here; give that robot's "
            "model with --robot and the order of its columns with --joint_order"
        )
    ranked = sorted(known, key=lambda order: distance[order.label])
    shown = ", ".join(f"{distance[order.label] * 100:.1f} cm off as {order.label}" for order in ranked[:3])
    best = ranked[0]
    if distance[best.label] > SAME_PLACE_M:
        raise InputError(
            f"{path}: names no joints, and no known order of {width} puts the links where the file has them "
            f"({shown} on average), so it is of another robot; give that robot's model with --robot"
        )
    rivals = [order for order in ranked[1:] if order.names != best.names]
    if rivals and distance[rivals[0].label] < max(0.005, 3 * distance[best.label]):
        raise InputError(
            f"{path}: names no joints, and moves too little for its links to tell the order ({shown} on average); "
            f"say it with --joint_order {' or '.join(OWN_ORDERS)}"
        )
    return best.names, f"joints of {best.label} by its links, {shown}"


def no_better_order(path: Path, names: tuple[str, ...], outside: Mapping[str, float], known: Sequence[Order]) -> None:
    """Refuse an order taken unasked that leaves the joints' limits where another order of that width does not.

    Args:
        path: the file, for errors.
        names: the order taken.
        outside: share of frames with a joint beyond its limits, by the order's label.
        known: every order of that width.
    """
    taken = next((outside[order.label] for order in known if order.names == names), 0.0)
    best = min(known, key=lambda order: outside[order.label], default=None)
    if taken > 0.05 and outside[best.label] < 0.01:
        raise InputError(
            f"{path}: names no joints, and in the usual order of {len(names)} {taken:.0%} of frames leave the joints' "
            f"limits, {outside[best.label]:.0%} as {best.label}; say which with --joint_order {' or '.join(OWN_ORDERS)}"
        )


def nameless(path: Path, width: int) -> str:
    """What to say of ``width`` columns that nothing names."""
    known = ", ".join(f"{name} ({len(order)})" for name, order in JOINT_ORDERS.items())
    if width == 23:
        return (
            f"{path}: has 23 joint columns and no joint names, which fits two different sets of joints; say which "
            "with --joint_order gmt_23 (waist roll and pitch, no wrists: GMT and ASAP files) or --joint_order g1_23dof "
            "(waist yaw only, with wrist rolls: the 23-dof robot)"
        )
    if width == 43:
        return (
            f"{path}: has 43 joint columns and no joint names, a G1 with hands whose left hand sits at columns "
            "22 to 28, so the first 29 columns are not the body; add joint_names to the file"
        )
    return (
        f"{path}: has {width} joint columns and no joint names; add joint_names to the file or give an order of "
        f"that width, known: {known}; with --joint_order robot, that of your --robot"
    )
