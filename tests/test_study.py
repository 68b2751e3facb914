"""The command that makes a study: trainings side by side, recorded, gone on with, and compared."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from amp_helpers.errors import InputError
from amp_helpers.study import MPS, StudyCfg, _check, _Work, places, run_study, side_by_side_on_gpus, visible
from amp_helpers.training import read_results
from amp_helpers.training.study import read_study

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

TRAINER = """
import sys
print("a program of its own", sys.argv)
raise SystemExit(3)
"""


def write(folder: Path, text: str) -> Path:
    (folder / "small.toml").write_text(text)
    return folder / "small.toml"


def test_options_are_checked_before_anything_is_trained(tmp_path):
    cfg = StudyCfg(study=write(tmp_path, "[groups.a]\nnum_env = 3\n"), output=tmp_path / "out", device="cpu")
    with pytest.raises(InputError, match="--num_envs exists"):
        run_study(cfg)
    cfg = StudyCfg(study=write(tmp_path, "[evaluate]\nspeed = 3\n[groups.a]\n"), output=tmp_path / "out")
    with pytest.raises(InputError, match="give the commanded forward speed, m/s, with --velocity"):
        run_study(cfg)
    cfg = StudyCfg(study=write(tmp_path, "[groups.a]\n[groups.b]\ndataset = 'none.npz'\n"), output=tmp_path / "out")
    with pytest.raises(InputError, match=r"none\.npz: no such file"):
        run_study(cfg)
    for option, sentence in (
        ("velocity_range = [1.2, 0.3]", r"the velocity range is 1\.2\.\.0\.3 m/s; give the lower speed first"),
        ("num_envs = 0", "num_envs is 0; give at least 1"),
        ("learning_rate = 0.0", "learning_rate is 0"),
    ):
        cfg = StudyCfg(study=write(tmp_path, f"[groups.a]\n[groups.b]\n{option}\n"), output=tmp_path / "out")
        with pytest.raises(InputError, match=sentence):
            run_study(cfg)
    assert not (tmp_path / "out").exists()


def test_a_note_says_which_group_ignores_a_common_option(tmp_path):
    text = "[train]\nmin_learning_rate = 1e-4\n[groups.fixed]\nkl_threshold = 0.0\n[groups.b]\nprogram = 'mine'\n"
    (tmp_path / "mine.py").write_text(TRAINER)
    program = (f"mine={tmp_path / 'mine.py'}",)
    cfg = StudyCfg(study=write(tmp_path, text), output=tmp_path / "out", device="cpu", program=program)
    said = []
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "runs").touch()  # nothing can be trained
    with pytest.raises(InputError, match="File exists"):
        run_study(cfg, said.append)
    assert said == ["note: group 'fixed' ignores min_learning_rate, which has no effect without kl_threshold"]


def test_a_program_runs_only_where_the_user_names_it(tmp_path):
    study = write(tmp_path, "[groups.a]\nprogram = 'mine'\n")
    with pytest.raises(InputError, match=r"which runs its code; if you trust it, give --program mine=FILE\.py"):
        run_study(StudyCfg(study=study, output=tmp_path / "out", device="cpu"))
    with pytest.raises(InputError, match=r"names no file; write NAME=FILE\.py"):
        run_study(StudyCfg(study=study, output=tmp_path / "out", device="cpu", program=("mine=none.py",)))
    (tmp_path / "mine.py").write_text(TRAINER)
    cfg = StudyCfg(study=study, output=tmp_path / "out", device="cpu", program=(f"mine={tmp_path / 'mine.py'}",))
    with pytest.raises(InputError, match=r"ended with code 3; see .*a-0\.log"):
        run_study(cfg)
    assert "a program of its own" in (tmp_path / "out" / "runs" / "a-0.log").read_text()


def test_a_task_of_ones_own_is_measured_by_its_name(tmp_path):
    """``evaluate`` imports no module that only the run's folder names."""
    text = "[train]\ntask = 'mine.task:Mine'\nrobot = 'mine.robot:ROBOT'\n[evaluate]\nvelocity = 0.5\n[groups.a]\n"
    cfg = StudyCfg(study=write(tmp_path, text), output=tmp_path / "out", device="cpu")
    line = _Work(cfg, read_study(cfg.study), {}, print)._measure_line(read_study(cfg.study).runs[0], tmp_path, "cpu")
    assert line[-6:] == ["--task", "mine.task:Mine", "--robot", "mine.robot:ROBOT", "--velocity", "0.5"]
    write(tmp_path, text.replace("velocity = 0.5", "task = 'mine.task:Test'"))
    line = _Work(cfg, read_study(cfg.study), {}, print)._measure_line(read_study(cfg.study).runs[0], tmp_path, "cpu")
    assert line[-4:] == ["--robot", "mine.robot:ROBOT", "--task", "mine.task:Test"]


def test_a_folder_that_is_a_file(tmp_path):
    study = write(tmp_path, "[groups.a]\n")
    with pytest.raises(InputError, match=r"small\.toml: is a file; give a folder for the study"):
        run_study(StudyCfg(study=study, output=study / "out", device="cpu"))


def test_options_that_would_be_ignored_are_refused(tmp_path):
    cfg = StudyCfg(study=write(tmp_path, "[groups.a]\n"), output=tmp_path / "out", device="cpu")
    (tmp_path / "mine.py").touch()
    with pytest.raises(InputError, match=r"--gpus 2: --device cpu trains on none; leave out --gpus, or --device"):
        run_study(replace(cfg, gpus=2))
    with pytest.raises(InputError, match=r"--program mine: no group of .*small\.toml names it; leave it out"):
        run_study(replace(cfg, program=(f"mine={tmp_path / 'mine.py'}",)))
    assert not (tmp_path / "out").exists()
    _check(cfg, read_study(cfg.study), {})
    _check(cfg, read_study(write(tmp_path, "[groups.a]\nprogram = 'mine'\n")), {"mine": "mine.py"})


def test_a_training_whose_files_cannot_be_written_is_told_as_failed(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "runs").touch()
    cfg = StudyCfg(study=write(tmp_path, "[groups.a]\n"), output=tmp_path / "out", device="cpu")
    with pytest.raises(InputError, match=r"File exists: .*runs"):
        run_study(cfg)


def test_devices_that_are_not_there(tmp_path):
    study = write(tmp_path, "[groups.a]\n")
    available = torch.cuda.device_count()
    if not available:
        with pytest.raises(InputError, match="this machine has no GPU; leave --device out, or give cpu"):
            places(StudyCfg(study=study, output=tmp_path, device="cuda"))
        assert places(StudyCfg(study=study, output=tmp_path, parallel=2)) == [None, None]
    else:
        with pytest.raises(InputError, match=r"give --gpus \d+ or fewer"):
            places(StudyCfg(study=study, output=tmp_path, gpus=available + 1))
    assert places(StudyCfg(study=study, output=tmp_path, device="cpu", gpus=3)) == [None]


def test_gpus_are_counted_among_the_visible_ones(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible(1) == "1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    assert (visible(0), visible(1)) == ("3", "5")


@pytest.mark.slow
def test_a_study_is_made_recorded_and_not_repeated(tmp_path):
    text = """
    [train]
    num_envs = 4
    rollouts = 4
    max_iterations = 1
    [evaluate]
    num_envs = 2
    seconds = 1
    velocity = 0.75
    [groups."no style"]
    style_weight = 0.0
    """
    study = write(tmp_path, re.sub("(?m)^ +", "", text))
    command = [sys.executable, "-m", "amp_helpers.study", str(study), "--output", str(tmp_path / "out"), "--device"]
    done = subprocess.run([*command, "cpu"], capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    assert "no-style-0: 1 updates in" in done.stdout and "falls per environment" in done.stdout
    results = read_results(tmp_path / "out" / "results.json")
    assert [(run.name, run.updates) for run in results.runs] == [("no-style-0", 1)]
    assert results.comparisons[0].groups == {"no-style": "no style"}
    assert "--style_weight 0.0" in results.runs[0].command and "falls_per_env_10s" in results.runs[0].metrics
    assert all((tmp_path / "out" / name).stat().st_size > 10_000 for name in ("metrics.png", "curves.png"))
    again = subprocess.run([*command, "cpu"], capture_output=True, text=True, timeout=100, check=False)
    assert again.returncode == 0 and "updates in" not in again.stdout


def test_mps_serves_all_gpus_whatever_is_visible(tmp_path, monkeypatch):
    log = tmp_path / "log"
    daemon = tmp_path / MPS
    daemon.write_text(f'#!/bin/sh\necho "$* ${{CUDA_VISIBLE_DEVICES-all}} $(test -n "$1" || cat)" >> {log}\n')
    daemon.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with side_by_side_on_gpus(False):
        assert not log.exists()
    with side_by_side_on_gpus(True):
        assert log.read_text().split() == ["-d", "all"]
    assert log.read_text().split() == ["-d", "all", "all", "quit"]
