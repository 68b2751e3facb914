"""The bars of the locomotion policy: what meets them, what does not, and where it is worst."""

import importlib
import json
from types import ModuleType

import pytest

GOOD: dict[str, float | None] = {
    "tracking_rmse_mps": 0.05,
    "turn_error_radps": 0.05,
    "drift_mps": 0.01,
    "falls_per_env_10s": 0.0,
    "gait_frequency_ratio": 1.0,
    "pose_rmse_rad": 0.04,
    "coverage_rmse_rad": 0.04,
    "action_rate": 0.05,
    "mechanical_power_w": 60.0,
    "foot_skate_mps": 0.08,
    "lift_offs_per_env_10s": 16.0,
}
COMMANDS = [(forward, 0.0) for forward in (0.0, 0.3, 0.75, 1.2, 2.5)] + [(0.6, -0.4), (0.0, 0.8)]


@pytest.fixture(scope="module")
def bars(repo_root) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repo_root / "benchmarks"))
        return importlib.import_module("locomotion_bars")


@pytest.fixture
def report() -> dict:
    """A measurement that meets every bar."""
    grid = [GOOD | {"forward": forward, "turn": turn} for forward, turn in COMMANDS]
    grid[0] |= {"lift_offs_per_env_10s": 0.0, "gait_frequency_ratio": None}
    grid[1]["gait_frequency_ratio"] = 1.4  # slower than the slowest speed that is compared
    return {
        "grid": grid,
        "pushed": json.loads(json.dumps(grid)),
        "steps": {"response_s": 1.2, "falls_per_env_10s": 0.0},
    }


def missed(bars: ModuleType, report: dict) -> dict[str, str]:
    return {row["bar"]: row["at"] for row in bars.judge_all(report) if not row["met"]}


def test_a_good_policy_meets_every_bar(bars, report):
    assert missed(bars, report) == {}
    assert "NOT MET" not in str(bars.bars_table(bars.judge_all(report)))


@pytest.mark.parametrize(
    ("row", "metric", "value", "bar", "at"),
    [
        (3, "tracking_rmse_mps", 0.09, "speed, up to 1.2 m/s", "1.2 m/s, 0 rad/s"),
        (0, "tracking_rmse_mps", 0.09, "speed, up to 1.2 m/s", "0 m/s, 0 rad/s"),
        (4, "tracking_rmse_mps", 0.16, "speed, above", "2.5 m/s, 0 rad/s"),
        (2, "drift_mps", 0.04, "drift", "0.75 m/s, 0 rad/s"),
        (5, "turn_error_radps", 0.11, "turning, yaw rate", "0.6 m/s, -0.4 rad/s"),
        (6, "tracking_rmse_mps", 0.11, "turning, speed", "0 m/s, 0.8 rad/s"),
        (0, "drift_mps", 0.025, "standing, net travel", "0 m/s, 0 rad/s"),
        (0, "lift_offs_per_env_10s", 0.1, "standing, lift-offs", "0 m/s, 0 rad/s"),
        (5, "falls_per_env_10s", 0.01, "falls", "0.6 m/s, -0.4 rad/s"),
        (2, "gait_frequency_ratio", 1.2, "stride frequency over the clip's", "0.75 m/s, 0 rad/s"),
        (4, "gait_frequency_ratio", 0.8, "stride frequency over the clip's", "2.5 m/s, 0 rad/s"),
        (4, "gait_frequency_ratio", None, "stride frequency over the clip's", "2.5 m/s, 0 rad/s"),
        (1, "pose_rmse_rad", 0.07, "poses, standing and walking", "0.3 m/s, 0 rad/s"),
        (4, "coverage_rmse_rad", 0.09, "coverage, running", "2.5 m/s, 0 rad/s"),
        (2, "mechanical_power_w", 90.0, "power of g1_walk, W", "0.75 m/s, 0 rad/s"),
    ],
)
def test_each_bar_is_missed_by_its_own_row_alone(bars, report, row, metric, value, bar, at):
    report["grid"][row][metric] = value
    assert missed(bars, report) == {bar: at}


def test_a_run_has_more_room_than_a_walk(bars, report):
    report["grid"][4] |= {"pose_rmse_rad": 0.075, "tracking_rmse_mps": 0.14}
    assert missed(bars, report) == {}


def test_falls_while_pushed_and_the_steps_have_bars_of_their_own(bars, report):
    report["pushed"][1]["falls_per_env_10s"] = 0.06
    report["steps"] = {"response_s": 1.6, "falls_per_env_10s": 0.1}
    assert set(missed(bars, report)) == {"falls, pushed and randomized", "response to a step", "falls during steps"}


def test_what_was_not_measured_is_not_met(bars, report):
    report["grid"] = [row for row in report["grid"] if row["forward"] != 0.75]
    assert set(missed(bars, report)) == {"action rate of g1_walk", "power of g1_walk, W", "skate of g1_walk, m/s"}


def test_a_written_file_is_printed_again(bars, report, tmp_path, capsys, monkeypatch):
    file = tmp_path / "bars.json"
    report["grid"][2]["drift_mps"] = 0.2
    file.write_text(json.dumps(report))
    monkeypatch.setattr("sys.argv", ["locomotion_bars.py", "--read", str(file)])
    assert bars.main() == 0
    printed = capsys.readouterr().out
    assert "19 of 20 bars met" in printed and printed.count("NOT MET") == 1
