"""A stranger's task, odd in every respect, is checked, trained and measured, and what does not fit is named."""

import json
import math
import re
from dataclasses import replace

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from foreign_tasks import (
    mended,
    registered,
    starting_limp_in_the_ground,
    turning_nan,
    with_everything_odd,
    without_commands,
)

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.checks.files import check_dataset_file
from amp_helpers.checks.preflight import check_task
from amp_helpers.convert import convert
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.make import make_env
from amp_helpers.errors import InputError
from amp_helpers.evaluate import evaluate
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.train import train
from amp_helpers.training.cfg import TrainCfg

pytestmark = pytest.mark.sim

ARMS = tuple(name for name in G1_23DOF.joint_names if not any(part in name for part in ("hip", "knee", "ankle")))


@pytest.fixture(scope="module")
def dataset(repo_root, tmp_path_factory):
    """The demo walk at 100 Hz."""
    path = tmp_path_factory.mktemp("datasets") / "walk.npz"
    convert([repo_root / "datasets" / "g1_walk.pkl"], path, control_dt=0.01, verbose=False)
    return path


def findings(dataset, task: str, **options) -> dict:
    return {check.name: check for check in check_dataset_file(dataset, task, **options) if check.verdict != "ok"}


def test_what_does_not_fit_is_named_and_the_remedies_hold(dataset, repo_root):
    found = findings(dataset, registered(with_everything_odd))
    start = found["upright start"]
    assert start.verdict == "fail" and "(+0.00, +0.00, +1.00)" in start.evidence and "(0, 0, 0, 1)" in start.remedy
    assert "drive 12 of the" in found["driven joints"].evidence and "waist_yaw_joint" in found["driven joints"].remedy
    assert "event 'reference' is count_resets" in found["reference states"].evidence
    assert "control step" not in found and "feature columns" not in found, "the right articulation, at 100 Hz"

    assert "start height" not in found, "which follows from the orientation"

    again = findings(dataset, registered(mended), asset="humanoid")
    assert "start height" not in again
    assert "upright start" not in again and not [check for check in again.values() if check.verdict == "fail"]


def test_joints_without_a_motor_and_a_start_in_the_ground_are_named(dataset):
    data = MotionDataset.load(dataset)
    with make_env(registered(starting_limp_in_the_ground), num_envs=1) as env:
        tables = [check_task(env, data, reset=reset) for reset in (True, False)]
    for table in tables:
        found = {check.name: check for check in table.findings}
        motors, start = found["actuators"], found["start height"]
        assert motors.verdict == "fail" and "8 of the 23 joints" in motors.evidence
        assert "nothing moves left_ankle_pitch_joint, left_ankle_roll_joint" in motors.evidence
        assert "driven joints" not in found, "actions drive them, and nothing comes of it"
        assert start.verdict == "fail" and start.values["clearance_m"] == pytest.approx(-0.49, abs=0.03)
        assert float(re.search(r"init_state\.pos to (\S+) \(it is 0\.3\)", start.remedy)[1]) == pytest.approx(
            0.79, abs=0.03
        )


def small_run(task: str, dataset, folder, **options) -> TrainCfg:
    agent = AmpAgentCfg(rollouts=16, hidden=(16,), discriminator_hidden=(16,))
    usual = {"num_envs": 4, "device": "cpu", "max_iterations": 1, "agent": agent}
    return TrainCfg(task=task, dataset=dataset, run_dir=folder, **(usual | options))


def test_it_trains_and_is_measured(dataset, tmp_path, capsys):
    train(small_run(registered(mended), dataset, tmp_path / "run"), progress=False)
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert any(line.startswith("note: driven joints: actions drive 12 of the ") for line in notes)
    assert not any("upright start" in line for line in notes)

    measuring = MeasuringSetup(checkpoint=tmp_path / "run", num_envs=3, seconds=0.5)
    metrics = evaluate(measuring, tmp_path / "result", velocity=0.7, turn=0.2)
    assert metrics["velocity_error_mps"] >= 0
    assert "event 'reference' (count_resets, at reset) stays as the task has it" in capsys.readouterr().err


def test_a_task_without_commands_is_measured_as_it_is(dataset, tmp_path, capsys):
    """And the joints that nobody drives are left out, as the note says."""
    task = registered(without_commands)
    cfg = small_run(task, dataset, tmp_path / "run", drop_joints=("still", *ARMS), asset="humanoid")
    train(cfg, progress=False)
    assert "driven joints" not in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "config.json").read_text())["asset"] == "humanoid"
    measuring = MeasuringSetup(checkpoint=tmp_path / "run", num_envs=2, seconds=0.5)
    with pytest.raises(InputError, match="has no velocity command; its commands: none; leave out velocity, turn"):
        evaluate(measuring, tmp_path / "result", velocity=0.7)
    metrics = evaluate(replace(measuring, asset="humanoid"), tmp_path / "result")
    assert all(math.isnan(metrics[name]) for name in ("velocity_error_mps", "turn_error_radps", "drift_mps"))
    assert metrics["mechanical_power_w"] >= 0


def test_a_reward_that_turns_nan_ends_the_run_in_a_sentence(dataset, repo_root, tmp_path):
    walk = repo_root / "datasets" / "g1_walk.npz"
    named = r"because reward term 'alive' was NaN or beyond 1e\+15 in environment 0 at control step 21 of this run"
    with pytest.raises(InputError, match=named):
        train(small_run(registered(turning_nan), walk, tmp_path / "run", max_iterations=3), progress=False)


def test_an_articulation_that_is_not_there_is_named(dataset):
    with (
        pytest.raises(InputError, match=r"no articulation 'humanoide' \(do you mean 'humanoid'\?\)"),
        make_env(registered(mended), asset="humanoide", num_envs=1),
    ):
        pass
