"""A grid of commands, and the metrics of each."""

from collections.abc import Callable, Iterable

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError, brief_repr, is_number
from amp_helpers.metrics.conditions import WARMUP_S
from amp_helpers.metrics.feet import lift_offs
from amp_helpers.metrics.frames import mean
from amp_helpers.metrics.policy import evaluate_rollout
from amp_helpers.metrics.references import nearest_reference
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.metrics.tracking import forward_speed, yaw_rate
from amp_helpers.motion.motion import Motion

Command = tuple[float, float]
"""Forward speed, m/s, and turning speed, rad/s, left positive."""

STRAIGHT_MPS = (0.0, 0.3, 0.6, 0.9, 1.2, 1.6, 2.0, 2.5)
"""Forward commands of the usual grid, straight ahead, m/s."""
TURNING_MPS, TURNS_RADPS = (0.0, 0.6, 1.2), (-0.8, -0.4, 0.4, 0.8)
"""Forward and turning commands of the usual grid where it turns, m/s and rad/s."""
GRID: tuple[Command, ...] = (
    *((forward, 0.0) for forward in STRAIGHT_MPS),
    *((forward, turn) for forward in TURNING_MPS for turn in TURNS_RADPS),
)
"""The usual grid."""
MAX_SPEED = 20.0
"""Largest commanded speed, m/s or rad/s; a larger one is a mistake. Boston Dynamics' Cheetah ran at 12.7 m/s on a
treadmill (DARPA 2012)."""


def check_speeds(*speeds: object) -> None:
    """Check commanded speeds, m/s and rad/s.

    Raises:
        InputError: one of them is not a finite number, or larger than :data:`MAX_SPEED`.
    """
    for speed in speeds:
        if not is_number(speed):
            raise InputError(f"a commanded speed is {brief_repr(speed)}; give finite speeds, in m/s and rad/s")
        if abs(speed) > MAX_SPEED:
            raise InputError(f"a commanded speed is {speed:g}; give at most {MAX_SPEED:g} m/s and rad/s")


def check_range(low: float, high: float) -> None:
    """Check a range of commanded forward speeds, m/s.

    Raises:
        InputError: it is reversed, or see :func:`check_speeds`.
    """
    check_speeds(low, high)
    if low > high:
        raise InputError(f"the velocity range is {low}..{high} m/s; give the lower speed first")


def grid_row(rollout: Rollout, reference: Motion, warmup_s: float = WARMUP_S) -> dict[str, float]:
    """Metrics of one command of a grid: ``forward`` and ``turn``, those of :func:`evaluate_rollout`, and three more.

    ``forward_speed_mps``, ``turn_rate_radps``: mean over settled frames. ``lift_offs_per_env_10s``:
    :func:`amp_helpers.metrics.lift_offs`.
    """
    keep = rollout.settled(warmup_s)
    return {
        "forward": rollout.command,
        "turn": rollout.command_turn,
        "forward_speed_mps": mean(forward_speed(rollout)[keep]),
        "turn_rate_radps": mean(yaw_rate(rollout)[keep[:, 1:] & keep[:, :-1]]),
        **evaluate_rollout(rollout, reference, warmup_s),
        "lift_offs_per_env_10s": lift_offs(rollout.foot_contact, rollout.dt, keep),
    }


def grid_rows(
    rollouts: Iterable[Rollout],
    references: MotionDataset,
    on_rollout: Callable[[Rollout, Motion], None] = lambda rollout, reference: None,
) -> list[dict[str, float]]:
    """Compare each command's rollout with the clip nearest to the command.

    Args:
        rollouts: one for each command; none is kept, for their size.
        references: the clips.
        on_rollout: called with each rollout and its reference.
    """
    rows = []
    for rollout in rollouts:
        reference = nearest_reference(rollout, references)
        rows.append(grid_row(rollout, reference))
        on_rollout(rollout, reference)
    return rows
