"""What every motion file is made of, whatever its format: frame rate, tables, joint names, root rotations.

A format's reader brings a :class:`Clip` as it is stored; :func:`assemble` checks it, and decides or asks for what the
file leaves open.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.evidence import (
    JOINT_ORDERS,
    SAME_PLACE_M,
    Bodies,
    Order,
    beyond_limits,
    feet_off,
    frames_of,
    links_off,
    orders,
    outside_limits,
    robot_with,
    sampled_rows,
)
from amp_helpers.joint_columns import nameless, names_by_links, no_better_order, stored_names, told_names
from amp_helpers.motion import Motion
from amp_helpers.robots import Robot
from amp_helpers.root_rotations import read_quaternions
from amp_helpers.stored import read_fps, read_table


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How to read what a file does not say."""

    joint_names: Sequence[str] | str | None = None
    """Of the joint columns: names, a key of ``JOINT_ORDERS``, or ``robot`` or ``physx``: the robot's own order,
    depth-first or breadth-first."""
    quaternion: str = "auto"
    """``auto``, ``xyzw`` or ``wxyz``."""
    fps: float | None = None
    """Frames per second."""
    robot: Robot | None = None
    """Whose model may be asked; without it only those of this project's own robots, where nothing else decides."""
    repairs: Collection[str] | None = None
    """Which repairs were asked for; None for reading only, which brings quaternions to unit length and says so."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One clip as a file stores it: nothing checked yet, and nothing decided."""

    joint_pos: object
    """Table (N, J), rad."""
    root_pos: object
    """Table (N, 3), m."""
    root_rot: object
    """Table (N, 4) of quaternions, or (N, 3) of rotation vectors (exponential map)."""
    fps: object = None
    """Frames per second; None where the file does not say."""
    joint_names: object = None
    """(J); None where the file does not say."""
    name: str = ""
    """Of the clip, in a file of several."""
    called: Mapping[str, str] = field(default_factory=dict)
    """What the file calls ``joint_pos``, ``root_pos``, ``root_rot`` and ``joint_names``."""
    convention: str = "xyzw"
    """The format's order of quaternions, taken where the evidence does not decide."""
    whose: str = "GMR's"
    """Whose convention that is."""
    quaternion_said: str | None = None
    """The order that the file itself names."""
    bodies: Bodies | None = None
    """Where the file says that the links are."""
    notes: tuple[str, ...] = ()
    """What the reader found or chose."""
    weight: float = 1.0
    """How often its frames are to be drawn, against others'."""


def assemble(path: Path, clip: Clip, reading: Reading, digest: str) -> Motion:
    """The motion that a stored clip is; ``source`` says what was decided, and on what evidence.

    Raises:
        InputError: something in it cannot be used, or is not said and cannot be decided.
    """
    called = {key: clip.called.get(key, key) for key in ("joint_pos", "root_pos", "root_rot", "joint_names")}
    fps, rate = read_fps(path, clip.fps, reading.fps)
    tables = {
        called[key]: read_table(path, called[key], getattr(clip, key), width)
        for key, width in (("root_pos", 3), ("root_rot", 4), ("joint_pos", None))
    }
    if len({len(table) for table in tables.values()}) > 1:
        shown = ", ".join(f"{key} {len(table)}" for key, table in tables.items())
        raise InputError(f"{path}: frame counts differ ({shown}); export the motion again")
    root_pos, root_rot, joint_pos = tables.values()
    root_rot, units = _units(path, root_rot, called["root_rot"], reading.repairs)
    names, order = _names(path, clip, reading, called, root_pos, root_rot, joint_pos)
    with np.errstate(over="ignore", invalid="ignore"):  # too fast to be true, which the preflight says
        velocity = np.diff(root_pos, axis=0) * fps
    said = reading.quaternion == "auto" and clip.quaternion_said is not None
    root_quat, turned = read_quaternions(
        root_rot,
        clip.quaternion_said if said else reading.quaternion,
        velocity,
        said=said,
        convention=clip.convention,
        whose=clip.whose,
        **_evidence(clip, reading, names, root_pos, joint_pos),
    )
    found = [rate, *clip.notes, order, turned, units]
    name = f"{path.name}/{clip.name}" if clip.name else path.name
    return Motion(
        fps=fps,
        joint_names=names,
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_quat=root_quat,
        source=f"{name} ({'; '.join(filter(None, found))})",
        sha256=digest,
        weight=clip.weight,
    )


def _names(
    path: Path,
    clip: Clip,
    reading: Reading,
    called: Mapping[str, str],
    root_pos: np.ndarray,
    root_rot: np.ndarray,
    joint_pos: np.ndarray,
) -> tuple[tuple[str, ...], str]:
    """The joints' names, and a phrase where the file does not say them."""
    width, key, told = joint_pos.shape[1], called["joint_pos"], reading.joint_names
    if clip.joint_names is not None:
        names = stored_names(path, clip.joint_names, width, key=key, names_key=called["joint_names"])
        if told is not None and told_names(path, told, width, key=key, robot=reading.robot) != names:
            raise InputError(
                f"{path}: names its own joints, and they differ from the joint order given; leave the joint order out"
            )
        return names, ""
    rows = sampled_rows(len(joint_pos))

    def off(order: Order) -> float:
        bodies = replace(clip.bodies, positions=clip.bodies.positions[rows])
        # Where links are stored in the world, either order of the quaternion may be meant.
        return min(
            links_off(frames_of(order.names, joint_pos[rows], root_pos[rows], quat), bodies, order.robot)
            for quat in (root_rot[rows], root_rot[rows][:, [1, 2, 3, 0]])[: 1 if bodies.in_root else 2]
        )

    if told is None and clip.bodies is not None:
        return names_by_links(path, width, reading.robot, off, clip.bodies.names)
    rival = reading.robot is not None and reading.robot.num_joints == width
    if told is None and (width != 29 or (rival and set(reading.robot.joint_names) != set(JOINT_ORDERS["g1_29dof"]))):
        raise InputError(nameless(path, width))
    names = JOINT_ORDERS["g1_29dof"] if told is None else told_names(path, told, width, key=key, robot=reading.robot)
    phrase = f"joints taken for g1_29dof's, the one known order of {width}" if told is None else "joints as told"
    robot = robot_with(names, reading.robot)
    if robot is not None and clip.bodies is not None:
        metres = off(Order("as told", names, robot))
        if SAME_PLACE_M < metres < np.inf:  # links of other names say nothing against what was told
            raise InputError(
                f"{path}: the joint order given puts the links {metres * 100:.0f} cm from where the file has them, on "
                "average; leave it out, for the links to decide, or give the one that the file was written in"
            )
    if told is None and reading.robot is not None:
        known = orders(width, reading.robot)
        sample = joint_pos[rows], root_pos[rows], root_rot[rows]
        outside = {order.label: outside_limits(frames_of(order.names, *sample), order.robot) for order in known}
        no_better_order(path, names, outside, known)
    if robot is not None and reading.robot is not None:
        beyond = beyond_limits(frames_of(names, joint_pos[rows], root_pos[rows], root_rot[rows]), robot)
        if beyond:
            raise InputError(
                f"{path}: its {width} columns are not those of {robot.name}: {beyond}; name the robot that the file "
                "was made for with --robot, or the order of its columns with --joint_order"
            )
        phrase += f", and within {robot.name}'s limits"
    return names, phrase


def _evidence(
    clip: Clip, reading: Reading, names: tuple[str, ...], root_pos: np.ndarray, joint_pos: np.ndarray
) -> dict[str, Callable[[np.ndarray], float]]:
    """What a model can say of root rotations (N, 4): how far the feet are off, and the links."""
    robot, rows = robot_with(names, reading.robot), sampled_rows(len(joint_pos))
    if robot is None:
        return {}

    def turned(quat: np.ndarray) -> Motion:
        return frames_of(names, joint_pos[rows], root_pos[rows], quat[rows])

    found = {}
    if reading.robot is not None:
        found["feet"] = lambda quat: feet_off(turned(quat), robot)
    if clip.bodies is not None and not clip.bodies.in_root:
        bodies = replace(clip.bodies, positions=clip.bodies.positions[rows])
        found["links"] = lambda quat: links_off(turned(quat), bodies, robot)
    return found


def _units(path: Path, root_rot: np.ndarray, key: str, repairs: Collection[str] | None) -> tuple[np.ndarray, str]:
    """The quaternions at unit length, and a phrase about norms and signs that were otherwise.

    Raises:
        InputError: they are too far from it to be rotations, or to be repaired unasked.
    """
    with np.errstate(over="ignore"):  # a damaged file may hold numbers whose square is none; the check below says so
        norm = np.linalg.norm(root_rot.astype(np.float64), axis=1)
    worst = int(np.argmax(np.abs(norm - 1)))
    if abs(norm[worst] - 1) > 0.2:
        raise InputError(
            f"{path}: {key} has norm {norm[worst]:.3f} at frame {worst}, so it holds no rotation; "
            "export the motion again"
        )
    asked = repairs or ()
    found = []
    if abs(norm[worst] - 1) > 1e-3:
        between = f"norms {norm.min():.3f} to {norm.max():.3f}"
        if repairs is not None and "quaternion_norm" not in asked:
            raise InputError(
                f"{path}: {key} holds no unit quaternions ({between}, furthest at frame {worst}); bring them to unit "
                "length with --repair quaternion_norm"
            )
        found.append(f"repaired: {between} made 1" if asked else f"{between}, normalised")
    unit = root_rot / norm[:, None]
    flips = int(np.count_nonzero(np.einsum("ni,ni->n", unit[1:], unit[:-1]) < 0))
    if flips:
        count = f"{flips} sign flip{'s' if flips > 1 else ''} of the quaternion"
        found.append(f"repaired: {count} evened out" if "quaternion_sign" in asked else f"{count}, which turn nothing")
    return unit, "; ".join(found)
