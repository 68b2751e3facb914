"""Following a command: each metric on paths whose value is known by construction, and what it cannot see."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError
from amp_helpers.lessons.known_rollouts import Speed, approach, move_root
from amp_helpers.metrics import Rollout, evaluate_rollout, forward_speed, heading, response_times

DT, STEPS, WARMUP_S = 0.02, 650, 3.0


def move(*speeds: Speed, command: float = 0.0, command_turn: float = 0.0, lean: Speed = 0.0, **changes) -> Rollout:
    """A root that moves as told, see :func:`move_root`, upright and with one still joint, and changes to its record."""
    given = {key: changes.pop(key) for key in ("turn", "sideways", "profile") if key in changes}
    return replace(move_root(*speeds, lean=lean, command=(command, command_turn), **given), **changes)


def measure(rollout: Rollout) -> dict[str, float]:
    return evaluate_rollout(rollout, None, WARMUP_S)


@given(st.floats(0, 3), st.floats(0, 3), st.floats(-0.3, 0.3))
@settings(max_examples=20, deadline=None)
def test_a_constant_speed_is_wrong_by_its_distance_from_the_command(speed, command, lean):
    result = measure(move(speed, lean=lean, command=command))
    assert result["tracking_rmse_mps"] == pytest.approx(abs(speed - command), abs=1e-6), "horizontal, whatever the lean"
    assert result["turn_error_radps"] == pytest.approx(0, abs=1e-6)


def test_speeds_that_cancel_in_the_mean_show_in_the_tracking_error():
    speed = np.array([[0.6], [1.0]]) * np.ones(STEPS)
    result = measure(move(speed, command=0.8))
    assert result["velocity_error_mps"] == pytest.approx(0, abs=1e-9)
    assert result["tracking_rmse_mps"] == pytest.approx(0.2)


@pytest.mark.parametrize("frequency_hz", [0.1, 0.8, 1.6, 4.0])
def test_a_ripple_counts_as_much_as_a_mean_over_a_second_leaves_of_it(frequency_hz):
    time_s = np.arange(5000) * DT
    speed = 0.8 + 0.3 * np.sin(2 * np.pi * frequency_hz * time_s)
    rollout = move(speed, command=0.8)
    left = 0.3 / np.sqrt(2) * abs(np.sinc(frequency_hz))
    assert measure(rollout)["tracking_rmse_mps"] == pytest.approx(left, abs=0.004)


@given(st.floats(-1, 1), st.floats(-1, 1))
@settings(max_examples=20, deadline=None)
def test_the_turn_error_is_the_distance_from_the_commanded_yaw_rate(turn, command):
    result = measure(move(0.5, turn, lean=0.2, command=0.5, command_turn=command))
    assert result["turn_error_radps"] == pytest.approx(abs(turn - command), abs=1e-6)
    assert result["tracking_rmse_mps"] == pytest.approx(0, abs=1e-6)


def test_the_swing_of_the_pelvis_is_no_turn_error():
    """It turns by 0.1 rad to each side in every second; only what a second does not average out counts."""
    turn = 0.1 * 2 * np.pi * np.cos(2 * np.pi * np.arange(STEPS) * DT)
    assert measure(move(0.5, turn, command=0.5))["turn_error_radps"] == pytest.approx(0, abs=0.01)


def test_drift_on_a_straight_line_is_the_sideways_speed_to_either_side():
    result = measure(move(0.8, sideways=np.array([[0.1], [-0.3]]) * np.ones(STEPS), command=0.8))
    assert result["drift_mps"] == pytest.approx(0.2), "opposite sides do not cancel"
    assert result["tracking_rmse_mps"] == pytest.approx(0)


def test_a_heading_that_went_wrong_at_the_start_leads_off_the_path():
    turn = np.zeros(STEPS)
    turn[10:60] = 0.1  # 0.1 rad in the first second, long before the measured time
    result = measure(move(1.0, turn, command=1.0))
    assert result["turn_error_radps"] == pytest.approx(0, abs=1e-9)
    assert result["drift_mps"] == pytest.approx(np.sin(0.1), rel=0.01)


def test_the_direction_of_the_path_is_that_of_the_start_of_the_episode():
    """Robots that start with any heading, walk straight ahead and are too slow: no drift."""
    yaw = np.array([0.0, 2.0, -3.0])
    turn = np.zeros((3, STEPS))
    turn[:, 0] = yaw / DT
    result = measure(move(0.5, turn, command=0.8))
    assert result["drift_mps"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("forward", "turn"), [(0.6, 0.4), (1.2, -0.8), (0.6, 0.8)])
def test_a_robot_on_the_commanded_circle_does_not_drift(forward, turn):
    on_circle = measure(move(forward, turn, command=forward, command_turn=turn))
    assert on_circle["drift_mps"] == pytest.approx(0, abs=1e-3)
    slower = measure(move(forward / 2, turn / 2, command=forward, command_turn=turn))
    assert slower["drift_mps"] > 0.02, "the same circle, but turned less than commanded when the measured time begins"
    straight = measure(move(forward, 0.0, command=forward, command_turn=turn))
    assert straight["drift_mps"] > 0.2


def test_at_a_command_of_zero_all_net_travel_counts():
    for turn in (0.0, 0.4):
        result = measure(move(0.03, turn, sideways=0.04, command=0.0, command_turn=turn))
        expected = 0.05 if turn == 0 else 0.05 * abs(np.sinc(turn * 10 / (2 * np.pi)))
        assert result["drift_mps"] == pytest.approx(expected, rel=0.02)
    swaying = 0.2 * np.cos(2 * np.pi * np.arange(STEPS) * DT)
    assert measure(move(0.0, sideways=swaying, command=0.0))["drift_mps"] < 0.005, "it sways and comes back"


def test_after_a_fall_a_path_begins_anew():
    fell = np.zeros((1, 1000), dtype=bool)
    fell[0, 400] = True
    rollout = move(np.full(1000, 0.8), command=0.8, fell=fell)
    quat, position = rollout.root_quat.copy(), rollout.root_pos.copy()
    quat[:, 400:] = Rotation.from_euler("z", 1.0).as_quat()
    along = np.array([np.cos(1.0), np.sin(1.0), 0]) * 0.8 * DT
    position[:, 400:] = np.arange(600)[:, None] * along
    result = measure(replace(rollout, root_quat=quat, root_pos=position))
    assert result["drift_mps"] == pytest.approx(0, abs=1e-9)
    assert result["turn_error_radps"] == pytest.approx(0, abs=1e-9), "the jump of a reset is no turn"


def test_times_that_are_too_short_are_undefined():
    result = measure(move(np.full(190, 0.8)))
    assert np.isnan([result["tracking_rmse_mps"], result["turn_error_radps"], result["drift_mps"]]).all()


def steps_of(speeds, hold_s=4.0) -> np.ndarray:
    """Profile (T, 2) of forward speeds held for some seconds each."""
    forward = np.repeat(np.asarray(speeds, dtype=float), round(hold_s / DT))
    return np.stack([forward, 0 * forward], axis=-1)


@pytest.mark.parametrize("seconds", [0.8, 1.0, 2.0])
def test_the_response_to_a_step_is_the_time_to_nine_tenths_of_it(seconds):
    profile = steps_of([0.0, 1.0, 2.0, 0.0])
    rollout = move(approach(profile, seconds), profile=profile, command=0.0)
    times = response_times(rollout)
    assert times == pytest.approx([0.9 * seconds] * 3, abs=0.05)
    assert measure(rollout)["response_s"] == max(times)


def test_the_slowest_step_is_the_response():
    profile = steps_of([0.0, 1.0, 0.0])
    speed = np.where(np.arange(600) < 400, approach(profile, 0.5), approach(profile, 3.0))
    assert measure(move(speed, profile=profile))["response_s"] == pytest.approx(2.7, abs=0.05)


def test_a_step_that_is_never_reached_counts_with_the_whole_time():
    profile = steps_of([0.0, 2.0])
    slow = move(np.minimum(profile[:, 0], 1.7), profile=profile)
    assert response_times(slow) == [4.0]
    fell = np.zeros((2, 400), dtype=bool)
    fell[1, 210] = True
    both = move(np.tile(approach(profile, 1.0), (2, 1)), profile=profile, fell=fell)
    assert response_times(both) == pytest.approx([(0.9 + 4.0) / 2], abs=0.03), "a fall is no response"


def test_a_step_of_the_turn_has_a_response_too():
    profile = np.zeros((400, 2))
    profile[200:, 1] = -0.8
    turn = -approach(np.abs(profile[:, ::-1]), 1.0)
    assert response_times(move(0.0, turn, profile=profile)) == pytest.approx([0.9], abs=0.05)


def test_the_start_is_a_step_from_standing_still():
    speed = np.minimum(0.02 * np.arange(STEPS) * 0.5, 0.8)  # 0.5 m/s each second
    result = measure(move(speed, command=0.8))
    assert result["response_s"] == pytest.approx(0.72 / 0.5, abs=0.05)
    assert response_times(move(0.0, command=0.8)) == [STEPS * DT], "never there"
    assert response_times(move(0.8)) == [] and np.isnan(measure(move(0.8))["response_s"]), "told to stand"
    profile = steps_of([1.0, 2.0])
    times = response_times(move(approach(profile, 1.0), profile=profile))
    assert times == pytest.approx([0.0, 0.9], abs=0.05)


def test_a_changing_command_is_followed_over_the_same_seconds():
    profile = steps_of([0.0, 1.0, 2.0, 0.0])
    result = measure(move(profile[:, 0], profile=profile, command=0.0))
    assert result["tracking_rmse_mps"] == pytest.approx(0, abs=1e-9)
    assert result["drift_mps"] == pytest.approx(0, abs=1e-9), "a straight path at any speed"
    turning = profile.copy()
    turning[:, 1] = 0.4
    assert np.isnan(measure(move(profile[:, 0], 0.4, profile=turning))["drift_mps"]), "a path of changing radius"


def test_a_profile_has_a_row_for_each_step():
    with pytest.raises(InputError, match=r"command_profile has shape \(3, 2\); expected \(650, 2\)"):
        move(0.8, command_profile=np.zeros((3, 2)))


def test_heading_and_forward_speed_of_a_root_that_leans():
    rollout = move(1.5, 0.3, sideways=0.4, lean=0.4)
    assert np.allclose(np.unwrap(heading(rollout.root_quat)), np.arange(1, STEPS + 1) * 0.3 * DT)
    assert np.allclose(forward_speed(rollout), 1.5)
    assert rollout.settled(WARMUP_S).sum() == STEPS - 150


def test_what_the_docstrings_say_that_these_metrics_cannot_see():
    result = measure(move(0.8, sideways=2.0, command=0.8))
    assert result["tracking_rmse_mps"] == pytest.approx(0, abs=1e-9), "sideways speed"
    result = measure(move(0.1, command=0.8))
    assert result["drift_mps"] == pytest.approx(0, abs=1e-9), "how far along the path it gets"
    there_and_back = np.where(np.arange(STEPS) < 400, 0.5, -0.5)
    assert measure(move(0.8, sideways=there_and_back, command=0.8))["drift_mps"] < 0.01, "what it comes back from"
    profile = steps_of([0.0, 1.0])
    overshoot = np.where(profile[:, 0] > 0, 3.0, 0.0)
    assert response_times(move(overshoot, profile=profile))[0] < 0.1, "overshoot"
