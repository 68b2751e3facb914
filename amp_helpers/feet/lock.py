"""Foot locking: detect stance, compute foot targets without slip, and solve inverse kinematics for the pose.

A foot in stance is fixed at the point that touches the ground. A flat foot rests; a foot on its heel or toe rolls
without slipping.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import binary_closing, binary_opening
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError
from amp_helpers.feet.ik import FootIkCosts, solve_foot_ik
from amp_helpers.motion.cycle import as_cycle
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.soles import Sole, slip, soles


@dataclass(frozen=True, kw_only=True)
class FootLockCfg:
    """Thresholds of stance detection and of flat soles, and costs of the inverse kinematics."""

    stance_height: float = 0.03
    """Maximum height of a sole in stance above that foot's ground level, m."""
    max_level_difference: float = 0.04
    """Maximum difference between the ground levels of the feet, m."""
    stance_slip: float = 0.15
    """Maximum slip speed of a sole in stance, m/s, for a root at rest."""
    stance_slip_share: float = 0.35
    """Increase of that maximum with the root's mean horizontal speed, dimensionless."""
    min_duration_s: float = 0.08
    """Minimum duration of a stance and of a gap between stances, s; shorter ones are removed."""
    flat_tilt: float = 0.06
    """Tilt up to which a sole in stance is made flat, rad."""
    rolling_tilt: float = 0.30
    """Tilt from which a sole in stance keeps its tilt and heading, rad; a smoothstep blends in between."""
    costs: FootIkCosts = field(default_factory=FootIkCosts)


@dataclass(frozen=True, eq=False)
class Feet:
    """Foot poses, sole heights, slip and stance of a clip of N frames on a robot with F feet."""

    times: np.ndarray
    """(N,) s."""
    position: np.ndarray
    """(N, F, 3) m, world frame, origins of the foot links."""
    rotation: np.ndarray
    """(N, F, 3, 3), rotation matrices, foot link to world."""
    sole_height: np.ndarray
    """(N, F) m, height of each sole's lowest point."""
    slip: np.ndarray
    """(N, F) m/s, horizontal speed of each sole's lowest point, from each frame to the next."""
    stance: np.ndarray
    """(N, F) bool, whether the foot is in stance."""
    ground: float
    """Ground height estimated from the soles in stance, m."""

    @property
    def sliding(self) -> np.ndarray:
        """(N, F) m/s: ``slip`` where the foot is in stance in this frame and the next, NaN elsewhere."""
        following = np.concatenate([self.stance[1:], self.stance[-1:]])
        return np.where(self.stance & following, self.slip, np.nan)


def find_stance(motion: Motion, kinematics: Kinematics, cfg: FootLockCfg | None = None) -> Feet:
    """Detect stance: frames in which a sole is near the ground and its lowest point barely moves.

    The ground need not be at height 0. Each foot's ground level is the 5th percentile of its sole height. The clip's
    ground height is the median height of the lower sole over frames with a foot in stance.

    Args:
        motion: clip of at least two frames.
        kinematics: kinematics of its robot.
        cfg: thresholds; by default ``FootLockCfg()``.

    Raises:
        InputError: the clip has fewer than two frames, or a joint that the robot lacks.
    """
    cfg = cfg or FootLockCfg()
    if motion.num_frames < 2:
        raise InputError(f"{motion.label}: has one frame; give a clip of at least two to detect stance")
    position, rotation = kinematics.foot_positions(motion), kinematics.foot_rotations(motion)
    feet = list(enumerate(soles(kinematics)))
    height = np.stack([sole.height(position[:, i], rotation[:, i]) for i, sole in feet], axis=1)
    slide = np.stack([slip(sole, position[:, i], rotation[:, i], motion.dt) for i, sole in feet], axis=1)
    speed = np.linalg.norm(np.diff(motion.root_pos[:, :2], axis=0), axis=1).mean() * motion.fps
    lower = height.min(axis=1)
    # A foot that floats throughout the clip still has stances, so each foot has its own level.
    level = np.percentile(height, 5, axis=0)
    level = np.minimum(level, level.min() + cfg.max_level_difference)
    low = height - level < cfg.stance_height
    stance = low & (slide < cfg.stance_slip + cfg.stance_slip_share * speed)
    frames = max(round(cfg.min_duration_s * motion.fps), 1)
    run = np.ones((frames, 1), dtype=bool)
    # Repeating the edges keeps a stance that the clip's start or end cuts short.
    padded = np.pad(stance, ((frames, frames), (0, 0)), mode="edge")
    stance = binary_opening(binary_closing(padded, run), run)[frames:-frames]
    standing = stance.any(axis=1)
    ground = float(np.median(lower[standing])) if standing.any() else float(level.min())
    return Feet(motion.times, position, rotation, height, slide, stance, ground)


def compare_stance(clips: Mapping[str, Motion], kinematics: Kinematics) -> dict[str, Feet]:
    """Detect stance in versions of one clip, to compare their slip: those as long as the first have its stance.

    Detected in each for itself, a stance of a refined clip often ends a frame later, in which the foot already moves
    at the speed of its swing.

    Raises:
        InputError: see :func:`find_stance`.
    """
    feet = {label: find_stance(clip, kinematics) for label, clip in clips.items()}
    first = next(iter(feet.values())).stance
    return {
        label: replace(found, stance=first) if found.stance.shape == first.shape else found
        for label, found in feet.items()
    }


def ground(motion: Motion, kinematics: Kinematics, cfg: FootLockCfg | None = None) -> Motion:
    """Shift the clip vertically so that :attr:`Feet.ground` becomes 0.

    Raises:
        InputError: as :func:`find_stance` and :func:`known_soles`.
    """
    known_soles(kinematics)
    level = find_stance(motion, kinematics, cfg).ground
    return replace(motion, root_pos=motion.root_pos - [0.0, 0.0, level])


def lock_feet(motion: Motion, kinematics: Kinematics, cfg: FootLockCfg | None = None) -> Motion:
    """Ground the clip and remove slip and penetration of feet in stance.

    Foot targets come from :func:`foot_targets`, the pose of each frame from
    :func:`amp_helpers.feet.ik.solve_foot_ik`. A cyclic clip stays cyclic. Joints outside the legs change only where
    they exceed their limits.

    Args:
        motion: clip of at least two frames.
        kinematics: kinematics of its robot.
        cfg: thresholds and costs; by default ``FootLockCfg()``.

    Raises:
        InputError: no foot is ever in stance, the robot lacks a joint of the clip, or its soles are unknown.
    """
    cfg = cfg or FootLockCfg()
    return as_cycle(lambda clip: _lock(clip, kinematics, cfg), motion)


def known_soles(kinematics: Kinematics) -> tuple[Sole, ...]:
    """Return the soles of a robot, for an edit that puts a clip on them.

    Raises:
        InputError: a foot's shapes are missing meshes, so that the clip would be put on its ankle.
    """
    robot = kinematics.robot
    if robot.shapeless_feet:
        raise InputError(
            f"robot '{robot.name}': the meshes of {' '.join(robot.shapeless_feet)} are missing "
            f"({', '.join(robot.missing_meshes[:2])}, ...), so the clip would be put on its ankles; put the meshes "
            "where the robot's file names them"
        )
    return soles(kinematics)


def _lock(motion: Motion, kinematics: Kinematics, cfg: FootLockCfg) -> Motion:
    robot_soles = known_soles(kinematics)
    feet = find_stance(motion, kinematics, cfg)
    if not feet.stance.any():
        raise InputError(
            f"{motion.label}: no foot stands in any frame, so no foot can be locked; "
            "check the robot, the joint order and the root height"
        )
    position, rotation = foot_targets(feet, robot_soles, cfg)
    grounded = replace(motion, root_pos=motion.root_pos - [0.0, 0.0, feet.ground])
    return solve_foot_ik(grounded, kinematics, robot_soles, position, rotation, cfg.costs)


def foot_targets(feet: Feet, soles: tuple[Sole, ...], cfg: FootLockCfg) -> tuple[np.ndarray, np.ndarray]:
    """Compute foot link targets without slip or penetration, on a ground at height 0.

    During a stance the foot keeps one heading, lies flat if its tilt is small, and otherwise rolls over its lowest
    point; the mean position of the stance is kept. Between two stances, a monotone cubic (PCHIP: continuous slope, no
    overshoot) interpolates the correction, and a swinging foot is lifted out of the ground.

    Args:
        feet: N frames of F feet.
        soles: (F) soles of the feet.
        cfg: thresholds of tilt.

    Returns:
        Positions (N, F, 3) m and rotation matrices (N, F, 3, 3), foot link to world.
    """
    times, position, rotation = feet.times, feet.position.copy(), feet.rotation.copy()
    position[..., 2] -= feet.ground
    for foot, sole in enumerate(soles):
        runs = stances(feet.stance[:, foot])
        if not runs:
            continue
        stands = np.concatenate(runs)
        clip_position, clip_rotation = position[:, foot].copy(), rotation[:, foot].copy()
        change = np.zeros((len(times), 6))
        for run in runs:
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


def stances(stance: np.ndarray) -> list[np.ndarray]:
    """Split the frames of a foot in stance (N,) bool into its stances: the frames of each, in order."""
    frames = np.flatnonzero(stance)
    return np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1) if len(frames) else []


def _stance_rotation(rotation: np.ndarray, up: np.ndarray, cfg: FootLockCfg) -> np.ndarray:
    """Rotations (M, 3, 3) of a foot in stance: flat and of one heading at small tilt, unchanged at large tilt."""
    tilt = tilt_of(rotation @ up)
    size = np.linalg.norm(tilt, axis=1)
    level = Rotation.from_rotvec(-tilt) * Rotation.from_matrix(rotation)
    flattest = size <= max(cfg.flat_tilt, np.median(size))
    heading = level[flattest].mean()
    share = np.clip((size - cfg.flat_tilt) / (cfg.rolling_tilt - cfg.flat_tilt), 0, 1)
    kept = (share**2 * (3 - 2 * share))[:, None]
    pivot = (level * heading.inv()).as_rotvec()
    return (Rotation.from_rotvec(kept * tilt) * Rotation.from_rotvec(kept * pivot) * heading).as_matrix()


def tilt_of(up: np.ndarray) -> np.ndarray:
    """Shortest rotation vectors (M, 3), rad, from the vertical to unit vectors (M, 3)."""
    axis = np.stack([-up[:, 1], up[:, 0], np.zeros(len(up))], axis=1)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine, up[:, 2:])
    return axis * np.divide(angle, sine, out=np.ones_like(sine), where=sine > 1e-9)


def _stance_position(position: np.ndarray, rotation: np.ndarray, sole: Sole) -> np.ndarray:
    """Positions (M, 3) m of a foot that rolls on the ground through ``rotation`` (M, 3, 3) without slipping.

    From one frame to the next the lowest point does not move; the mean is that of ``position`` (M, 3).
    """
    point = sole.lowest(rotation[:-1])[..., None]
    steps = -(np.diff(rotation, axis=0) @ point)[..., 0]
    placed = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    placed += (position - placed).mean(axis=0)
    placed[:, 2] -= sole.height(placed, rotation)
    return placed
