"""Metrics of rollouts and clips, as pure functions of arrays; NaN means undefined, as when a policy always falls."""

import os
from dataclasses import dataclass

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.utils.npz import write_npz

GAIT_BAND_HZ = (0.3, 5.0)
"""Band in which the stride frequency is searched, Hz."""

MIN_SEGMENT_S = 2.0
"""Shortest unbroken stretch of frames that counts for the gait frequency, s."""

CONTACT_HEIGHT_M = 0.02
"""Height below which a sole counts as in contact, m; for clips, which have no contact sensor."""

_GAIT_JOINTS = ("_hip_pitch_joint", "_knee_joint")
_FREQUENCY_STEP_HZ = 0.02
_CHUNK = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class Rollout:
    """T control steps of E environments at one command; frame t is the state after step t."""

    joint_names: tuple[str, ...]
    """(J)."""
    joint_pos: np.ndarray
    """(E, T, J) rad."""
    joint_vel: np.ndarray
    """(E, T, J) rad/s."""
    joint_torque: np.ndarray
    """(E, T, J) N m, applied torque, after the actuator's limits."""
    actions: np.ndarray
    """(E, T, A), the policy's output before scale and offset."""
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
    """(E, T) bool: the step ended in a fall, after which the environment was reset."""
    dt: float
    """Control step, s."""
    command: float
    """Commanded forward speed, m/s."""

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
    """Compute the metrics of a policy; ``metrics.json`` has these keys.

    All but the falls use only the K frames, over all environments, that are at least ``warmup_s`` after a start and
    after a fall. NaN means undefined: there are no such frames.

    ``falls_per_env_10s``
        Falls / (E T dt) * 10 s, over the whole rollout. Cannot see stumbles that do not end an episode; and because the
        other metrics leave out the time around falls, they describe a policy that falls often by its best moments.
    ``velocity_error_mps``
        |mean over K of the forward speed in the root frame - command|. Cannot see fluctuation: speeds that are too high
        and too low cancel, between environments and over a stride. Nor sideways drift and turning.
    ``gait_frequency_hz``, ``gait_frequency_ratio``
        Stride frequency (:func:`gait_frequency`), and its ratio to that of the reference. Cannot see stride length, the
        coordination of the legs, or a second gait that fewer environments use.
    ``pose_rmse_rad``
        Mean over K of the smallest RMS joint distance to a reference frame (:func:`pose_distances`). Cannot see timing,
        velocities and order: a policy that freezes in one pose of the reference scores 0. Nor ankles, wrists and the
        root.
    ``coverage_rmse_rad``
        Mean over the reference frames of the smallest RMS joint distance to a frame in K. The counterpart: it shows a
        policy that freezes, but cannot see poses that the reference lacks, nor timing.
    ``foot_skate_mps``
        Mean horizontal speed of feet in contact (:func:`foot_skate`). Cannot see feet that slip just before or after
        contact, nor feet in the air: a policy that never touches the ground is undefined.
    ``action_rate``
        Mean over K of the RMS over actions of a_t - a_(t-1). Cannot see vibration that the actuators add, and does not
        compare policies with different action scales.
    ``mechanical_power_w``
        Mean over K of sum_j |torque_j velocity_j|. Cannot see the heat of motors that hold a load without moving, and
        counts braking as much as driving.

    Args:
        rollout: frames of the policy.
        reference: the clip that the policy imitates; resampled to the rollout's step.
        warmup_s: time left out after a start, s.

    Raises:
        InputError: the reference lacks a compared joint.
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
    """Mask (E, T) bool of frames at least ``warmup_s`` after the start and after the last fall, without the falls."""
    steps = np.arange(fell.shape[1])
    started = np.maximum.accumulate(np.where(fell, steps, 0), axis=1)
    return ((steps - started) * dt >= warmup_s - 1e-9) & ~fell


def gait_frequency(
    joint_pos: np.ndarray, joint_names: tuple[str, ...], dt: float, keep: np.ndarray | None = None
) -> float:
    """Stride frequency, Hz: the peak between 0.3 and 5 Hz of the summed power spectra of hip pitches and knees.

    A robot without such joints is measured at all its joints. Each unbroken stretch of at least 2 s of kept frames
    gives one periodogram per joint (mean removed, Hann window, zero-padded); their sum weights long stretches more. A
    parabola through the logarithm of the peak refines it (Smith, *Spectral Audio Signal Processing*, quadratic
    interpolation of spectral peaks). A knee bends twice a stride, so its second harmonic is strong; the hips, which
    swing once, decide the sum.

    Cannot see whether the legs alternate: two legs that hop together have a stride frequency too. Any other periodic
    motion gives a number as well.

    Args:
        joint_pos: (E, T, J) rad.
        joint_names: (J).
        dt: seconds between frames.
        keep: (E, T) bool, frames to use; all by default.

    Returns:
        Hz; NaN without a long enough stretch, or without movement.
    """
    joints = tuple(name for name in joint_names if name.endswith(_GAIT_JOINTS)) or joint_names
    signals = joint_pos[..., JointOrder(joints).indices_from(joint_names)]
    keep = np.ones(signals.shape[:2], dtype=bool) if keep is None else keep
    # Zero-padding samples the spectrum finely enough for the parabola.
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
    """Mean distances between poses and a reference, in both directions.

    The distance of two poses is the RMS of their joint differences, without ankles and wrists. Cannot see the order or
    speed of poses, only which ones occur.

    Args:
        joint_pos: poses, (N, J) rad.
        joint_names: (J).
        reference: the clip; has the compared joints.

    Returns:
        Mean over poses of the distance to the nearest reference frame, and mean over reference frames of the distance
        to the nearest pose, rad; NaN if N is 0.

    Raises:
        InputError: the reference lacks a compared joint.
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
        # Rounding can make a distance of zero slightly negative.
        return float(np.sqrt(np.maximum(squared, 0) / len(joints)).mean())

    return rms(nearest), rms(reached)


def foot_skate(foot_pos: np.ndarray, contact: np.ndarray, dt: float, pairs: np.ndarray | None = None) -> float:
    """Mean horizontal speed of feet between neighboring frames that are both in contact, m/s.

    Cannot see slip between a frame in contact and one without. If ``foot_pos`` is a point above the sole, such as the
    ankle, a foot that rolls over its toes without slipping counts as well.

    Args:
        foot_pos: (..., T, F, 3) m, world frame.
        contact: (..., T, F) bool.
        dt: seconds between frames.
        pairs: (..., T-1) bool, pairs of neighbors to use; all by default.

    Returns:
        m/s; NaN if no foot stays in contact.
    """
    speed = np.linalg.norm(np.diff(foot_pos[..., :2], axis=-3), axis=-1) / dt
    standing = contact[..., 1:, :] & contact[..., :-1, :]
    if pairs is not None:
        standing = standing & pairs[..., None]
    return _mean(speed[standing])


def foot_quality(foot_pos: np.ndarray, sole_height: np.ndarray, dt: float) -> dict[str, float]:
    """Penetration, floating and skate of the feet of a clip.

    Stance is assumed for the lowest foot if its sole is below 2 cm; clips have no contact sensor. Cannot see the second
    foot in double support, and takes the flight phases of a run for floating.

    Args:
        foot_pos: (N, F, 3) m, world frame.
        sole_height: height of the lowest point of each foot, (N, F) m; negative below the ground.
        dt: seconds between frames.

    Returns:
        ``penetration_mean_m``, ``penetration_max_m``: depth of the lowest foot below the ground, over all frames;
        ``float_mean_m``: height of the lowest foot above the ground, over all frames;
        ``skate_mps``: mean horizontal speed of the stance foot; ``stance_share``: share of frames with a stance foot.
    """
    lowest = sole_height.min(axis=1)
    # A swinging foot may pass low, or below the ground in a clip that sinks.
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
    """Unbroken runs of kept frames as (length, [(environment, first frame)]), grouped by length."""
    padded = np.pad(keep, ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(padded, axis=1)
    envs, begins = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    by_length: dict[int, list[tuple[int, int]]] = {}
    for env, begin, end in zip(envs, begins, ends, strict=True):
        if end - begin >= shortest:
            by_length.setdefault(int(end - begin), []).append((int(env), int(begin)))
    return sorted(by_length.items())
