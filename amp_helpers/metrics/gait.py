"""Stride frequency."""

import numpy as np

from amp_helpers.joints import JointOrder
from amp_helpers.metrics.frames import stretches

GAIT_BAND_HZ = (0.3, 5.0)
"""Band in which the stride frequency is searched, Hz."""

MIN_SEGMENT_S = 2.0
"""Shortest unbroken stretch of frames that counts for the gait frequency, s."""

MIN_SWING_RAD = 0.03
"""Smallest swing of a robot that walks, rad: RMS about the mean of the joint that moves most. Captured walks and turns
have 0.2 and more, a policy that stands 0.004."""

_GAIT_JOINTS = ("_hip_pitch_joint", "_knee_joint")
_FREQUENCY_STEP_HZ = 0.02


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
    motion of more than ``MIN_SWING_RAD`` gives a number as well.

    Args:
        joint_pos: (E, T, J) rad.
        joint_names: (J).
        dt: seconds between frames.
        keep: (E, T) bool, frames to use; all by default.

    Returns:
        Hz; NaN without a long enough stretch, or for a robot that stands: one that sways has a spectrum, and no stride.
    """
    joints = tuple(name for name in joint_names if name.endswith(_GAIT_JOINTS)) or joint_names
    signals = joint_pos[..., JointOrder(joints).indices_from(joint_names)]
    keep = np.ones(signals.shape[:2], dtype=bool) if keep is None else keep
    # Zero-padding samples the spectrum finely enough for the parabola.
    size = 2 ** int(np.ceil(np.log2(max(1 / (_FREQUENCY_STEP_HZ * dt), signals.shape[1]))))
    power, swing, frames = np.zeros(size // 2 + 1), np.zeros(len(joints)), 0
    for length, found in stretches(keep, int(np.ceil(MIN_SEGMENT_S / dt - 1e-9))):
        window = np.hanning(length)[:, None]
        for start in range(0, len(found), 128):
            rows = np.stack([signals[env, begin : begin + length] for env, begin in found[start : start + 128]])
            rows = rows - rows.mean(axis=1, keepdims=True)
            swing, frames = swing + np.square(rows).sum(axis=(0, 1)), frames + rows.shape[0] * length
            power += np.square(np.abs(np.fft.rfft(rows * window, size, axis=1))).sum(axis=(0, 2))
    frequency = np.fft.rfftfreq(size, dt)
    inside = np.flatnonzero((frequency >= GAIT_BAND_HZ[0]) & (frequency <= GAIT_BAND_HZ[1]))
    if not inside.size or not frames or np.sqrt(swing.max() / frames) < MIN_SWING_RAD:
        return float("nan")
    peak = int(inside[np.argmax(power[inside])])
    below, here, above = np.log(power[peak - 1 : peak + 2] + 1e-30)
    curvature = below - 2 * here + above
    shift = 0.5 * (below - above) / curvature if curvature < 0 else 0.0
    return float((peak + np.clip(shift, -0.5, 0.5)) / (size * dt))
