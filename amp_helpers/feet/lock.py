"""Feet that stay where they stand: stance is found, the feet get targets without sliding, inverse kinematics follows.

A standing foot is held on the point that touches the ground: flat it rests, heel or toe down it rolls without slipping.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import binary_closing, binary_opening
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError
from amp_helpers.feet.ik import FollowCosts, follow_feet
from amp_helpers.motion.cycle import as_cycle
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.soles import Sole, slip, soles


@dataclass(frozen=True, kw_only=True)
class FootLockCfg:
    """When a foot stands, how flat, and how the rest of the body follows it."""

    stance_height: float = 0.03
    """A standing sole is lower than this above its own level, m."""
    float_at_most: float = 0.04
    """A foot's level may be this much above the other's, m."""
    stance_slip: float = 0.15
    """A standing sole's lowest point slides less than this, m/s ..."""
    stance_slip_share: float = 0.35
    """... plus this share of the root's mean horizontal speed."""
    shortest_s: float = 0.08
    """Shorter stances are dropped and shorter gaps between stances are closed, s."""
    flat_below: float = 0.06
    """A standing sole tilted less than this is laid flat, rad."""
    rolls_above: float = 0.30
    """A standing sole tilted more than this keeps its tilt and heading, rad; in between it keeps a share of them."""
    costs: FollowCosts = field(default_factory=FollowCosts)


@dataclass(frozen=True, eq=False)
class Feet:
    """Where the feet of a clip are, and when they stand."""

    times: np.ndarray
    """(N,) s."""
    position: np.ndarray
    """(N, F, 3) m, origins of the foot links."""
    rotation: np.ndarray
    """(N, F, 3, 3)."""
    sole_height: np.ndarray
    """(N, F) m, of the lowest point."""
    slip: np.ndarray
    """(N, F) m/s, speed of the lowest point over the ground, from each frame to the next."""
    stance: np.ndarray
    """(N, F) bool."""
    ground: float
    """Height of the ground that the clip's standing soles suggest, m."""

    @property
    def sliding(self) -> np.ndarray:
        """(N, F) m/s: ``slip`` where the foot stands in this frame and the next, NaN elsewhere."""
        following = np.concatenate([self.stance[1:], self.stance[-1:]])
        return np.where(self.stance & following, self.slip, np.nan)


def find_stance(motion: Motion, kinematics: Kinematics, cfg: FootLockCfg | None = None) -> Feet:
    """The feet of a clip, and when they stand: a sole near the ground whose lowest point hardly slides.

    The ground need not be at 0. Each foot's level is where it is lowest (5 % of frames lower); the clip's ground is the
    median height of the lower sole while one stands.

    Raises:
        InputError: the clip has fewer than two frames, or a joint that the robot lacks.
    """
    cfg = cfg or FootLockCfg()
    if motion.num_frames < 2:
        raise InputError(f"{motion.source or 'motion'}: has one frame; feet that stand or slide need at least two")
    position, rotation = kinematics.foot_positions(motion), kinematics.foot_rotations(motion)
    each = [(sole, position[:, foot], rotation[:, foot]) for foot, sole in enumerate(soles(kinematics))]
    height = np.stack([sole.height(*pose) for sole, *pose in each], axis=1)
    slide = np.stack([slip(sole, *pose, motion.dt) for sole, *pose in each], axis=1)
    speed = np.linalg.norm(np.diff(motion.root_pos[:, :2], axis=0), axis=1).mean() * motion.fps
    lower = height.min(axis=1)
    # A foot that floats over the whole clip stands all the same, at a level of its own.
    level = np.percentile(height, 5, axis=0)
    level = np.minimum(level, level.min() + cfg.float_at_most)
    low = height - level < cfg.stance_height
    stance = low & (slide < cfg.stance_slip + cfg.stance_slip_share * speed)
    frames = max(round(cfg.shortest_s * motion.fps), 1)
    run = np.ones((frames, 1), dtype=bool)
    # Ends of the clip continue as they are: a stance that the cut shortened is one all the same.
    padded = np.pad(stance, ((frames, frames), (0, 0)), mode="edge")
    stance = binary_opening(binary_closing(padded, run), run)[frames:-frames]
    standing = stance.any(axis=1)
    ground = float(np.median(lower[standing])) if standing.any() else float(level.min())
    return Feet(motion.times, position, rotation, height, slide, stance, ground)


def ground(motion: Motion, kinematics: Kinematics, cfg: FootLockCfg | None = None) -> Motion:
    """The clip lifted or lowered as a whole, so that soles stand at height 0 in the middle (median) of stance."""
    level = find_stance(motion, kinematics, cfg).ground
    return replace(motion, root_pos=motion.root_pos - [0.0, 0.0, level])


def lock_feet(motion: Motion, kinematics: Kinematics, cfg: FootLockCfg | None = None) -> Motion:
    """The clip on the ground with feet that neither slide nor sink while they stand.

    Targets of the feet come from :func:`foot_targets`. In every frame, differential inverse kinematics (mink, a
    quadratic program within the joint limits) looks for the pose that meets them and is otherwise as near to the clip
    as can be. A clip that comes round still does. Joints that do not carry the feet are left as they are, unless they
    are beyond their limits.

    Raises:
        InputError: no foot ever stands, or the clip has a joint that the robot lacks.
    """
    cfg = cfg or FootLockCfg()
    return as_cycle(lambda clip: _lock(clip, kinematics, cfg), motion)


def _lock(motion: Motion, kinematics: Kinematics, cfg: FootLockCfg) -> Motion:
    feet = find_stance(motion, kinematics, cfg)
    if not feet.stance.any():
        raise InputError(
            f"{motion.source or 'motion'}: no foot stands anywhere in it, so there is nothing to hold; "
            "check the robot, the order of the joints and the height of the root"
        )
    its_soles = soles(kinematics)
    position, rotation = foot_targets(feet, its_soles, cfg)
    grounded = replace(motion, root_pos=motion.root_pos - [0.0, 0.0, feet.ground])
    return follow_feet(grounded, kinematics, its_soles, position, rotation, cfg.costs)


def foot_targets(feet: Feet, soles: tuple[Sole, ...], cfg: FootLockCfg) -> tuple[np.ndarray, np.ndarray]:
    """Where each foot should be: positions (N, F, 3) m on a ground at 0, and rotations (N, F, 3, 3).

    In a stance the foot keeps one heading, lies flat when it nearly does, and rolls over its lowest point otherwise;
    the whole stance is placed as near to the clip's as can be. What this changes is carried over the swing between two
    stances by a monotone cubic (no kink, no overshoot), and a swinging foot is kept out of the ground.
    """
    times, position, rotation = feet.times, feet.position.copy(), feet.rotation.copy()
    position[..., 2] -= feet.ground
    for foot, sole in enumerate(soles):
        stands = np.flatnonzero(feet.stance[:, foot])
        if not len(stands):
            continue
        clip_position, clip_rotation = position[:, foot].copy(), rotation[:, foot].copy()
        change = np.zeros((len(times), 6))
        for run in np.split(stands, np.flatnonzero(np.diff(stands) > 1) + 1):
            turned = _stance_rotation(clip_rotation[run], sole.up, cfg) if sole.flat else clip_rotation[run]
            placed = _stance_position(clip_position[run], turned, sole)
            change[run, :3] = placed - clip_position[run]
            turn = Rotation.from_matrix(turned) * Rotation.from_matrix(clip_rotation[run]).inv()
            change[run, 3:] = turn.as_rotvec()
        if len(stands) > 1:
            within = np.clip(times, times[stands[0]], times[stands[-1]])
            change = PchipInterpolator(times[stands], change[stands])(within)
        else:
            change[:] = change[stands[0]]
        position[:, foot] = clip_position + change[:, :3]
        turned = Rotation.from_rotvec(change[:, 3:]) * Rotation.from_matrix(clip_rotation)
        rotation[:, foot] = turned.as_matrix()
        position[:, foot, 2] += np.maximum(-sole.height(position[:, foot], rotation[:, foot]), 0)
    return position, rotation


def _stance_rotation(rotation: np.ndarray, up: np.ndarray, cfg: FootLockCfg) -> np.ndarray:
    """Rotations (M, 3, 3) of a standing foot: flat in one heading where it nearly is, as in the clip where it rolls."""
    tilt = _tilt(rotation @ up)
    size = np.linalg.norm(tilt, axis=1)
    level = Rotation.from_rotvec(-tilt) * Rotation.from_matrix(rotation)
    flattest = size <= max(cfg.flat_below, np.median(size))
    heading = level[flattest].mean()
    share = np.clip((size - cfg.flat_below) / (cfg.rolls_above - cfg.flat_below), 0, 1)
    kept = (share**2 * (3 - 2 * share))[:, None]
    pivot = (level * heading.inv()).as_rotvec()
    return (Rotation.from_rotvec(kept * tilt) * Rotation.from_rotvec(kept * pivot) * heading).as_matrix()


def _tilt(up: np.ndarray) -> np.ndarray:
    """The shortest rotation vectors (M, 3) from the vertical to unit vectors (M, 3)."""
    axis = np.stack([-up[:, 1], up[:, 0], np.zeros(len(up))], axis=1)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine, up[:, 2:])
    return axis * np.divide(angle, sine, out=np.ones_like(sine), where=sine > 1e-9)


def _stance_position(position: np.ndarray, rotation: np.ndarray, sole: Sole) -> np.ndarray:
    """Positions (M, 3) of a foot that goes through ``rotation`` (M, 3, 3) on the ground without slipping.

    From one frame to the next the lowest point stays where it is; the whole is placed where ``position`` is on average.
    """
    point = sole.lowest(rotation[:-1])[..., None]
    steps = -(np.diff(rotation, axis=0) @ point)[..., 0]
    placed = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    placed += (position - placed).mean(axis=0)
    placed[:, 2] -= sole.height(placed, rotation)
    return placed
