"""Style and gait numbers: pure functions of arrays. NaN stands for "cannot be said", as after constant falls."""

import os
from dataclasses import dataclass

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.utils.npz import write_npz

GAIT_BAND_HZ = (0.3, 5.0)
"""Where a gait's stride frequency is looked for."""

MIN_SEGMENT_S = 2.0
"""Shortest unbroken stretch of frames that enters the gait frequency."""

CONTACT_HEIGHT_M = 0.02
"""A sole below this height above the ground counts as standing, for clips that carry no contact sensor."""

_GAIT_JOINTS = ("_hip_pitch_joint", "_knee_joint")
_FREQUENCY_STEP_HZ = 0.02
_CHUNK = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class Rollout:
    """What E environments did for T control steps at one command; frame t is the state after step t."""

    joint_names: tuple[str, ...]
    """(J)."""
    joint_pos: np.ndarray
    """(E, T, J) rad."""
    joint_vel: np.ndarray
    """(E, T, J) rad/s."""
    joint_torque: np.ndarray
    """(E, T, J) N m, as applied."""
    actions: np.ndarray
    """(E, T, A) as the policy gave them, before scale and offset."""
    root_pos: np.ndarray
    """(E, T, 3) m, world frame."""
    root_quat: np.ndarray
    """(E, T, 4) xyzw."""
    root_lin_vel: np.ndarray
    """(E, T, 3) m/s, root frame."""
    foot_pos: np.ndarray
    """(E, T, F, 3) m, world frame, in the order of the robot's ``foot_bodies``."""
    foot_contact: np.ndarray
    """(E, T, F) bool."""
    fell: np.ndarray
    """(E, T) bool, the step ended in a fall, after which the environment was reset."""
    dt: float
    """Control step, s."""
    command: float
    """Forward speed asked for, m/s."""

    def __post_init__(self) -> None:
        envs, steps = np.shape(self.fell)
        joints, feet = len(self.joint_names), np.shape(self.foot_contact)[-1]
        shapes = {
            "joint_pos": (envs, steps, joints),
            "joint_vel": (envs, steps, joints),
            "joint_torque": (envs, steps, joints),
            "root_pos": (envs, steps, 3),
            "root_quat": (envs, steps, 4),
            "root_lin_vel": (envs, steps, 3),
            "foot_pos": (envs, steps, feet, 3),
            "foot_contact": (envs, steps, feet),
        }
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise InputError(f"rollout: {name} has shape {np.shape(getattr(self, name))}; expected {shape}")

    def save(self, path: str | os.PathLike) -> None:
        """Write ``rollout.npz`` atomically: joint_names, joint_pos, root_pos, root_quat (xyzw), dt, command."""
        keys = ("joint_names", "joint_pos", "root_pos", "root_quat", "dt", "command")
        write_npz(path, {key: np.asarray(getattr(self, key)) for key in keys})


def evaluate_rollout(rollout: Rollout, reference: Motion, warmup_s: float = 3.0) -> dict[str, float]:
    """The numbers a policy is judged by.

    Frames within ``warmup_s`` of the start, or of a fall and the reset that follows it, are left out of everything but
    the count of falls. With K the frames kept, over all environments:

    - ``falls_per_env_10s``: falls / (E T dt) * 10, over the whole rollout.
    - ``velocity_error_mps``: |mean_K(forward speed in the root frame) - command|.
    - ``gait_frequency_hz``: see :func:`gait_frequency`; ``gait_frequency_ratio``: over that of the reference.
    - ``pose_rmse_rad``: mean over K of the smallest RMS joint distance to a reference frame, ankles and wrists left
      out; ``coverage_rmse_rad``: mean over reference frames of the smallest distance to a frame in K.
    - ``foot_skate_mps``: mean horizontal speed of a foot between two frames in contact.
    - ``action_rate``: mean over K of the RMS over actions of a_t - a_(t-1).
    - ``mechanical_power_w``: mean over K of sum_j |torque_j velocity_j|.

    Args:
        rollout: the policy's frames.
        reference: the clip it imitates; resampled to the rollout's step.
        warmup_s: seconds left out after a start.

    Raises:
        InputError: the reference lacks a joint that is compared.
    """
    keep = settled_frames(rollout.fell, rollout.dt, warmup_s)
    pairs = keep[:, 1:] & keep[:, :-1]
    reference = reference.resample(rollout.dt)
    gait = gait_frequency(rollout.joint_pos, rollout.joint_names, rollout.dt, keep)
    reference_gait = gait_frequency(reference.joint_pos[None], reference.joint_names, rollout.dt)
    pose, coverage = pose_distances(rollout.joint_pos[keep], rollout.joint_names, reference)
    speed = rollout.root_lin_vel[..., 0][keep]
    action_steps = np.sqrt(np.mean(np.square(np.diff(rollout.actions, axis=1)), axis=2))
    power = np.abs(rollout.joint_torque * rollout.joint_vel).sum(axis=2)
    return {
        "falls_per_env_10s": float(rollout.fell.mean() / rollout.dt * 10),
        "velocity_error_mps": abs(_mean(speed) - float(rollout.command)),
        "gait_frequency_hz": gait,
        "gait_frequency_ratio": gait / reference_gait,
        "pose_rmse_rad": pose,
        "coverage_rmse_rad": coverage,
        "foot_skate_mps": foot_skate(rollout.foot_pos, rollout.foot_contact, rollout.dt, pairs),
        "action_rate": _mean(action_steps[pairs]),
        "mechanical_power_w": _mean(power[keep]),
    }


def settled_frames(fell: np.ndarray, dt: float, warmup_s: float) -> np.ndarray:
    """(E, T) bool: frames at least ``warmup_s`` after the start and after the last fall, falls themselves excluded."""
    steps = np.arange(fell.shape[1])
    started = np.maximum.accumulate(np.where(fell, steps, 0), axis=1)
    return ((steps - started) * dt >= warmup_s - 1e-9) & ~fell


def gait_frequency(
    joint_pos: np.ndarray, joint_names: tuple[str, ...], dt: float, keep: np.ndarray | None = None
) -> float:
    """Stride frequency, Hz: the peak in 0.3 to 5 Hz of the mean periodogram of both hip pitches and knees, or of all
    joints of a robot that has none of those.

    Each unbroken stretch of kept frames of at least 2 s gives one periodogram per joint (mean removed, Hann window);
    they are added, longer stretches counting for more, and the peak is refined by a parabola through its logarithm. A
    knee bends twice a stride, so its second harmonic is strong; the hips, which swing once, decide the sum.

    Args:
        joint_pos: (E, T, J) rad.
        joint_names: (J).
        dt: seconds between frames.
        keep: (E, T) bool; all frames by default.

    Returns:
        Hz; NaN without a stretch that is long enough, or without movement.
    """
    joints = [name for name in joint_names if name.endswith(_GAIT_JOINTS)] or joint_names
    signals = joint_pos[..., JointOrder(joints).indices_from(joint_names)]
    keep = np.ones(signals.shape[:2], dtype=bool) if keep is None else keep
    # Zero padding samples the spectrum finely; the parabola does the rest.
    size = 2 ** int(np.ceil(np.log2(max(1 / (_FREQUENCY_STEP_HZ * dt), signals.shape[1]))))
    power = np.zeros(size // 2 + 1)
    for length, stretches in _stretches(keep, int(np.ceil(MIN_SEGMENT_S / dt - 1e-9))):
        window = np.hanning(length)[:, None]
        for start in range(0, len(stretches), 128):
            rows = np.stack([signals[env, begin : begin + length] for env, begin in stretches[start : start + 128]])
            rows = (rows - rows.mean(axis=1, keepdims=True)) * window
            power += np.square(np.abs(np.fft.rfft(rows, size, axis=1))).sum(axis=(0, 2))
    frequency = np.fft.rfftfreq(size, dt)
    inside = np.flatnonzero((frequency >= GAIT_BAND_HZ[0]) & (frequency <= GAIT_BAND_HZ[1]))
    if not inside.size or power[inside].max() <= 1e-9:
        return float("nan")
    peak = int(inside[np.argmax(power[inside])])
    below, here, above = np.log(power[peak - 1 : peak + 2] + 1e-30)
    curvature = below - 2 * here + above
    shift = 0.5 * (below - above) / curvature if curvature < 0 else 0.0
    return float((peak + np.clip(shift, -0.5, 0.5)) / (size * dt))


def pose_distances(joint_pos: np.ndarray, joint_names: tuple[str, ...], reference: Motion) -> tuple[float, float]:
    """How close poses come to a reference, and how much of the reference they reach.

    Args:
        joint_pos: (N, J) rad.
        joint_names: (J); those of ankles and wrists are left out.
        reference: the clip; must hold the joints compared.

    Returns:
        Mean over poses of the smallest RMS joint distance to a reference frame, and the reverse, rad; NaN if N is 0.
    """
    joints = tuple(name for name in joint_names if "ankle" not in name and "wrist" not in name)
    target = reference.select(joints).joint_pos.astype(np.float64)
    if not len(joint_pos):
        return float("nan"), float("nan")
    poses = joint_pos[:, JointOrder(joints).indices_from(joint_names)]
    target_squared = np.square(target).sum(axis=1)
    nearest = np.empty(len(poses))
    reached = np.full(len(target), np.inf)
    for start in range(0, len(poses), _CHUNK):
        chunk = poses[start : start + _CHUNK].astype(np.float64)
        squared = np.square(chunk).sum(axis=1)[:, None] + target_squared - 2 * chunk @ target.T
        nearest[start : start + _CHUNK] = squared.min(axis=1)
        np.minimum(reached, squared.min(axis=0), out=reached)

    def rms(squared: np.ndarray) -> float:
        # Rounding may leave a distance of zero slightly negative.
        return float(np.sqrt(np.maximum(squared, 0) / len(joints)).mean())

    return rms(nearest), rms(reached)


def foot_skate(foot_pos: np.ndarray, contact: np.ndarray, dt: float, pairs: np.ndarray | None = None) -> float:
    """Mean horizontal speed of feet, m/s, between neighbouring frames that are both in contact.

    Args:
        foot_pos: (..., T, F, 3) m.
        contact: (..., T, F) bool.
        dt: seconds between frames.
        pairs: (..., T-1) bool, which neighbours count; all by default.

    Returns:
        m/s; NaN when no foot stays in contact.
    """
    speed = np.linalg.norm(np.diff(foot_pos[..., :2], axis=-3), axis=-1) / dt
    standing = contact[..., 1:, :] & contact[..., :-1, :]
    if pairs is not None:
        standing = standing & pairs[..., None]
    return _mean(speed[standing])


def foot_quality(foot_pos: np.ndarray, sole_height: np.ndarray, dt: float) -> dict[str, float]:
    """How well the feet of a clip meet the ground.

    Args:
        foot_pos: (N, F, 3) m.
        sole_height: (N, F) m, lowest point of each foot above the ground; negative below it.
        dt: seconds between frames.

    Returns:
        ``penetration_mean_m`` and ``penetration_max_m``: depth of the lower foot below ground, over all frames;
        ``float_mean_m``: height of the lower foot above ground, over all frames; ``skate_mps``: mean horizontal speed
        of the foot in stance (the lower one, its sole below 2 cm); ``stance_share``: share of frames with one.
    """
    lowest = sole_height.min(axis=1)
    # The other foot may pass low, or below the ground of a clip that sinks, while it swings.
    stance = (sole_height < CONTACT_HEIGHT_M) & (sole_height <= lowest[:, None])
    return {
        "penetration_mean_m": float(np.maximum(-lowest, 0).mean()),
        "penetration_max_m": float(np.maximum(-lowest, 0).max()),
        "float_mean_m": float(np.maximum(lowest, 0).mean()),
        "skate_mps": foot_skate(foot_pos, stance, dt),
        "stance_share": float(stance.any(axis=1).mean()),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean(dtype=np.float64)) if values.size else float("nan")


def _stretches(keep: np.ndarray, shortest: int) -> list[tuple[int, list[tuple[int, int]]]]:
    """Unbroken runs of kept frames as (length, [(environment, first frame)]), runs of one length together."""
    padded = np.pad(keep, ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(padded, axis=1)
    envs, begins = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    by_length: dict[int, list[tuple[int, int]]] = {}
    for env, begin, end in zip(envs, begins, ends, strict=True):
        if end - begin >= shortest:
            by_length.setdefault(int(end - begin), []).append((int(env), int(begin)))
    return sorted(by_length.items())
