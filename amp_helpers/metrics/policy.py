"""The metrics of a policy, as ``metrics.json`` holds them."""

import numpy as np

from amp_helpers.metrics.conditions import WARMUP_S
from amp_helpers.metrics.feet import foot_skate
from amp_helpers.metrics.frames import mean, rms
from amp_helpers.metrics.gait import gait_frequency
from amp_helpers.metrics.poses import nearest_poses, tilt_difference
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.metrics.tracking import drift, response_times, tracking_error, turn_error
from amp_helpers.motion.motion import Motion


def evaluate_rollout(rollout: Rollout, reference: Motion | None, warmup_s: float = WARMUP_S) -> dict[str, float]:
    """Compute the metrics of a policy; ``metrics.json`` has these keys.

    All but the falls and the response use only the K frames, over all environments, that are at least ``warmup_s``
    after a start and after a fall. NaN means undefined: there are no such frames. The falls are always defined.

    ``falls_per_env_10s``
        Falls / (E T dt) * 10 s, over the whole rollout. Cannot see stumbles that do not end an episode, nor robots that
        lie where no termination of the task sees it (:func:`amp_helpers.metrics.lying.lying_share`); and because the
        other metrics leave out the time around falls, they describe a policy that falls often by its best moments.
    ``velocity_error_mps``
        |mean over K of the forward speed in the root frame - command|. A root that leans counts as slower than it is,
        by 12 % at 28 degrees. Cannot see fluctuation: speeds that are too high and too low cancel, between environments
        and over a stride. Nor sideways drift and turning.
    ``tracking_rmse_mps``
        RMS over environments and time of the forward speed, averaged over 1 s, less the command
        (:func:`tracking_error`). Sees the fluctuation that ``velocity_error_mps`` lets cancel. Cannot see sideways
        speed, turning, nor where the robot goes.
    ``turn_error_radps``
        The same for the yaw rate (:func:`turn_error`), of which strides that do not divide 1 s leave a part of the
        pelvis's swing. Cannot see a heading that is wrong but constant.
    ``drift_mps``
        Mean over environments of |net sideways travel off the commanded path| over the measured time; at a forward
        command of 0, of |net travel| (:func:`drift`). Cannot see how far along the path the robot gets, nor what it
        leaves and returns to.
    ``response_s``
        Time until 90 % of a step of the command is reached, for the slowest step (:func:`response_times`); the start
        counts as a step from standing still. Cannot see overshoot. Undefined where the command is always 0, and where
        the robot never stays up for ``warmup_s``: the times would then be those between falls.
    ``gait_frequency_hz``, ``gait_frequency_ratio``
        Stride frequency (:func:`gait_frequency`), and its ratio to that of the reference. Cannot see stride length, the
        coordination of the legs, or a second gait that fewer environments use. Undefined for a robot that stands.
    ``pose_rmse_rad``
        Mean over K of the smallest RMS joint distance to a reference frame (:func:`nearest_poses`). Cannot see timing,
        velocities and order: a policy that freezes in one pose of the reference scores 0. Nor ankles, wrists and the
        root.
    ``tilt_rmse_rad``
        RMS over K of the angle between the root's tilt and that of the nearest reference frame, nearest by the joints
        (:func:`tilt_difference`). Sees a robot that leans with the right joint angles. Cannot see heading and height
        of the root, and compares with whatever frame the joints resemble most.
    ``coverage_rmse_rad``
        Mean over the reference frames of the smallest RMS joint distance to a frame in K. The counterpart of the pose:
        it shows a policy that freezes, but cannot see poses that the reference lacks, nor timing.
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
        reference: the clip that the policy imitates, resampled to the rollout's step; ``None`` leaves what compares
            with it undefined, as where the command changes.
        warmup_s: time left out after a start, s.

    Raises:
        InputError: the reference lacks a compared joint.
    """
    keep = rollout.settled(warmup_s)
    pairs = keep[:, 1:] & keep[:, :-1]
    speed = rollout.root_lin_vel[..., 0][keep]
    gait = gait_frequency(rollout.joint_pos, rollout.joint_names, rollout.dt, keep)
    action_steps = np.sqrt(np.mean(np.square(np.diff(rollout.actions, axis=1)), axis=2))
    power = np.abs(rollout.joint_torque * rollout.joint_vel).sum(axis=2)
    return {
        "falls_per_env_10s": float(rollout.fell.mean() / rollout.dt * 10),
        "velocity_error_mps": abs(mean(speed - np.broadcast_to(rollout.commands[:, 0], keep.shape)[keep])),
        "tracking_rmse_mps": tracking_error(rollout, keep),
        "turn_error_radps": turn_error(rollout, keep),
        "drift_mps": drift(rollout, keep),
        "response_s": max(response_times(rollout) if keep.any() else [], default=float("nan")),
        "gait_frequency_hz": gait,
        **_style(rollout, reference, keep, gait),
        "foot_skate_mps": foot_skate(rollout.foot_pos, rollout.foot_contact, rollout.dt, pairs),
        "action_rate": mean(action_steps[pairs]),
        "mechanical_power_w": mean(power[keep]),
    }


def _style(rollout: Rollout, reference: Motion | None, keep: np.ndarray, gait_hz: float) -> dict[str, float]:
    """Compare kept frames with the reference."""
    names = ("gait_frequency_ratio", "pose_rmse_rad", "tilt_rmse_rad", "coverage_rmse_rad")
    if reference is None:
        return dict.fromkeys(names, float("nan"))
    reference = reference.resample(rollout.dt)
    poses = nearest_poses(rollout.joint_pos[keep], rollout.joint_names, reference)
    tilt = tilt_difference(rollout.root_quat[keep], reference.root_quat[poses.frame])
    reference_hz = gait_frequency(reference.joint_pos[None], reference.joint_names, rollout.dt)
    values = (gait_hz / reference_hz, mean(poses.distance), rms(tilt), mean(poses.reached))
    return dict(zip(names, values, strict=True))
