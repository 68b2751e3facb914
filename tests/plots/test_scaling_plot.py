"""The figure of training on several GPUs."""

import json

import pytest

from amp_helpers.errors import InputError
from amp_helpers.plots.scaling import scaling_curves


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
