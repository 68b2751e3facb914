"""How well a clip fits a robot's body: the effect of wrong order, side, sign or offset on feet, limits and links.

The measures do not depend on the kind of motion. A wrong sign makes links overlap, joints exceed their limits, and the
standing foot slide or tilt, in a walk as in a dance.
"""

import functools
from collections.abc import Collection
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from scipy.spatial import ConvexHull

from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import Robot
from amp_helpers.robots.soles import Sole, soles
from amp_helpers.robots.symmetry import mirror_joints

SAMPLE_HZ = 30.0
_STRETCH_S = 1.5
_CONTACT_M = 0.01
_DOUBLE_SUPPORT_M = 0.02
_FLAT_M = 0.005
_NATURAL_ASYMMETRY_RAD = 0.15
"""Captured people hold their arms up to this far from mirror images."""
_MAX_SLIP_MPS = 4.0
"""Bound of the slip speed, so that one jump of the root does not outweigh the rest of the clip."""
_MAX_TERM = 8.0


@dataclass(frozen=True, kw_only=True)
class BodyFit:
    """How plausible a clip is on a body: means over its frames. 0 is best, except for :attr:`height_m`."""

    slip_mps: float
    """Horizontal speed of sole points that touch the ground, m/s."""
    tilt_rad: float
    """Tilt of the standing sole, rad; 0 for feet without a flat side."""
    height_spread_m: float
    """Absolute deviation of the lowest sole's height from its median, m."""
    imbalance_m: float
    """Lateral distance of the root from the span of the standing feet, m; 0 within it and for other than two feet."""
    limit_excess_rad: float
    """Sum over joints of the excess beyond their limits, rad."""
    overlap_m: float
    """Sum of the penetration depths between links, m."""
    asymmetry_rad: float
    """Sum over symmetric joint pairs of the difference between their mean angles and mirror images, rad."""
    height_m: float
    """Median height of the lowest sole above the ground, m."""

    @property
    def terms(self) -> dict[str, float]:
        """Each measure divided by its tolerance in :data:`FIT_TERMS`, at most 8."""
        return {name: min(getattr(self, name) / term.tolerance, _MAX_TERM) for name, term in FIT_TERMS.items()}

    @property
    def misfit(self) -> float:
        """Sum of the terms."""
        return sum(self.terms.values())

    def physical_misfit(self, without: Collection[str] = ()) -> float:
        """Sum of the terms but for these names and asymmetry, which is unusual but not impossible."""
        return sum(value for name, value in self.terms.items() if name not in ("asymmetry_rad", *without))


@dataclass(frozen=True)
class FitTerm:
    """One term of the misfit."""

    tolerance: float
    """Value that a correct clip may have, in the unit of the field."""
    phrase: str
    """Text with a placeholder for the value."""
    number_format: str
    """Format of the value."""
    factor: float = 1.0
    """Factor from the field's unit to that of the phrase."""


FIT_TERMS = {
    "slip_mps": FitTerm(0.2, "the standing foot slides at {} m/s", ".2f"),
    "tilt_rad": FitTerm(0.15, "the standing foot is tilted by {} degrees", ".0f", 180 / np.pi),
    "height_spread_m": FitTerm(0.02, "the height of the lower sole varies by {} cm", ".1f", 100.0),
    "imbalance_m": FitTerm(0.05, "the root is {} cm beside the standing foot", ".0f", 100.0),
    "limit_excess_rad": FitTerm(0.05, "joints are {} rad beyond their limits", ".2f"),
    "overlap_m": FitTerm(0.02, "links overlap by {} mm", ".0f", 1000.0),
    "asymmetry_rad": FitTerm(0.3, "left and right are {} rad from mirror images", ".2f"),
}
"""Field of :class:`BodyFit` -> its term."""


def describe_improvement(before: BodyFit, after: BodyFit) -> str:
    """Describe the measures that improve most, two at most: the value after, instead of the value before."""
    gain = {name: value - after.terms[name] for name, value in before.terms.items()}
    best = [name for name in sorted(gain, key=gain.__getitem__, reverse=True) if gain[name] > 0.3][:2]
    parts = []
    for name in best:
        term = FIT_TERMS[name]
        new, old = (format(getattr(fit, name) * term.factor, term.number_format) for fit in (after, before))
        parts.append(f"{term.phrase.format(new)} instead of {old}")
    return "; ".join(parts)


@dataclass(frozen=True, eq=False)
class ClipSample:
    """Stretches of a clip at about 30 frames per second, spread from its start to its end."""

    motion: Motion
    """The sampled frames (N), one stretch after the other."""
    joined: np.ndarray
    """(N-1,) bool, whether a frame and the next belong to one stretch."""
    dt: float
    """Time between the frames of a stretch, s."""
    frames: np.ndarray
    """(N,) indices of the frames in the clip."""

    @classmethod
    def of(cls, motion: Motion, frames: int) -> "ClipSample":
        """Sample about ``frames`` frames of a clip, or all of a shorter one."""
        step = max(1, round(motion.fps / SAMPLE_HZ))
        available = (motion.num_frames - 1) // step + 1
        length = min(available, max(2, round(_STRETCH_S * motion.fps / step)), max(2, frames))
        count = max(1, frames // length)
        if available <= frames:
            starts, length = np.array([0]), available
        else:
            starts = np.linspace(0, available - length, count).astype(int)
        picks = (starts[:, None] + np.arange(length)).ravel() * step
        joined = np.ones(len(picks) - 1, dtype=bool)
        joined[length - 1 :: length] = False
        return cls(motion.at_frames(picks), joined, step / motion.fps, picks)


class BodyModel:
    """A robot's kinematics, soles, joint limits and symmetry; :func:`body_model` caches one for each robot."""

    def __init__(self, robot: Robot) -> None:
        self.kinematics = Kinematics(robot)
        self.robot = robot
        self._model = self.kinematics.model
        self._data = mujoco.MjData(self._model)
        self._feet = [self._model.body(name).id for name in robot.foot_bodies]
        self.soles = soles(self.kinematics)
        """Soles of the robot's feet, in the order of ``Robot.foot_bodies``."""
        self._outlines = [_outline(sole) for sole in self.soles]
        self._flat = np.array([_is_flat(sole) for sole in self._outlines])
        limits = robot.joint_limits().astype(np.float64)
        self._low, self._high = limits.T
        mirror = mirror_joints(self._model)
        self.pairs = {name: other for name, (other, _) in mirror.items() if other != name}
        """Joint -> its counterpart on the other side."""
        self.mirror_signs = {name: sign for name, (_, sign) in mirror.items()}

    @property
    def leg_joints(self) -> set[str]:
        """Joints between the root and a foot."""
        above: set[int] = set()
        for foot in self._feet:
            body = foot
            while body:
                above.add(body)
                body = int(self._model.body_parentid[body])
        joints = (self._model.joint(index) for index in range(1, self._model.njnt))
        return {joint.name for joint in joints if int(self._model.jnt_bodyid[joint.id]) in above}

    def fit(self, sample: ClipSample, motion: Motion | None = None) -> BodyFit:
        """Evaluate how well a sample fits the body.

        Args:
            sample: the sample; joints unknown to the robot are ignored, missing joints hold the default pose.
            motion: changed version of the sample's frames to evaluate instead.
        """
        motion = motion or sample.motion
        kept = [name for name in motion.joint_names if name in self.robot.joint_names]
        motion = motion if len(kept) == len(motion.joint_names) else motion.select(kept)
        position, rotation, overlap = self._pose(motion)
        points = [
            position[:, foot, None] + sole.centers @ np.swapaxes(rotation[:, foot], 1, 2)
            for foot, sole in enumerate(self._outlines)
        ]
        heights = [at[..., 2] - sole.radii for at, sole in zip(points, self._outlines, strict=True)]
        soles_low = np.stack([height.min(axis=1) for height in heights], axis=1)
        lowest = soles_low.min(axis=1)
        standing = soles_low <= lowest[:, None] + 1e-9
        level = float(np.median(lowest))
        return BodyFit(
            slip_mps=self._slip(points, heights, lowest, sample),
            tilt_rad=self._tilt(rotation, standing),
            height_spread_m=float(np.abs(lowest - level).mean()),
            imbalance_m=self._imbalance(motion, position, soles_low < lowest[:, None] + _DOUBLE_SUPPORT_M),
            limit_excess_rad=self._limit_excess(motion),
            overlap_m=overlap,
            asymmetry_rad=self._asymmetry(motion),
            height_m=level,
        )

    def foot_poses(self, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
        """Positions (N, F, 3) m and rotation matrices (N, F, 3, 3) of the foot links in the world frame."""
        return self._pose(motion, overlaps=False)[:2]

    def _pose(self, motion: Motion, overlaps: bool = True) -> tuple[np.ndarray, np.ndarray, float]:
        """Positions (N, F, 3) m and rotations (N, F, 3, 3) of the foot links, and the mean link overlap, m."""
        model, data = self._model, self._data
        qpos = self.kinematics.qpos(motion)
        position = np.empty((len(qpos), len(self._feet), 3))
        rotation = np.empty((len(qpos), len(self._feet), 9))
        depths = [0.0]
        for frame, values in enumerate(qpos):
            data.qpos[:] = values
            mujoco.mj_kinematics(model, data)
            position[frame] = data.xpos[self._feet]
            rotation[frame] = data.xmat[self._feet]
            if overlaps and frame % 3 == 0:  # at 10 Hz, which suffices for an arm inside a thigh
                mujoco.mj_collision(model, data)
                between_links = (model.geom_bodyid[data.contact.geom] > 0).all(axis=1)
                depths.append(np.maximum(-data.contact.dist[between_links], 0).sum())
        return position, rotation.reshape(*rotation.shape[:2], 3, 3), float(np.mean(depths[1:] or depths))

    def _slip(self, points: list, heights: list, lowest: np.ndarray, sample: ClipSample) -> float:
        speeds = []
        for at, height in zip(points, heights, strict=True):
            touching = height < lowest[:, None] + _CONTACT_M
            both = touching[1:] & touching[:-1] & sample.joined[:, None]
            speeds.append(np.linalg.norm(np.diff(at[..., :2], axis=0)[both], axis=-1) / sample.dt)
        together = np.concatenate(speeds)
        return float(np.minimum(together, _MAX_SLIP_MPS).mean()) if together.size else 0.0

    def _tilt(self, rotation: np.ndarray, standing: np.ndarray) -> float:
        up = np.stack([rotation[:, foot, 2] @ sole.up for foot, sole in enumerate(self._outlines)], axis=1)
        flat = standing & self._flat
        return float(np.arccos(np.clip(up[flat], -1, 1)).mean()) if flat.any() else 0.0

    def _imbalance(self, motion: Motion, position: np.ndarray, standing: np.ndarray) -> float:
        if len(self._feet) != 2:  # only a biped balances over one foot
            return 0.0
        aside = np.einsum("nfi,ni->nf", position - motion.root_pos[:, None], _left(motion))
        leftmost = np.where(standing, aside, -np.inf).max(axis=1)
        rightmost = np.where(standing, aside, np.inf).min(axis=1)
        return float(np.maximum(0, np.maximum(rightmost, -leftmost)).mean())

    def _limit_excess(self, motion: Motion) -> float:
        columns = JointOrder(motion.joint_names).indices_from(self.robot.joint_names)
        low, high = self._low[columns], self._high[columns]
        angles = motion.joint_pos.astype(np.float64)
        return float(np.maximum(np.maximum(low - angles, angles - high), 0).sum(axis=1).mean())

    def _asymmetry(self, motion: Motion) -> float:
        """Compare pairs only where both joints move alike; otherwise each side has a task of its own."""
        mean, spread = motion.joint_pos.mean(axis=0), motion.joint_pos.std(axis=0)
        total = 0.0
        for here, name in enumerate(motion.joint_names):
            other = self.pairs.get(name)
            if other not in motion.joint_names or motion.joint_names.index(other) < here:
                continue
            there = motion.joint_names.index(other)
            small, large = sorted((spread[here], spread[there]))
            if small > 0.02 and large < 2 * small:
                total += max(0.0, abs(mean[here] - self.mirror_signs[name] * mean[there]) - _NATURAL_ASYMMETRY_RAD)
        return float(total)


def _left(motion: Motion) -> np.ndarray:
    """Horizontal unit vectors to the left of the root in the world frame, (N, 3)."""
    x, y, z, w = motion.root_quat.T
    left = np.stack([2 * (x * y - z * w), 1 - 2 * (x * x + z * z), np.zeros(len(x))], axis=1)
    return left / np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-9)


def _is_flat(sole: Sole) -> bool:
    """Whether at least three points of a sole touch the ground at once; tilt is undefined for a ball or a stick."""
    height = sole.centers @ sole.up - sole.radii
    return bool(np.count_nonzero(height < height.min() + _FLAT_M) > 2)


def _outline(sole: Sole) -> Sole:
    """Reduce a mesh's thousands of points to those on the convex hull."""
    if len(sole.centers) <= 64:
        return sole
    outer = ConvexHull(sole.centers).vertices
    return replace(sole, centers=sole.centers[outer], radii=sole.radii[outer])


@functools.cache
def body_model(robot: Robot) -> BodyModel:
    """Return the cached body model of a robot; compiling the model takes longer than checking a clip."""
    return BodyModel(robot)
