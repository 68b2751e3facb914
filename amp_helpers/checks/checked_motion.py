"""What the checks of a clip share: its joints, recording defects, diagnosis and sole tracks, each computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from amp_helpers.checks.body_fit import BodyModel, ClipSample, body_model
from amp_helpers.checks.diagnosis import SAMPLE_FRAMES, Diagnosis, diagnose
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.repair import Defect, find_defects
from amp_helpers.robots.robot import Robot
from amp_helpers.robots.soles import slip

MAX_FRAMES = 30_000
"""Default bound of the frames whose feet are computed: ten minutes at 50 fps."""

_MAX_ANGLE_RAD = 2 * np.pi
"""No joint of a humanoid turns more than once; angles in degrees exceed this in any movement."""


@dataclass(frozen=True, eq=False)
class SoleTrack:
    """The soles of F feet in N frames of a clip, or in stretches of a long one."""

    frames: np.ndarray
    """(N,) indices of the frames in the clip."""
    sampled: bool
    """Whether the frames are only a part of the clip's."""
    heights: np.ndarray
    """(N, F) m, height of each sole's lowest point."""
    slips: np.ndarray
    """(N, F) m/s, horizontal speed of each sole's lowest point to the next frame."""
    joined: np.ndarray
    """(N-1,) bool, whether a frame and the next are neighbors in time."""
    root_speed_mps: float
    """Mean horizontal speed of the root, m/s."""

    @classmethod
    def of(cls, motion: Motion, body: BodyModel, max_frames: int) -> "SoleTrack":
        """Compute the soles on at most ``max_frames`` frames, in stretches from the start to the end of the clip."""
        sampled = motion.num_frames > max_frames
        if sampled:
            sample = ClipSample.of(motion, max_frames)
            motion, frames, joined, dt = sample.motion, sample.frames, sample.joined, sample.dt
        else:
            frames, joined, dt = np.arange(motion.num_frames), np.ones(motion.num_frames - 1, dtype=bool), motion.dt
        position, rotation = body.foot_poses(motion)
        feet = list(enumerate(body.soles))
        heights = np.stack([sole.height(position[:, i], rotation[:, i]) for i, sole in feet], axis=1)
        slips = np.stack([slip(sole, position[:, i], rotation[:, i], dt) for i, sole in feet], axis=1)
        travel = np.linalg.norm(np.diff(motion.root_pos[:, :2], axis=0), axis=1)[joined] / dt
        return cls(frames, sampled, heights, slips, joined, float(travel.mean()))

    @property
    def lowest(self) -> np.ndarray:
        """(N,) m, height of the lowest sole."""
        return self.heights.min(axis=1)

    @property
    def level_m(self) -> float:
        """Height on which the clip stands: the median of the lowest sole, m."""
        return float(np.median(self.lowest))

    @property
    def note(self) -> str:
        """Remark for the evidence of a check; empty where all frames were computed."""
        return f" ({len(self.frames)} frames sampled)" if self.sampled else ""


@dataclass(frozen=True, eq=False)
class CheckedMotion:
    """A clip and the robot that it is checked for."""

    original: Motion
    """The clip as read; may have joints that the robot lacks."""
    robot: Robot
    max_frames: int = MAX_FRAMES
    """Bound of the frames whose feet are computed; a longer clip is sampled."""
    env_joint_names: Sequence[str] | None = None
    """An order in which the columns may be although they are named otherwise."""
    diagnosed: bool = True
    """Whether the clip is diagnosed; otherwise the checks that need a diagnosis have no outcome."""

    @cached_property
    def motion(self) -> Motion:
        """The clip with the joints that it shares with the robot, in the robot's order."""
        return self.original.select(self.shared_joints)

    @property
    def shared_joints(self) -> list[str]:
        """Joints of the robot that the clip has."""
        return [name for name in self.robot.joint_names if name in self.original.joint_names]

    @property
    def has_steps(self) -> bool:
        """Whether the clip has at least two frames."""
        return self.original.num_frames > 1

    @property
    def in_degrees(self) -> bool:
        """Whether an angle is too large to be in radians."""
        return bool(np.abs(self.motion.joint_pos).max() > _MAX_ANGLE_RAD)

    @cached_property
    def recording_defects(self) -> dict[str, Defect]:
        """Defects that :mod:`amp_helpers.motion.repair` finds, by the repair's name."""
        found = find_defects(self.motion)
        if "duplicate_frames" in found:  # steps around a repeated frame look like gaps
            found.pop("missing_frames", None)
            repaired = find_defects(found["duplicate_frames"].repaired)
            found |= {name: defect for name, defect in repaired.items() if name == "missing_frames"}
        return found

    @cached_property
    def body(self) -> BodyModel:
        """Body model of the robot."""
        return body_model(self.robot)

    @cached_property
    def fits_body(self) -> bool:
        """Whether the feet can be computed: not for one frame, without all leg joints, or for angles in degrees."""
        return self.has_steps and not self.in_degrees and self.body.leg_joints <= set(self.motion.joint_names)

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """Fit of the clip to the body; ``None`` where the feet cannot be computed."""
        if not self.fits_body or not self.diagnosed:
            return None
        frames = int(np.clip(self.max_frames // 10, 60, SAMPLE_FRAMES))
        return diagnose(self.original, self.body, self.env_joint_names, frames)

    @cached_property
    def sole_track(self) -> SoleTrack | None:
        """Soles over the clip; ``None`` where the feet cannot be computed."""
        return SoleTrack.of(self.motion, self.body, self.max_frames) if self.fits_body else None
