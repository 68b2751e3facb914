"""Checks answered by the diagnosis: quaternion order, column order, sides, signs and default offset.

At most one of them is not ok, because one cause explains the fit.
"""

import numpy as np

from amp_helpers.checks.body_fit import describe_improvement
from amp_helpers.checks.checked_motion import CheckedMotion
from amp_helpers.checks.diagnosis import REORDERED, Diagnosis, Trial
from amp_helpers.checks.table import Outcome, fail, ok, warn
from amp_helpers.motion.findings import OTHER_ORDER
from amp_helpers.motion.motion import Motion

_UPRIGHT, _CROUCHED = 0.5, 0.25
"""Mean vertical component of the pelvis' z axis in upright clips, and in a crouch; where y is up, it is near 0."""


def quaternion_order(clip: CheckedMotion) -> Outcome:
    """Check that the root is upright and that the feet agree with its heading; without diagnosis, the former alone."""
    motion, diagnosis = clip.motion, clip.diagnosis
    up = -motion.projected_gravity[:, 2]
    lowest = int(up.argmin())
    evidence = f"pelvis points up {up.mean():.2f} on average, least {up[lowest]:.2f} at frame {lowest}"
    other = diagnosis.best("quaternion order") if diagnosis else None
    clearly_worse = False
    if diagnosis and other:
        if other is diagnosis.cause:
            return _report_cause(other, diagnosis, f"{evidence}; ")
        evidence += f"; misfit {diagnosis.stored.misfit:.1f} as read, {other.fit.misfit:.1f} in the other order"
        clearly_worse = other.fit.misfit > diagnosis.stored.misfit + 1
    if up.mean() < (_CROUCHED if clearly_worse else _UPRIGHT):
        return fail(evidence, _stand_up(motion))
    if up.mean() < _UPRIGHT:
        remedy = "look at the rendered clip: the root leans far over, as in a deep crouch; the other order fits worse."
        return warn(evidence, remedy)
    # Both orders can stand upright; then the feet decide, unless they stand still.
    reading = motion.findings.quaternion
    if reading and not reading.decided and not clearly_worse:
        remedy = "both orders stand upright, so look at the rendered clip and give --quaternion if it faces wrongly."
        return warn(evidence, remedy)
    return ok(evidence)


def _stand_up(motion: Motion) -> str:
    """What to do about a root that is not upright; never the order that the file was read in."""
    reading = motion.findings.quaternion
    heights = {}
    for order, columns in REORDERED.items():  # read in one order, as if read in the other
        if reading is None or order == reading.order:
            x, y = motion.root_quat[:, columns[:2]].T
            heights[OTHER_ORDER[order]] = float(np.mean(1 - 2 * (x**2 + y**2)))
    other = max(heights, key=heights.__getitem__)
    if heights[other] > _UPRIGHT:
        return f"read the file with --quaternion {other}: the pelvis then points up {heights[other]:.2f} on average."
    return (
        f"no --quaternion order stands it up ({heights[other]:.2f} in the other): if the clip should not lie down or "
        "stand on its head, turn its root where the file was written, so that z is up."
    )


def column_order(clip: CheckedMotion) -> Outcome | None:
    """Check that the columns hold the joints they are named for; without a diagnosis, that their order is known."""
    found = _from_diagnosis(clip, "column order", "no other order of these joints is known")
    reading = clip.motion.findings.joints
    if reading and not reading.decided and found is None:
        evidence = f"{reading.width} columns without names are taken for {reading.order}'s by their number"
        return warn(evidence, "look at the rendered clip, and give --joint_order if joints move wrongly.")
    return found


def left_and_right(clip: CheckedMotion) -> Outcome | None:
    """Check for exchanged sides, and for joints mirrored without the root; no outcome without a diagnosis."""
    return _from_diagnosis(clip, "left and right", "no joint has a counterpart by name")


def mirrored_axes(clip: CheckedMotion) -> Outcome | None:
    """Check the sign of each joint and of each symmetric pair; no outcome without a diagnosis."""
    return _from_diagnosis(clip, "mirrored axes", "no joint to test")


def default_offset(clip: CheckedMotion) -> Outcome | None:
    """Check that angles are absolute; no outcome without a diagnosis."""
    diagnosis = clip.diagnosis
    if diagnosis and diagnosis.cause is None and (added := diagnosis.added_offset):
        evidence = (
            f"{added.mistake.description}, perhaps; without it, no joint exceeds its limits, and the lower sole is "
            f"{added.fit.height_m * 100:+.1f} cm from the ground instead of {diagnosis.stored.height_m * 100:+.1f}"
        )
        return warn(evidence, added.mistake.remedy)
    return _from_diagnosis(clip, "default offset", "the robot's default pose is near zero in every joint here")


def _from_diagnosis(clip: CheckedMotion, check: str, nothing_to_test: str) -> Outcome | None:
    diagnosis = clip.diagnosis
    if diagnosis is None:
        return None
    best = diagnosis.best(check)
    if best is None:
        return ok(nothing_to_test)
    if best is diagnosis.cause:
        return _report_cause(best, diagnosis)
    return ok(f"misfit {diagnosis.stored.misfit:.1f} as stored, {best.fit.misfit:.1f} if {best.mistake.description}")


def _report_cause(cause: Trial, diagnosis: Diagnosis, before: str = "") -> Outcome:
    evidence = f"{before}{cause.mistake.description}; corrected, {describe_improvement(diagnosis.stored, cause.fit)}"
    evidence += "".join(f"; equally likely: {trial.mistake.description}" for trial in diagnosis.alternatives[:1])
    return (fail if diagnosis.certain else warn)(evidence, cause.mistake.remedy)
