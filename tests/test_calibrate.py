"""A policy is made as fast as it is commanded, in its task and in what is exported of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

import torch

from amp_helpers import calibrate as command
from amp_helpers.agent.checkpoint import load_checkpoint
from amp_helpers.calibrate import FARTHEST_MPS, calibrate, remove_calibration
from amp_helpers.deploy.controller import Controller
from amp_helpers.errors import InputError
from amp_helpers.evaluate import evaluate_grid
from amp_helpers.export import export
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.utils.resources import POLICIES

SPEED = 1.2
"""A command at which ``g1_locomotion`` without a calibration is too fast."""


@pytest.fixture(scope="module")
def setup(tmp_path_factory) -> MeasuringSetup:
    run = tmp_path_factory.mktemp("calibrated") / "run"
    shutil.copytree(POLICIES / "g1_locomotion", run, ignore=shutil.ignore_patterns("bundle"))
    setup = MeasuringSetup(checkpoint=run, num_envs=2, seconds=2.0)
    remove_calibration(setup)
    return setup


@pytest.fixture(scope="module")
def calibrated(setup) -> list[command.CalibratedSpeed]:
    return calibrate(setup, speeds=(SPEED, 0.6), rounds=2, share=0.9)


def parts(setup: MeasuringSetup) -> dict:
    return load_checkpoint(Path(setup.checkpoint) / "policy.pt")


@pytest.mark.sim
def test_the_robot_goes_as_fast_as_it_is_commanded(setup, calibrated, tmp_path):
    slow, fast = calibrated
    assert (slow.asked, fast.asked) == (0.6, SPEED)
    assert fast.before > SPEED + 0.04 and fast.told < SPEED - 0.04, "too fast, so it is told less"
    assert abs(fast.after - SPEED) < 0.03 and abs(slow.after - 0.6) < 0.03
    (row,) = evaluate_grid(setup, tmp_path, commands=[(SPEED, 0.0)])
    assert row["forward_speed_mps"] == pytest.approx(fast.after, abs=0.02), "evaluate measures what calibrate says"


@pytest.mark.sim
def test_the_weights_stay_and_the_calibration_can_be_taken_away(setup, calibrated):
    shipped, now = load_checkpoint(POLICIES / "g1_locomotion" / "policy.pt"), parts(setup)
    for name in ("policy", "observation_preprocessor"):
        for key, value in shipped[name].items():
            assert torch.equal(value, now[name][key]), key
    assert "speed_calibration" in now
    copy = Path(setup.checkpoint).with_name("without")
    shutil.copytree(setup.checkpoint, copy)
    remove_calibration(MeasuringSetup(checkpoint=copy))
    assert "speed_calibration" not in load_checkpoint(copy / "policy.pt")


def test_taking_a_calibration_away_asks_for_no_task_and_no_robot(tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    shutil.copytree(POLICIES / "g1_locomotion", run, ignore=shutil.ignore_patterns("bundle"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"task": "theirs:Task", "robot": "theirs:ROBOT"}))
    assert "speed_calibration" in load_checkpoint(run / "policy.pt")
    monkeypatch.setattr("sys.argv", ["calibrate", "--checkpoint", str(run)])
    with pytest.raises(InputError, match="if you trust it, give --task theirs:Task --robot theirs:ROBOT"):
        command.main()
    monkeypatch.setattr("sys.argv", ["calibrate", "--checkpoint", str(run), "--remove"])
    assert command.main() == 0
    assert f"{run}: has no calibration" in capsys.readouterr().out
    assert "speed_calibration" not in load_checkpoint(run / "policy.pt")


@pytest.mark.sim
def test_a_bundle_holds_the_calibration(setup, calibrated, tmp_path):
    """One with it and one without it differ as much as commands that differ by the correction."""
    exported = export(setup.checkpoint, tmp_path / "with")
    assert any("calibrated within policy.onnx" in warning for warning in exported.warnings)
    plain = tmp_path / "run"
    shutil.copytree(setup.checkpoint, plain)
    remove_calibration(MeasuringSetup(checkpoint=plain))
    export(plain, tmp_path / "without")
    still = np.zeros(3), np.array([0.0, 0.0, -1.0])

    def targets(bundle: Path, speed: float) -> np.ndarray:
        controller = Controller(bundle)
        controller.start()
        pose = np.array(controller.facts["default_joint_pos"])
        return controller.step(*still, pose, np.zeros_like(pose), (speed, 0.0, 0.0))

    # The clock is that of the command, so it is compared at the first step, where it has not moved yet.
    told = targets(tmp_path / "with", SPEED)
    np.testing.assert_allclose(told, targets(tmp_path / "without", calibrated[1].told), atol=1e-4)
    assert np.abs(told - targets(tmp_path / "without", SPEED)).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--speeds 0", "no speed to calibrate; give at least one that is not 0"),
        ("--share 0", "share is 0; give a number above 0, at most 1"),
        ("--share nan", "share is nan; give a number above 0, at most 1"),
        ("--rounds 1", "rounds is 1; give at least 2: one to measure, one with the calibration"),
        ("--speeds 1 99", "a commanded speed is 99; give at most 20 m/s and rad/s"),
        (
            "--simulator mujoco",
            "--simulator mujoco: runs bundles; calibrate the run in newton or physx, then export it",
        ),
    ],
)
def test_a_mistake_is_one_sentence_before_the_simulator_starts(monkeypatch, capsys, options, sentence):
    monkeypatch.setattr("sys.argv", ["calibrate", "--checkpoint", "g1_locomotion", *options.split()])
    with pytest.raises(InputError) as error:
        command.main()
    assert str(error.value) == sentence
    assert not capsys.readouterr().out, "nothing is said to be measured"


def test_a_checkpoint_to_go_on_from_is_left_alone(tmp_path):
    shutil.copy(POLICIES / "g1_locomotion" / "policy.pt", tmp_path / "agent_240.pt")
    shutil.copy(POLICIES / "g1_locomotion" / "config.json", tmp_path / "config.json")
    with pytest.raises(InputError, match=r"agent_240\.pt: is no policy\.pt; give the folder of a run that ended"):
        calibrate(MeasuringSetup(checkpoint=tmp_path / "agent_240.pt"))


@pytest.mark.parametrize(("reached", "told"), [(0.66, "the policy goes 0.66 m/s"), (np.nan, "every robot falls")])
def test_a_policy_that_does_not_obey_needs_training(reached, told):
    with pytest.raises(InputError, match=f"at 0.3 m/s {told}, which a calibration .* train it longer, or leave this"):
        command._check_near(np.array([0.3]), np.array([reached]))
    command._check_near(np.array([0.3]), np.array([0.3 + FARTHEST_MPS - 0.01]))


@pytest.mark.sim
def test_a_policy_without_a_command_has_no_speed_to_calibrate(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(POLICIES / "g1_dance", run, ignore=shutil.ignore_patterns("bundle"))
    with pytest.raises(InputError, match="run: its task has no velocity command; calibrate a policy that obeys one"):
        calibrate(MeasuringSetup(checkpoint=run, num_envs=1, seconds=1.0), speeds=(0.5,), rounds=2)
