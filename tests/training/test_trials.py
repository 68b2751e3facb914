"""Recorded trials are found by their round and name."""

import json

import pytest

from amp_helpers.errors import InputError
from amp_helpers.training.trials import read_trials


def test_trials_of_the_same_name_are_told_apart_by_their_commit(tmp_path):
    row = {"forward": 0.6, "turn": 0.0, "gait_frequency_ratio": None}
    run = {"name": "base", "options": "", "seed": 1, "updates": 300, "grid": [row]}
    pushed = run | {"grid": None, "pushed": [row], "response_s": 1.2}
    rounds = [{"commit": "aaa", "runs": [run]}, {"commit": "bbb", "runs": [pushed]}]
    (tmp_path / "trials.json").write_text(json.dumps({"rounds": rounds}))
    first, second = read_trials(tmp_path / "trials.json").values()
    assert set(read_trials(tmp_path / "trials.json")) == {"aaa/base", "bbb/base"}
    assert first.grid == (row,) and first.pushed == () and first.seed == 1 and first.updates == 300
    assert second.grid == () and second.pushed == (row,)
    assert first.response_s is None and second.response_s == 1.2


def test_the_repository_holds_what_the_notebooks_draw(repo_root):
    trials = read_trials(repo_root / "benchmarks" / "results" / "locomotion_trials.json")
    names = ("s0", "s1", "s2", "nocond")
    assert [trials[f"fd58633/{name}"].updates for name in names] == [1000] * 4
    assert "--no_condition_on_command" in trials["fd58633/nocond"].options
    shipped = trials["7d25200/style10"]
    assert len(shipped.grid) == len(shipped.pushed) == 21
    weighed = [trials[f"7d25200/style{weight}"] for weight in (10, 40, 80, 160)]
    assert all(len(trial.grid) == len(trial.pushed) == 21 and trial.response_s for trial in weighed)


@pytest.mark.parametrize("text", [None, "[]", '{"rounds": [{}]}', '{"rounds": 3}', "{"])
def test_another_file_is_an_error(tmp_path, text):
    path = tmp_path / "other.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"other\.json: .*; take the file from the repository$"):
        read_trials(path)
