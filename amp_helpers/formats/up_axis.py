"""Which axis of a file's world points up: z, or y as in many programs for motion capture and animation."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.model_evidence import Evidence, Order
from amp_helpers.motion.findings import OTHER_ORDER
from amp_helpers.motion.rotations import conjugate, multiply, projected_gravity

UpAxis = Literal["z", "y"]
UP_AXES: tuple[UpAxis, ...] = get_args(UpAxis)

FLOATING_M = 0.1
"""Mean distance of the lowest sole from the ground, m, from which the axis is in question."""
STANDING_M = 0.05
"""Largest such distance, m, of a robot that stands once y is up."""

_QUARTER_TURN = np.array([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
"""About x, xyzw: y comes up."""


def with_y_up(positions: np.ndarray) -> np.ndarray:
    """Turn positions (..., 3) of a world with y up into one with z up: (x, y, z) becomes (x, -z, y)."""
    return np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], axis=-1)


def rotations_with_y_up(rotations: Mapping[str, np.ndarray], preferred: str) -> dict[str, np.ndarray]:
    """Turn root rotations of a world with y up into one with z up.

    Programs differ in the root's own axes: z points up its trunk as in robot models, or y as in their world. Those
    axes are taken with which the root is more upright, in the quaternion order ``preferred``, or in the other one where
    it is upright with neither.

    Args:
        rotations: quaternion order -> (N, 4) xyzw, unit.
        preferred: the order that is asked first.
    """
    trunk = {order: multiply(_QUARTER_TURN, quat) for order, quat in rotations.items()}
    world = {order: multiply(quat, conjugate(_QUARTER_TURN)) for order, quat in trunk.items()}
    for order in (preferred, OTHER_ORDER[preferred]):
        best = max((trunk, world), key=lambda axes: _upright(axes[order]))
        if _upright(best[order]) > 0.5:
            return best
    return trunk


def check_z_up(path: Path, evidence: Evidence, order: Order, preferred: str) -> None:
    """Check that a robot whose feet are off the ground would not stand on it with y up.

    Args:
        path: the file, for the message.
        evidence: frames of the clip.
        order: the decision on the columns.
        preferred: quaternion order of :func:`rotations_with_y_up`.

    Raises:
        InputError: it would.
    """
    floating = min(evidence.sole_error(order, name) for name in evidence.rotations)
    if floating < FLOATING_M:
        return
    turned = replace(
        evidence,
        root_pos=with_y_up(evidence.root_pos),
        rotations=rotations_with_y_up(evidence.rotations, preferred),
        bodies=None,
        _link_positions={},
    )
    if np.median(turned.root_pos[:, 2]) < 0.5 * order.robot.default_root_height:
        return  # it does not stand, as where a walk goes straight along x
    standing = [turned.sole_error(order, name) for name, quat in turned.rotations.items() if _upright(quat) > 0.5]
    if standing and (nearest := min(standing)) < min(STANDING_M, floating / 4):
        raise InputError(
            f"{path}: its world has y up: the soles are {nearest * 100:.1f} cm off the ground so, and "
            f"{floating * 100:.0f} cm with z up; give --up y, or --up z to keep it as it is"
        )


def _upright(quat: np.ndarray) -> float:
    """Compute the mean vertical component of the root's z axis: 1 upright, -1 upside down."""
    return -float(projected_gravity(quat)[:, 2].mean())
