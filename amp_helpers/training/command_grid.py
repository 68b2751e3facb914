"""Measure a policy under many commands, each in environments of its own."""

from collections.abc import Callable, Sequence

from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.dataset import MotionDataset
from amp_helpers.env.rollout import WARMUP_S, Policy, record_commands
from amp_helpers.metrics.feet import lift_offs
from amp_helpers.metrics.frames import mean, settled_frames
from amp_helpers.metrics.policy import evaluate_rollout
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.metrics.tracking import forward_speed, yaw_rate
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_23DOF, Robot

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

LARGEST_ROLLOUT = 4096
"""Environments that are simulated side by side at most; a grid of more is measured in rounds. A rollout of 13 s of that
many takes 1.3 GB."""


def rounds_of(commands: Sequence[Command], num_envs: int) -> list[list[Command]]:
    """Divide commands into rounds of equal size whose environments, ``num_envs`` a command, fit a rollout.

    The last round repeats its last command where the commands do not divide.
    """
    most = max(1, LARGEST_ROLLOUT // num_envs)
    count = -(-len(commands) // most)
    size = -(-len(commands) // count)
    padded = [*commands, *[commands[-1]] * (count * size - len(commands))]
    return [padded[first : first + size] for first in range(0, len(padded), size)]


def measure_grid(
    env: ManagerBasedRLEnv,
    policy: Policy,
    commands: Sequence[Command],
    num_envs: int,
    references: MotionDataset,
    seconds: float = 10.0,
    robot: Robot = G1_23DOF,
    on_rollout: Callable[[Rollout, Motion], None] = lambda rollout, reference: None,
) -> list[dict[str, float]]:
    """Measure a policy under each command, and compare it with the clip nearest to the command.

    Args:
        env: environment opened for measuring, with ``num_envs`` environments for each command of a round.
        policy: actions for observations.
        commands: the grid.
        num_envs: environments for each command, as given to :func:`rounds_of`.
        references: clips to compare with.
        seconds: measured time, s, after the warm-up.
        robot: the model whose feet are recorded.
        on_rollout: called with the rollout of each command and its reference; rollouts are not kept, for their size.

    Returns:
        A row for each command, see :func:`grid_row`.
    """
    rows: list[dict[str, float]] = []
    for group in rounds_of(commands, num_envs):
        for rollout in record_commands(env, policy, group, WARMUP_S + seconds, robot)[: len(commands) - len(rows)]:
            reference = references.nearest((rollout.command, rollout.command_turn))
            rows.append(grid_row(rollout, reference))
            on_rollout(rollout, reference)
    return rows


def grid_row(rollout: Rollout, reference: Motion, warmup_s: float = WARMUP_S) -> dict[str, float]:
    """Metrics of one command of a grid: ``forward`` and ``turn``, those of :func:`evaluate_rollout`, and three more.

    ``forward_speed_mps``, ``turn_rate_radps``: mean over settled frames. ``lift_offs_per_env_10s``:
    :func:`amp_helpers.metrics.lift_offs`.
    """
    keep = settled_frames(rollout.fell, rollout.dt, warmup_s)
    return {
        "forward": rollout.command,
        "turn": rollout.command_turn,
        "forward_speed_mps": mean(forward_speed(rollout)[keep]),
        "turn_rate_radps": mean(yaw_rate(rollout)[keep[:, 1:] & keep[:, :-1]]),
        **evaluate_rollout(rollout, reference, warmup_s),
        "lift_offs_per_env_10s": lift_offs(rollout.foot_contact, rollout.dt, keep),
    }
