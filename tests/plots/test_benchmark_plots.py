"""Figures of the files that benchmarks write."""

import json

import pytest

from amp_helpers.errors import InputError
from amp_helpers.plots.benchmarks import command_response, scaling_curves, throughput


def test_the_efficiency_is_the_speedup_of_each_process(tmp_path):
    file = tmp_path / "scaling.json"
    counts = [
        {
            "num_envs": envs,
            "processes": {"1": {"env_steps_per_s": rate}, "2": {"env_steps_per_s": rate * ratio}},
            "speedup": {"1": 1.0, "2": ratio},
        }
        for envs, rate, ratio in ((4096, 250e3, 1.9), (512, 40e3, 1.5))
    ]
    file.write_text(json.dumps({"hardware": "2 x a GPU", "counts": counts}))
    speed, share = scaling_curves(file).axes
    assert [list(line.get_ydata()) for line in speed.get_lines()] == [[40e3, 250e3], [60e3, 475e3]]
    assert list(share.get_lines()[0].get_ydata()) == [0.75, 0.95]
    assert [label.get_text() for label in share.get_xticklabels()] == ["512", "4,096"]
    for damaged in ({"hardware": "a GPU", "counts": []}, {"counts": counts}, []):
        file.write_text(json.dumps(damaged))
        with pytest.raises(InputError, match=r"scaling\.json: holds no scaling .*; benchmarks/scaling\.py writes it"):
            scaling_curves(file)


def test_command_response_draws_measured_over_commanded_speed(tmp_path, repo_root):
    file = tmp_path / "range.json"
    file.write_text(json.dumps({"speeds": [{"command": 0.2, "forward_speed_mps": 0.3, "pose_rmse_rad": 0.04}]}))
    speed, poses = command_response({"mine": file}).axes
    assert speed.get_lines()[0].get_xydata().tolist() == [[0.2, 0.3]]
    assert speed.get_lines()[1].get_xydata().tolist() == [[0.2, 0.2]], "the command itself"
    assert poses.get_lines()[0].get_xydata().tolist() == [[0.2, 0.04]]
    for recorded in (repo_root / "benchmarks" / "results").glob("command_range*.json"):
        assert len(command_response({"recorded": recorded}).axes[0].get_lines()[0].get_xdata()) == 7
    file.write_text("{}")
    with pytest.raises(InputError, match="holds no speeds"):
        command_response({"mine": file})


def test_throughput_bars_are_labeled_with_their_rates(tmp_path, repo_root):
    file = tmp_path / "throughput.json"
    rates = {16: {"environment": 250.0, "training": 139.0}, 4096: {"environment": 266959.4, "training": 221324.6}}
    counts = [
        {"num_envs": count, "contenders": {name: {"env_steps_per_s": rate} for name, rate in each.items()}}
        for count, each in rates.items()
    ]
    file.write_text(json.dumps({"hardware": "a GPU", "counts": counts}))
    few, many = throughput(file).axes
    assert [text.get_text().strip() for text in many.texts] == ["266,959", "221,325"]
    assert [bar.get_width() for bar in few.patches] == [250.0, 139.0]
    assert [label.get_text() for label in few.get_yticklabels()] == [
        "environment, random actions",
        "this project's training",
    ]
    recorded = [repo_root / "benchmarks" / "results" / f"throughput{name}.json" for name in ("", "_sizes", "_cpu")]
    assert [axes.get_title(loc="left") for axes in throughput(*recorded[:2]).axes] == [
        f"{count:,} environments" for count in (1024, 4096, 8192, 16384)
    ]
    assert throughput(recorded[2]).axes[0].patches
    for damaged in (
        {"hardware": "a GPU", "counts": []},
        {"hardware": "a GPU", "counts": [{"num_envs": 8, "contenders": {"training": {"env_steps_per_s": 1.0}}}]},
    ):
        other = tmp_path / "other.json"
        other.write_text(json.dumps(damaged))
        with pytest.raises(InputError, match=r"other\.json: holds no throughput"):
            throughput(file, other)
