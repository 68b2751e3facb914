"""Grids of commands: how they are divided into rounds, and what a row says."""

import pytest
from known_rollouts import make_reference, make_rollout

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.metrics.grid import GRID, grid_row
from amp_helpers.training.command_grid import LARGEST_ROLLOUT, rounds_of


def test_the_usual_grid_holds_the_commands_of_the_bars():
    assert len(set(GRID)) == len(GRID) == 20
    assert {forward for forward, turn in GRID if turn == 0} == {0, 0.3, 0.6, 0.9, 1.2, 1.6, 2.0, 2.5}
    turning = {(forward, turn) for forward, turn in GRID if turn}
    assert turning == {(forward, turn) for forward in (0, 0.6, 1.2) for turn in (-0.8, -0.4, 0.4, 0.8)}


@pytest.mark.parametrize(
    ("num_envs", "rounds", "size"), [(16, 1, 20), (204, 1, 20), (205, 2, 10), (1024, 5, 4), (8192, 20, 1)]
)
def test_rounds_are_of_equal_size_and_fit_a_rollout(num_envs, rounds, size):
    groups = rounds_of(GRID, num_envs)
    assert [len(group) for group in groups] == [size] * rounds
    assert size * num_envs <= max(LARGEST_ROLLOUT, num_envs)
    assert [command for group in groups for command in group] == list(GRID)


def test_what_does_not_divide_repeats_its_last_command():
    groups = rounds_of(GRID[:7], LARGEST_ROLLOUT // 3)
    assert [len(group) for group in groups] == [3, 3, 3]
    measured = [command for group in groups for command in group]
    assert measured == [*GRID[:7], GRID[6], GRID[6]]


def test_a_row_is_the_command_the_metrics_and_what_a_figure_needs(metric_names):
    row = grid_row(make_rollout(command=0.6, command_turn=-0.4), make_reference())
    assert set(row) == metric_names | {
        "forward",
        "turn",
        "forward_speed_mps",
        "turn_rate_radps",
        "lift_offs_per_env_10s",
    }
    assert (row["forward"], row["turn"], row["forward_speed_mps"], row["lift_offs_per_env_10s"]) == (0.6, -0.4, 0, 0)
