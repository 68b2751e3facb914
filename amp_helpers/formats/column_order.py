"""Whose angles a file's columns are: by the names in it, by its links, or as told; a count alone never decides."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.model_evidence import SAME_PLACE_M, Order, Sample, order_of, orders
from amp_helpers.motion.findings import JointOrderFinding
from amp_helpers.robots.robot import JOINT_ORDERS, Robot

OWN_ORDERS = {"robot": "depth-first", "physx": "breadth-first"}
"""Names for the order of the robot's model, which depends on the robot."""

_USUAL = "g1_29dof"
"""What columns of its width are taken for when nothing says otherwise, and its limits do not speak against it."""


def column_names(
    path: Path,
    sample: Sample,
    *,
    stored: object,
    told: Sequence[str] | str | None,
    robot: Robot | None,
    key: str,
    names_key: str,
) -> tuple[tuple[str, ...], JointOrderFinding]:
    """The joints of a file's columns, and the evidence for them.

    Args:
        path: the file, for errors.
        sample: frames of it.
        stored: names in the file, or None.
        told: names, or an order's name, that the user gives, or None.
        robot: the one that the user names, whose limits then count, or None.
        key: what the file calls the columns.
        names_key: what it calls their names.

    Raises:
        InputError: the names are none, the columns are of another robot or order, or nothing tells whose they are.
    """
    width = sample.joint_pos.shape[1]
    given = None if told is None else _told_names(path, told, width, key, robot)
    if stored is not None:
        names = _stored_names(path, stored, width, key, names_key)
        if given is not None and given != names:
            raise InputError(
                f"{path}: names its own joints, and they differ from the joint order given; leave the joint order out"
            )
        return names, JointOrderFinding("names", width=width)
    if given is None and sample.bodies is not None:
        return _by_links(path, sample, orders(width, robot))
    own = robot is not None and robot.num_joints == width and set(robot.joint_names) != set(JOINT_ORDERS[_USUAL])
    if given is None and (own or width != len(JOINT_ORDERS[_USUAL])):
        raise InputError(_nameless(path, width))
    order = order_of(given or JOINT_ORDERS[_USUAL], robot)
    finding = JointOrderFinding("width", _USUAL, width) if given is None else JointOrderFinding("user", width=width)
    if order is None:
        return given, finding
    if sample.bodies is not None:
        metres = sample.links_off(order)
        if SAME_PLACE_M < metres < np.inf:  # links of other names say nothing against what was told
            raise InputError(
                f"{path}: the joint order given puts the links {metres * 100:.0f} cm from where the file has them, on "
                "average; leave it out, for the links to decide, or give the one that the file was written in"
            )
    if robot is not None:
        _no_better(path, sample, order, orders(width, robot), "usual order" if given is None else "order given")
        if found := sample.impossible(order):
            raise InputError(
                f"{path}: its {width} columns are not those of {order.robot.name}: {found}; name the robot that the "
                "file was made for with --robot, or the order of its columns with --joint_order"
            )
        finding = replace(finding, limits_of=order.robot.name)
    return order.names, finding


def _stored_names(path: Path, stored: object, width: int, key: str, names_key: str) -> tuple[str, ...]:
    names = stored.tolist() if isinstance(stored, np.ndarray) else stored
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: {names_key} is not a list of names; store one name per column of {key}")
    return _of_width(path, tuple(names), width, key, f"{names_key} lists")


def _told_names(path: Path, told: Sequence[str] | str, width: int, key: str, robot: Robot | None) -> tuple[str, ...]:
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


def _by_links(path: Path, sample: Sample, known: Sequence[Order]) -> tuple[tuple[str, ...], JointOrderFinding]:
    """The one known order that puts the links where the file has them."""
    width, links = sample.joint_pos.shape[1], sample.bodies.names
    if not known:
        raise InputError(_nameless(path, width))
    metres = {order.label: sample.links_off(order) for order in known}
    if links and min(metres.values()) == np.inf:
        shown = ", ".join(links[:5]) + (", ..." if len(links) > 5 else "")
        raise InputError(
            f"{path}: names no joints, and its links ({shown}) are those of no robot known here; give that robot's "
            "model with --robot and the order of its columns with --joint_order"
        )
    ranked = sorted(known, key=lambda order: metres[order.label])
    shown = ", ".join(f"{metres[order.label] * 100:.1f} cm off as {order.label}" for order in ranked[:3])
    best = ranked[0]
    if metres[best.label] > SAME_PLACE_M:
        raise InputError(
            f"{path}: names no joints, and no known order of {width} puts the links where the file has them "
            f"({shown} on average), so it is of another robot; give that robot's model with --robot"
        )
    rival = next((order for order in ranked if order.names != best.names), None)
    if rival and metres[rival.label] < max(0.005, 3 * metres[best.label]):
        raise InputError(
            f"{path}: names no joints, and moves too little for its links to tell the order ({shown} on average); "
            f"say it with --joint_order {' or '.join(OWN_ORDERS)}"
        )
    errors = tuple((order.label, round(metres[order.label], 8)) for order in ranked[:3])
    return best.names, JointOrderFinding("links", best.label, width, errors)


def _no_better(path: Path, sample: Sample, taken: Order, known: Sequence[Order], called: str) -> None:
    """Refuse an order that leaves the joints' limits where another of that width does not."""
    outside = {order.label: sample.outside(order) for order in known}
    best = min(outside, key=outside.__getitem__, default=None)
    if best and outside[best] < 0.01 and (share := sample.outside(taken)) > 0.05:
        raise InputError(
            f"{path}: names no joints, and in the {called} of {len(taken.names)} {share:.0%} of frames leave the "
            f"joints' limits, {outside[best]:.0%} as {best}; say with --joint_order which it was written in: "
            f"{', '.join((*OWN_ORDERS, *JOINT_ORDERS))}"
        )


def _nameless(path: Path, width: int) -> str:
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
