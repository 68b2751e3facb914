"""A stranger's task, odd in every respect, is checked, trained and measured, and what does not fit is named."""

import json

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from foreign_tasks import mended, registered, with_everything_odd

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.amp_state.asset import robot_name
from amp_helpers.checks.files import check_dataset_file
from amp_helpers.convert import convert
from amp_helpers.env.make import make_env
from amp_helpers.errors import InputError
from amp_helpers.evaluate import evaluate
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

    again = findings(dataset, registered(mended), asset="humanoid")
    assert "upright start" not in again and not [check for check in again.values() if check.verdict == "fail"]


def test_it_trains_and_is_measured(dataset, tmp_path, capsys):
    task = registered(mended)
    agent = AmpAgentCfg(rollouts=16, hidden=(16,), discriminator_hidden=(16,))
    cfg = TrainCfg(
        task=task, dataset=dataset, num_envs=4, device="cpu", max_iterations=1, run_dir=tmp_path / "run", agent=agent
    )
    train(cfg, progress=False)
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert any(line.startswith("note: driven joints: actions drive 12 of the ") for line in notes)
    assert not any("upright start" in line for line in notes)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["asset"] is None

    metrics = evaluate(tmp_path / "run", tmp_path / "result", num_envs=3, seconds=0.5, velocity=0.7, turn=0.2)
    assert metrics["velocity_error_mps"] >= 0
    assert "event 'reference' (count_resets, at reset) stays as the task has it" in capsys.readouterr().err

    dropped = TrainCfg(**(vars(cfg) | {"drop_joints": ("still", *ARMS), "run_dir": tmp_path / "second"}))
    train(dropped, progress=False)
    assert "driven joints" not in capsys.readouterr().out, "the remedy"


def test_an_articulation_that_is_not_there_is_named(dataset):
    with (
        pytest.raises(InputError, match=r"no articulation 'humanoide' \(do you mean 'humanoid'\?\)"),
        make_env(registered(mended), asset="humanoide", num_envs=1),
    ):
        pass
    assert callable(robot_name)
