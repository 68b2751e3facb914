"""Where the root goes when a gait changes: how far it sways to the sides, leans into a turn, and how high it is."""

from dataclasses import replace
from itertools import pairwise

import mujoco
import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import convolve1d, gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation

from amp_helpers.feet.lock import Feet, stances
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.path import Path
from amp_helpers.robots.kinematics import GRAVITY, Kinematics

_REACH = 0.995
"""Longest leg, hip to foot, against the clip's longest: a knee that is not quite straight bends smoothly."""
_SMOOTHING_S = 0.04
"""Standard deviation of the Gaussian that smooths the change of the root's height, s."""


def path_frames(stance: np.ndarray) -> np.ndarray:
    """Frame of the path (N,) that a foot follows: that of the stance's middle, and on to the next while it swings."""
    frames = np.arange(len(stance), dtype=np.float64)
    runs = stances(stance)
    if not runs:
        return frames
    first, last = runs[0], runs[-1]
    followed = np.where(frames < first[0], first.mean() + frames - first[0], last.mean() + frames - last[-1])
    for run in runs:
        followed[run] = run.mean()
    for before, after in pairwise(runs):
        share = np.linspace(0, 1, after[0] - before[-1] + 1)
        moved = (after.mean() - before.mean()) * share**2 * (3 - 2 * share)
        followed[before[-1] : after[0] + 1] = before.mean() + moved
    return np.clip(followed, 0, len(stance) - 1)


def lean_into_turn(path: Path, fps: float) -> float:
    """Angle, rad, at which the force on a body on this path points to its feet; positive for a left turn."""
    return float(np.arctan(path.speed * path.turn * fps**2 / GRAVITY))


def stride_frames(feet: Feet) -> float:
    """Median number of frames from a foot's stance to its next; that of the clip, where no foot stands twice."""
    starts = [[run[0] for run in stances(feet.stance[:, foot])] for foot in range(feet.stance.shape[1])]
    strides = np.concatenate([np.diff(frames) for frames in starts])
    return float(np.median(strides)) if len(strides) else float(len(feet.stance))


def sway_factor(motion: Motion, stride_s: float, cadence: float) -> float:
    """Factor of the sideways sway when the cadence changes.

    A linear inverted pendulum that falls from one foot to the other sways by 1 - sech(T / 4 c) of the feet's distance,
    for strides of T seconds and c = sqrt(height / gravity) (Kajita et al., "The 3D linear inverted pendulum mode", IROS
    2001).
    """
    quarter = stride_s / 4 / np.sqrt(motion.root_height.mean() / GRAVITY)
    return float((1 - 1 / np.cosh(quarter / cadence)) / (1 - 1 / np.cosh(quarter)))


def pendulum_sway(feet: Feet, path: Path, motion: Motion, cadence: float, cyclic: bool) -> np.ndarray:
    """Place to the left of the path (N,) m of a linear inverted pendulum that stands on the feet in stance.

    With support at p, the pendulum obeys y'' = (y - p) / c^2, c = sqrt(height / gravity). Its only bounded solution is
    p smoothed by exp(-|t| / c) / 2c, at frequency w a factor of 1 / (1 + w^2 c^2).
    """
    places = [
        path.at(path_frames(feet.stance[:, foot])).to_local(feet.position[:, foot, :2])[:, 1]
        for foot in range(feet.stance.shape[1])
    ]
    support = _over_stances(np.stack(places, axis=1), feet.stance)
    frames = np.sqrt(motion.root_height.mean() / GRAVITY) * motion.fps * cadence
    reach = int(np.ceil(6 * frames))
    kernel = np.exp(-np.abs(np.arange(-reach, reach + 1)) / frames)
    # The last frame of cycles is the first of the next.
    steps = support[:-1] if cyclic else support
    smoothed = convolve1d(steps, kernel / kernel.sum(), mode="wrap" if cyclic else "nearest")
    return np.append(smoothed, smoothed[0]) if cyclic else smoothed


def _over_stances(values: np.ndarray, stance: np.ndarray) -> np.ndarray:
    """Average values of the feet (N, F) over those in stance, each weighing most in the middle of its stance, (N,).

    Frames without a stance are interpolated.
    """
    weights = np.zeros(stance.shape)
    for foot in range(stance.shape[1]):
        for run in stances(stance[:, foot]):
            weights[run, foot] = np.sin(np.pi * np.linspace(0, 1, len(run) + 2)[1:-1]) ** 2
    total = weights.sum(axis=1)
    stands = np.flatnonzero(total > 0)
    average = (weights * values).sum(axis=1)[stands] / total[stands]
    if len(stands) == 1:
        return np.full(len(stance), average[0])
    return PchipInterpolator(stands, average)(np.clip(np.arange(len(stance)), stands[0], stands[-1]))


def keep_stance_legs(before: Motion, after: Motion, kinematics: Kinematics, feet: Feet, position: np.ndarray) -> Motion:
    """Shift the root vertically so that stance legs keep their lengths, and no leg is longer than any was."""
    shifts, most = np.zeros(feet.stance.shape), np.zeros(feet.stance.shape)
    for foot, offset in enumerate(_hips(kinematics)):
        old, new = (clip.root_pos + Rotation.from_quat(clip.root_quat).apply(offset) for clip in (before, after))
        length = np.linalg.norm(old - (feet.position[:, foot] - [0.0, 0.0, feet.ground]), axis=1)
        apart = new - position[:, foot]

        def rise(length: np.ndarray, apart: np.ndarray = apart) -> np.ndarray:
            height = np.sqrt(np.maximum(length**2 - np.square(apart[:, :2]).sum(axis=1), (0.5 * length) ** 2))
            return height - apart[:, 2]

        shifts[:, foot] = rise(length)
        most[:, foot] = rise(np.full_like(length, _REACH * length.max()))
    width = _SMOOTHING_S * before.fps
    shift = gaussian_filter1d(_over_stances(shifts, feet.stance), width, mode="nearest")
    excess = maximum_filter1d(np.maximum(shift - most.min(axis=1), 0), 2 * int(np.ceil(2 * width)) + 1)
    shift = shift - gaussian_filter1d(excess, width, mode="nearest")
    return replace(after, root_pos=after.root_pos + np.multiply.outer(shift, [0.0, 0.0, 1.0]))


def _hips(kinematics: Kinematics) -> list[np.ndarray]:
    """Hip of each leg in the root's frame, (3,) m, in the order of ``Robot.foot_bodies``.

    It is the point of the first leg joint's axis that is nearest to the second joint: the leg turns about it.
    """
    model = kinematics.model
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    root = model.body(kinematics.body_names[0]).id
    hips = []
    for name in kinematics.robot.foot_bodies:
        body, joints = model.body(name).id, []
        while body != root:
            joints = [model.body_jntadr[body]] * model.body_jntnum[body] + joints
            body = model.body_parentid[body]
        first, second = joints[0], joints[min(1, len(joints) - 1)]
        axis, between = data.xaxis[first], data.xanchor[second] - data.xanchor[first]
        hip = data.xanchor[first] + axis * (axis @ between) - data.xpos[root]
        hips.append(hip @ data.xmat[root].reshape(3, 3))
    return hips
