"""The feet of a clip: at what height they stand, whether they sink into the ground, whether they slide on it."""

import numpy as np

from amp_helpers.checks.body_fit import Body, Sample
from amp_helpers.checks.table import Check
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.soles import slip, soles

STANDING_M = 0.02
"""A sole stands when it is the lower one and this near to the level on which the clip stands."""


def ground(motion: Motion, body: Body, max_frames: int) -> list[Check]:
    """Ground height, foot penetration and foot skate, on at most ``max_frames`` frames in stretches over the clip."""
    whole = motion.num_frames <= max_frames
    sample = None if whole else Sample.of(motion, max_frames)
    frames = np.arange(motion.num_frames) if whole else sample.frames
    motion, dt = (motion, motion.dt) if whole else (sample.motion, sample.dt)
    joined = np.ones(len(frames) - 1, dtype=bool) if whole else sample.joined
    position, rotation = body.foot_poses(motion)
    feet = soles(body.kinematics)
    heights = np.stack([s.height(position[:, f], rotation[:, f]) for f, s in enumerate(feet)], axis=1)
    speeds = np.stack([slip(s, position[:, f], rotation[:, f], dt) for f, s in enumerate(feet)], axis=1)
    lowest = heights.min(axis=1)
    level = float(np.median(lowest))
    part = "" if whole else f" ({len(frames)} frames looked at)"
    standing = (heights <= lowest[:, None]) & (heights < level + STANDING_M)
    standing[:-1] &= joined[:, None]
    standing[-1] = False
    travel = np.linalg.norm(np.diff(motion.root_pos[:, :2], axis=0), axis=1)[joined] / dt
    return [
        _height(level, lowest, frames, part),
        _penetration(level, lowest, frames, part),
        _skate(speeds[standing], float(travel.mean()), part),
    ]


def _height(level: float, lowest: np.ndarray, frames: np.ndarray, part: str) -> Check:
    highest = int(lowest.argmax())
    evidence = (
        f"lower sole {level * 100:+.1f} cm from the ground in the median, highest {lowest[highest] * 100:+.1f} at "
        f"frame {frames[highest]}{part}"
    )
    # Rewards on root height feel a few centimetres; a decimetre is another floor.
    verdict = "fail" if abs(level) > 0.15 else "warn" if abs(level) > 0.04 else "ok"
    remedy = f"shift root_pos z by {-level:+.3f} m, or put it on the ground with python -m amp_helpers.refine --ground."
    return Check("ground height", verdict, evidence, remedy if verdict != "ok" else "")


def _penetration(level: float, lowest: np.ndarray, frames: np.ndarray, part: str) -> Check:
    # Below the level on which the clip stands: where that is wrong, ground height says so.
    depth = level - lowest
    deepest = int(depth.argmax())
    share = float((depth > 0.03).mean())
    evidence = (
        f"sole at most {depth[deepest] * 100:.1f} cm below the level it stands on, at frame {frames[deepest]}; "
        f"{share:.1%} of frames more than 3 cm{part}"
    )
    if depth[deepest] <= 0.05:
        return Check("foot penetration", "ok", evidence)
    remedy = "hold the feet on the ground with python -m amp_helpers.refine --lock_feet, or cut these frames away."
    return Check("foot penetration", "warn", evidence, remedy)


def _skate(speeds: np.ndarray, travel: float, part: str) -> Check:
    if speeds.size == 0:
        return Check("foot skate", "ok", f"no foot stands{part}")
    skate = float(np.median(speeds))
    evidence = (
        f"what stands on the ground slides at {skate:.2f} m/s in the median, while the root moves at {travel:.2f} m/s"
        f"{part}"
    )
    # A foot that rolls over its toes counts as sliding a little; on a treadmill it slides at the speed of the walk.
    if skate <= 0.1 + 0.3 * travel:
        return Check("foot skate", "ok", evidence)
    remedy = (
        "hold the feet with python -m amp_helpers.refine --lock_feet, or leave them out of what the discriminator sees "
        "(--drop_joints feet)."
    )
    return Check("foot skate", "warn", evidence, remedy)
