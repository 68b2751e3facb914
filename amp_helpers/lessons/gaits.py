"""Stand-ins for policies: a clip with level feet, tracking error, tremor, half steps, or another tempo."""

from dataclasses import replace

import numpy as np

from amp_helpers.joints import match_joints
from amp_helpers.motion.motion import Motion


def level_feet(motion: Motion, error_rad: float = 0.02, seed: int = 0) -> Motion:
    """A stand-in for a policy whose gait is right and whose feet obey the ground.

    The ankles keep the soles level, as ground contact would press them: pitch = -(hip pitch + knee), roll = -hip roll,
    limited to the G1's ankle range. All joints carry a slow tracking error of ``error_rad`` (standard deviation).
    """
    names = motion.joint_names
    joint_pos = motion.joint_pos.copy()
    for side in ("left", "right"):
        hip, knee, roll = (
            joint_pos[:, names.index(f"{side}_{part}_joint")] for part in ("hip_pitch", "knee", "hip_roll")
        )
        joint_pos[:, names.index(f"{side}_ankle_pitch_joint")] = np.clip(-(hip + knee), -0.87, 0.52)
        joint_pos[:, names.index(f"{side}_ankle_roll_joint")] = np.clip(-roll, -0.26, 0.26)
    return tracking_error(replace(motion, joint_pos=joint_pos, source="level feet"), error_rad, seed)


def tracking_error(motion: Motion, error_rad: float = 0.02, seed: int = 0) -> Motion:
    """The motion as somebody follows it: a slow error of ``error_rad`` (standard deviation) on every joint."""
    noise = np.random.default_rng(seed).normal(size=motion.joint_pos.shape)
    width = max(3, round(0.2 * motion.fps))
    kernel = np.hanning(width + 2)[1:-1]
    slow = np.apply_along_axis(np.convolve, 0, noise, kernel / np.linalg.norm(kernel), mode="same")
    return replace(motion, joint_pos=motion.joint_pos + error_rad * slow)


def tremble(motion: Motion, error_rad: float = 0.03, seed: int = 0) -> Motion:
    """The motion of a policy that explores: fast noise of ``error_rad`` (standard deviation) on every joint."""
    noise = np.random.default_rng(seed).normal(size=motion.joint_pos.shape)
    return replace(motion, joint_pos=motion.joint_pos + error_rad * noise)


def half_steps(motion: Motion, share: float = 0.4) -> Motion:
    """A worse gait: hip pitches and knees swing only ``share`` as far around their mean."""
    columns = [
        motion.joint_names.index(name) for name in match_joints((".*_hip_pitch.*", ".*_knee.*"), motion.joint_names)
    ]
    joint_pos = motion.joint_pos.copy()
    mean = joint_pos[:, columns].mean(axis=0)
    joint_pos[:, columns] = mean + share * (joint_pos[:, columns] - mean)
    return replace(motion, joint_pos=joint_pos, source="half steps")


def stumble(motion: Motion, tempo: float = 2.0, swing: float = 0.25, tremble_rad: float = 0.05) -> Motion:
    """A stand-in for a policy early in training: it shuffles with short fast steps and trembles.

    ``tempo`` times as fast, hips and knees swinging ``swing`` as far, every joint off by ``tremble_rad`` (standard
    deviation).
    """
    return level_feet(half_steps(faster(motion, tempo), swing), tremble_rad)


def faster(motion: Motion, tempo: float = 2.0) -> Motion:
    """The same poses at another tempo, at the same frame rate."""
    return motion.at_speed(tempo).resample(motion.dt)
