"""What a robot's model says about a file: whose joints its columns are, and which way round its quaternions.

A model puts the links somewhere for every reading of a file. The right reading puts them where the file says they
were, the feet on the ground, and every joint within its limits.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from amp_helpers.formats.stored_clip import Bodies
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_29DOF, JOINT_ORDERS, ROBOTS, Robot, robot_with, robots_beside

if TYPE_CHECKING:
    from amp_helpers.robots.kinematics import Kinematics

SAMPLED_FRAMES = 60
"""Frames looked at, spread over the clip."""
SAME_PLACE_M = 0.02
"""Mean distance of links, m, up to which they are where the file says; models of one robot differ by millimetres."""
BEYOND_RAD = 0.5
"""A joint so far beyond its limits in half of the frames is another joint."""
OVERSHOOT_RAD = 0.1
"""How far beyond its limits retargeting may leave a joint."""


@dataclass(frozen=True)
class Order:
    """A meaning that a file's columns may have."""

    label: str
    names: tuple[str, ...]
    robot: Robot
    breadth_first: bool = False


def order_of(names: Sequence[str], robot: Robot | None = None) -> Order | None:
    """These columns as those of the first robot that has all the joints; None where no robot known has."""
    owner = robot_with(names, robot)
    return None if owner is None else Order(owner.name, tuple(names), owner)


def orders(width: int, robot: Robot | None = None) -> list[Order]:
    """Every known order of that many columns: depth-first as in the model, and breadth-first as on PhysX."""
    depth = [Order(known.name, known.joint_names, known) for known in robots_beside(robot)]
    depth += [Order(label, names, G1_29DOF) for label, names in JOINT_ORDERS.items() if label not in ROBOTS]
    return [order for first in depth if len(first.names) == width for order in (first, _breadth_first(first))]


def _breadth_first(order: Order) -> Order:
    from amp_helpers.robots.model import breadth_first  # MuJoCo is loaded only where a model is needed

    names = tuple(name for name in breadth_first(_kinematics(order.robot).model) if name in order.names)
    return Order(f"{order.label} breadth-first", names, order.robot, breadth_first=True)


@dataclass(frozen=True)
class Sample:
    """Some frames of a file, spread over the clip, as stored; what they mean is on trial."""

    joint_pos: np.ndarray
    """(S, J) rad."""
    root_pos: np.ndarray
    """(S, 3) m."""
    readings: Mapping[str, np.ndarray]
    """Order of the quaternion -> the root's rotations as xyzw, (S, 4) unit, were it stored so."""
    bodies: Bodies | None = None
    """Of the same frames."""

    @classmethod
    def of(
        cls, joint_pos: np.ndarray, root_pos: np.ndarray, readings: Mapping[str, np.ndarray], bodies: Bodies | None
    ) -> "Sample":
        """At most ``SAMPLED_FRAMES`` of the frames."""
        rows = np.unique(np.linspace(0, len(joint_pos) - 1, SAMPLED_FRAMES).astype(int))
        return cls(
            joint_pos=joint_pos[rows],
            root_pos=root_pos[rows],
            readings={name: quat[rows] for name, quat in readings.items()},
            bodies=None if bodies is None else replace(bodies, positions=bodies.positions[rows]),
        )

    def links_off(self, order: Order, reading: str | None = None) -> float:
        """Mean distance, m, between the model's links and the nearest that the file has; by name where it names them.

        Infinite where the robot has none of the names. Without a ``reading`` of the quaternion the better one counts.
        """
        kinematics, bodies = _kinematics(order.robot), self.bodies
        if reading is None and not bodies.in_root:
            return min(self.links_off(order, name) for name in self.readings)
        motion = self._motion(order.names, reading)
        if bodies.in_root:
            upright = np.tile([0.0, 0.0, 0.0, 1.0], (motion.num_frames, 1))
            motion = replace(motion, root_pos=np.zeros_like(motion.root_pos), root_quat=upright)
        links = kinematics.body_positions(motion)
        if bodies.names is None:
            return float(np.linalg.norm(links[:, :, None] - bodies.positions[:, None], axis=-1).min(axis=2).mean())
        shared = [name for name in kinematics.body_names if name in bodies.names]
        if not shared:
            return float("inf")
        here = links[:, [kinematics.body_names.index(name) for name in shared]]
        there = bodies.positions[:, [bodies.names.index(name) for name in shared]]
        return float(np.linalg.norm(here - there, axis=-1).mean())

    def feet_off(self, order: Order, reading: str) -> float:
        """Mean distance, m, of the lowest sole from the ground."""
        soles = _kinematics(order.robot).sole_heights(self._motion(order.names, reading))
        return float(np.abs(soles.min(axis=1)).mean())

    def outside(self, order: Order) -> float:
        """The share of frames in which some joint is further beyond its limits than retargeting leaves it."""
        return float((self._beyond(order)[0] > OVERSHOOT_RAD).any(axis=1).mean())

    def impossible(self, order: Order) -> str | None:
        """What tells that a column is no angle of the joint it is taken for; None when nothing does."""
        beyond, limits = self._beyond(order)
        share = (beyond > BEYOND_RAD).mean(axis=0)
        joint = int(share.argmax())
        if share[joint] < 0.5:
            return None
        angle, (low, high) = np.median(self.joint_pos[:, joint]), limits[joint]
        return f"{order.names[joint]} would be at {angle:.2f} rad, its limits are {low:.2f} to {high:.2f}"

    def _beyond(self, order: Order) -> tuple[np.ndarray, np.ndarray]:
        """How far angles are beyond their limits, (S, J) rad, negative within them; and the limits, (J, 2)."""
        from amp_helpers.robots.model import joint_limits

        limits = joint_limits(_kinematics(order.robot).model, order.names)
        return np.maximum(limits[:, 0] - self.joint_pos, self.joint_pos - limits[:, 1]), limits

    def _motion(self, names: Sequence[str], reading: str | None) -> Motion:
        quat = self.readings[reading or "xyzw"]
        return Motion(
            fps=1.0, joint_names=tuple(names), joint_pos=self.joint_pos, root_pos=self.root_pos, root_quat=quat
        )


@functools.cache
def _kinematics(robot: Robot) -> "Kinematics":
    # MuJoCo and the model take a second to load, and most files need neither.
    from amp_helpers.robots.kinematics import Kinematics

    return Kinematics(robot)
