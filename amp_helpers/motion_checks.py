"""The questions that :func:`amp_helpers.checks.check_motion` asks of a clip, each threshold beside its reason."""

import numpy as np

from amp_helpers.check_table import Check
from amp_helpers.joints import JointOrder
from amp_helpers.metrics import foot_quality
from amp_helpers.motion import Motion
from amp_helpers.repair import root_speeds
from amp_helpers.robots import Robot


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
    return Check("units", "ok", evidence)


def quaternion(motion: Motion, robot: Robot) -> Check:
    up = -motion.projected_gravity[:, 2]
    lowest = int(up.argmin())
    _, _, finding = motion.source.partition(" (")
    read = f"; read as: {finding.removesuffix(')')}" if finding else ""
    evidence = f"pelvis points up {up.mean():.2f} on average, least {up[lowest]:.2f} at frame {lowest}{read}"
    if up.mean() < 0.5:
        remedy = "read the file with --quaternion wxyz (or xyzw): the pelvis should stay near 1 while walking."
        return Check("quaternion", "fail", evidence, remedy)
    if "undecided" in finding:
        remedy = "both readings stand upright, so look at the rendered clip and give --quaternion if it faces wrongly."
        return Check("quaternion", "warn", evidence, remedy)
    return Check("quaternion", "ok", evidence)


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
    share = (excess > 0.02).any(axis=1).mean()
    if excess.max() <= 0.02:
        return Check("joint limits", "ok", "all angles lie within the model's limits")
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


def offset(motion: Motion, robot: Robot) -> Check:
    default = JointOrder(motion.joint_names).reorder(robot.default_pose(), robot.joint_names)
    posed = np.abs(default) > 0.1
    if not posed.any():
        return Check("default offset", "ok", f"{robot.name}'s default pose is near zero in every joint here")
    mean = motion.joint_pos.mean(axis=0)
    stored, restored = (np.sqrt(np.mean((mean[posed] - target[posed]) ** 2)) for target in (0 * default, default))
    outside = (_beyond_limits(motion, robot, motion.joint_pos)[0] > 0.02).any(axis=1).mean()
    outside_restored = (_beyond_limits(motion, robot, motion.joint_pos + default)[0] > 0.02).any(axis=1).mean()
    evidence = (
        f"mean pose lies {stored:.2f} rad from zero and {restored:.2f} from the default pose; {outside:.0%} of frames "
        f"leave the limits, {outside_restored:.0%} with the default pose added"
    )
    remedy = "store absolute angles: add the default pose back, since it is subtracted again when training."
    # Knees cannot bend backwards: with the bent default knee subtracted they appear to.
    if outside > 0.05 and outside_restored < outside / 5:
        return Check("default offset", "fail", evidence, remedy)
    if stored < 0.3 * restored:
        return Check("default offset", "warn", evidence, remedy)
    return Check("default offset", "ok", evidence)


def joint_speed(motion: Motion, robot: Robot) -> Check:
    speed = np.abs(np.diff(motion.joint_pos.astype(np.float64), axis=0)) * motion.fps
    frame, joint = np.unravel_index(speed.argmax(), speed.shape)
    evidence = (
        f"fastest joint {motion.joint_names[joint]} {speed.max():.1f} rad/s between frames {frame} and {frame + 1}"
    )
    remedy = "cut the clip there (Motion.trim) or smooth it (Motion.smooth)."
    # The G1's motors end at 20 to 37 rad/s.
    if speed.max() > 40:
        return Check("joint speed", "fail", evidence, remedy)
    return Check("joint speed", "warn", evidence, remedy) if speed.max() > 20 else Check("joint speed", "ok", evidence)


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
    seam = motion.joint_pos[-1] - motion.joint_pos[0]
    joint = int(np.abs(seam).argmax())
    rms = float(np.sqrt(np.mean(seam**2)))
    kind = "so it can be looped" if rms < 0.05 else "so looping it would jump"
    return Check(
        "loop seam",
        "ok",
        f"last pose {rms:.3f} rad (RMS) from the first, most {motion.joint_names[joint]} {seam[joint]:+.2f}, {kind}",
    )


def ground(motion: Motion, robot: Robot, max_frames: int) -> list[Check]:
    # MuJoCo is needed for feet only, and the data modules that import this one stay light.
    from amp_helpers.kinematics import Kinematics

    cut = motion.num_frames > max_frames
    if cut:
        motion = motion.trim(0, (max_frames - 1) * motion.dt)
    kinematics = Kinematics(robot)
    soles = kinematics.sole_heights(motion)
    quality = foot_quality(kinematics.foot_points(motion), soles, motion.dt)
    part = f" (first {motion.num_frames} frames)" if cut else ""
    lowest = soles.min(axis=1)
    deepest, highest = int(lowest.argmin()), int(lowest.argmax())
    height = float(np.median(lowest))
    evidence = (
        f"lower sole {height * 100:+.1f} cm from the ground in the median, {lowest[deepest] * 100:+.1f} at frame "
        f"{deepest}, {lowest[highest] * 100:+.1f} at frame {highest}{part}"
    )
    shift = f"shift root_pos z by {-height:+.3f} m, or retarget with ground contact."
    # Rewards on root height feel a few centimetres; a decimetre is another floor.
    verdict = "fail" if abs(height) > 0.15 else "warn" if abs(height) > 0.03 or lowest[deepest] < -0.05 else "ok"
    ground = Check("ground height", verdict, evidence, shift if verdict != "ok" else "")
    skate = quality["skate_mps"]
    if np.isnan(skate):
        evidence = f"no foot stands (sole below 2 cm){part}"
    else:
        evidence = (
            f"the standing foot slides at {skate:.2f} m/s ({quality['stance_share']:.0%} of frames have one){part}"
        )
    sliding = bool(np.isnan(skate) or skate > 0.2)
    remedy = "leave the feet out of what the discriminator sees (--drop_joints feet), or retarget with contacts."
    return [ground, Check("foot skate", "warn" if sliding else "ok", evidence, remedy if sliding else "")]


def _beyond_limits(motion: Motion, robot: Robot, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far each angle (N, J) lies beyond its limits, and the limits (J, 2), columns as the motion's."""
    limits = robot.joint_limits()[JointOrder(motion.joint_names).indices_from(robot.joint_names)]
    return np.maximum(np.maximum(limits[:, 0] - angles, angles - limits[:, 1]), 0), limits
