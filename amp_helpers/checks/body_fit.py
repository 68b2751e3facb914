"""How well a clip fits a robot's body: what a wrong order, side, sign or offset does to feet, limits and links.

Nothing here knows the motion. A wrong sign makes links overlap, joints leave their limits and the standing foot slide
or stand on its edge, in a walk as in a dance.
"""

import functools
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from scipy.spatial import ConvexHull

from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import Robot
from amp_helpers.robots.soles import Sole, soles
from amp_helpers.robots.symmetry import counterparts, mirror_signs

SAMPLE_HZ = 30.0
_STRETCH_S = 1.5
_CONTACT_M = 0.01
_BOTH_STAND_M = 0.02
_FLAT_M = 0.005
_ASYMMETRY_RAD = 0.15
"""People hold their arms so far from mirror images."""
_FASTEST_MPS = 4.0
"""A jump of the root is no sliding foot, and must not outweigh the rest of the clip."""
_LONGEST_TERM = 8.0


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a clip does to a body, means over its frames; 0 is best in every number but :attr:`height_m`."""

    slip_mps: float
    """Horizontal speed of what touches the ground."""
    tilt_rad: float
    """Tilt of the sole that stands, 0 for feet that have no flat side."""
    uneven_m: float
    """How far the lowest sole strays from its median height."""
    balance_m: float
    """How far to the side of the feet that stand the root is; 0 while it is between them."""
    beyond_rad: float
    """Sum over joints of how far they lie beyond their limits."""
    overlap_m: float
    """Sum of how deep links lie in each other."""
    lopsided_rad: float
    """Sum over pairs of joints that move alike of how far their mean angles are from mirror images."""
    height_m: float
    """Median height of the lowest sole above the ground."""

    @property
    def terms(self) -> dict[str, float]:
        """Each number in units of what a sound clip may well have, at most 8."""
        return {name: min(getattr(self, name) / usual, _LONGEST_TERM) for name, (usual, _, _) in TERMS.items()}

    @property
    def misfit(self) -> float:
        """The sum of the terms."""
        return sum(self.terms.values())

    @property
    def impossible(self) -> float:
        """The misfit without being lopsided, which is unlikely but not wrong."""
        return self.misfit - self.terms["lopsided_rad"]


TERMS = {
    "slip_mps": (0.2, "the standing foot slides at {:.2f} m/s", 1.0),
    "tilt_rad": (0.15, "the standing foot is tilted by {:.0f} degrees", 180 / np.pi),
    "uneven_m": (0.02, "the lower sole strays by {:.1f} cm", 100.0),
    "balance_m": (0.05, "the root is {:.0f} cm beside the standing foot", 100.0),
    "beyond_rad": (0.05, "joints are {:.2f} rad beyond their limits", 1.0),
    "overlap_m": (0.02, "links overlap by {:.0f} mm", 1000.0),
    "lopsided_rad": (0.3, "left and right are {:.2f} rad from mirror images", 1.0),
}
"""Term -> what a sound clip may well have, how to say a value, and the factor to the unit it is said in."""


def contrast(stored: Fit, changed: Fit, most: int = 2) -> str:
    """The numbers that a change improves most, after it and before."""
    gain = {name: value - changed.terms[name] for name, value in stored.terms.items()}
    best = [name for name in sorted(gain, key=gain.__getitem__, reverse=True) if gain[name] > 0.3][:most]
    parts = []
    for name in best:
        _, phrase, factor = TERMS[name]
        number = "{" + phrase.partition("{")[2].partition("}")[0] + "}"
        after, before = getattr(changed, name) * factor, getattr(stored, name) * factor
        parts.append(f"{phrase.format(after)} instead of {number.format(before)}")
    return "; ".join(parts)


@dataclass(frozen=True, eq=False)
class Sample:
    """Stretches of a clip at about 30 frames per second, from its start to its end."""

    motion: Motion
    """The frames, one stretch after the other."""
    joined: np.ndarray
    """(N-1,) bool, whether two neighbouring frames belong to one stretch."""
    dt: float
    """Seconds between neighbouring frames of a stretch."""
    frames: np.ndarray
    """(N,) the frames' numbers in the clip."""

    @classmethod
    def of(cls, motion: Motion, frames: int) -> "Sample":
        """At most about ``frames`` frames of a clip."""
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
        part = replace(
            motion,
            joint_pos=motion.joint_pos[picks],
            root_pos=motion.root_pos[picks],
            root_quat=motion.root_quat[picks],
        )
        return cls(part, joined, step / motion.fps, picks)


class Body:
    """A robot's body, ready to have clips tried on; :func:`body_of` keeps one for each robot."""

    def __init__(self, robot: Robot) -> None:
        self.kinematics = Kinematics(robot)
        self.robot = robot
        self._model = self.kinematics.model
        self._data = mujoco.MjData(self._model)
        self._feet = [self._model.body(name).id for name in robot.foot_bodies]
        self._soles = [_outline(sole) for sole in soles(self.kinematics)]
        self._flat = np.array([_is_flat(sole) for sole in self._soles])
        limits = robot.joint_limits().astype(np.float64)
        self._low, self._high = limits.T
        self.pairs = counterparts(robot.joint_names)
        """Joint -> its counterpart on the other side."""
        self.mirror_signs = mirror_signs(self._model)

    @property
    def leg_joints(self) -> set[str]:
        """The joints that move a foot."""
        above: set[int] = set()
        for body in self._feet:
            while body:
                above.add(body)
                body = int(self._model.body_parentid[body])
        joints = (self._model.joint(index) for index in range(1, self._model.njnt))
        return {joint.name for joint in joints if int(self._model.jnt_bodyid[joint.id]) in above}

    def fit(self, sample: Sample, motion: Motion | None = None) -> Fit:
        """Try a sample on, or a ``motion`` that was made from the sample's frames.

        Joints that the robot lacks are set aside; those that the motion lacks hold the default pose.
        """
        motion = motion or sample.motion
        kept = [name for name in motion.joint_names if name in self.robot.joint_names]
        motion = motion if len(kept) == len(motion.joint_names) else motion.select(kept)
        position, rotation, overlap = self._pose(motion)
        points = [
            position[:, foot, None] + sole.centers @ np.swapaxes(rotation[:, foot], 1, 2)
            for foot, sole in enumerate(self._soles)
        ]
        heights = [at[..., 2] - sole.radii for at, sole in zip(points, self._soles, strict=True)]
        soles_low = np.stack([height.min(axis=1) for height in heights], axis=1)
        lowest = soles_low.min(axis=1)
        standing = soles_low <= lowest[:, None] + 1e-9
        level = float(np.median(lowest))
        return Fit(
            slip_mps=self._slip(points, heights, lowest, sample),
            tilt_rad=self._tilt(rotation, standing),
            uneven_m=float(np.abs(lowest - level).mean()),
            balance_m=self._balance(motion, position, soles_low < lowest[:, None] + _BOTH_STAND_M),
            beyond_rad=self._beyond(motion),
            overlap_m=overlap,
            lopsided_rad=self._lopsided(motion),
            height_m=level,
        )

    def foot_poses(self, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
        """Foot links' positions (N, F, 3) m and rotations (N, F, 3, 3), in one pass over all frames."""
        return self._pose(motion, overlaps=False)[:2]

    def _pose(self, motion: Motion, overlaps: bool = True) -> tuple[np.ndarray, np.ndarray, float]:
        """Foot links' positions (N, F, 3) and rotations (N, F, 3, 3), and the mean overlap of links, m."""
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
            if overlaps and frame % 3 == 0:  # ten times a second is enough to see an arm in a thigh
                mujoco.mj_collision(model, data)
                between_links = (model.geom_bodyid[data.contact.geom] > 0).all(axis=1)
                depths.append(np.maximum(-data.contact.dist[between_links], 0).sum())
        return position, rotation.reshape(*rotation.shape[:2], 3, 3), float(np.mean(depths[1:] or depths))

    def _slip(self, points: list, heights: list, lowest: np.ndarray, sample: Sample) -> float:
        speeds = []
        for at, height in zip(points, heights, strict=True):
            touching = height < lowest[:, None] + _CONTACT_M
            both = touching[1:] & touching[:-1] & sample.joined[:, None]
            speeds.append(np.linalg.norm(np.diff(at[..., :2], axis=0)[both], axis=-1) / sample.dt)
        together = np.concatenate(speeds)
        return float(np.minimum(together, _FASTEST_MPS).mean()) if together.size else 0.0

    def _tilt(self, rotation: np.ndarray, standing: np.ndarray) -> float:
        up = np.stack([rotation[:, foot, 2] @ sole.up for foot, sole in enumerate(self._soles)], axis=1)
        flat = standing & self._flat
        return float(np.arccos(np.clip(up[flat], -1, 1)).mean()) if flat.any() else 0.0

    def _balance(self, motion: Motion, position: np.ndarray, standing: np.ndarray) -> float:
        if len(self._feet) != 2:  # only a biped has to be above one foot
            return 0.0
        aside = np.einsum("nfi,ni->nf", position - motion.root_pos[:, None], _left(motion))
        leftmost = np.where(standing, aside, -np.inf).max(axis=1)
        rightmost = np.where(standing, aside, np.inf).min(axis=1)
        return float(np.maximum(0, np.maximum(rightmost, -leftmost)).mean())

    def _beyond(self, motion: Motion) -> float:
        columns = JointOrder(motion.joint_names).indices_from(self.robot.joint_names)
        low, high = self._low[columns], self._high[columns]
        angles = motion.joint_pos.astype(np.float64)
        return float(np.maximum(np.maximum(low - angles, angles - high), 0).sum(axis=1).mean())

    def _lopsided(self, motion: Motion) -> float:
        """A joint that moves half as much as its counterpart does another thing, and proves nothing."""
        mean, spread = motion.joint_pos.mean(axis=0), motion.joint_pos.std(axis=0)
        total = 0.0
        for here, name in enumerate(motion.joint_names):
            other = self.pairs.get(name)
            if other not in motion.joint_names or motion.joint_names.index(other) < here:
                continue
            there = motion.joint_names.index(other)
            small, large = sorted((spread[here], spread[there]))
            if small > 0.02 and large < 2 * small:
                total += max(0.0, abs(mean[here] - self.mirror_signs[name] * mean[there]) - _ASYMMETRY_RAD)
        return float(total)


def _left(motion: Motion) -> np.ndarray:
    """Horizontal unit vectors to the root's left, (N, 3)."""
    x, y, z, w = motion.root_quat.T
    left = np.stack([2 * (x * y - z * w), 1 - 2 * (x * x + z * z), np.zeros(len(x))], axis=1)
    return left / np.maximum(np.linalg.norm(left, axis=1, keepdims=True), 1e-9)


def _is_flat(sole: Sole) -> bool:
    """Whether a foot can stand flat, on three points or more; a ball or the end of a stick cannot be tilted."""
    height = sole.centers @ sole.up - sole.radii
    return np.count_nonzero(height < height.min() + _FLAT_M) > 2


def _outline(sole: Sole) -> Sole:
    """The sole without the points inside it, of which a mesh has thousands."""
    if len(sole.centers) <= 64:
        return sole
    outer = ConvexHull(sole.centers).vertices
    return replace(sole, centers=sole.centers[outer], radii=sole.radii[outer])


@functools.cache
def body_of(robot: Robot) -> Body:
    """The robot's body; loading its model takes longer than checking a clip."""
    return Body(robot)
