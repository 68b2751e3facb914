"""A clip as a file stores it, and the user's answers to what a file leaves open."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from amp_helpers.motion.findings import Findings, QuaternionOrder
from amp_helpers.robots.robot import Robot


@dataclass(frozen=True)
class Bodies:
    """Link positions that a file stores."""

    positions: np.ndarray
    """(N, B, 3) m."""
    names: tuple[str, ...] | None = None
    """(B); None where the file does not name its links."""
    in_root: bool = False
    """In the root's frame rather than the world's."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What the user says about a file, used where the file does not say it."""

    joint_names: Sequence[str] | str | None = None
    """Names of the joint columns, a key of ``JOINT_ORDERS``, or ``robot`` or ``physx``: the robot's own order,
    depth-first or breadth-first."""
    quaternion: str = "auto"
    """``auto``, ``xyzw`` or ``wxyz``."""
    fps: float | None = None
    """Frames per second."""
    up: str | None = None
    """Axis of the world that points up, ``z`` or ``y``; None takes z where the feet do not speak for y."""
    robot: Robot | None = None
    """Robot that the file is for; None compares with this project's robots, where nothing else decides."""
    repairs: Collection[str] | None = None
    """Names of the repairs to make."""


@dataclass(frozen=True, kw_only=True)
class StoredClip:
    """One clip as a file stores it; nothing is checked or decided yet."""

    joint_pos: object
    """Table (N, J), rad."""
    root_pos: object
    """Table (N, 3), m."""
    root_rot: object
    """Table (N, 4) of quaternions."""
    fps: object = None
    """Frames per second; None where the file does not state it."""
    usual_fps: str = ""
    """The rate that the format's makers record at, as an option with its condition (``--fps 50 if …``), for the error
    message of a file without a frame rate."""
    joint_names: object = None
    """(J); None where the file does not name its joints."""
    order_convention: Literal["depth-first", "breadth-first"] | None = None
    """Order in which the format has the robot's joints, taken where neither names nor links decide."""
    name: str = ""
    """Name of the clip in a file of several."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """The file's own terms for ``joint_pos``, ``root_pos``, ``root_rot`` and ``joint_names``, for error messages."""
    quaternion: QuaternionOrder | None = None
    """Quaternion order that the file itself states."""
    quaternion_computed: bool = False
    """The reader computed the quaternions, of Euler angles for instance, so that nobody needs to say their order."""
    quaternion_convention: QuaternionOrder = "xyzw"
    """The format's quaternion order, assumed where the evidence does not decide."""
    convention_of: str = "GMR's"
    """Format of that convention, as a possessive."""
    bodies: Bodies | None = None
    """Link positions, where the file stores them."""
    weight: float = 1.0
    """How often each frame is drawn when training, against those of a clip of weight 1."""
    command: tuple[float, float] | None = None
    """Forward and turning speed that the clip is a reference for, m/s and rad/s, where the file states them."""
    root_body: str = ""
    """Body that the root's position and rotation were taken from, in a file of many bodies."""
    notes: tuple[str, ...] = ()
    """Other remarks for the user."""
    findings: Findings = field(default_factory=Findings)
    """Findings recorded in the file, as in a dataset."""
