"""A clip as a file stores it, and how to read what the file does not say."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from amp_helpers.motion.findings import Findings
from amp_helpers.robots.robot import Robot


@dataclass(frozen=True)
class Bodies:
    """Where a file says that the robot's links are."""

    positions: np.ndarray
    """(N, B, 3) m."""
    names: tuple[str, ...] | None = None
    """(B), where the file names them."""
    in_root: bool = False
    """In the root's frame; otherwise in the world."""


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
    """Table (N, 4) of quaternions."""
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
    root_body: str = ""
    """Body that the root's position and rotation were taken from, in a file of many bodies."""
    notes: tuple[str, ...] = ()
    """Other remarks for the user."""
    findings: Findings = field(default_factory=Findings)
    """What is known of the clip already, as of one in a dataset."""
    weight: float = 1.0
    """How often its frames are to be drawn, against others'."""
