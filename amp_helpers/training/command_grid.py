"""Measure a policy under many commands, each in environments of its own."""

from collections.abc import Callable, Iterator, Sequence

from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.dataset import MotionDataset
from amp_helpers.env.rollout import Policy, record_commands
from amp_helpers.metrics.conditions import WARMUP_S
from amp_helpers.metrics.grid import Command, grid_rows
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_23DOF, Robot

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


def record_grid(
    env: ManagerBasedRLEnv,
    policy: Policy,
    commands: Sequence[Command],
    num_envs: int,
    seconds: float = 10.0,
    robot: Robot = G1_23DOF,
) -> Iterator[Rollout]:
    """Run a policy under each command, and yield a rollout for each.

    Args:
        env: environment opened for measuring, with ``num_envs`` environments for each command of a round.
        policy: actions for observations.
        commands: the grid.
        num_envs: environments for each command, as given to :func:`rounds_of`.
        seconds: measured time, s, after the warm-up.
        robot: the model whose feet are recorded.
    """
    left = len(commands)
    for group in rounds_of(commands, num_envs):
        yield from record_commands(env, policy, group, WARMUP_S + seconds, robot)[:left]
        left -= len(group)


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
        env, policy, commands, num_envs, seconds, robot: see :func:`record_grid`.
        references: clips to compare with.
        on_rollout: called with the rollout of each command and its reference; rollouts are not kept, for their size.

    Returns:
        A row for each command, see :func:`amp_helpers.metrics.grid_row`.
    """
    return grid_rows(record_grid(env, policy, commands, num_envs, seconds, robot), references, on_rollout)
