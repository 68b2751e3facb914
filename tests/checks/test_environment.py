"""A running environment gives the discriminator the dataset's states, or a check reports the difference."""

import numpy as np
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.amp_state.observation_group import observation_terms
from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.check import main
from amp_helpers.checks.preflight import check_environment
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.make import make_env
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.utils.task_ids import TASK

pytestmark = pytest.mark.sim
JOINTS = G1_23DOF.joint_names


@pytest.fixture(scope="module")
def env():
    with make_env(TASK, num_envs=2, seed=1) as env:
        env.reset(seed=1)
        yield env


@pytest.fixture(scope="module")
def dataset(repo_root) -> MotionDataset:
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz")


@pytest.fixture
def truth(env):
    source = AmpState(joint_names=JOINTS, features=tuple(FEATURE_DIMS)).from_env(env)
    yield source
    source.detach()


def verdicts(table) -> dict[str, str]:
    return {check.name: check.verdict for check in table}


def newest(source, done: torch.Tensor) -> torch.Tensor:
    return source.step(done)[0][:, -source.state.frame_dim :].clone()


def test_the_simulator_gives_the_datasets_rows(env, dataset):
    table = check_environment(env, dataset)
    assert set(verdicts(table).values()) == {"ok"}, str(table)
    assert list(verdicts(table)) == ["feature columns", "observation noise", "observation history", "terminal frames"]


def test_the_first_middle_and_last_clip_are_put_into_the_simulator(env, repo_root, truth):
    dataset = MotionDataset.load(repo_root / "datasets" / "g1_walk_speeds.npz")
    assert dataset.num_motions > 2

    def read(done):
        """Wrong for the pose of the last clip alone."""
        frames = newest(truth, done)
        clip = dataset.clips()[-1]
        pose = torch.tensor(clip.joint_pos[round(0.9 * (clip.num_frames - 1))])
        default = env.scene["robot"].data.default_joint_pos.torch[0]
        index = torch.tensor([env.scene["robot"].joint_names.index(name) for name in JOINTS])
        shown = (frames[:, :23] + default[index] - pose).abs().max() < 1e-3
        frames[:, 3] += 0.5 * shown
        return frames

    assert set(verdicts(check_environment(env, dataset)).values()) == {"ok"}
    found = {check.name: check for check in check_environment(env, dataset, reader=read)}["feature columns"]
    assert found.verdict == "fail" and f"of {dataset.clips()[-1].label}" in found.evidence


def test_noise_of_a_group_is_reported_and_its_history_is_not(env, dataset):
    table = check_environment(env, dataset, "policy")
    found = {check.name: check for check in table}
    assert (
        found["observation noise"].verdict == "warn"
        and "joint_pos carries noise" in found["observation noise"].evidence
    )
    assert found["observation history"].verdict == found["terminal frames"].verdict == "ok", str(table)
    assert "5 frames of joint_pos" in found["observation history"].evidence
    # The term gives the velocity of the center of mass, the dataset that of the link.
    assert found["feature columns"].verdict == "warn" and "root_lin_vel" in found["feature columns"].evidence


def test_noise_of_a_custom_reader_is_measured(env, dataset, truth):
    def read(done):
        return newest(truth, done) + 0.01 * torch.randn(env.num_envs, truth.state.frame_dim)

    assert verdicts(check_environment(env, dataset, reader=read))["observation noise"] == "warn"


@pytest.mark.parametrize("mistake", ["simulator order", "offset left in", "a column short"])
def test_columns_that_disagree(env, dataset, truth, mistake):
    default = env.scene["robot"].data.default_joint_pos.torch
    index = torch.tensor([JOINTS.index(name) for name in env.scene["robot"].joint_names])

    def read(done):
        frames = newest(truth, done)
        if mistake == "simulator order":
            frames[:, :23] = frames[:, index]
        elif mistake == "offset left in":
            frames[:, index] += default
        else:
            frames = frames[:, :-1]
        return frames

    found = {check.name: check for check in check_environment(env, dataset, reader=read)}
    assert found["feature columns"].verdict == "fail"
    assert "joint_pos" in found["feature columns"].evidence
    assert {check.verdict for name, check in found.items() if name != "feature columns"} <= {"ok"}


def test_reading_the_oldest_frame_of_a_history_fails(env, dataset, truth):
    term = next(t for t in observation_terms(env) if t.name == "joint_pos")
    assert term.history == 5
    width = (term.stop - term.start) // term.history
    order = torch.tensor([term.joint_names.index(name) for name in JOINTS])

    def read(done):
        frames = newest(truth, done)
        frames[:, :23] = env.obs_buf["policy"][:, term.start : term.start + width][:, order]
        return frames

    found = {check.name: check for check in check_environment(env, dataset, reader=read)}
    assert found["observation history"].verdict == "fail"
    assert "joint_pos" in found["observation history"].evidence


def test_frames_taken_after_the_reset(env, dataset, truth):
    def read(done):
        return truth.frame().clone()

    table = check_environment(env, dataset, reader=read)
    assert verdicts(table).pop("terminal frames") == "fail", str(table)
    assert [check.name for check in table.findings] == ["terminal frames"]
    assert "before the reset" in table.findings[0].remedy


def test_an_environment_without_common_joints_fails(env, dataset):
    renamed = MotionDataset(**{**vars(dataset.select(JOINTS[:1])), "joint_names": ("nobody",)})
    table = check_environment(env, renamed)
    assert verdicts(table) == {"feature columns": "fail"}
    assert np.isfinite(renamed.states).all()


def test_the_command_checks_a_task(repo_root, capsys, env):
    """Only the error, because another environment is open here; test_any_task runs the whole command."""
    from amp_helpers.errors import run_cli

    code = run_cli(lambda: main(["--dataset", str(repo_root / "datasets" / "g1_walk.npz"), "--task", TASK]))
    assert code == 2 and "another environment is open" in capsys.readouterr().err
