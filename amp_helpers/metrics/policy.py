"""The metrics of a policy, as ``metrics.json`` holds them."""

import numpy as np

from amp_helpers.metrics.feet import foot_skate
from amp_helpers.metrics.frames import mean, settled_frames
from amp_helpers.metrics.gait import gait_frequency
from amp_helpers.metrics.poses import pose_distances
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion


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
        "velocity_error_mps": abs(mean(speed) - float(rollout.command)),
        "gait_frequency_hz": gait,
        "gait_frequency_ratio": gait / reference_gait,
        "pose_rmse_rad": pose,
        "coverage_rmse_rad": coverage,
        "foot_skate_mps": foot_skate(rollout.foot_pos, rollout.foot_contact, rollout.dt, pairs),
        "action_rate": mean(action_steps[pairs]),
        "mechanical_power_w": mean(power[keep]),
    }
