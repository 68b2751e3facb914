"""What the checks of a clip share: its joints, recording defects, diagnosis and sole tracks, each computed once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from amp_helpers.checks.body_fit import BodyModel, ClipSample, body_model
from amp_helpers.checks.diagnosis import SAMPLE_FRAMES, Diagnosis, diagnose
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.repair import Defect, find_defects, root_speeds
from amp_helpers.robots.kinematics import GRAVITY
from amp_helpers.robots.robot import Robot
from amp_helpers.robots.soles import slip

MAX_FRAMES = 30_000
"""Default bound of the frames whose feet are computed: ten minutes at 50 fps."""

_MAX_ANGLE_RAD = 2 * np.pi
"""No joint of a humanoid turns more than once; angles in degrees exceed this in any movement."""

FALL_MPS2 = 1.7 * GRAVITY
"""Fall that no robot does, m/s². Retargeted runs, flips and dances fall with up to 13.3, as poses and places are not
scaled alike; runs at twice their frame rate with 22 to 32, and walks with up to 14, as a faster walk may."""
FALL_SPAN_S = 0.08
"""Time before and after a moment over which its acceleration is a mean: a flight of a run lasts twice as long."""

_MOST_FALLS = 50
"""Bound of the moments at which the center of mass is computed."""


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

    @property
    def impossible_fall(self) -> tuple[int, float] | None:
        """Frame at which root and center of mass fall fastest, and the acceleration of the slower of them, m/s².

        ``None`` where it is at most ``FALL_MPS2`` or not known, or the root jumps. The root alone falls faster in a
        flip, as it goes round the center of mass.
        """
        motion = self.motion
        span = math.ceil(FALL_SPAN_S * motion.fps - 1e-6)
        if motion.num_frames <= 2 * span or self.in_degrees or self.robot.missing_meshes or root_speeds(motion)[2].size:
            return None  # missing meshes may carry masses
        fall = _falls(motion.root_pos[:, 2], span, motion.fps)
        first = np.argsort(fall)[-_MOST_FALLS:]
        first = first[fall[first] > FALL_MPS2]
        if not first.size:
            return None
        frames = np.unique(first[:, None] + (0, span, 2 * span))
        heights = np.zeros(motion.num_frames)
        heights[frames] = self.body.kinematics.centers_of_mass(motion.at_frames(frames))[:, 2]
        both = np.minimum(fall, _falls(heights, span, motion.fps))[first]
        fastest = both.argmax()
        return (int(first[fastest]) + span, float(both[fastest])) if both[fastest] > FALL_MPS2 else None

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


def _falls(height: np.ndarray, span: int, fps: float) -> np.ndarray:
    """Mean downward acceleration within ``span`` frames of each frame from ``span`` on, (N - 2 span,), m/s²."""
    return (2 * height[span:-span] - height[2 * span :] - height[: -2 * span]) * (fps / span) ** 2
