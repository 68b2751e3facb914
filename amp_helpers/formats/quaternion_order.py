"""Which component order a file's root quaternions have: the one with the pelvis upright and the feet on the ground."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.model_evidence import Evidence, Order
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.motion.findings import OTHER_ORDER, ByOrder, QuaternionOrder, QuaternionOrderFinding
from amp_helpers.motion.rotations import rotate_inverse

HELD_M = 0.001
"""Largest mean movement, m, in the root's frame of a link that the root carries."""


def decide_quaternion(
    clip: StoredClip,
    options: ReadOptions,
    rotations: Mapping[str, np.ndarray],
    velocity: np.ndarray,
    evidence: Evidence,
    order: Order | None,
) -> QuaternionOrderFinding:
    """Decide the quaternion order: as given by the user, else as the file states it, else by the evidence.

    Args:
        clip: the clip as stored.
        options: what the user says.
        rotations: quaternion order -> the root's rotations read in that order, (N, 4) xyzw, unit.
        velocity: (N-1, 3) m/s of the root in the world; tells forward from backward.
        evidence: frames of the clip. Feet count where the user names the robot, links where the file stores them in
            the world's frame.
        order: the decision on the columns; None leaves feet and links out.
    """
    given = None if clip.quaternion_computed else _given(options.quaternion)
    soles = links = None
    if order and options.robot:
        soles = _measure(lambda name: evidence.sole_error(order, name))
    if order and evidence.bodies is not None and not evidence.bodies.in_root:
        links = _measure(lambda name: evidence.link_error(order, name))
    # Mean vertical component of the pelvis' z axis: 1 upright, 0 lying, -1 upside down.
    up = _measure(lambda name: float(np.mean(1 - 2 * (rotations[name][:, 0] ** 2 + rotations[name][:, 1] ** 2))))
    convention = clip.quaternion_convention
    held = _measure_all(evidence.attachment_error)
    overturned = up[convention] < -0.5 and up[OTHER_ORDER[convention]] > 0.5
    ground = _measure_all(lambda name: evidence.ground_error(order, name)) if overturned and order else None
    favored = _nearer(links) or _by_attachment(held)
    if favored is None:
        # A clip that stands on its head is not turned over because a robot usually stands: the ground decides.
        favored = _nearer(ground, 0.05) if overturned else _by_pelvis(up) or _by_feet(up, soles)
    finding = QuaternionOrderFinding(
        order=given or clip.quaternion or favored or convention,
        basis="user" if given else "file" if clip.quaternion else "evidence" if favored else "convention",
        pelvis_up=_rounded(up),
        sole_error_m=soles and _rounded(soles),
        link_error_m=links and _rounded(links),
        attachment_error_m=held and _rounded(held),
        ground_error_m=ground and _rounded(ground),
        favored="" if clip.quaternion_computed else favored or "",
    )
    if finding.decided:
        return finding
    # Near yaw 0 the two orders differ by half a turn: the robot is upright in both, and walks backward in one. Only
    # walking forward in the format's own order counts as evidence, because some clips do walk backward.
    speed = _measure(lambda name: _forward_speed(rotations[name], velocity))
    forward = up[convention] > 0.5 and speed[convention] > 0.1 > -0.1 > speed[OTHER_ORDER[convention]]
    return replace(
        finding,
        basis="evidence" if forward else "convention",
        forward_speed_mps=_rounded(speed),
        favored=convention if forward else "",
        convention="" if forward else clip.convention_of,
    )


def _given(name: str) -> QuaternionOrder | None:
    if name == "xyzw" or name == "wxyz":
        return name
    if name != "auto":
        raise InputError(f"quaternion order '{name}' not found; available: auto, {', '.join(OTHER_ORDER)}")
    return None


def _measure(quantity: Callable[[str], float]) -> ByOrder:
    return ByOrder(quantity("xyzw"), quantity("wxyz"))


def _measure_all(quantity: Callable[[str], float | None]) -> ByOrder | None:
    xyzw, wxyz = quantity("xyzw"), quantity("wxyz")
    return None if xyzw is None or wxyz is None else ByOrder(xyzw, wxyz)


def _rounded(values: ByOrder) -> ByOrder:
    # Digits beyond the eighth are rounding noise of the machine, and would differ between otherwise equal datasets.
    return ByOrder(round(values.xyzw, 8), round(values.wxyz, 8))


def _by_pelvis(up: ByOrder) -> QuaternionOrder | None:
    upright, other = ("xyzw", up.wxyz) if up.xyzw >= up.wxyz else ("wxyz", up.xyzw)
    return upright if up[upright] > 0.5 and up[upright] > other + 0.3 else None


def _by_feet(up: ByOrder, error: ByOrder | None) -> QuaternionOrder | None:
    """Return the order with the feet clearly nearer to the ground; with one order upside down, the pelvis decides."""
    one, other = sorted((up.xyzw, up.wxyz))
    return None if one < -0.5 < 0.5 < other else _nearer(error)


def _by_attachment(error: ByOrder | None) -> QuaternionOrder | None:
    """Return the order in which a link stays in place in the root's frame, and clearly moves in the other."""
    if error is None:
        return None
    near: QuaternionOrder = "xyzw" if error.xyzw <= error.wxyz else "wxyz"
    far = error[OTHER_ORDER[near]]
    return near if error[near] < min(HELD_M, 0.2 * far) and far > HELD_M / 2 else None


def _nearer(error: ByOrder | None, by: float = 0.01) -> QuaternionOrder | None:
    """Return the order with the clearly smaller error, by half and ``by`` meters."""
    if error is None:
        return None
    near: QuaternionOrder = "xyzw" if error.xyzw <= error.wxyz else "wxyz"
    far = error[OTHER_ORDER[near]]
    return near if error[near] < 0.5 * far and far - error[near] > by else None


def _forward_speed(quat: np.ndarray, velocity: np.ndarray) -> float:
    """Compute the median speed along the root's own x axis, m/s; the median, because first frames may jump meters."""
    return float(np.median(rotate_inverse(quat[:-1], velocity)[:, 0])) if len(velocity) else 0.0
