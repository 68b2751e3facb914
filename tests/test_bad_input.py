"""Wrong datasets, robots, checkpoints and folders end in one sentence and exit code 2, and no file is lost.

Single motion files, dataset files and ``convert`` are in test_formats.py, test_dataset.py and test_convert.py;
notebooks, parameters and widgets in test_pipeline.py.
"""

import json
import pickle
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support import PATIENCE_S

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers import evaluate, train
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import run_cli
from amp_helpers.measure.setup import MeasuringSetup

pytestmark = [pytest.mark.sim, pytest.mark.filterwarnings("ignore:Newton shape color")]

# The sizes of the small run, so that its checkpoint fits.
SMALL = ["--device", "cpu", "--num_envs", "2", "--rollouts", "16", "--max_iterations", "1", "--hidden", "32"]


@pytest.fixture
def refused(monkeypatch, capfd):
    """Run a command in this process, expect it to fail, and return the message."""

    def run(command, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        capfd.readouterr()
        assert run_cli(command.main) == 2
        written = capfd.readouterr()
        assert written.err.startswith("error: ") and written.err.count("\n") == 1, written.err
        assert all(line.startswith("note: ") for line in written.out.splitlines()), written.out
        return written.err.removeprefix("error: ").rstrip()

    return run


@pytest.fixture(scope="module")
def walk(repo_root) -> MotionDataset:
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz")


@pytest.fixture
def run_copy(small_run, tmp_path) -> Path:
    """A copy of a trained run, to damage."""
    return Path(shutil.copytree(small_run.folder, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--num_envs 0", "num_envs is 0; give at least 1"),
        ("--num_envs -4", "num_envs is -4; give at least 1"),
        ("--num_envs 3000000000", "3000000000 environments take at least "),
        ("--max_iterations 0", "max_iterations is 0; give at least 1"),
        ("--rollouts 0", "rollouts is 0; give at least 1"),
        ("--num_envs 1 --rollouts 1", "raise num_envs or rollouts"),
        ("--max_seconds 0", "max_seconds is 0.0; give a number above 0"),
        ("--seed -1", "seed is -1; give at least 0"),
        ("--seed 5000000000", "seed is 5000000000; give at most 4294967295"),
        ("--style_weight -1", "style_weight is -1.0; give at least 0"),
        ("--task_weight nan", "task_weight is nan; give at least 0"),
        ("--gradient_penalty -1", "gradient_penalty is -1.0; give at least 0"),
        ("--discriminator_learning_rate 0", "discriminator_learning_rate is 0.0; give a number above 0"),
        ("--initial_std 0", "initial_std is 0.0; give a number above 0"),
        ("--final_std -0.1", "final_std is -0.1; give at least 0"),
        ("--final_kl_threshold -1", "final_kl_threshold is -1.0; give at least 0"),
        ("--final_kl_threshold 0.001 --final_kl_updates 9 9", "is 9 9; give two increasing numbers of updates from 0"),
        ("--discriminator_noise -1", "discriminator_noise is -1.0; give at least 0"),
        ("--discriminator_epochs 0", "discriminator_epochs is 0; give at least 1"),
        ("--learning_epochs 1", "discriminator_epochs is 2; give at most learning_epochs, 1"),
        ("--hidden 32 0", "hidden is 32 0; give widths of at least 1"),
        ("--velocity_range 1.2 0.3", "the velocity range is 1.2..0.3 m/s; give the lower speed first"),
        ("--reference_share 1.5", "is 1.5; give one in 0..1"),
        ("--device cuda:99", "device 'cuda:99' not found; available: cpu"),
        ("--device gpu", "device 'gpu' not found; available: cpu"),
        ("--task Isaac-AMP-Velocity-Flat-G2", "not found; close to it: Isaac-AMP-Velocity-Flat-G1, "),
        ("--task Isaac-Cartpole-Direct-v0", "close to it: "),
        (
            "--physics bullet",
            "Available presets (grouped by affected paths): isaacsim_physx, newton_mjwarp, ovphysx, physx",
        ),
        (
            "--logger spreadsheet",
            "'spreadsheet' for argument '--logger'. Expected one of ('tensorboard', 'wandb')",
        ),
        (
            "--num_envs many",
            "Error parsing --num_envs: expects INT, not 'many'; --help lists the options",
        ),
        ("--num_env 4", "Unrecognized options: --num_env, 4; --num_envs exists, --help lists the options"),
        ("--checkpoint_seconds 0", "checkpoint_seconds is 0.0; give a number above 0"),
        ("--features joint_position", "choose from: joint_pos, joint_vel, root_height, projected_gravity"),
        ("--window 1", "give a window of at least 2 frames"),
        ("--stride 0", "a stride of at least 1 step"),
        ("--window 400 --stride 3", "no clip has the 1198 frames of one AMP window; shorten the window"),
        ("--drop_joints feet tail", "joint pattern 'tail' matches no joint; available: left_hip_pitch_joint, "),
        ("--drop_joints ankle(", "is not a regular expression"),
        ("--drop_joints .*", "leaves no joint; drop fewer joints"),
        (
            "--discriminator_loss hinge",
            "'hinge' for argument '--discriminator_loss'. Expected one of ('lsgan'",
        ),
        ("--amp_group amp", "observation group 'amp' not found; available: policy, critic"),
        ("--amp_group policy", "observation group 'policy' has no root_height; add a term with mdp.base_pos_z"),
        ("--dataset gone.npz", "gone.npz: no such file; make a dataset with 'python -m amp_helpers.convert'"),
    ],
)
def test_options_that_no_run_can_use(refused, tmp_path, options, sentence):
    assert sentence in refused(train, *SMALL, "--run_dir", tmp_path / "run", *options.split())
    assert not (tmp_path / "run").exists(), "nothing is written by a run that never was"


@pytest.mark.parametrize("share", ["0", "0.5"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda walk: replace(walk, dt=0.01), "a control step of 0.01 s but the environment steps 0.02 s; convert"),
        (
            lambda walk: replace(walk, joint_names=tuple(n.replace("elbow", "wing") for n in walk.joint_names)),
            "was made for another robot than the task's, .*left_wing_joint, right_wing_joint.*--robot",
        ),
        (
            lambda walk: replace(
                walk,
                states=np.hstack([walk.states, walk.states[:, :1]]),
                next_states=np.hstack([walk.next_states, walk.next_states[:, :1]]),
                joint_names=(*walk.joint_names, "waist_roll_joint"),
            ),
            "was made for another robot than the task's, .*waist_roll_joint.*--robot",
        ),
    ],
)
def test_a_dataset_that_does_not_fit_the_environment(refused, walk, tmp_path, change, sentence, share):
    file = tmp_path / "other.npz"
    change(walk).save(file)
    error = refused(train, *SMALL, "--dataset", file, "--reference_share", share, "--run_dir", tmp_path / "run")
    assert error.startswith(f"{file}: ") and re.search(sentence, error)
    assert not (tmp_path / "run").exists()


def test_a_dataset_without_some_of_the_robots_joints_cannot_start_episodes(refused, walk, tmp_path):
    file = tmp_path / "armless.npz"
    walk.select([name for name in walk.joint_names if "elbow" not in name]).save(file)
    error = refused(train, *SMALL, "--dataset", file, "--reference_share", 0.5, "--run_dir", tmp_path / "run")
    assert error.startswith(
        f"{file}: was made for another robot than the task's, it lacks left_elbow_joint, right_elbow_joint; "
    )


def test_a_folder_that_cannot_hold_a_run(refused, small_run, tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        assert f"{tmp_path / 'file'}: is a file; choose a folder" in refused(train, *SMALL, "--run_dir", folder)
    assert (tmp_path / "file").read_text() == "mine"
    # Root may write to a read-only folder, but not to /proc.
    error = refused(train, *SMALL, "--run_dir", "/proc/run")
    assert error.startswith("/proc/run: cannot be written (") and error.endswith("what was written before is kept")
    before = (small_run.folder / "health.jsonl").read_bytes()
    assert "already holds a run" in refused(train, *SMALL, "--run_dir", small_run.folder)
    assert (small_run.folder / "health.jsonl").read_bytes() == before


def test_a_checkpoint_to_continue_from_that_does_not_fit(refused, small_run, tmp_path):
    run = ["--run_dir", tmp_path / "run"]

    def go_on(checkpoint: Path, *options: str) -> str:
        return refused(train, *SMALL, *run, "--checkpoint", checkpoint, *options)

    assert "policy net.0.weight is (32, 405) in the file and (16, 405) here" in go_on(small_run.last, "--hidden", "16")
    assert "made for another network, discriminator net.0.weight" in go_on(small_run.last, "--window", "2")
    assert f"{tmp_path / 'gone.pt'}: there is no such checkpoint" in go_on(tmp_path / "gone.pt")
    assert "holds no value, discriminator, " in go_on(small_run.folder / "policy.pt")
    assert f"{tmp_path}: holds no checkpoints/agent_*.pt; give the folder of a training run" in go_on(tmp_path)
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(small_run.last.read_bytes()[:-2000])
    assert f"{damaged}: is not a checkpoint" in go_on(damaged)
    torch.save({name: 3 for name in torch.load(small_run.last, weights_only=True)}, damaged)
    assert f"{damaged}: holds no policy, " in go_on(damaged)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--num_envs 0", "num_envs is 0; give at least 1"),
        ("--device cuda:99", "available: cpu"),
        ("--dataset gone.npz", "gone.npz: the dataset that the policy imitates is not there; name it with --dataset"),
        ("--seconds long", "Error parsing --seconds: could not convert string to float: 'long'; --help lists the"),
        ("--speed 1", "--speed: give the commanded forward speed, m/s, with --velocity"),
    ],
)
def test_options_that_no_evaluation_can_use(refused, small_run, tmp_path, options, sentence):
    output = tmp_path / "out"
    error = refused(evaluate, "--checkpoint", small_run.folder, "--output", output, *options.split())
    assert sentence in error
    assert not output.exists()


def test_a_policy_that_cannot_be_played(refused, run_copy, tmp_path):
    config = json.loads((run_copy / "config.json").read_text())

    def play(checkpoint: Path, **changes: object) -> str:
        (run_copy / "config.json").write_text(json.dumps(config | changes))
        return refused(evaluate, "--checkpoint", checkpoint, "--output", tmp_path / "out", "--num_envs", 1)

    assert f"{tmp_path / 'gone'}: holds no policy.pt and no whole checkpoint; give the folder" in play(
        tmp_path / "gone"
    )
    assert f"{tmp_path}: holds no policy.pt" in play(tmp_path)
    assert "policy net.0.weight is (32, 405) in the file and (16, 405) here" in play(run_copy, hidden=[16])
    assert "hidden is 'wide', not a list of widths" in play(run_copy, hidden="wide")
    assert "task 'Isaac-Walk' not found; close to it: " in play(run_copy, task="Isaac-Walk")
    assert "is not there; name it with --dataset" in play(run_copy, dataset="mine.npz")
    for content in ("{", "\xff", "[]", "{}"):
        (run_copy / "config.json").write_text(content, encoding="latin-1")
        error = refused(evaluate, "--checkpoint", run_copy, "--output", tmp_path / "out")
        assert error.startswith(f"{run_copy / 'config.json'}: ") and error.endswith("take the file that training wrote")
    (run_copy / "config.json").unlink()
    error = refused(evaluate, "--checkpoint", run_copy, "--output", tmp_path / "out")
    assert "has no config.json beside it; keep the two files of a run together" in error
    assert not (tmp_path / "out").exists()


class Payload:
    """Creates a file when unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


def test_a_foreign_file_in_place_of_a_policy(refused, run_copy, tmp_path):
    policy, marker = run_copy / "policy.pt", tmp_path / "executed"
    whole = policy.read_bytes()

    def play() -> str:
        return refused(evaluate, "--checkpoint", run_copy, "--output", tmp_path / "out", "--num_envs", 1)

    for content in (b"", b"not a checkpoint", whole[: len(whole) // 2], pickle.dumps(Payload(marker))):
        policy.write_bytes(content)
        assert play().startswith(f"{policy}: is not a checkpoint of tensors")
    remedy = "; give a whole checkpoint written by training"
    for content, sentence in (
        ([1, 2], "holds no named parts"),
        ({"model_state_dict": {}}, f"holds no policy, observation_preprocessor{remedy}"),
        ({"policy": {"a": 1}}, f"holds no observation_preprocessor{remedy}"),
        ({"policy": {"a": 1}, "observation_preprocessor": {}}, "made for another network, policy"),
    ):
        torch.save(content, policy)
        assert sentence in play()
    assert not marker.exists() and not (tmp_path / "out").exists()


def test_results_that_cannot_be_written_leave_the_old_ones(refused, small_run, tmp_path):
    arguments = ["--checkpoint", small_run.folder, "--num_envs", 1, "--seconds", 0.1]
    (tmp_path / "file").write_text("mine")
    assert f"{tmp_path / 'file'}: is a file" in refused(evaluate, *arguments, "--output", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    # First without the limit, which would also apply to the kernels that the first run compiles.
    evaluate.evaluate(MeasuringSetup(checkpoint=small_run.folder, num_envs=1, seconds=0.1), tmp_path / "before")
    old = {"metrics.json": b"{}", "rollout.npz": b"old"}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        error = refused(evaluate, *arguments, "--output", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.startswith(f"{tmp_path / 'rollout.npz'}: ") and "File too large" in error
    assert {name: (tmp_path / name).read_bytes() for name in old} == old
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before", "file", "metrics.json", "rollout.npz"]


def test_the_commands_print_one_line(walk, small_run, tmp_path):
    """In a process of their own, with the simulator open: no library prints anything, and the exit code is 2."""
    replace(walk, dt=0.01).save(tmp_path / "fast.npz")
    evaluation = ["--checkpoint", small_run.folder, "--dataset", tmp_path / "fast.npz", "--output", tmp_path / "out"]
    for name, arguments in (
        ("train", [*SMALL, "--headless", "--dataset", tmp_path / "fast.npz", "--run_dir", tmp_path / "run"]),
        ("evaluate", [*evaluation, "--device", "cpu", "--num_envs", 1]),
    ):
        command = [sys.executable, "-m", f"amp_helpers.{name}", *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert result.returncode == 2 and result.stdout == ""
        assert result.stderr == (
            f"error: {tmp_path / 'fast.npz'}: was made for a control step of 0.01 s but the environment steps 0.02 s; "
            "convert the motion with --control_dt 0.02\n"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["fast.npz"]
