"""Files of a run that somebody else wrote: data that imports nothing, and one sentence for whatever is wrong in it."""

import json
import shutil
import sys
from dataclasses import asdict

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.errors import InputError
from amp_helpers.training.comparisons import read_metrics, read_results
from amp_helpers.training.config_file import choose_names, read_config, users_names
from amp_helpers.training.policy import find_policy
from amp_helpers.training.run_folder import read_run
from amp_helpers.utils.resources import POLICIES

CONFIG = json.loads((POLICIES / "g1_walk" / "config.json").read_text())
HEALTH = json.loads((POLICIES / "g1_walk" / "health.jsonl").read_text().splitlines()[0])
MODULE = "from pathlib import Path\nPath('executed').touch()\nID = 1\n"


def one_sentence(error) -> str:
    text = str(error.value)
    assert text.isprintable() and len(text) < 2100
    return text


@pytest.fixture
def policy(tmp_path, monkeypatch):
    """A downloaded policy folder with modules that leave a mark when imported, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("evil", "isaaclab_evil"):
        (tmp_path / module).mkdir()
        for name in ("__init__", "payload"):
            (tmp_path / module / f"{name}.py").write_text(MODULE)
    folder = tmp_path / "policy"
    shutil.copytree(POLICIES / "g1_walk", folder)
    yield lambda **changes: (folder / "config.json").write_text(json.dumps(CONFIG | changes)) and folder
    assert not (tmp_path / "executed").exists()
    assert not any(name.startswith(("evil", "isaaclab_evil")) for name in sys.modules)


@pytest.mark.parametrize("name", ["evil.payload:ID", "evil:ID", "isaaclab_evil.payload:ID", "evil.payload:a;rm -rf x"])
@pytest.mark.parametrize("key", ["task", "robot"])
def test_a_module_that_a_policy_folder_names_is_not_imported(policy, key, name):
    with pytest.raises(InputError, match=rf"config\.json: asks for the {key} '(isaaclab_)?evil") as error:
        find_policy(policy(**{key: name}))
    assert f"if you trust it, give --{key} " in one_sentence(error)


def test_task_and_robot_are_asked_for_together(policy):
    with pytest.raises(
        InputError, match=r"asks for the task 'evil:T' and the robot 'evil:R', .* --task evil:T --robot evil:R$"
    ):
        find_policy(policy(task="evil:T", robot="evil:R"))


def test_names_that_the_user_gives_take_the_place_of_the_files(policy):
    _, config = find_policy(policy(task="evil.payload:ID", robot="evil:R"), task="mine:ID", robot="robot.xml")
    assert (config["task"], config["robot"]) == ("mine:ID", "robot.xml")
    for own in ("amp_helpers.env.task:Isaac-AMP-Velocity-Flat-G1", "isaaclab_tasks:Isaac-Velocity-Flat-G1-v0"):
        assert find_policy(policy(task=own, robot="C:/robots/my robot.URDF"))[1]["task"] == own


@pytest.mark.parametrize("key", [*CONFIG, "gradient_penalty"])
def test_a_field_of_the_wrong_type_is_one_sentence(policy, key):
    for value in ({}, {"a": [1]}, [[]], [None], "\x1b]0;owned\x07\n" * 500, True, 1e999, [1e999], -1.5):
        file = policy(**{key: value}) / "config.json"
        try:
            choose_names(file, read_config(file, ("task", "hidden", "dataset")), None, None)
        except InputError as error:
            assert str(error).isprintable() and str(error).startswith(f"{file}: ")
        else:  # text where text belongs, a flag where a flag does, ...
            assert isinstance(value, str | bool | float | dict)


@pytest.mark.parametrize("hidden", [[], [0], [-1], [2.5], [10**9], [1] * 1000, "wide", 3, [True], [10**400]])
def test_widths_that_no_network_has_are_refused(policy, hidden):
    with pytest.raises(InputError, match="hidden is") as error:
        find_policy(policy(hidden=hidden))
    one_sentence(error)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", '{"task": NaN}', "[" * 100_000, '{"seed": ' + "9" * 5000 + "}", "\x00", b"\xff\xfe{}"],
)
def test_what_is_no_configuration_is_one_sentence(policy, text):
    file = policy() / "config.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for read in (lambda: find_policy(file.parent), lambda: read_run(file.parent)):
        with pytest.raises(InputError, match=r"config\.json: ") as error:
            read()
        one_sentence(error)


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        "3",
        "null",
        "[" * 100_000,
        *(
            json.dumps(HEALTH | {key: value})
            for key in ("update", "accuracy", "wall_s", "gait")
            for value in ("x", [1])
        ),
        json.dumps(HEALTH | {"accuracy": float("nan")}),
        json.dumps(HEALTH | {"wall_s": 10**400}),
        json.dumps(HEALTH | {"update": 1.5}),
        json.dumps(HEALTH | {"gait": {"pose_rmse_rad": "\x1b[2J"}}),
        json.dumps({key: value for key, value in HEALTH.items() if key != "kl"}),
    ],
)
def test_a_line_that_is_no_health_record_is_one_sentence(tmp_path, line):
    (tmp_path / "health.jsonl").write_text(json.dumps(HEALTH) + "\n" + line + "\n")
    with pytest.raises(InputError, match=r"health\.jsonl: line 2 is no health record") as error:
        read_run(tmp_path)
    one_sentence(error)


def test_a_whole_line_is_read(tmp_path):
    (tmp_path / "health.jsonl").write_text(json.dumps(HEALTH | {"gait": {"pose_rmse_rad": None}}) + "\n")
    (update,) = read_run(tmp_path).updates
    assert asdict(update.health).items() <= HEALTH.items() and update.gait == {"pose_rmse_rad": None}


@pytest.mark.parametrize("content", [[], 3, {"a": "x"}, {"a": [1]}, {"a": True}, {"a": {}}])
def test_metrics_of_another_type_are_one_sentence(tmp_path, content):
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="is not a table of metrics") as error:
        read_metrics(file)
    one_sentence(error)
    with pytest.raises(InputError, match="is not a file of recorded runs") as error:
        read_results(file)
    one_sentence(error)


def test_the_users_own_names_are_those_that_import():
    assert users_names({"task": "mine:ID", "robot": "robots:R"}) == {"task": "mine:ID", "robot": "robots:R"}
    assert users_names({"task": "Isaac-AMP-Velocity-Flat-G1", "robot": "C:/my robot.xml"}) == {}
    assert users_names({"task": "amp_helpers.env.task:ID", "robot": None}) == {}
