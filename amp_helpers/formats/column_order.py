"""Which joints a file's columns are: by the names in it, by its link positions, or as given by the user."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.joint_names import match_names, shown, split_list, split_unit, words
from amp_helpers.formats.model_evidence import SAME_PLACE_M, Evidence, Order, order_of, orders
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.formats.values import read_name_list
from amp_helpers.motion.findings import JointOrderFinding
from amp_helpers.robots.lookup import robots_beside
from amp_helpers.robots.robot import JOINT_ORDERS, ROBOTS, Robot

OWN_ORDERS = {"robot": "depth-first", "physx": "breadth-first"}
"""Names for the two orders of the robot's own model."""

TRUST_NAMES = "names"
"""In place of an order: the names in the file count although its links contradict them."""

ORDER_CHOICES = (*OWN_ORDERS, TRUST_NAMES, *JOINT_ORDERS)
"""Values of ``--joint_order``."""
ORDER_HELP = (
    "columns of files without joint names; 'robot': as in the robot's model, 'physx': breadth-first; 'names': the "
    "file's names, although its links contradict them"
)

_ROOT_WORDS = {"root", "free", "freejoint", "floating", "base", "pelvis", "world"}

_NAME_THEM = "name them in the file (joint_names, or a CSV's header)"

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


@dataclass(frozen=True)
class NamedColumns:
    """Joints by the names in a file."""

    names: tuple[str, ...]
    """Joint of each column, (J)."""
    scale: np.ndarray
    """Radians per unit that the names state, (J)."""
    key: str
    """The file's term for the names."""


def read_names(path: Path, clip: StoredClip, robot: Robot | None, width: int, key: str) -> NamedColumns | None:
    """Read the names of a clip's columns; None where the file names none.

    Names are those of the robot's joints, or of a built-in robot that has all of them, in any spelling. Without a
    robot, they are those of the first built-in robot that has them all, else joints of a robot unknown here.

    Args:
        path: the file, for error messages.
        clip: the clip as stored.
        robot: robot that the file is for.
        width: number of columns.
        key: the file's term for the columns.

    Raises:
        InputError: the names are unusable, or are not those of the robot; the message quotes them.
    """
    names_key = clip.keys.get("joint_names", "joint_names")
    stored = _stored_names(path, clip.joint_names, width, key, names_key)
    if stored is None:
        return None
    try:
        matches = {known: match_names(stored, known.joint_names) for known in robots_beside(robot)}
    except InputError as error:
        raise InputError(f"{path}: {names_key}: {error}") from None
    whole = [match for match in matches.values() if not match.unmatched]
    match = next(iter(whole), None) or (robot and next((m for m in matches.values() if not m.missing), None))
    if match is None and robot is not None:
        match = matches[robot]
        raise InputError(
            f"{path}: {names_key} has names that are no joints of {robot.name}: {match.nearest()}; rename them, or "
            "name the robot that the file was made for with --robot"
        )
    if match is None:
        bare, units = zip(*map(split_unit, stored), strict=True)
        joints: tuple[str, ...] = bare
    else:  # names beside all joints of the robot are further joints, which the robot lacks
        units = match.units
        joints = tuple(joint or name for joint, name in zip(match.joints, stored, strict=True))
    if wrong := sorted({unit for unit in units if unit not in (None, "rad", "deg")}):
        raise InputError(f"{path}: {names_key} states {', '.join(wrong)} for joints; give angles in rad or deg")
    scale = np.array([np.pi / 180 if unit == "deg" else 1.0 for unit in units])
    return NamedColumns(joints, scale, names_key)


def decide_columns(
    path: Path, clip: StoredClip, options: ReadOptions, evidence: Evidence, named: NamedColumns | None, *, key: str
) -> Columns:
    """Decide which joints a file's columns are.

    Args:
        path: the file, for error messages.
        clip: the clip as stored.
        options: what the user says.
        evidence: frames of the clip.
        named: the names in the file.
        key: the file's term for the columns.

    Raises:
        InputError: the columns are of another robot or order, names and links in the file contradict each other or
            what the user says, or nothing decides.
    """
    width, robot = evidence.joint_pos.shape[1], options.robot
    trusted = options.joint_names == TRUST_NAMES
    if trusted and named is None:
        raise InputError(f"{path}: names no joints that --joint_order {TRUST_NAMES} could trust; leave it out")
    given = None
    if options.joint_names is not None and not trusted:
        given = _given_names(path, options.joint_names, width, key, robot)
    if named is not None:
        return _by_names(path, named, given, trusted, evidence, robot)
    if given is None and evidence.bodies is not None:
        return _by_links(path, evidence, orders(width, robot), robot)
    usual = ROBOTS[_USUAL]
    makers = None if given is not None or clip.order_convention is None else _makers(clip, width, robot)
    if given is None and makers is None and (width != usual.num_joints or usual not in robots_beside(robot)):
        raise InputError(nameless(path, width, robot))
    names = given or (makers.names if makers else usual.joint_names)
    order = order_of(names, robot)
    finding = JointOrderFinding("user" if given else "width", "" if given else _USUAL, width)
    what = "order given" if given else "usual order"
    if makers:
        finding, what = JointOrderFinding("format", makers.label, width), f"order of {clip.convention_of} format"
    if order is None:
        return Columns(names, None, finding)
    error = evidence.link_error(order)
    if SAME_PLACE_M < error < np.inf:  # links of other names do not contradict
        raise InputError(
            f"{path}: the joint order given puts the links {error * 100:.0f} cm from where the file has them, on "
            "average; leave it out, for the links to decide, or give the one that the file was written in"
        )
    if robot is not None:
        _check_limits(path, evidence, order, what, robot)
        if implausible := evidence.implausible_joint(order):
            raise InputError(
                f"{path}: its {width} columns are not those of {order.robot.name}: {implausible}; name the robot that "
                "the file was made for with --robot, or the order of its columns with --joint_order"
            )
        others = [known for known in orders(width, robot) if known.names != names] if given is None else []
        only = bool(others) and evidence.share_beyond_limits(order) < 0.01
        only = only and all(evidence.share_beyond_limits(known) > 0.05 for known in others)
        finding = replace(finding, limits_of=order.robot.name, only_within_limits=only)
    return Columns(names, order, finding)


def _makers(clip: StoredClip, width: int, robot: Robot | None) -> Order | None:
    """Return the robot's order that the format has, where a known robot has that many joints."""
    breadth_first = clip.order_convention == "breadth-first"
    return next((order for order in orders(width, robot) if order.breadth_first == breadth_first), None)


def _by_names(
    path: Path,
    named: NamedColumns,
    given: tuple[str, ...] | None,
    trusted: bool,
    evidence: Evidence,
    robot: Robot | None,
) -> Columns:
    """Decide for the names in the file, which its links and the order given must not contradict."""
    width = len(named.names)
    order = order_of(named.names, robot)
    error = np.inf if order is None else evidence.link_error(order)
    if SAME_PLACE_M < error < np.inf and not trusted:
        errors = {known: evidence.link_error(known) for known in orders(width, robot)}
        best = min(errors, key=errors.__getitem__, default=None)
        fits = best is not None and errors[best] <= SAME_PLACE_M
        if best is not None and fits and given == best.names:
            closest = ((best.label, round(errors[best], 8)),)
            return Columns(best.names, best, JointOrderFinding("links", best.label, width, closest))
        remedy = "give the model of the robot that the file was made for with --robot, or"
        if best is not None and fits:
            off = f"{errors[best] * 100:.1f} cm off"
            remedy = f"give --joint_order {best.option} for the links, which that order puts {off}, or"
        raise InputError(
            f"{path}: {named.key} contradicts the file's own links, which lie {error * 100:.0f} cm from where the "
            f"named joints put them, on average; {remedy} --joint_order {TRUST_NAMES} for the names"
        )
    if given is not None and given != named.names:
        column = next((i for i, pair in enumerate(zip(given, named.names, strict=True)) if pair[0] != pair[1]), 0)
        raise InputError(
            f"{path}: names its own joints, and they differ from the joint order given: column {column} is "
            f"{shown(named.names[column])} in the file and {given[column]} as given; leave the joint order out"
        )
    return Columns(named.names, order, JointOrderFinding("names", width=width))


def _stored_names(path: Path, stored: object, width: int, key: str, names_key: str) -> tuple[str, ...] | None:
    if isinstance(stored, np.ndarray) and stored.ndim == 0 and stored.dtype.kind == "U":
        stored = str(stored)
    names = split_list(stored) if isinstance(stored, str) else stored
    if names is None:
        return None
    names = read_name_list(path, names_key, names, key)
    if not names:
        return None
    if len(names) == width + 1 and set(words(names[0])) & _ROOT_WORDS:
        names = names[1:]  # a model's free joint, which the columns leave out
    return _check_names(path, tuple(names), width, key, f"{names_key} lists")


def _given_names(path: Path, given: Sequence[str] | str, width: int, key: str, robot: Robot | None) -> tuple[str, ...]:
    if isinstance(given, str) and given in OWN_ORDERS:
        wanted = OWN_ORDERS[given] == "breadth-first"
        # A robot's own orders hold all of its joints, unlike gmt_23, which holds some of a G1's.
        whole = (order for order in orders(width, robot) if len(order.names) == order.robot.num_joints)
        found = [order for order in whole if order.breadth_first == wanted]
        if not found:
            raise InputError(
                f"{path}: {key} has {width} columns, and {_has_joints(robot)}; name the robot that the file was made "
                "for with --robot, or the joints in the file (joint_names, or a CSV's header) in place of --joint_order"
            )
        return found[0].names
    if isinstance(given, str):
        if given not in JOINT_ORDERS:
            raise InputError(f"joint order '{given}' not found; available: {', '.join((*JOINT_ORDERS, *OWN_ORDERS))}")
        given = JOINT_ORDERS[given]
    return _check_names(path, tuple(given), width, key, "the joint order given names")


def _has_joints(robot: Robot | None) -> str:
    return "no robot known here has as many joints" if robot is None else f"{robot.name} has {robot.num_joints} joints"


def _check_names(path: Path, names: tuple[str, ...], width: int, key: str, origin: str) -> tuple[str, ...]:
    if len(names) != width:
        raise InputError(
            f"{path}: {key} has {width} columns but {origin} {len(names)} joints; "
            "they must be equal, so give the order that the file was written in"
        )
    repeated = sorted({shown(name) for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"{path}: joint names repeat: {', '.join(repeated)}; name every column once")
    return names


def _by_links(path: Path, evidence: Evidence, known: Sequence[Order], robot: Robot | None) -> Columns:
    """Decide for the known order that puts the model's links where the file stores them."""
    width, links = evidence.joint_pos.shape[1], evidence.bodies.names if evidence.bodies else None
    if not known:
        raise InputError(nameless(path, width, robot))
    errors = {order.label: evidence.link_error(order) for order in known}
    if links and min(errors.values()) == np.inf:
        some = ", ".join(map(shown, links[:5])) + (", ..." if len(links) > 5 else "")
        raise InputError(
            f"{path}: names no joints, and its links ({some}) are those of no robot known here; give that robot's "
            "model with --robot and the order of its columns with --joint_order"
        )
    ranked = sorted(known, key=lambda order: errors[order.label])
    compared = ", ".join(f"{errors[order.label] * 100:.1f} cm off as {order.label}" for order in ranked[:3])
    best = ranked[0]
    if errors[best.label] > SAME_PLACE_M:
        raise InputError(
            f"{path}: names no joints, and no known order of {width} puts the links where the file has them "
            f"({compared} on average), so it is of another robot; give that robot's model with --robot"
        )
    rival = next((order for order in ranked if order.names != best.names), None)
    if rival and errors[rival.label] < max(0.005, 3 * errors[best.label]):
        raise InputError(
            f"{path}: names no joints, and moves too little for its links to tell the order ({compared} on average); "
            f"give it with --joint_order {' or '.join(OWN_ORDERS)}"
        )
    closest = tuple((order.label, round(errors[order.label], 8)) for order in ranked[:3])
    return Columns(best.names, best, JointOrderFinding("links", best.label, width, closest))


def _check_limits(path: Path, evidence: Evidence, taken: Order, what: str, robot: Robot) -> None:
    """Refuse an order that exceeds the joints' limits where another of the robot's of that width does not."""
    known = orders(len(taken.names), robot)
    shares = {order.label: evidence.share_beyond_limits(order) for order in known}
    best = min(shares, key=shares.__getitem__, default=None)
    if best and shares[best] < 0.01 and (share := evidence.share_beyond_limits(taken)) > 0.05:
        raise InputError(
            f"{path}: names no joints, and in the {what} of {len(taken.names)} {share:.0%} of frames leave the "
            f"joints' limits, {shares[best]:.0%} as {best}; give the order that it was written in with --joint_order: "
            f"{', '.join((*OWN_ORDERS, *(name for name in known_orders(robot) if name in JOINT_ORDERS)))}"
        )


def known_orders(robot: Robot | None) -> dict[str, tuple[str, ...]]:
    """Names of the orders that columns of the robot's joints may have; those of all built-in robots without one."""
    joints = set().union(*(known.joint_names for known in robots_beside(robot)))
    own = {} if robot is None or robot in ROBOTS.values() else {robot.name: robot.joint_names}
    return own | {name: order for name, order in JOINT_ORDERS.items() if joints.issuperset(order)}


def nameless(path: Path, width: int, robot: Robot | None) -> str:
    """Compose the error message on ``width`` columns without names."""
    fitting = {name: order for name, order in known_orders(robot).items() if name in JOINT_ORDERS}
    if width == 23 and len([order for order in fitting.values() if len(order) == width]) > 1:
        return (
            f"{path}: has 23 joint columns and no joint names, which fits two different sets of joints; give the right "
            "one with --joint_order gmt_23 (waist roll and pitch, no wrists: GMT and ASAP files) or --joint_order "
            "g1_23dof (waist yaw only, with wrist rolls: the 23-dof robot)"
        )
    if width == 43 and fitting:
        return (
            f"{path}: has 43 joint columns and no joint names, a G1 with hands whose left hand sits at columns "
            f"22 to 28, so the first 29 columns are not the body; {_NAME_THEM}"
        )
    if robot is not None and width == robot.num_joints:
        return (
            f"{path}: has {width} joint columns and no joint names; {_NAME_THEM}, or give --joint_order robot "
            f"if they are in the order of {robot.name}'s model, physx if they are breadth-first"
        )
    if robot is not None and not fitting:
        return (
            f"{path}: has {width} joint columns and no joint names, and {_has_joints(robot)}; {_NAME_THEM}, or "
            "name the robot that it was made for with --robot"
        )
    known = ", ".join(f"{name} ({len(order)})" for name, order in fitting.items())
    return (
        f"{path}: has {width} joint columns and no joint names; {_NAME_THEM}, or give an order of "
        f"that width, known: {known}; with --joint_order robot, that of your --robot"
    )
