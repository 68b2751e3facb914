"""How long a stride lasts at a command: what the task that is trained in and the controller of a robot agree on."""

from dataclasses import dataclass

Pair = tuple[int, int]
"""Columns of a left and a right joint."""


@dataclass(kw_only=True)
class StrideLaw:
    """Duration of a stride as a power of the speed, one for walking and one for running, and how legs show its phase.

    Below a forward command ``v`` of ``run_from``, with turn ``w``, a stride takes
    ``walk_s max(hypot(v, turn_radius w), slowest)^walk_exponent``; from there on ``run_s v^run_exponent``.
    """

    walk_s: float
    """Duration of a walking stride at 1 m/s, s."""
    walk_exponent: float
    """Exponent of the walking speed."""
    run_s: float
    """Duration of a running stride, extrapolated to 1 m/s, s."""
    run_exponent: float
    """Exponent of the running speed."""
    run_from: float
    """Forward speed from which the robot runs, m/s."""
    turn_radius: float
    """Strides at a turn of w rad/s are as long as those at ``turn_radius`` w m/s, m."""
    slowest: float
    """Speed below which strides get no longer, m/s."""
    knee_share: float
    """Weight of the knees beside the hips where the phase of a stride is read from the legs: turning on the spot, a
    robot lifts its knees and hardly swings its legs."""
