"""A run that goes on from a checkpoint keeps its settings, and says what it changes and what starts anew."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

import torch

from amp_helpers import train
from amp_helpers.errors import InputError, sha256
from amp_helpers.training.cfg import file_digest
from amp_helpers.training.command import command_line, parse
from amp_helpers.training.policy import find_policy
from amp_helpers.training.resolving import resolve
from amp_helpers.training.run_folder import read_run
from amp_helpers.utils.resources import find_data
from amp_helpers.utils.task_ids import TASK

pytestmark = pytest.mark.sim


def config_of(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


@pytest.fixture(scope="module")
def source(small_run, tmp_path_factory) -> Path:
    """A copy of a run with settings of its own, which no default has."""
    folder = Path(shutil.copytree(small_run.folder, tmp_path_factory.mktemp("source") / "run"))
    dataset = "datasets/g1_walk.npz"
    config = config_of(folder) | {"dataset": dataset, "style_weight": 7.0, "discriminator_loss": "bce"}
    config["dataset_digest"] = file_digest(find_data(dataset))
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_checkpoint_brings_the_settings_of_its_run(source, small_run):
    for named in (source, source / "checkpoints" / "agent_last.pt"):
        cfg = parse(["--checkpoint", str(named)])
        assert cfg.checkpoint == named and cfg.run_dir is None
        assert (cfg.dataset.name, cfg.agent.style_weight, cfg.agent.discriminator_loss) == ("g1_walk.npz", 7.0, "bce")
        assert (cfg.num_envs, cfg.agent.hidden, cfg.agent.rollouts) == (8, (32,), 16)
    cfg = parse(["--checkpoint", str(small_run.folder)])
    usual = resolve(replace(small_run.cfg, run_dir=source.parent / "new"))
    again = resolve(replace(cfg, checkpoint=None, run_dir=source.parent / "new"))
    assert again == replace(usual, dataset=usual.dataset.resolve())


def test_a_background_run_goes_on_with_the_same_settings(source):
    cfg = replace(parse(["--checkpoint", str(source)]), max_iterations=2, num_envs=4)
    words = command_line(cfg)
    assert words == ["--task", TASK, "--num_envs", "4", "--max_iterations", "2", "--checkpoint", str(source)]
    assert parse(command_line(cfg)) == cfg


def test_feet_of_a_run_are_taken_back(source, tmp_path):
    with pytest.raises(InputError, match="--feet: has no value; give one or more, or leave it out"):
        parse(["--checkpoint", str(source), "--feet"])
    folder = Path(shutil.copytree(source, tmp_path / "run"))
    config = config_of(folder) | {"robot": "robot.xml", "feet": ["left_shoe", "right_shoe"]}
    (folder / "config.json").write_text(json.dumps(config))
    assert parse(["--checkpoint", str(folder)]).feet == ("left_shoe", "right_shoe")
    cfg = parse(["--checkpoint", str(folder), "--feet", "--seed", "3"])
    assert (cfg.robot, cfg.feet, cfg.seed) == ("robot.xml", (), 3)
    assert parse(command_line(cfg)) == cfg
    assert parse(["--checkpoint", str(folder), "--robot", "g1_29dof", "--feet"]).feet == ()


def test_what_is_changed_is_printed_recorded_and_used(source, tmp_path, monkeypatch, capsys):
    options = "--style_weight 20 --discriminator_learning_rate 1e-5 --kl_threshold 0 --learning_rate 3e-4"
    line = f"train --checkpoint {source} {options} --max_iterations 1 --run_dir {tmp_path / 'on'}"
    monkeypatch.setattr(sys, "argv", line.split())
    assert train.main() == 0
    printed = capsys.readouterr().out
    last = source / "checkpoints" / "agent_last.pt"
    assert f"note: going on from {last}, after update 3\n" in printed
    assert "note: changed from its run: " in printed and "style_weight 7.0 -> 20.0" in printed
    assert "not restored: the environment, whose episodes start anew" in printed
    config = config_of(tmp_path / "on")
    assert config["checkpoint"] == str(last) and config["updates"] == 4
    (entry,) = config["resumed"]
    assert (entry["checkpoint"], entry["sha256"], entry["update"]) == (str(last), sha256(last), 3)
    assert entry["changes"] == {
        "max_iterations": [3, 1],
        "style_weight": [7.0, 20.0],
        "learning_rate": [0.001, 0.0003],
        "kl_threshold": [0.01, 0.0],
        "discriminator_learning_rate": [0.0002, 1e-05],
    }
    assert config["dataset"] == "datasets/g1_walk.npz" and config["discriminator_loss"] == "bce"
    saved = torch.load(tmp_path / "on" / "checkpoints" / "agent_last.pt", weights_only=True)
    rates = {group["lr"] for group in saved["discriminator_optimizer"]["param_groups"]}
    assert rates == {1e-5} and float(saved["optimizer"]["param_groups"][0]["lr"]) == pytest.approx(3e-4)
    # A second time: the record goes back to both.
    on = train.train(replace(parse(["--checkpoint", str(tmp_path / "on")]), run_dir=tmp_path / "further"))
    assert [entry["update"] for entry in config_of(on)["resumed"]] == [3, 4]
    assert "its run's settings stay as they were" in capsys.readouterr().out


def test_a_dataset_that_was_written_anew_and_processes_that_are_gone_are_changes(source, tmp_path, capsys):
    folder = Path(shutil.copytree(source, tmp_path / "run"))
    digest = config_of(folder)["dataset_digest"]
    before = {"dataset_digest": "0123456789abcdef", "processes": 2}
    (folder / "config.json").write_text(json.dumps(config_of(folder) | before))
    cfg = replace(parse(["--checkpoint", str(folder), "--max_iterations", "1"]), run_dir=tmp_path / "on")
    train.train(cfg, progress=False)
    assert f", processes 2 -> 1, dataset_digest 0123456789abcdef -> {digest}\n" in capsys.readouterr().out


def test_a_run_that_goes_on_in_its_folder_keeps_its_rollouts(source, tmp_path):
    """With shorter ones, a later checkpoint would have a lower number, and --keep_checkpoints would remove it."""
    cfg = parse(["--checkpoint", str(source / "checkpoints" / "agent_last.pt"), "--rollouts", "8"])
    assert resolve(replace(cfg, run_dir=tmp_path)).agent.rollouts == 8
    sentence = r"--rollouts 8: .* of rollouts of 16; keep --rollouts 16, or choose another --run_dir"
    with pytest.raises(InputError, match=sentence):
        resolve(replace(cfg, run_dir=source))
    assert resolve(replace(parse(["--checkpoint", str(cfg.checkpoint)]), run_dir=source)).run_dir == source


def test_going_on_in_place_drops_what_came_after_the_checkpoint(source, tmp_path, capsys):
    folder = Path(shutil.copytree(source, tmp_path / "killed"))
    log = folder / "health.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    lost = lines[-1].replace('"update": 3', '"update": 4')
    log.write_text("".join(lines) + lost + lost.replace('"update": 4', '"update": 5') + lost[:30])
    (folder / "checkpoints" / "agent_last.pt.cut").write_bytes(b"")
    (folder / "checkpoints" / "agent_80.pt").write_bytes(b"torn")
    cfg = replace(parse(["--checkpoint", str(folder)]), run_dir=folder, max_iterations=1)
    train.train(cfg, progress=False)
    run = read_run(folder)
    assert [update.health.update for update in run.updates] == [1, 2, 3, 4]
    assert run.state == "ended" and run.planned == 4
    assert run.updates[2].wall_s < run.updates[3].wall_s, "one clock for the whole folder"
    printed = capsys.readouterr().out
    assert f"note: {folder / 'checkpoints' / 'agent_80.pt'} is not whole and is passed over\n" in printed
    assert "note: 2 updates after the checkpoint are removed from " in printed


def test_the_newest_run_is_resumed(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="holds no run to resume; name the folder of one with --checkpoint"):
        parse(["--resume"])
    shutil.copytree(source, tmp_path / "runs" / "2026-01-31")
    assert parse(["--resume"]).checkpoint == tmp_path / "runs" / "2026-01-31"
    assert parse(["--resume", "--checkpoint", str(source)]).checkpoint == source


def test_settings_that_are_unknown_or_of_somebody_else_are_not_guessed(source, tmp_path):
    alone = tmp_path / "agent_last.pt"
    shutil.copy(source / "checkpoints" / "agent_last.pt", alone)
    with pytest.raises(InputError, match=r"has no config\.json beside it, so the settings of its run are unknown"):
        parse(["--checkpoint", str(alone)])
    shutil.copy(source / "config.json", tmp_path)
    assert parse(["--checkpoint", str(alone)]).agent.style_weight == 7.0, "the remedy"
    (tmp_path / "config.json").write_text(json.dumps(config_of(source) | {"task": "their.module:Task"}))
    with pytest.raises(InputError, match=r"asks for the task 'their\.module:Task'.*give --task their\.module:Task"):
        parse(["--checkpoint", str(alone)])
    assert parse(["--checkpoint", str(alone), "--task", "their.module:Task"]).task == "their.module:Task"


def test_a_run_that_was_killed_before_it_wrote_its_policy_can_be_measured(source, tmp_path):
    folder = Path(shutil.copytree(source, tmp_path / "killed"))
    (folder / "policy.pt").unlink()
    file, config = find_policy(folder)
    assert file == folder / "checkpoints" / "agent_last.pt" and config["style_weight"] == 7.0
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(InputError, match=r"holds no policy\.pt and no whole checkpoint; give the folder of a run that"):
        find_policy(folder)
