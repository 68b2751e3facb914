"""Checks of a clip that need its numbers only; each threshold states its reason."""

import numpy as np

from amp_helpers.checks.checked_motion import CheckedMotion
from amp_helpers.checks.table import Outcome, fail, ok, warn
from amp_helpers.joints import JointOrder
from amp_helpers.motion.findings import NORM_TOLERANCE
from amp_helpers.motion.repair import root_speeds
from amp_helpers.robots.kinematics import GRAVITY

SPIKE_RAD = 0.25
"""Change away and back within two frames that counts as a spike: at 30 fps, a reversal by 15 rad/s."""

LIMIT_TOLERANCE_RAD = 0.05
"""Excess beyond a joint limit that smoothing and rounding explain, 3 degrees."""


def joint_set(clip: CheckedMotion) -> Outcome:
    """Check that the clip has every joint of the robot."""
    robot = clip.robot
    names = clip.original.joint_names
    report = JointOrder(robot.joint_names).compare(names)
    if not clip.shared_joints:
        first = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        return fail(
            f"none of its {len(names)} joints ({first}) is a joint of {robot.name}",
            "name the robot that the motion was made for with --robot: its MJCF or URDF, or package.module:NAME.",
        )
    if report.missing:
        return fail(
            f"{len(report.missing)} of {robot.num_joints} joints of {robot.name} are missing: "
            f"{', '.join(report.missing)}",
            "choose the robot that the motion was made for with --robot, or convert with --fill_missing to hold them "
            "still.",
        )
    extra = f"; {len(report.extra)} others are ignored: {', '.join(report.extra)}" if report.extra else ""
    return ok(f"all {robot.num_joints} joints of {robot.name} are present by name{extra}")


def units(clip: CheckedMotion) -> Outcome:
    """Check that angles are in radians, converted once."""
    motion = clip.motion
    frame, joint = np.unravel_index(np.abs(motion.joint_pos).argmax(), motion.joint_pos.shape)
    largest = abs(motion.joint_pos[frame, joint])
    evidence = f"largest angle {largest:.2f} rad at frame {frame}, {motion.joint_names[joint]}"
    if clip.in_degrees:
        return fail(evidence, "store angles in radians (multiply by pi / 180).")
    speed = np.linalg.norm(motion.root_pos[-1] - motion.root_pos[0]) / max(motion.duration_s, motion.dt)
    # Of all the file's joints: the few that another robot shares with it may be still.
    if np.abs(clip.original.joint_pos).max() < 0.1 and speed > 0.3:
        evidence += f", while the root moves at {speed:.2f} m/s"
        return warn(evidence, "angles may have been converted to radians twice: multiply by 180 / pi.")
    return ok(evidence)


def quaternion_norm(clip: CheckedMotion) -> Outcome:
    """Check the norms that the file stores; the quaternions of a :class:`Motion` are normalized."""
    low, high = clip.motion.findings.quaternion_norm or (1.0, 1.0)
    deviation = max(1 - low, high - 1)
    if deviation <= NORM_TOLERANCE:
        return ok("root quaternions have unit length")
    evidence = f"root quaternions had norms {low:.3f} to {high:.3f} and were normalized"
    # Rounding changes a norm by a thousandth; averaging or interpolating rotations, by hundredths.
    if deviation <= 0.01:
        return ok(evidence)
    remedy = "harmless if the file was interpolated (0.94 to 0.99 is usual); else export the motion again."
    return warn(evidence, remedy)


def frame_rate(clip: CheckedMotion) -> Outcome:
    """Check that the frame rate is plausible, also by how fast the body falls, and the clip lasts about a stride."""
    motion = clip.motion
    evidence = f"{motion.fps:.4g} fps, {motion.num_frames} frames, {motion.duration_s:.2f} s"
    rate = motion.findings.frame_rate
    if rate and any(rate.warnings()):
        return warn(f"{evidence}; {rate.phrase()}", "leave --fps out, or correct the file if it is wrong.")
    if not 10 <= motion.fps <= 500:
        return warn(evidence, "check fps in the file: motion capture runs at 24 to 240.")
    if motion.duration_s < 0.5:
        return warn(evidence, "use a clip of at least one stride (about a second).")
    if found := clip.impossible_fall:
        frame, fall = found
        times = np.sqrt(fall / GRAVITY)
        return warn(
            f"at frame {frame} the body falls with {fall:.0f} m/s², and gravity gives {GRAVITY:.1f}, as if "
            f"played at {times:.1f} times its speed",
            "correct fps, in the file where it is stated there, else with --fps; or cut this moment with Motion.trim.",
            fall_mps2=fall,
        )
    return ok(evidence)


def repeated_frames(clip: CheckedMotion) -> Outcome | None:
    """Find frames that repeat the one before within a movement; no outcome for a single frame."""
    return _recording_defect(clip, "duplicate_frames", "no frame repeats the one before it within a movement")


def missing_frames(clip: CheckedMotion) -> Outcome | None:
    """Find steps that span several frames' time; no outcome for a single frame."""
    return _recording_defect(clip, "missing_frames", "no step spans several frames")


def _recording_defect(clip: CheckedMotion, repair: str, nothing_found: str) -> Outcome | None:
    if not clip.has_steps:
        return None
    defect = clip.recording_defects.get(repair)
    if defect is None:
        return ok(nothing_found)
    frames = ", ".join(map(str, defect.frames[:5])) + (", ..." if len(defect.frames) > 5 else "")
    evidence = f"{len(defect.frames)} at frame{'s' if len(defect.frames) > 1 else ''} {frames}"
    return warn(evidence, f"convert with --repair {repair}.", count=len(defect.frames))


def joint_limits(clip: CheckedMotion) -> Outcome:
    """Check that all angles lie within the robot's joint limits."""
    motion = clip.motion
    limits = clip.robot.joint_limits()[JointOrder(motion.joint_names).indices_from(clip.robot.joint_names)]
    excess = np.maximum(np.maximum(limits[:, 0] - motion.joint_pos, motion.joint_pos - limits[:, 1]), 0)
    frame, joint = np.unravel_index(excess.argmax(), excess.shape)
    if excess.max() <= LIMIT_TOLERANCE_RAD:
        beyond = f", but for {excess.max():.2f} rad" if excess.max() >= 0.005 else ""
        return ok(f"all angles lie within the model's limits{beyond}")
    share = (excess > LIMIT_TOLERANCE_RAD).any(axis=1).mean()
    low, high = limits[joint]
    evidence = (
        f"{share:.1%} of frames exceed the limits, most at frame {frame}: {motion.joint_names[joint]} "
        f"{motion.joint_pos[frame, joint]:.2f} rad, limits {low:.2f} to {high:.2f}"
    )
    # Retargeting exceeds limits by tenths; an excess of a radian means that the column belongs to another joint.
    if excess.max() > 1.0:
        return fail(evidence, "check the joint order: a column seems to be another joint's.")
    return warn(evidence, "retarget with the robot's limits, or accept that the policy cannot reach these poses.")


def joint_speed(clip: CheckedMotion) -> Outcome | None:
    """Find joint speeds beyond any motor, and single frames that jump away and back; no outcome for a single frame."""
    if not clip.has_steps:
        return None
    motion = clip.motion
    step = np.diff(motion.joint_pos.astype(np.float64), axis=0)
    speed = np.abs(step) * motion.fps
    frame, joint = np.unravel_index(speed.argmax(), speed.shape)
    evidence = (
        f"fastest joint {motion.joint_names[joint]} {speed.max():.1f} rad/s between frames {frame} and {frame + 1}"
    )
    back = np.where(step[:-1] * step[1:] < 0, np.minimum(np.abs(step[:-1]), np.abs(step[1:])), 0)
    spikes = np.argwhere(back > SPIKE_RAD)
    if len(spikes):
        frame, joint = spikes[back[tuple(spikes.T)].argmax()]
        evidence = (
            f"{motion.joint_names[joint]} jumps {back[frame, joint]:.2f} rad away and back at frame {frame + 1}; such "
            f"spikes in all: {len(spikes)}; {evidence}"
        )
    remedy = "cut the clip there (Motion.trim) or smooth it (Motion.smooth)."
    # The maximum speeds of the G1's motors are 20 to 37 rad/s.
    if speed.max() > 40:
        return fail(evidence, remedy)
    return warn(evidence, remedy) if speed.max() > 20 or len(spikes) else ok(evidence)


def root_jumps(clip: CheckedMotion) -> Outcome | None:
    """Find jumps of the root, and where to cut them away; no outcome for a single frame."""
    if not clip.has_steps:
        return None
    motion = clip.motion
    speed, turn, jumps = root_speeds(motion)
    fast, spun = int(speed.argmax()), int(turn.argmax())
    evidence = (
        f"root moves at most {speed[fast]:.1f} m/s (after frame {fast}: {speed[fast] / motion.fps:.2f} m) and turns "
        f"{turn[spun]:.1f} rad/s (after frame {spun})"
    )
    if not jumps.size:
        return ok(evidence)
    first, last, middle = jumps[0], jumps[-1], motion.num_frames // 2
    if last < middle:
        start_s = (last + 1) * motion.dt
        remedy = f"cut the jump away: Motion.trim({start_s:.3f}) starts after it."
        if first == 0:
            remedy += " Or convert with --repair first_jump, which drops these first frames."
        return fail(evidence, remedy, start_s=start_s)
    if first >= middle:
        end_s = first * motion.dt
        return fail(evidence, f"cut the jump away: Motion.trim(0, {end_s:.3f}) ends before it.", end_s=end_s)
    return fail(evidence, "cut the clip into pieces between the jumps with Motion.trim.")


def movement(clip: CheckedMotion) -> Outcome | None:
    """Check that joints move; no outcome for a single frame."""
    if not clip.has_steps:
        return None
    motion = clip.motion
    spread = motion.joint_pos.std(axis=0)
    joint = int(spread.argmax())
    evidence = f"most moved joint {motion.joint_names[joint]}, standard deviation {spread[joint]:.3f} rad"
    still = [name for name, value in zip(motion.joint_names, spread, strict=True) if value == 0]
    if still:
        evidence += f"; never moved: {', '.join(still)}"
    if spread.max() < 0.05:
        return warn(evidence, "use a clip with movement; a still one teaches standing.")
    return ok(evidence)


def loop_seam(clip: CheckedMotion) -> Outcome | None:
    """Measure how far the last pose is from the first, and find takes or cycles that were joined without a transition.

    No outcome for a single frame. A clip that cannot be looped is ok; a pose jump inside it is not.
    """
    if not clip.has_steps:
        return None
    motion = clip.motion
    gap = motion.joint_pos[-1] - motion.joint_pos[0]
    joint = int(np.abs(gap).argmax())
    rms = float(np.sqrt(np.mean(gap**2)))
    step = np.sqrt(np.mean(np.square(np.diff(motion.joint_pos.astype(np.float64), axis=0)), axis=1))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(step, 3), 7).copy()
    around[:, 3] = 0
    joined = (step > 0.08) & (step > 3 * around.max(axis=1))
    joined[root_speeds(motion)[2]] = False  # root jumps have a check of their own
    if not joined.any():
        looping = "so it can be looped" if rms < 0.05 else "so looping it would jump"
        most = f"{motion.joint_names[joint]} {gap[joint]:+.2f}"
        return ok(f"last pose {rms:.3f} rad (RMS) from the first, most {most}, {looping}")
    first = int(np.argmax(joined))
    evidence = (
        f"the pose jumps by {step[first]:.2f} rad (RMS) after frame {first}, as where takes or cycles were joined; "
        f"{joined.sum()} such jumps in all"
    )
    return warn(
        evidence, "cut there with Motion.trim; python -m amp_helpers.refine --loop finds one cycle and closes it."
    )
