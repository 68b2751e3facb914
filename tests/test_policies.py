"""The shipped policies still walk in the environment as it is now."""

import json

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.evaluate import evaluate

pytestmark = pytest.mark.sim


def test_the_shipped_walk_walks_like_its_reference(repo_root, tmp_path):
    metrics = evaluate(repo_root / "policies" / "g1_walk", tmp_path, num_envs=4, seconds=3.0, velocity=0.84)
    assert metrics["falls_per_env_10s"] == 0
    assert metrics["velocity_error_mps"] < 0.1
    assert 0.8 < metrics["gait_frequency_ratio"] < 1.3
    assert metrics["pose_rmse_rad"] < 0.05


def test_a_policy_is_small_and_says_where_it_comes_from(repo_root):
    folder = repo_root / "policies" / "g1_walk"
    config = json.loads((folder / "config.json").read_text())
    assert (folder / "policy.pt").stat().st_size < 5e6
    assert config["seed"] == 0 and config["num_envs"] == 4096 and len(config["dataset_sha256"][0]) == 64
    assert config["commit"] in (folder / "card.md").read_text()
