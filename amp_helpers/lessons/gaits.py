"""Altered copies of a clip that play the policy's part in the notebooks' experiments."""

from dataclasses import replace

import numpy as np
from scipy.signal import convolve

from amp_helpers.joints import match_joints
from amp_helpers.motion.findings import Findings
from amp_helpers.motion.motion import Motion


def level_feet(motion: Motion, error_rad: float = 0.02, seed: int = 0) -> Motion:
    """Level the soles and add tracking error: the right gait, with feet that obey the ground.

    Ankle pitch = -(hip pitch + knee) and ankle roll = -hip roll, limited to the G1's ankle range, as under ground
    contact. Every joint gets :func:`add_tracking_error` of ``error_rad`` (standard deviation).
    """
    names = motion.joint_names
    joint_pos = motion.joint_pos.copy()
    for side in ("left", "right"):
        hip, knee, roll = (
            joint_pos[:, names.index(f"{side}_{part}_joint")] for part in ("hip_pitch", "knee", "hip_roll")
        )
        joint_pos[:, names.index(f"{side}_ankle_pitch_joint")] = np.clip(-(hip + knee), -0.87, 0.52)
        joint_pos[:, names.index(f"{side}_ankle_roll_joint")] = np.clip(-roll, -0.26, 0.26)
    level = replace(motion, joint_pos=joint_pos, name="level feet", findings=Findings())
    return add_tracking_error(level, error_rad, seed)


def add_tracking_error(motion: Motion, error_rad: float = 0.02, seed: int = 0) -> Motion:
    """Add noise of standard deviation ``error_rad``, smoothed over 0.2 s, to every joint, as a tracking policy has."""
    noise = np.random.default_rng(seed).normal(size=motion.joint_pos.shape)
    width = max(3, round(0.2 * motion.fps))
    kernel = np.hanning(width + 2)[1:-1]
    smooth = convolve(noise, kernel[:, None] / np.linalg.norm(kernel), mode="same", method="direct")
    return replace(motion, joint_pos=motion.joint_pos + error_rad * smooth)


def add_jitter(motion: Motion, std_rad: float = 0.03, seed: int = 0) -> Motion:
    """Add white noise of standard deviation ``std_rad`` to every joint: a policy with action noise."""
    noise = np.random.default_rng(seed).normal(size=motion.joint_pos.shape)
    return replace(motion, joint_pos=motion.joint_pos + std_rad * noise)


def half_steps(motion: Motion, scale: float = 0.4, side: str = "") -> Motion:
    """Scale the swing of hip pitches and knees around their mean: a gait with steps that are too short.

    Args:
        motion: the clip, of any robot whose joints are named so: ``left_hip_pitch_joint``, ``LHipPitch``.
        scale: factor of the swing.
        side: ``left`` or ``right`` for a limp; empty for both legs.

    Raises:
        InputError: no joint is named so.
    """
    start = f"(?i){side[0]}({side[1:]})?" if side else "(?i)"
    patterns = (f"{start}.*hip[^a-z]?pitch.*", f"{start}.*knee.*")
    columns = [motion.joint_names.index(name) for name in match_joints(patterns, motion.joint_names)]
    joint_pos = motion.joint_pos.copy()
    mean = joint_pos[:, columns].mean(axis=0)
    joint_pos[:, columns] = mean + scale * (joint_pos[:, columns] - mean)
    return replace(motion, joint_pos=joint_pos, name="half steps", findings=Findings())


def speed_up(motion: Motion, factor: float = 2.0) -> Motion:
    """Play the same poses ``factor`` times as fast, at the same frame rate."""
    return motion.at_speed(factor).resample(motion.dt)


def early_policy(motion: Motion, factor: float = 2.0, scale: float = 0.25, error_rad: float = 0.05) -> Motion:
    """Imitate a policy early in training: short fast steps and a large tracking error.

    Args:
        motion: the clip.
        factor: tempo over the clip's, see :func:`speed_up`.
        scale: swing of hips and knees over the clip's, see :func:`half_steps`.
        error_rad: standard deviation of the tracking error, see :func:`level_feet`.
    """
    return level_feet(half_steps(speed_up(motion, factor), scale), error_rad)
