"""How a policy obeys its command: forward speed, turning speed, the commanded path, and steps of the command."""

from itertools import pairwise

import numpy as np

from amp_helpers.metrics.frames import episode_starts, moving_mean, rms, stretches, unbroken
from amp_helpers.metrics.gait import MIN_SEGMENT_S
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.rotations import rotate

AVERAGE_S = 1.0
"""Time over which forward and turning speed are averaged before they are compared with the command, s."""

RESPONSE_AVERAGE_S = 0.5
"""The same for the response to a step of the command, s; centered, so that it delays nothing."""

RESPONSE_SHARE = 0.9
"""Share of a step of the command that counts as reached."""


def heading(root_quat: np.ndarray) -> np.ndarray:
    """Direction of the root's x axis in the ground plane, (...) rad, from the world's x axis to the left.

    Args:
        root_quat: (..., 4) xyzw.
    """
    x, y, z, w = np.moveaxis(root_quat.astype(np.float64), -1, 0)
    return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def forward_speed(rollout: Rollout) -> np.ndarray:
    """Speed of the root along its heading, (E, T) m/s: horizontal, unlike the x component in a root that leans."""
    velocity = rotate(rollout.root_quat, rollout.root_lin_vel)
    angle = heading(rollout.root_quat)
    return velocity[..., 0] * np.cos(angle) + velocity[..., 1] * np.sin(angle)


def yaw_rate(rollout: Rollout) -> np.ndarray:
    """Change of the heading between neighboring frames over the time between them, (E, T - 1) rad/s, left positive."""
    return np.diff(np.unwrap(heading(rollout.root_quat), axis=1), axis=1) / rollout.dt


def tracking_error(rollout: Rollout, keep: np.ndarray) -> float:
    """RMS over environments and time of the forward speed less its command, both averaged over 1 s, m/s.

    Unlike the mean speed, it sees environments that are too fast beside others that are too slow, and speed that
    wanders within seconds. The mean over 1 s takes out most of the rhythm of steps: of a ripple of f Hz it leaves
    |sin(pi f) / (pi f)|, which is 19 % at 1.6 steps a second.

    Cannot see sideways speed, turning, nor where the robot goes.

    Args:
        rollout: frames of the policy.
        keep: (E, T) bool, frames to use. A mean is taken only over unbroken ones.

    Returns:
        m/s; NaN without an unbroken second.
    """
    length = _frames(AVERAGE_S, rollout.dt)
    error = forward_speed(rollout) - rollout.commands[:, 0]
    return rms(moving_mean(error, length)[unbroken(keep, length)])


def turn_error(rollout: Rollout, keep: np.ndarray) -> float:
    """RMS over environments and time of the yaw rate less its command, both averaged over 1 s, rad/s.

    The mean yaw rate of a second is the change of the heading over it, whatever the root's tilt does meanwhile. It
    takes out most of the swing of the pelvis: of a swing of f Hz it leaves |sin(pi f) / (pi f)|, which is 18 % at 1.25
    strides a second. The run at 2.72 m/s has 0.12 rad/s left, though it does not turn, and walks have 0.04 or less.

    Cannot see a heading that is wrong but constant.

    Args:
        rollout: frames of the policy.
        keep: (E, T) bool, frames to use. A mean is taken only over unbroken ones.

    Returns:
        rad/s; NaN without an unbroken second.
    """
    length = _frames(AVERAGE_S, rollout.dt)
    error = moving_mean(yaw_rate(rollout) - rollout.commands[1:, 1], length)
    return rms(error[unbroken(keep, length + 1)])


def drift(rollout: Rollout, keep: np.ndarray) -> float:
    """Mean over environments of |net sideways travel off the commanded path| over the measured time, m/s.

    The commanded path begins at the first kept frame. Its direction there is the heading at the start of the episode,
    turned since at the commanded rate. It is a straight line, or at a commanded turn a circle of radius forward speed
    over turning speed; at a forward command of 0 it is a point, so that all net travel counts. Where a fall divides the
    time, each stretch of at least 2 s counts by its length.

    Cannot see how far along the path the robot gets, and nothing that it leaves and returns to in between.

    Args:
        rollout: frames of the policy.
        keep: (E, T) bool, frames to use.

    Returns:
        m/s; NaN without a long enough stretch, and at a turn whose radius changes.
    """
    forward, turn = rollout.commands[:, 0], rollout.commands[:, 1]
    if np.ptp(turn) or (turn[0] and np.ptp(forward)):
        return float("nan")
    starts = episode_starts(rollout.fell)
    travel = time_s = 0.0
    for length, found in stretches(keep, _frames(MIN_SEGMENT_S, rollout.dt)):
        env, first = np.array(found).T
        start = starts[env, first]
        path = heading(rollout.root_quat[env, start]) + turn[0] * (first - start) * rollout.dt
        step = (rollout.root_pos[env, first + length - 1] - rollout.root_pos[env, first]).astype(np.float64)
        along = step[:, 0] * np.cos(path) + step[:, 1] * np.sin(path)
        left = step[:, 1] * np.cos(path) - step[:, 0] * np.sin(path)
        if not forward.any():
            left = np.hypot(along, left)
        elif abs(turn[0]) > 1e-6:  # the radius of less has no digits left for the difference
            radius = forward[0] / turn[0]
            left = np.hypot(along, left - radius) - abs(radius)
        travel += np.abs(left).sum()
        time_s += len(env) * (length - 1) * rollout.dt
    return float(travel / time_s) if time_s else float("nan")


def response_times(rollout: Rollout) -> list[float]:
    """Time until 90 % of each step of the command is reached, mean over environments, s.

    The start is a step too, from standing still to the first command, unless that is 0. Forward and turning speed are
    averaged over 0.5 s around each frame. An environment that does not get there, or falls, before the next step or the
    end, counts with the time until then: the mean is then too short, and still longer than a good one.

    Cannot see overshoot, nor what happens after the 90 % are reached.

    Returns:
        A time per step of the command, s; none without steps.
    """
    commands, dt = rollout.commands.astype(np.float64), rollout.dt
    before = np.concatenate([np.zeros((1, 2)), commands[:-1]])
    begins = np.flatnonzero(np.abs(commands - before).max(axis=1) > 1e-6)
    turning = np.gradient(np.unwrap(heading(rollout.root_quat), axis=1), dt, axis=1)
    measured = np.stack([forward_speed(rollout), turning], axis=-1)
    half = _frames(RESPONSE_AVERAGE_S, dt) // 2
    padded = np.pad(measured, ((0, 0), (half, half), (0, 0)), mode="edge")
    smooth = np.moveaxis(moving_mean(np.moveaxis(padded, 1, 2), 2 * half + 1), 2, 1)
    times = []
    for begin, end in pairwise([*begins, len(commands)]):
        change = commands[begin] - before[begin]
        progress = (smooth[:, begin:end] - before[begin]) @ change / (change @ change)
        fallen = np.logical_or.accumulate(rollout.fell[:, begin:end], axis=1)
        there = (progress >= RESPONSE_SHARE) & ~fallen
        steps = np.where(there.any(axis=1), there.argmax(axis=1), end - begin)
        times.append(float(steps.mean() * dt))
    return times


def _frames(seconds: float, dt: float) -> int:
    return max(1, round(seconds / dt))
