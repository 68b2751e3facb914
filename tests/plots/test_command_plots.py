"""Figures of obeying a command draw the values that they are given."""

import numpy as np
import pytest

from amp_helpers.lessons.command_reward import CommandReward
from amp_helpers.lessons.known_rollouts import approach, move_root
from amp_helpers.motion.motion import Motion
from amp_helpers.plots.commands import (
    command_grid,
    command_rewards,
    compare_grids,
    falls_under_pushes,
    gait_phases,
    paths,
    speed_over_time,
    tracking_errors,
)


def row(forward: float, turn: float, **changes: float | None) -> dict[str, float | None]:
    return {
        "forward": forward,
        "turn": turn,
        "forward_speed_mps": forward - 0.1,
        "falls_per_env_10s": 0.02 * forward,
        "tracking_rmse_mps": 0.1,
        "turn_error_radps": 0.05,
        "drift_mps": 0.02,
        "gait_frequency_ratio": None if forward == 0 else 1.0,
        "pose_rmse_rad": 0.03,
        "coverage_rmse_rad": 0.03,
        "tilt_rmse_rad": 0.02,
    } | changes


ROWS = [row(forward, 0.0) for forward in (0.0, 1.2, 0.6)] + [row(0.6, -0.4, pose_rmse_rad=0.11), row(0.6, 0.4)]


def test_the_grid_has_lines_for_straight_commands_and_maps_for_turns():
    figure = command_grid(ROWS)
    axes = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert axes["forward speed, m/s"].lines[1].get_xydata().tolist() == [
        [0, -0.1],
        [0.6, 0.5],
        [1.2, pytest.approx(1.1)],
    ]
    texts = {text.get_text() for text in axes["pose RMSE, rad"].texts}
    assert texts == {".03", ".11"} and len(axes["pose RMSE, rad"].texts) == 5, "cells that were not measured are empty"
    low, high = axes["stride frequency ratio"].get_ylim()
    assert low <= 0.8 and high >= 1.2


@pytest.mark.parametrize("rows", [ROWS[:3], ROWS[3:], ROWS[:1]])
def test_a_grid_may_be_straight_only_or_turns_only(rows):
    figure = command_grid(rows)
    figure.draw_without_rendering()
    assert figure.axes


def test_compared_grids_are_a_line_each_and_what_is_undefined_is_left_out():
    figure = compare_grids({"Newton": ROWS, "MuJoCo": [row(0.0, 0.0), row(1.2, 0.0, falls_per_env_10s=2.0)]})
    axes = {axes.get_title(loc="left"): axes for axes in figure.axes}
    newton, _, mujoco, _ = axes["forward speed, m/s"].lines
    assert newton.get_xydata()[:, 0].tolist() == [0.0, 0.6, 1.2] and mujoco.get_xydata()[:, 0].tolist() == [0.0, 1.2]
    assert newton.get_color() != mujoco.get_color()
    assert np.isnan(axes["stride frequency ratio"].lines[0].get_ydata()).tolist() == [True, False, False]
    assert axes["falls in 10 s"].get_ylim()[1] > 2.0
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Newton", "MuJoCo"]


def test_falls_of_turns_are_crosses():
    axes = falls_under_pushes({"undisturbed": ROWS}).axes[0]
    line, crosses = axes.lines[1], axes.lines[2]
    assert line.get_xydata()[:, 0].tolist() == [0.0, 0.6, 1.2] and line.get_marker() == "o"
    assert len(crosses.get_xydata()) == 2 and crosses.get_marker() == "x"


def test_tracking_errors_are_a_line_for_each_policy_at_commands_straight_ahead():
    slower = [row(forward, 0.0, tracking_rmse_mps=forward) for forward in (0.0, 2.0)]
    axes = tracking_errors({"with": [ROWS, ROWS], "without": [slower]}).axes[0]
    first, second, without, standing = axes.lines
    assert first.get_xydata().tolist() == second.get_xydata().tolist() == [[0, 0.1], [0.6, 0.1], [1.2, 0.1]]
    assert first.get_color() == second.get_color() != without.get_color()
    assert without.get_xydata().tolist() == standing.get_xydata().tolist() == [[0, 0], [2, 2]]


def test_rewards_of_gaits_are_rows_over_commands_and_bold_where_they_fit():
    axes = command_rewards({"seen": CommandReward((0.6, 2.0), np.array([[0.4, 0.2], [0.1, 0.5]]))}).axes[0]
    texts = {text.get_position(): (text.get_text(), text.get_weight()) for text in axes.texts}
    assert texts[1, 0] == (".20", "normal") and texts[0, 1] == (".10", "normal") and texts[1, 1] == (".50", "bold")
    assert not axes.yaxis_inverted()


def test_speed_is_drawn_beside_the_command_and_paths_beside_the_commanded_path():
    profile = np.stack([np.repeat([0.0, 1.0], 100), np.zeros(200)], axis=-1)
    figure = speed_over_time({"policy": move_root(approach(profile, 1.0), profile=profile)})
    command, speed = figure.axes[0].lines[:2]
    assert command.get_ydata().tolist() == profile[:, 0].tolist()
    assert speed.get_ydata()[-1] == pytest.approx(1.0) and speed.get_xdata()[0] == pytest.approx(0.25)
    figure = paths({"circle": move_root(0.6, 0.4, command=(0.6, 0.4)), "line": move_root(0.5), "still": move_root(0.0)})
    walked, told = figure.axes[0].lines
    assert np.abs(walked.get_xydata() - told.get_xydata()).max() < 0.02


def test_gait_phases_draw_both_legs_over_the_reference():
    names = ("left_hip_pitch_joint", "left_knee_joint", "right_hip_pitch_joint", "right_knee_joint")
    angle = np.linspace(0, 6, 200)[:, None] + np.arange(4)
    roots = {"root_pos": np.zeros((200, 3)), "root_quat": np.tile([0.0, 0, 0, 1], (200, 1))}
    clip = Motion(fps=50, joint_names=names, joint_pos=np.sin(angle), **roots)
    figure = gait_phases({"0.6 m/s": (clip, clip), "1.2 m/s": (clip, clip), "2 m/s": (clip, clip)})
    drawn = [len([line for line in axes.lines if len(line.get_xdata())]) for axes in figure.axes]
    assert drawn == [4, 4, 4]
