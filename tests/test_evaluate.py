"""Evaluating a policy in the simulator: files with exactly the contract's keys, and reproducible numbers."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.dataset import MotionDataset
from amp_helpers.env.make import make_env
from amp_helpers.env.rollout import record_commands, record_profile, record_rollout, reference_motion
from amp_helpers.errors import InputError
from amp_helpers.evaluate import evaluate, evaluate_grid
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.metrics.references import rollout_motion, step_profile
from amp_helpers.metrics.rollout import SAVED
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.training.policy import find_policy, load_policy
from amp_helpers.utils.task_ids import TASK

pytestmark = pytest.mark.sim

NUM_ENVS, SECONDS, DT = 3, 0.5, 0.02
STEPS = round((3.0 + SECONDS) / DT)


@pytest.fixture(scope="module")
def measured(small_run, tmp_path_factory):
    output = tmp_path_factory.mktemp("evaluation") / "new" / "folder"
    setup = MeasuringSetup(checkpoint=small_run.folder, num_envs=NUM_ENVS, seconds=SECONDS)
    return output, evaluate(setup, output, velocity=0.6)


def test_metrics_have_the_names_of_the_contract(measured, metric_names):
    output, metrics = measured
    assert set(metrics) == metric_names

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    written = json.loads((output / "metrics.json").read_text(), parse_constant=refuse)
    assert set(written) == metric_names
    for name, value in metrics.items():
        assert written[name] == (value if math.isfinite(value) else None)


def test_the_rollout_has_the_arrays_of_the_contract(measured):
    output, _ = measured
    with np.load(output / "rollout.npz", allow_pickle=False) as rollout:
        assert set(rollout) == set(SAVED)
        assert rollout["joint_torque"].shape == (NUM_ENVS, STEPS, 23) and np.abs(rollout["joint_torque"]).max() > 1
        assert rollout["foot_contact"].shape == (NUM_ENVS, STEPS, 2) and rollout["foot_contact"].any()
        names = [str(name) for name in rollout["joint_names"]]
        assert sorted(names) == sorted(G1_23DOF.joint_names)
        assert rollout["joint_pos"].shape == (NUM_ENVS, STEPS, 23)
        assert rollout["root_pos"].shape == (NUM_ENVS, STEPS, 3)
        assert np.allclose(np.linalg.norm(rollout["root_quat"], axis=-1), 1, atol=1e-4)
        assert np.all(rollout["root_quat"][:, 0, 3] > 0.99), "xyzw, upright at the start"
        assert np.allclose(rollout["root_pos"][:, 0, 2], 0.8, atol=0.03)
        assert np.abs(rollout["root_pos"][:, 0, :2]).max() < 0.05, "relative to the environment's origin"
        assert float(rollout["dt"]) == pytest.approx(DT) and float(rollout["command"]) == 0.6
        assert float(rollout["command_turn"]) == 0
        knee = rollout["joint_pos"][:, 0, names.index("left_knee_joint")]
        assert np.allclose(knee, 0.42, atol=0.1), "names match columns"
    assert {path.name for path in output.iterdir()} == {"metrics.json", "rollout.npz"}


def test_evaluation_is_reproducible(measured, small_run, tmp_path):
    output, metrics = measured
    setup = MeasuringSetup(checkpoint=small_run.last, num_envs=NUM_ENVS, seconds=SECONDS)
    again = evaluate(setup, tmp_path, velocity=0.6)
    assert again == pytest.approx(metrics, nan_ok=True, rel=0, abs=0), (
        "from the training checkpoint as from the run folder"
    )
    assert (tmp_path / "rollout.npz").read_bytes() == (output / "rollout.npz").read_bytes()


def test_a_grid_has_a_row_for_each_command(small_run, metric_names, tmp_path):
    commands = [(0.0, 0.0), (0.6, 0.0), (1.2, -0.8)]
    setup = MeasuringSetup(checkpoint=small_run.folder, num_envs=2, seconds=0.5)
    rows = evaluate_grid(setup, tmp_path, commands=commands)
    written = json.loads((tmp_path / "grid.json").read_text())
    assert [(row["forward"], row["turn"]) for row in rows] == commands
    for row, saved in zip(rows, written, strict=True):
        assert metric_names < set(row) == set(saved)
        assert all(saved[name] == (value if math.isfinite(value) else None) for name, value in row.items())
    assert {path.name for path in tmp_path.iterdir()} == {"grid.json", "grid.png", "gait.png"}
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")


def test_each_environment_keeps_its_command_through_falls_and_as_it_changes():
    """A robot with constant actions falls; the policy sees the commanded speed in its observations."""
    seen = []

    def fall(observations: torch.Tensor) -> torch.Tensor:
        seen.append(observations.clone())
        return torch.full((4, 23), 3.0)

    with make_env(num_envs=4, play=True, velocity=0.3) as env:
        rollouts = record_commands(env, fall, [(0.5, 0.0), (1.5, -0.7)], 2.0)
        wanted = torch.tensor([[0.5, 0.0, 0.0]] * 2 + [[1.5, 0.0, -0.7]] * 2)
        # The newest frame of the history of the commands, which follow 9 numbers with 5 frames each.
        assert all(torch.equal(observation[:, 57:60], wanted) for observation in seen)
        assert [(r.command, r.command_turn, r.joint_pos.shape[0]) for r in rollouts] == [(0.5, 0.0, 2), (1.5, -0.7, 2)]
        assert all(rollout.fell.any() for rollout in rollouts)
        seen.clear()
        profile = step_profile([0.0, 1.0, 2.0], 0.2, env.step_dt)
        rollout = record_profile(env, fall, profile)
        with pytest.raises(InputError, match="4 environments cannot be shared by 3 commands"):
            record_commands(env, fall, [(0.0, 0.0)] * 3, 0.1)
    assert [float(observation[0, 57]) for observation in seen] == [0.0] * 11 + [1.0] * 10 + [2.0] * 9
    assert rollout.commands[:, 0].tolist() == [0.0] * 10 + [1.0] * 10 + [2.0] * 10


def test_steps_of_the_command_have_a_response(small_run, repo_root, tmp_path):
    setup = MeasuringSetup(checkpoint=repo_root / "policies" / "g1_locomotion", num_envs=2)
    metrics = evaluate(setup, tmp_path, steps=(0.0, 1.0))
    assert 0 < metrics["response_s"] <= 4.0 and math.isnan(metrics["pose_rmse_rad"])
    fallen = evaluate(replace(setup, checkpoint=small_run.folder), tmp_path, steps=(0.0, 1.0))
    assert math.isnan(fallen["response_s"]) and fallen["falls_per_env_10s"] > 0, "it has learned nothing"
    with np.load(tmp_path / "rollout.npz") as rollout:
        assert rollout["root_pos"].shape == (2, 400, 3)


def test_falls_are_counted_and_truncations_are_not(small_run):
    """A robot with constant actions falls; the episode's time limit lies beyond the recorded time."""
    with make_env(num_envs=2, play=True, velocity=0.8) as env:
        policy = load_policy(small_run.folder, env)
        env.cfg.episode_length_s = 0.5
        rollout = record_rollout(env, policy, 0.8, 1.0)
        assert env.max_episode_length * env.step_dt > 1.0 and not rollout.fell[:, :25].any()
        falling = record_rollout(env, lambda observations: torch.full((2, 23), 3.0), 0.8, 2.0)
    assert falling.fell.any(axis=1).all()
    upright = falling.root_pos[..., 2] > 0.7
    assert upright[falling.fell].all(), "the frame of a fall is that after the reset"
    motion = rollout_motion(rollout, env_index=1, start_s=0.2)
    assert motion.num_frames == 40 and motion.dt == pytest.approx(DT)
    assert np.array_equal(motion.joint_pos, rollout.joint_pos[1, 10:])


def test_actions_are_the_policys_mean_for_the_normalized_observation(small_run):
    with make_env(num_envs=2, play=True) as env:
        policy = load_policy(small_run.folder, env)
        observations = env.reset()[0]["policy"].clone()
        actions = policy(observations)
    assert actions.shape == (2, 23)
    assert torch.equal(actions, policy(observations)), "deterministic"
    saved = torch.load(small_run.folder / "policy.pt", weights_only=True)
    mean, variance = (saved["observation_preprocessor"][f"running_{name}"] for name in ("mean", "variance"))
    inputs = ((observations - mean) / (variance.sqrt() + 1e-8)).clamp(-5, 5).float()
    first = torch.nn.functional.elu(inputs @ saved["policy"]["net.0.weight"].T + saved["policy"]["net.0.bias"])
    expected = first @ saved["policy"]["net.2.weight"].T + saved["policy"]["net.2.bias"]
    assert torch.allclose(actions, expected, atol=1e-5)


def test_a_checkpoint_is_given_by_folder_or_file(small_run):
    file, config = find_policy(small_run.folder)
    assert file == small_run.folder / "policy.pt" and config["updates"] == 3
    assert find_policy(file) == (file, config)
    assert find_policy(small_run.last) == (small_run.last, config)


def test_shipped_policies_run_in_the_task(repo_root):
    files = [file.parent for file in (repo_root / "policies").glob("*/policy.pt")]
    folders = [folder for folder in files if find_policy(folder)[1]["task"] == TASK]
    assert len(folders) == 2, "test_policies.py plays those of other tasks"
    with make_env(num_envs=1, play=True) as env:
        observations = env.reset()[0]["policy"].clone()
        for folder in folders:
            policy = load_policy(folder, env)
            assert reference_motion(policy.config, env=env).joint_names == G1_23DOF.joint_names
            assert policy(observations).abs().max() < 10


def test_the_reference_is_the_clip_with_the_nearest_speed(repo_root):
    """Without a commanded speed, it is the middle one."""
    config = find_policy(repo_root / "policies" / "g1_walk_speeds")[1]
    commanded = {None: 0.75, 0.0: 0.45, 0.5: 0.45, 0.6: 0.60, 0.75: 0.75, 2.0: 1.05}
    for velocity, speed in commanded.items():
        assert reference_motion(config, velocity=velocity).forward_speed == pytest.approx(speed, abs=0.005)


def test_a_reference_that_does_not_fit_the_environment_is_rejected(small_run, repo_root, tmp_path):
    config = find_policy(small_run.folder)[1]
    assert reference_motion(config).joint_names == G1_23DOF.joint_names
    dataset = MotionDataset.load(repo_root / "datasets" / "g1_walk.npz")
    names = tuple(name.replace("elbow", "wing") for name in dataset.joint_names)
    replace(dataset, joint_names=names).save(tmp_path / "bird.npz")
    replace(dataset, dt=0.01).save(tmp_path / "fast.npz")
    with pytest.raises(
        InputError, match=r"g1_walk_refined.npz: holds other motions than .* name the training data with --dataset"
    ):
        reference_motion(config | {"dataset_sha256": ["0" * 64]})
    with make_env(num_envs=1, play=True) as env:
        with pytest.raises(
            InputError, match=r"bird.npz: was made for another robot than the task's, .* left_wing_joint"
        ):
            reference_motion(config, tmp_path / "bird.npz", env)
        with pytest.raises(InputError, match=r"fast.npz: was made for a control step of 0.01 s"):
            reference_motion(config, tmp_path / "fast.npz", env)
        assert reference_motion(config, None, env).num_frames == reference_motion(config).num_frames
