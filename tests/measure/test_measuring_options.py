"""Commands that measure a policy share their options, and each says in its help what they are to it."""

import re

import pytest

from amp_helpers import calibrate, evaluate

SHARED = ("checkpoint", "simulator", "num_envs", "device", "dataset", "task", "asset", "robot", "feet")


def helped(parse, capsys) -> dict[str, str]:
    """Each option's text in the help."""
    with pytest.raises(SystemExit):
        parse(["--help"])
    options = re.split(r"^\W*--(?=[a-z])", capsys.readouterr().out, flags=re.M)[1:]
    return {option.split()[0]: " ".join(re.findall(r"[^\s│|]+", option)) for option in options}


def test_the_same_options_are_read_alike():
    given = ["--checkpoint", "run", "--dataset", "d.npz", "--device", "cpu", "--robot", "mine.xml", "--feet", "a", "b"]
    calibrated, evaluated = calibrate.parse(given), evaluate.parse([*given, "--output", "out"])
    assert calibrated.feet == ("a", "b")
    assert all(getattr(calibrated, name) == getattr(evaluated, name) for name in SHARED)


def test_each_help_says_what_an_option_is_to_the_command(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    calibrating, evaluating = helped(calibrate.parse, capsys), helped(evaluate.parse, capsys)
    assert set(SHARED) <= set(calibrating) and set(SHARED) <= set(evaluating)
    differing = {name for name in SHARED if calibrating[name] != evaluating[name]}
    assert differing == {"checkpoint", "simulator", "device", "dataset", "robot"}
    assert (
        "its policy.pt is replaced" in calibrating["checkpoint"] and "a bundle of export's" in evaluating["checkpoint"]
    )
    assert "MuJoCo runs on the CPU" in evaluating["device"] and "MuJoCo" not in calibrating["device"]
    assert "feet of a robot named by its file" in calibrating["feet"]
