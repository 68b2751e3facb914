"""The command that makes a study: trainings side by side, recorded, gone on with, and compared."""

import errno
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from amp_helpers.errors import InputError
from amp_helpers.study import StudyCfg, _check, _Work, run_study
from amp_helpers.training import read_results
from amp_helpers.training.comparisons import RecordedRun, Results, write_results
from amp_helpers.training.study import read_study
from amp_helpers.training.study_machine import MPS, locked, places, side_by_side_on_gpus, visible

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
    for option, sentence in (
        ("num_envs = 0", "num_envs is 0; give at least 1"),
        ("seconds = 0.0", "seconds is 0; give"),
    ):
        cfg = StudyCfg(study=write(tmp_path, f"[evaluate]\n{option}\n[groups.a]\n"), output=tmp_path / "out")
        with pytest.raises(InputError, match=sentence):
            run_study(cfg)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (
            "features = ['joint_pos', 'speed']",
            r"AMP features \['speed'\]; choose from: joint_pos, joint_vel, root_height",
        ),
        ("task = 'Isaac-AMP-Velocity-Flat-G2'", r"task .*G2' not found; close to it: Isaac-AMP-Velocity-Flat-G1, "),
        ("physics = 'bullet'", r"with physics 'bullet'.*Available presets .*: isaacsim_physx, newton_mjwarp, ovphysx"),
        ("asset = 'dog'", r"has no articulation 'dog'; its articulations: robot"),
        ("randomize = ['weather']", r"available: friction, mass, "),
        ("drop_joints = ['tail']", r"joint pattern 'tail' matches no joint; available: left_hip_pitch_joint, "),
        ("num_envs = 0", "num_envs is 0; give at least 1"),
        ("window = 'wide'", "Error parsing --window"),
        ("min_learning_rate = 1e-4\nkl_threshold = 0.0", "--min_learning_rate: has no effect without --kl_threshold"),
    ],
)
def test_a_name_that_a_training_would_refuse_is_told_with_its_group_before_any_starts(tmp_path, option, sentence):
    text = f"[train]\ntask = 'Isaac-AMP-Locomotion-Flat-G1'\n[groups.a]\n[groups.'b, of two']\n{option}\n"
    cfg = StudyCfg(study=write(tmp_path, text), output=tmp_path / "out", device="cpu")
    with pytest.raises(InputError, match=f"^group 'b, of two': .*{sentence}"):
        run_study(cfg)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("task = 'Isaac-AMP-Velocity-Flat-G2'", "task .* not found; close to it"),
        ("asset = 'dog'", "task .* has no articulation 'dog'"),
        ("dataset = 'none.npz'", r"none\.npz: no such file"),
        ("num_envs = 1_000_000_000_000", r"take .* GiB here; measure fewer environments for fewer seconds"),
    ],
)
def test_what_an_evaluation_would_refuse_is_told_before_any_training_starts(tmp_path, option, sentence):
    text = f"[evaluate]\nsimulator = 'physx'\n{option}\n[groups.a]\n"
    with pytest.raises(InputError, match=f"^group 'a': .*{sentence}"):
        run_study(StudyCfg(study=write(tmp_path, text), output=tmp_path / "out", device="cpu"))
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


def one_program(folder: Path, text: str = TRAINER) -> StudyCfg:
    """A study of one group that a program trains."""
    (folder / "mine.py").write_text(text)
    study = write(folder, "[groups.a]\nprogram = 'mine'\nwindow = 4\n")
    return StudyCfg(study=study, output=folder / "out", device="cpu", program=(f"mine={folder / 'mine.py'}",))


def test_a_failure_is_told_in_the_words_of_the_command(tmp_path):
    cfg = one_program(
        tmp_path, "import sys\nprint('error: there is no such thing; take another', file=sys.stderr)\nexit(2)\n"
    )
    with pytest.raises(InputError, match=r"ended with code 2 \(error: there is no such thing; take another\); see "):
        run_study(cfg)


def test_a_training_whose_options_changed_is_refused(tmp_path):
    """It would stand in the table under options that it was not made with."""
    cfg = one_program(tmp_path)
    with pytest.raises(InputError, match="ended with code 3"):
        run_study(cfg)
    (tmp_path / "out" / "runs" / "a-0").mkdir()
    text = cfg.study.read_text()
    write(tmp_path, text.replace("4", "8"))
    with pytest.raises(InputError, match=r"'a-0' was made with --window 4 and would now have --window 8; give another"):
        run_study(cfg)
    write(tmp_path, text.replace("4", "8").replace("groups.a", "groups.b"))  # its remedies
    with pytest.raises(InputError, match="ended with code 3"):
        run_study(cfg)
    write(tmp_path, text.replace("4", "8"))
    with pytest.raises(InputError, match="ended with code 3"):
        run_study(replace(cfg, output=tmp_path / "another"))
    (tmp_path / "out" / "options.json").write_text("[1]")
    with pytest.raises(InputError, match=r"options\.json: holds no lists of options; delete it, if"):
        run_study(cfg)
    (tmp_path / "out" / "options.json").unlink()
    with pytest.raises(InputError, match="ended with code 3"):
        run_study(cfg)


RECORDED = RecordedRun(
    name="a-0",
    group="a",
    seed=0,
    command="python mine.py",
    commit="abc1234",
    hardware="a CPU",
    wall_s=1.0,
    updates=1,
    env_steps=16,
    evaluation="python -m amp_helpers.evaluate",
    metrics={"falls_per_env_10s": None},
    curve={},
    gait={},
)


def recorded(cfg: StudyCfg, **changes: str) -> None:
    comparison = read_study(cfg.study).comparison
    cfg.output.mkdir()
    write_results(cfg.output / "results.json", Results((comparison,), (replace(RECORDED, **changes),)))


def test_what_was_measured_otherwise_is_measured_again(tmp_path):
    cfg = one_program(tmp_path)
    recorded(cfg, evaluation="python -m amp_helpers.evaluate --velocity 2")
    said = []
    with pytest.raises(InputError, match="ended with code 3"):
        run_study(cfg, said.append)
    assert said == ["note: 1 trainings are measured again, because the options of [evaluate] have changed"]


def test_the_table_is_printed_where_a_training_fails_too(tmp_path):
    cfg = one_program(tmp_path)
    recorded(cfg)
    write(tmp_path, cfg.study.read_text() + "[groups.b]\nprogram = 'mine'\n")
    said = []
    with pytest.raises(InputError, match="ended with code 3"):
        run_study(cfg, said.append)
    assert "falls per environment in 10 s" in said[0] and "undefined" in said[0] and "no run" in said[0]
    assert said[1].startswith("results: ") and (tmp_path / "out" / "metrics.png").stat().st_size


def test_a_folder_is_of_one_study_at_a_time(tmp_path):
    cfg = one_program(tmp_path)
    cfg.output.mkdir()
    with locked(cfg.output) as lock:
        training = subprocess.Popen(["sleep", "100"], pass_fds=(lock,))
    with pytest.raises(InputError, match="is still running there; wait until it has ended, or give another --output"):
        run_study(cfg)
    training.kill()
    training.wait()
    with pytest.raises(InputError, match="ended with code 3"):
        run_study(cfg)


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    """Not a traceback of a thread, after which the study would count as made."""
    cfg = one_program(tmp_path)
    monkeypatch.setattr(_Work, "_make", lambda self, run, gpu: RECORDED)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "results.json")

    monkeypatch.setattr("amp_helpers.study.write_results", full)
    with pytest.raises(InputError, match=r"No space left on device: 'results\.json'; free some space"):
        run_study(cfg)


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


def test_devices_that_are_not_there():
    available = torch.cuda.device_count()
    if not available:
        with pytest.raises(InputError, match="this machine has no GPU; leave --device out, or give cpu"):
            places("cuda")
        assert places(parallel=2) == [None, None]
    else:
        with pytest.raises(InputError, match=r"give --gpus \d+ or fewer"):
            places(gpus=available + 1)
    assert places("cpu", gpus=3) == [None]


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
