"""What can be asked of a clip's numbers alone, each threshold beside its reason."""

import numpy as np

from amp_helpers.checks.table import Check
from amp_helpers.joints import JointOrder
from amp_helpers.motion.findings import NORM_TOLERANCE
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.repair import find_defects, root_speeds
from amp_helpers.robots.robot import Robot

SPIKE_RAD = 0.25
"""A joint that moves so far in one frame and back in the next was never there: at 30 fps it would reverse 15 rad/s."""

LIMIT_SLACK_RAD = 0.05
"""Three degrees: what smoothing and rounding add to a straight knee."""


def joint_set(motion: Motion, robot: Robot) -> Check:
    report = JointOrder(robot.joint_names).compare(motion.joint_names)
    if report.missing:
        return Check(
            "joint set",
            "fail",
            f"{len(report.missing)} of {robot.num_joints} joints of {robot.name} are missing: "
            f"{', '.join(report.missing)}",
            "choose the robot that the motion was made for, or convert with --fill_missing to hold them still.",
        )
    extra = f"; {len(report.extra)} more are set aside: {', '.join(report.extra)}" if report.extra else ""
    return Check("joint set", "ok", f"all {robot.num_joints} joints of {robot.name} are there by name{extra}")


def units(motion: Motion, robot: Robot) -> Check:
    frame, joint = np.unravel_index(np.abs(motion.joint_pos).argmax(), motion.joint_pos.shape)
    largest = abs(motion.joint_pos[frame, joint])
    evidence = f"largest angle {largest:.2f} rad at frame {frame}, {motion.joint_names[joint]}"
    # No joint of a humanoid turns more than once; angles in degrees exceed this within any movement.
    if largest > 2 * np.pi:
        return Check("units", "fail", evidence, "store angles in radians (multiply by pi / 180).")
    speed = np.linalg.norm(motion.root_pos[-1] - motion.root_pos[0]) / max(motion.duration_s, motion.dt)
    if largest < 0.1 and speed > 0.3:
        evidence += f", while the root moves at {speed:.2f} m/s"
        return Check("units", "warn", evidence, "these may be radians converted once more: multiply by 180 / pi.")
    return Check("units", "ok", evidence)


def quaternion_norm(motion: Motion, robot: Robot) -> Check:
    """Of the file: a :class:`Motion` holds unit quaternions, and its findings the norms that the file stores."""
    low, high = motion.findings.quaternion_norm or (1.0, 1.0)
    if max(1 - low, high - 1) <= NORM_TOLERANCE:
        return Check("quaternion norm", "ok", "root quaternions are of unit length")
    evidence = f"root quaternions had norms {low:.3f} to {high:.3f} and were brought to 1"
    # A rounded export is off by a thousandth; averaged or interpolated rotations by hundredths.
    if max(1 - low, high - 1) <= 0.01:
        return Check("quaternion norm", "ok", evidence)
    remedy = "harmless if the file was merely interpolated; convert with --repair quaternion_norm to have it recorded."
    return Check("quaternion norm", "warn", evidence, remedy)


def frame_rate(motion: Motion, robot: Robot) -> Check:
    evidence = f"{motion.fps:.4g} fps, {motion.num_frames} frames, {motion.duration_s:.2f} s"
    if not 10 <= motion.fps <= 500:
        return Check("frame rate", "warn", evidence, "check fps in the file: motion capture runs at 24 to 240.")
    if motion.duration_s < 0.5:
        return Check("frame rate", "warn", evidence, "use a clip of at least one stride (about a second).")
    return Check("frame rate", "ok", evidence)


def limits(motion: Motion, robot: Robot) -> Check:
    excess, limits = _beyond_limits(motion, robot, motion.joint_pos)
    frame, joint = np.unravel_index(excess.argmax(), excess.shape)
    share = (excess > LIMIT_SLACK_RAD).any(axis=1).mean()
    if excess.max() <= LIMIT_SLACK_RAD:
        return Check("joint limits", "ok", f"all angles lie within the model's limits, up to {excess.max():.2f} rad")
    low, high = limits[joint]
    evidence = (
        f"{share:.1%} of frames leave the limits, most at frame {frame}: {motion.joint_names[joint]} "
        f"{motion.joint_pos[frame, joint]:.2f} rad, limits {low:.2f} to {high:.2f}"
    )
    # A retargeting overshoots by tenths; a radian means that the column belongs to another joint.
    if excess.max() > 1.0:
        return Check("joint limits", "fail", evidence, "check the joint order: a column seems to be another joint's.")
    remedy = "retarget with the robot's limits, or accept that the policy cannot reach these poses."
    return Check("joint limits", "warn", evidence, remedy)


def joint_speed(motion: Motion, robot: Robot) -> Check:
    """Speeds that no motor reaches, and single frames that jump away and back."""
    step = np.diff(motion.joint_pos.astype(np.float64), axis=0)
    speed = np.abs(step) * motion.fps
    frame, joint = np.unravel_index(speed.argmax(), speed.shape)
    evidence = (
        f"fastest joint {motion.joint_names[joint]} {speed.max():.1f} rad/s between frames {frame} and {frame + 1}"
    )
    remedy = "cut the clip there (Motion.trim) or smooth it (Motion.smooth)."
    back = np.where(step[:-1] * step[1:] < 0, np.minimum(np.abs(step[:-1]), np.abs(step[1:])), 0)
    spikes = np.argwhere(back > SPIKE_RAD)
    if len(spikes):
        frame, joint = spikes[back[tuple(spikes.T)].argmax()]
        evidence = (
            f"{motion.joint_names[joint]} jumps {back[frame, joint]:.2f} rad away and back at frame {frame + 1}; such "
            f"spikes in all: {len(spikes)}; {evidence}"
        )
    # The G1's motors end at 20 to 37 rad/s.
    verdict = "fail" if speed.max() > 40 else "warn" if speed.max() > 20 or len(spikes) else "ok"
    return Check("joint speed", verdict, evidence, remedy if verdict != "ok" else "")


def root_speed(motion: Motion, robot: Robot) -> Check:
    speed, turn, jumps = root_speeds(motion)
    fast, spun = int(speed.argmax()), int(turn.argmax())
    evidence = (
        f"root moves at most {speed[fast]:.1f} m/s (after frame {fast}: {speed[fast] / motion.fps:.2f} m) and turns "
        f"{turn[spun]:.1f} rad/s (after frame {spun})"
    )
    if jumps.size:
        first, last, middle = jumps[0], jumps[-1], motion.num_frames // 2
        if last < middle:
            remedy = f"cut the jump away: Motion.trim({(last + 1) * motion.dt:.3f}) starts after it."
            if first == 0:
                remedy += " Or convert with --repair first_jump, which drops these first frames."
        elif first >= middle:
            remedy = f"cut the jump away: Motion.trim(0, {first * motion.dt:.3f}) ends before it."
        else:
            remedy = "cut the clip into pieces between the jumps with Motion.trim."
        return Check("root jumps", "fail", evidence, remedy)
    return Check("root jumps", "ok", evidence)


def movement(motion: Motion, robot: Robot) -> Check:
    spread = motion.joint_pos.std(axis=0)
    joint = int(spread.argmax())
    evidence = f"most moved joint {motion.joint_names[joint]}, standard deviation {spread[joint]:.3f} rad"
    still = [name for name, value in zip(motion.joint_names, spread, strict=True) if value == 0]
    if still:
        evidence += f"; never moved: {', '.join(still)}"
    if spread.max() < 0.05:
        return Check("movement", "warn", evidence, "use a clip with movement; a still one teaches standing.")
    return Check("movement", "ok", evidence)


def loop_seam(motion: Motion, robot: Robot) -> Check:
    """Whether the clip comes round, and whether rounds or takes were joined in it without a transition."""
    gap = motion.joint_pos[-1] - motion.joint_pos[0]
    joint = int(np.abs(gap).argmax())
    rms = float(np.sqrt(np.mean(gap**2)))
    kind = "so it can be looped" if rms < 0.05 else "so looping it would jump"
    evidence = (
        f"last pose {rms:.3f} rad (RMS) from the first, most {motion.joint_names[joint]} {gap[joint]:+.2f}, {kind}"
    )
    step = np.sqrt(np.mean(np.square(np.diff(motion.joint_pos.astype(np.float64), axis=0)), axis=1))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(step, 3), 7).copy()
    around[:, 3] = 0
    joined = (step > 0.08) & (step > 3 * around.max(axis=1))
    joined[root_speeds(motion)[2]] = False  # a root that jumps as well has a check of its own
    if not joined.any():
        return Check("loop seam", "ok", evidence)
    first = int(np.argmax(joined))
    evidence = (
        f"the pose jumps by {step[first]:.2f} rad (RMS) after frame {first}, as where takes or rounds were joined; "
        f"{joined.sum()} such in all"
    )
    remedy = "cut there with Motion.trim; python -m amp_helpers.refine --loop finds one round and closes it."
    return Check("loop seam", "warn", evidence, remedy)


def frame_faults(motion: Motion) -> list[Check]:
    """Frames that the recorder repeated or lost, as :mod:`amp_helpers.motion.repair` finds them."""
    found = find_defects(motion)
    if "duplicate_frames" in found:  # around a held frame the steps look like gaps
        found["missing_frames"] = find_defects(found["duplicate_frames"].repaired).get("missing_frames")
    checks = []
    for name, repair, sound in (
        ("repeated frames", "duplicate_frames", "no frame repeats the one before it within a movement"),
        ("missing frames", "missing_frames", "no step is several in one"),
    ):
        fault = found.get(repair)
        if fault is None:
            checks.append(Check(name, "ok", sound))
            continue
        frames = ", ".join(map(str, fault.frames[:5])) + (", ..." if len(fault.frames) > 5 else "")
        evidence = f"{len(fault.frames)} at frame{'s' if len(fault.frames) > 1 else ''} {frames}"
        checks.append(Check(name, "warn", evidence, f"convert with --repair {repair}."))
    return checks


def _beyond_limits(motion: Motion, robot: Robot, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far each angle (N, J) lies beyond its limits, and the limits (J, 2), columns as the motion's."""
    limits = robot.joint_limits()[JointOrder(motion.joint_names).indices_from(robot.joint_names)]
    return np.maximum(np.maximum(limits[:, 0] - angles, angles - limits[:, 1]), 0), limits
