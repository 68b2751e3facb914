"""Checks of a clip's feet against the ground: height, penetration, skate."""

import numpy as np

from amp_helpers.checks.checked_motion import CheckedMotion
from amp_helpers.checks.table import Outcome, fail, ok, warn

STANDING_M = 0.02
"""Maximum height of a standing sole above the level on which the clip stands."""


def ground_height(clip: CheckedMotion) -> Outcome | None:
    """Compare the median height of the lower sole with the ground at 0; no outcome without a sole track."""
    track = clip.sole_track
    if track is None:
        return None
    level, highest = track.level_m, int(track.lowest.argmax())
    evidence = (
        f"lower sole {level * 100:+.1f} cm from the ground in the median, highest {track.lowest[highest] * 100:+.1f} "
        f"at frame {track.frames[highest]}{track.note}"
    )
    remedy = f"shift root_pos z by {-level:+.3f} m, or ground it with python -m amp_helpers.refine --ground."
    if clip.robot.shapeless_feet and abs(level) > 0.04:
        return warn(evidence, _put_meshes(clip), level_m=level)
    # Root-height rewards respond to a few centimeters; a decimeter is a different floor.
    if abs(level) > 0.15:
        return fail(evidence, remedy, level_m=level)
    return warn(evidence, remedy, level_m=level) if abs(level) > 0.04 else ok(evidence, level_m=level)


def foot_penetration(clip: CheckedMotion) -> Outcome | None:
    """Measure how far soles sink below the level on which the clip stands; ground height checks that level."""
    track = clip.sole_track
    if track is None:
        return None
    depth = track.level_m - track.lowest
    deepest = int(depth.argmax())
    evidence = (
        f"sole at most {depth[deepest] * 100:.1f} cm below the level it stands on, at frame {track.frames[deepest]}; "
        f"{(depth > 0.03).mean():.1%} of frames more than 3 cm{track.note}"
    )
    values = {"depth_m": float(depth[deepest]), "frame": int(track.frames[deepest])}
    if depth[deepest] <= 0.05:
        return ok(evidence, **values)
    remedy = "lock the feet with python -m amp_helpers.refine --lock_feet, or trim these frames."
    return warn(evidence, _put_meshes(clip) or remedy, **values)


def foot_skate(clip: CheckedMotion) -> Outcome | None:
    """Compare the slip of standing soles with the speed of the root."""
    track = clip.sole_track
    if track is None:
        return None
    lowest = track.lowest
    standing = (track.heights <= lowest[:, None]) & (track.heights < track.level_m + STANDING_M)
    standing[:-1] &= track.joined[:, None]
    standing[-1] = False
    if not standing.any():
        return ok(f"no foot stands{track.note}")
    skate, travel = float(np.median(track.slips[standing])), track.root_speed_mps
    evidence = (
        f"the standing sole slides at {skate:.2f} m/s in the median, while the root moves at {travel:.2f} m/s"
        f"{track.note}"
    )
    # Rolling over the toes counts as a little slip; on a treadmill the foot slides at walking speed.
    if skate <= 0.1 + 0.3 * travel:
        return ok(evidence, slip_mps=skate)
    remedy = (
        "lock the feet with python -m amp_helpers.refine --lock_feet, or hide them from the discriminator "
        "(--drop_joints feet)."
    )
    return warn(evidence, _put_meshes(clip) or remedy, slip_mps=skate)


def _put_meshes(clip: CheckedMotion) -> str:
    """What makes the soles known to a robot that lacks their meshes, which no edit of the clip does; else empty."""
    if not clip.robot.shapeless_feet:
        return ""
    missing = clip.robot.missing_meshes[0]
    return f"put the robot's meshes ({missing}, ...) where its file names them; without, its soles are unknown."
