"""Which joints a file's columns are: by the names in it, by its link positions, or as given by the user."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.model_evidence import SAME_PLACE_M, Evidence, Order, order_of, orders
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.motion.findings import JointOrderFinding
from amp_helpers.robots.robot import JOINT_ORDERS, Robot

OWN_ORDERS = {"robot": "depth-first", "physx": "breadth-first"}
"""Names for the two orders of the robot's own model."""

_USUAL = "g1_29dof"
"""Order that columns of its width are taken for when nothing else decides and its joint limits do not contradict."""


@dataclass(frozen=True)
class Columns:
    """The decision on a file's columns."""

    names: tuple[str, ...]
    """(J)."""
    order: Order | None
    """The same names with the robot whose joints they are; None where no known robot has them."""
    finding: JointOrderFinding


def decide_columns(
    path: Path, clip: StoredClip, options: ReadOptions, evidence: Evidence, *, key: str, names_key: str
) -> Columns:
    """Decide which joints a file's columns are.

    Args:
        path: the file, for error messages.
        clip: the clip as stored.
        options: what the user says.
        evidence: frames of the clip.
        key: the file's term for the columns.
        names_key: the file's term for their names.

    Raises:
        InputError: the names are unusable, the columns are of another robot or order, or nothing decides.
    """
    width, robot = evidence.joint_pos.shape[1], options.robot
    given = None if options.joint_names is None else _given_names(path, options.joint_names, width, key, robot)
    if clip.joint_names is not None:
        names = _stored_names(path, clip.joint_names, width, key, names_key)
        if given is not None and given != names:
            raise InputError(
                f"{path}: names its own joints, and they differ from the joint order given; leave the joint order out"
            )
        return Columns(names, order_of(names, robot), JointOrderFinding("names", width=width))
    if given is None and evidence.bodies is not None:
        return _by_links(path, evidence, orders(width, robot))
    own = robot is not None and robot.num_joints == width and set(robot.joint_names) != set(JOINT_ORDERS[_USUAL])
    if given is None and (own or width != len(JOINT_ORDERS[_USUAL])):
        raise InputError(_nameless(path, width))
    names = given or JOINT_ORDERS[_USUAL]
    order = order_of(names, robot)
    finding = JointOrderFinding("width", _USUAL, width) if given is None else JointOrderFinding("user", width=width)
    if order is None:
        return Columns(names, None, finding)
    error = evidence.link_error(order)
    if SAME_PLACE_M < error < np.inf:  # links of other names do not contradict
        raise InputError(
            f"{path}: the joint order given puts the links {error * 100:.0f} cm from where the file has them, on "
            "average; leave it out, for the links to decide, or give the one that the file was written in"
        )
    if robot is not None:
        _check_limits(path, evidence, order, orders(width, robot), "usual order" if given is None else "order given")
        if implausible := evidence.implausible_joint(order):
            raise InputError(
                f"{path}: its {width} columns are not those of {order.robot.name}: {implausible}; name the robot that "
                "the file was made for with --robot, or the order of its columns with --joint_order"
            )
        finding = replace(finding, limits_of=order.robot.name)
    return Columns(names, order, finding)


def _stored_names(path: Path, stored: object, width: int, key: str, names_key: str) -> tuple[str, ...]:
    names = stored.tolist() if isinstance(stored, np.ndarray) else stored
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: {names_key} is not a list of names; store one name per column of {key}")
    return _check_names(path, tuple(names), width, key, f"{names_key} lists")


def _given_names(path: Path, given: Sequence[str] | str, width: int, key: str, robot: Robot | None) -> tuple[str, ...]:
    if isinstance(given, str) and given in OWN_ORDERS:
        wanted = OWN_ORDERS[given] == "breadth-first"
        found = [order for order in orders(width, robot) if order.breadth_first == wanted]
        if not found:
            raise InputError(
                f"{path}: {key} has {width} columns, and no robot known here has as many joints; "
                "name the robot that the file was made for with --robot"
            )
        return found[0].names
    if isinstance(given, str):
        if given not in JOINT_ORDERS:
            raise InputError(f"joint order '{given}' not found; available: {', '.join((*JOINT_ORDERS, *OWN_ORDERS))}")
        given = JOINT_ORDERS[given]
    return _check_names(path, tuple(given), width, key, "the joint order given names")


def _check_names(path: Path, names: tuple[str, ...], width: int, key: str, origin: str) -> tuple[str, ...]:
    if len(names) != width:
        raise InputError(
            f"{path}: {key} has {width} columns but {origin} {len(names)} joints; "
            "they must be equal, so give the order that the file was written in"
        )
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{path}: joint names repeat: {', '.join(repeated)}; name every column once")
    return names


def _by_links(path: Path, evidence: Evidence, known: Sequence[Order]) -> Columns:
    """Decide for the known order that puts the model's links where the file stores them."""
    width, links = evidence.joint_pos.shape[1], evidence.bodies.names if evidence.bodies else None
    if not known:
        raise InputError(_nameless(path, width))
    errors = {order.label: evidence.link_error(order) for order in known}
    if links and min(errors.values()) == np.inf:
        shown = ", ".join(links[:5]) + (", ..." if len(links) > 5 else "")
        raise InputError(
            f"{path}: names no joints, and its links ({shown}) are those of no robot known here; give that robot's "
            "model with --robot and the order of its columns with --joint_order"
        )
    ranked = sorted(known, key=lambda order: errors[order.label])
    shown = ", ".join(f"{errors[order.label] * 100:.1f} cm off as {order.label}" for order in ranked[:3])
    best = ranked[0]
    if errors[best.label] > SAME_PLACE_M:
        raise InputError(
            f"{path}: names no joints, and no known order of {width} puts the links where the file has them "
            f"({shown} on average), so it is of another robot; give that robot's model with --robot"
        )
    rival = next((order for order in ranked if order.names != best.names), None)
    if rival and errors[rival.label] < max(0.005, 3 * errors[best.label]):
        raise InputError(
            f"{path}: names no joints, and moves too little for its links to tell the order ({shown} on average); "
            f"give it with --joint_order {' or '.join(OWN_ORDERS)}"
        )
    closest = tuple((order.label, round(errors[order.label], 8)) for order in ranked[:3])
    return Columns(best.names, best, JointOrderFinding("links", best.label, width, closest))


def _check_limits(path: Path, evidence: Evidence, taken: Order, known: Sequence[Order], what: str) -> None:
    """Refuse an order that exceeds the joints' limits where another of that width does not."""
    shares = {order.label: evidence.share_beyond_limits(order) for order in known}
    best = min(shares, key=shares.__getitem__, default=None)
    if best and shares[best] < 0.01 and (share := evidence.share_beyond_limits(taken)) > 0.05:
        raise InputError(
            f"{path}: names no joints, and in the {what} of {len(taken.names)} {share:.0%} of frames leave the "
            f"joints' limits, {shares[best]:.0%} as {best}; give the order that it was written in with --joint_order: "
            f"{', '.join((*OWN_ORDERS, *JOINT_ORDERS))}"
        )


def _nameless(path: Path, width: int) -> str:
    """Compose the error message on ``width`` columns without names."""
    known = ", ".join(f"{name} ({len(order)})" for name, order in JOINT_ORDERS.items())
    if width == 23:
        return (
            f"{path}: has 23 joint columns and no joint names, which fits two different sets of joints; give the right "
            "one with --joint_order gmt_23 (waist roll and pitch, no wrists: GMT and ASAP files) or --joint_order "
            "g1_23dof (waist yaw only, with wrist rolls: the 23-dof robot)"
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
