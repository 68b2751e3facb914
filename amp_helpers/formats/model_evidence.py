"""Evidence from robot models on a file's column order and quaternion order.

Under the right orders, a model's links are where the file stores them, the feet are on the ground, and every joint is
within its limits.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.joint_names import match_names
from amp_helpers.formats.stored_clip import Bodies
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import rotate_inverse
from amp_helpers.robots.lookup import robot_with, robots_beside
from amp_helpers.robots.robot import G1_29DOF, JOINT_ORDERS, ROBOTS, Robot

if TYPE_CHECKING:
    from amp_helpers.robots.kinematics import Kinematics

SAMPLED_FRAMES = 60
"""Frames tested, spread over the clip."""
SAME_PLACE_M = 0.02
"""Largest mean link error, m, of the right order; models of one robot differ by millimeters."""
BEYOND_RAD = 0.5
"""A column this far beyond a joint's limits in half of the frames belongs to another joint."""
OVERSHOOT_RAD = 0.1
"""How far retargeting may exceed a joint's limits."""


@dataclass(frozen=True)
class Order:
    """A column order: joint names, and the robot whose joints they are."""

    label: str
    names: tuple[str, ...]
    robot: Robot
    breadth_first: bool = False

    @property
    def option(self) -> str:
        """How the user names it for ``--joint_order``."""
        return "physx" if self.breadth_first else self.label if self.label in JOINT_ORDERS else "robot"


def order_of(names: Sequence[str], robot: Robot | None = None) -> Order | None:
    """Return the order with these columns and the first robot that has them all, else the robot given if they have all
    of its joints; None if no known robot fits."""
    owner = robot_with(names, robot)
    if owner is None and robot is not None and set(robot.joint_names) <= set(names):
        owner = robot
    return None if owner is None else Order(owner.name, tuple(names), owner)


def orders(width: int, robot: Robot | None = None) -> list[Order]:
    """List every known order of that many columns: depth-first as in the model, and breadth-first as on PhysX.

    With ``robot``, these are its own, and those of built-in robots that have all of its joints.
    """
    family = robots_beside(robot)
    depth = [Order(known.name, known.joint_names, known) for known in family]
    if G1_29DOF in family:
        depth += [Order(label, names, G1_29DOF) for label, names in JOINT_ORDERS.items() if label not in ROBOTS]
    return [order for first in depth if len(first.names) == width for order in (first, _breadth_first(first))]


def _breadth_first(order: Order) -> Order:
    from amp_helpers.robots.model import breadth_first  # MuJoCo is loaded only where a model is needed

    names = tuple(name for name in breadth_first(_kinematics(order.robot).model) if name in order.names)
    return Order(f"{order.label} breadth-first", names, order.robot, breadth_first=True)


@dataclass(frozen=True)
class Evidence:
    """Sampled frames of a file, to compare with robot models under each candidate order."""

    joint_pos: np.ndarray
    """(S, J) rad, columns as stored."""
    root_pos: np.ndarray
    """(S, 3) m."""
    rotations: Mapping[str, np.ndarray]
    """Quaternion order -> the root's rotations read in that order, (S, 4) xyzw, unit."""
    bodies: Bodies | None = None
    """Link positions in the same frames."""
    _link_positions: dict[tuple[str, tuple[str, ...], str], np.ndarray] = field(default_factory=dict, repr=False)

    @classmethod
    def sample(
        cls, joint_pos: np.ndarray, root_pos: np.ndarray, rotations: Mapping[str, np.ndarray], bodies: Bodies | None
    ) -> "Evidence":
        """Take at most ``SAMPLED_FRAMES`` of the frames."""
        rows = np.unique(np.linspace(0, len(joint_pos) - 1, SAMPLED_FRAMES).astype(int))
        return cls(
            joint_pos=joint_pos[rows],
            root_pos=root_pos[rows],
            rotations={name: quat[rows] for name, quat in rotations.items()},
            bodies=None if bodies is None else replace(bodies, positions=bodies.positions[rows]),
        )

    def link_error(self, order: Order, quaternion: str | None = None) -> float:
        """Compute the mean distance, m, between the model's links and the file's: those of the same name. In a file
        without link names, each link is compared with the one that stays nearest to it; where a file has a few
        points that are at no link, such as feet beside the calf, how much they move in the link that holds them best
        counts.

        Infinite where the robot has none of the file's links. Without ``quaternion``, the better order counts.
        """
        bodies = self.bodies
        if bodies is None:
            return float("inf")
        if quaternion is None and not bodies.in_root:
            return min(self.link_error(order, name) for name in self.rotations)
        links = self._links(order, "root" if bodies.in_root else str(quaternion))
        if bodies.names is None:
            apart = np.linalg.norm(links[:, :, None] - bodies.positions[:, None], axis=-1).mean(axis=0)
            if apart.shape[0] <= apart.shape[1]:
                return float(apart.min(axis=1).mean())
            error = float(apart.min(axis=0).mean())  # a file may hold a few of the links
            if error <= SAME_PLACE_M:
                return error
            return min(error, self._movement_in_links(order, str(quaternion), bodies))
        pairs = _same_links(bodies.names, _kinematics(order.robot).body_names)
        if not pairs:
            return float("inf")
        stored, model = map(list, zip(*pairs, strict=True))
        return float(np.linalg.norm(links[:, model] - bodies.positions[:, stored], axis=-1).mean())

    def _movement_in_links(self, order: Order, quaternion: str, bodies: Bodies) -> float:
        """Compute how much, m, the file's points move in the model's link that holds each best."""
        motion = self._posed(order, "root" if bodies.in_root else quaternion)
        kinematics = _kinematics(order.robot)
        links, turns = kinematics.body_positions(motion), kinematics.body_rotations(motion)
        apart = bodies.positions[:, None] - links[:, :, None]
        held = rotate_inverse(np.repeat(turns[:, :, None], apart.shape[2], axis=2), apart)
        return float(np.linalg.norm(held - held.mean(axis=0), axis=-1).mean(axis=0).min(axis=0).mean())

    def attachment_error(self, quaternion: str) -> float | None:
        """Compute how much, m, the link that is held best in the root's frame moves in it; no model is needed.

        A robot's root carries some links, such as the first of each leg, without moving them: read in the right order,
        they stay where they are. None where the file has no link positions in the world.
        """
        bodies = self.bodies
        if bodies is None or bodies.in_root:
            return None
        away = bodies.positions - self.root_pos[:, None]
        beside = np.linalg.norm(away, axis=2).min(axis=0) > 0.01  # not the root itself
        if not beside.any() or len(away) < 3:
            return None
        turns = np.repeat(self.rotations[quaternion][:, None], int(beside.sum()), axis=1)
        held = rotate_inverse(turns, away[:, beside])
        return float(np.linalg.norm(held - held.mean(axis=0), axis=2).mean(axis=0).min())

    def ground_error(self, order: Order, quaternion: str) -> float | None:
        """Compute the mean distance, m, of the robot's lowest point from the ground; None for a model without shapes.

        Feet need not be lowest: a robot on its hands has them up.
        """
        heights = _kinematics(order.robot).lowest_heights(self._motion(order, quaternion))
        return None if heights is None else float(np.abs(heights).mean())

    def _links(self, order: Order, frame: str) -> np.ndarray:
        """Compute the model's link positions once: in the root's frame, or with a quaternion order in the world's."""
        key = (order.robot.name, order.names, frame)
        if key not in self._link_positions:
            self._link_positions[key] = _kinematics(order.robot).body_positions(self._posed(order, frame))
        return self._link_positions[key]

    def _posed(self, order: Order, frame: str) -> Motion:
        """The sampled frames in the root's frame, or with a quaternion order in the world's."""
        motion = self._motion(order, "xyzw" if frame == "root" else frame)
        if frame != "root":
            return motion
        upright = np.tile([0.0, 0.0, 0.0, 1.0], (motion.num_frames, 1))
        return replace(motion, root_pos=np.zeros_like(motion.root_pos), root_quat=upright)

    def sole_error(self, order: Order, quaternion: str) -> float:
        """Compute the mean distance, m, of the lowest sole from the ground."""
        soles = _kinematics(order.robot).sole_heights(self._motion(order, quaternion))
        return float(np.abs(soles.min(axis=1)).mean())

    def share_beyond_limits(self, order: Order) -> float:
        """Compute the share of frames in which some joint exceeds its limits by more than retargeting may."""
        return float((self._excess(order)[0] > OVERSHOOT_RAD).any(axis=1).mean())

    def implausible_joint(self, order: Order) -> str | None:
        """Describe the column that is farthest from being an angle of its joint; None when all are plausible."""
        excess, limits = self._excess(order)
        share = (excess > BEYOND_RAD).mean(axis=0)
        joint = int(share.argmax())
        if share[joint] < 0.5:
            return None
        angle, (low, high) = np.median(self.joint_pos[:, joint]), limits[joint]
        return f"{order.names[joint]} would be at {angle:.2f} rad, its limits are {low:.2f} to {high:.2f}"

    def _excess(self, order: Order) -> tuple[np.ndarray, np.ndarray]:
        """Compute how far angles exceed their limits, (S, J) rad, negative within them; and the limits, (J, 2)."""
        from amp_helpers.robots.model import joint_limits

        known = [name for name in order.names if name in order.robot.joint_names]
        limits = np.tile((-np.inf, np.inf), (len(order.names), 1))
        limits[[name in known for name in order.names]] = joint_limits(_kinematics(order.robot).model, tuple(known))
        return np.maximum(limits[:, 0] - self.joint_pos, self.joint_pos - limits[:, 1]), limits

    def _motion(self, order: Order, quaternion: str) -> Motion:
        kept = [column for column, name in enumerate(order.names) if name in order.robot.joint_names]
        return Motion(
            fps=1.0,
            joint_names=tuple(order.names[column] for column in kept),
            joint_pos=self.joint_pos[:, kept],
            root_pos=self.root_pos,
            root_quat=self.rotations[quaternion],
        )


@functools.lru_cache(maxsize=64)
def _same_links(stored: tuple[str, ...], model: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pair the links of a file with those of a model: by equal names, or else as joints are matched."""
    pairs = [(stored.index(name), column) for column, name in enumerate(model) if name in stored]
    if pairs or len(set(stored)) < len(stored):
        return pairs
    try:
        found = match_names(stored, model).joints
    except InputError:  # two names of one link
        return []
    return [(column, model.index(name)) for column, name in enumerate(found) if name]


@functools.cache
def _kinematics(robot: Robot) -> "Kinematics":
    # MuJoCo takes a second to load, and most files need no model.
    from amp_helpers.robots.kinematics import Kinematics

    return Kinematics(robot)
