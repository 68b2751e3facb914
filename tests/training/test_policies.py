"""The shipped policies still move in the environment as it is now, and come as near as their cards say."""

import json
import math

import numpy as np
import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.env.rollout import reference_motion
from amp_helpers.errors import InputError
from amp_helpers.evaluate import evaluate, evaluate_grid
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.training.policy import find_policy

pytestmark = pytest.mark.sim


@pytest.mark.parametrize(
    ("name", "speed_error", "tracking_error"),
    [("g1_walk", 0.05, 0.05), ("g1_walk_speeds", 0.1, 0.1), ("g1_run", 0.5, 0.1)],
)
def test_a_shipped_policy_moves_like_its_reference(repo_root, tmp_path, name, speed_error, tracking_error):
    folder = repo_root / "policies" / name
    own_speed = reference_motion(json.loads((folder / "config.json").read_text())).forward_speed
    metrics = evaluate(MeasuringSetup(checkpoint=folder, num_envs=4, seconds=4.0), tmp_path, velocity=own_speed)
    assert metrics["falls_per_env_10s"] == 0
    assert metrics["velocity_error_mps"] < speed_error and metrics["tracking_rmse_mps"] < tracking_error
    assert 0.9 < metrics["gait_frequency_ratio"] < 1.1
    assert metrics["pose_rmse_rad"] < 0.05 and metrics["coverage_rmse_rad"] < 0.05


def test_the_dance_comes_near_to_the_whole_clip_without_a_command(repo_root, tmp_path):
    setup = MeasuringSetup(checkpoint=repo_root / "policies" / "g1_dance", num_envs=4, seconds=4.0)
    metrics = evaluate(setup, tmp_path)
    assert metrics["falls_per_env_10s"] == 0 and math.isnan(metrics["velocity_error_mps"])
    assert metrics["pose_rmse_rad"] < 0.1
    assert metrics["coverage_rmse_rad"] < 0.1, "a part of the dance, repeated, covers less"


def test_a_policy_of_several_speeds_listens_to_its_command(repo_root, tmp_path):
    """The one of a single clip keeps to that clip's speed, whatever it is asked for."""
    setup = MeasuringSetup(checkpoint=repo_root / "policies" / "g1_walk_speeds", num_envs=4, seconds=3.0)
    speeds = {}
    for velocity in (0.4, 1.1):
        evaluate(setup, tmp_path, velocity=velocity)
        with np.load(tmp_path / "rollout.npz") as rollout:
            travel = rollout["root_pos"][:, -1, 0] - rollout["root_pos"][:, 150, 0]
            speeds[velocity] = travel.mean() / (rollout["dt"] * (rollout["root_pos"].shape[1] - 151))
    assert speeds[0.4] < 0.6 and speeds[1.1] > 0.8, speeds


def test_the_locomotion_policy_obeys_as_its_card_says(repo_root, tmp_path):
    """Standing, walking, running and turning in one environment; the card names the commands it does not follow."""
    setup = MeasuringSetup(checkpoint=repo_root / "policies" / "g1_locomotion", num_envs=2, seconds=3.0)
    commands = [(0.0, 0.0), (0.3, 0.0), (0.9, 0.0), (2.5, 0.0), (1.2, 0.8), (0.0, -0.8)]
    rows = evaluate_grid(setup, tmp_path, commands=commands)
    for row in rows:
        assert row["falls_per_env_10s"] == 0 and row["tracking_rmse_mps"] < 0.15 and row["turn_error_radps"] < 0.15, row
        if row["forward"] > 0.45 and row["turn"] == 0:
            assert 0.9 < row["gait_frequency_ratio"] < 1.1, row
    assert rows[0]["lift_offs_per_env_10s"] == 0, "it stands still"


@pytest.mark.parametrize(
    ("name", "seed"), [("g1_walk", 0), ("g1_walk_speeds", 2), ("g1_run", 0), ("g1_locomotion", 2718), ("g1_dance", 0)]
)
def test_a_policy_is_small_and_says_where_it_comes_from(repo_root, name, seed):
    folder = repo_root / "policies" / name
    config, card = json.loads((folder / "config.json").read_text()), (folder / "card.md").read_text()
    assert (folder / "policy.pt").stat().st_size < 5e6
    sources = [digest for digest in config["dataset_sha256"] if digest]  # a computed clip has none
    assert config["seed"] == seed and config["num_envs"] == 4096 and len(sources[0]) == 64
    assert f"`, {seed} |" in card, "the seed, beside the commit"
    assert config["commit"] in card and sources[0][:8] in card


@pytest.mark.parametrize("named", ["g1_walk", "policies/g1_walk", "policies/g1_walk/policy.pt"])
def test_a_shipped_policy_is_found_by_name_from_any_folder(repo_root, tmp_path, monkeypatch, named):
    monkeypatch.chdir(tmp_path)
    file, config = find_policy(named)
    assert file == repo_root / "policies" / "g1_walk" / "policy.pt"
    assert reference_motion(config).num_frames > 0
    (tmp_path / "g1_walk").mkdir()
    with pytest.raises(
        InputError, match=r"g1_walk: holds no policy\.pt and .*: g1_dance, g1_locomotion, g1_run, g1_walk, g1_walk"
    ):
        find_policy("g1_walk")
