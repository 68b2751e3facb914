"""The checks that a diagnosis answers: order, sides, signs, offset and quaternions, told by how the clip fits."""

from amp_helpers.checks.body_fit import contrast
from amp_helpers.checks.diagnosis import Diagnosis, Tried
from amp_helpers.checks.table import Check
from amp_helpers.motion.motion import Motion

QUATERNION = "quaternion order"
CAUSES = {
    "column order": "no other order of these joints is known",
    "left and right": "no joint has a counterpart by name",
    "mirrored axes": "no joint to try",
    "default offset": "the robot's default pose is near zero in every joint here",
}
"""Checks that stand on the diagnosis alone -> why there may be nothing to try."""


def cause_checks(motion: Motion, diagnosis: Diagnosis) -> list[Check]:
    """One check for each kind of mistake; at most one of them is not ok, because one cause is enough."""
    checks = [quaternion_order(motion, diagnosis)]
    for name, nothing in CAUSES.items():
        found = diagnosis.best(name)
        checks.append(_check(name, found, diagnosis) if found else Check(name, "ok", nothing))
    return checks


def quaternion_order(motion: Motion, diagnosis: Diagnosis | None) -> Check:
    """Whether the root is upright and the feet agree with the way it faces; without a diagnosis, the former alone."""
    up = -motion.projected_gravity[:, 2]
    lowest = int(up.argmin())
    evidence = f"pelvis points up {up.mean():.2f} on average, least {up[lowest]:.2f} at frame {lowest}"
    if diagnosis is not None:
        other = diagnosis.best(QUATERNION)
        if other is diagnosis.cause:
            return _check(QUATERNION, other, diagnosis, f"{evidence}; ")
        evidence += f"; misfit {diagnosis.stored.misfit:.1f} as read, {other.fit.misfit:.1f} the other way"
    if up.mean() < 0.5:
        remedy = "read the file with --quaternion wxyz (or xyzw): the pelvis should stay near 1 while walking."
        return Check(QUATERNION, "fail", evidence, remedy)
    # Both readings may stand upright; then the feet tell, unless they stand still.
    told_by_feet = diagnosis is not None and other.fit.misfit > diagnosis.stored.misfit + 1
    found = motion.findings.quaternion
    if found and not found.decided and not told_by_feet:
        remedy = "both readings stand upright, so look at the rendered clip and give --quaternion if it faces wrongly."
        return Check(QUATERNION, "warn", evidence, remedy)
    return Check(QUATERNION, "ok", evidence)


def _check(name: str, found: Tried, diagnosis: Diagnosis, before: str = "") -> Check:
    stored = diagnosis.stored
    if found is diagnosis.cause:
        alike = [t.explanation.what for t in diagnosis.alike[:1]]
        evidence = f"{before}{found.explanation.what}; undone, {contrast(stored, found.fit)}" + "".join(
            f"; as likely: {what}" for what in alike
        )
        return Check(name, "fail" if diagnosis.certain else "warn", evidence, found.explanation.remedy)
    added = diagnosis.added if name == "default offset" else None
    if added is not None and diagnosis.cause is None:
        evidence = (
            f"{added.explanation.what}, perhaps; undone, no joint ever leaves its limits, and the lower sole is "
            f"{added.fit.height_m * 100:+.1f} cm from the ground instead of {stored.height_m * 100:+.1f}"
        )
        return Check(name, "warn", evidence, added.explanation.remedy)
    evidence = f"misfit {stored.misfit:.1f} as stored, {found.fit.misfit:.1f} if {found.explanation.what}"
    return Check(name, "ok", evidence)
