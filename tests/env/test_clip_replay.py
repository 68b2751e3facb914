"""Replaying a clip in the simulator reproduces the dataset's rows: the same columns, signs, order and offsets."""

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.amp_state.observation_group import observation_terms
from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.clip_replay import place, replay
from amp_helpers.env.env_facts import default_pose
from amp_helpers.env.make import make_env
from amp_helpers.env.wrapper import AmpEnv
from amp_helpers.errors import InputError
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.utils.task_ids import TASK

pytestmark = pytest.mark.sim

NUM_ENVS = 4
EVERYTHING = AmpState(joint_names=G1_23DOF.joint_names, features=tuple(FEATURE_DIMS), window=3, stride=2)


@pytest.fixture(scope="module")
def env():
    with make_env(TASK, num_envs=NUM_ENVS, seed=3, play=True) as env:
        env.reset(seed=3)
        yield env


@pytest.fixture(scope="module")
def dataset(repo_root) -> MotionDataset:
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz")


def test_the_simulator_orders_joints_breadth_first(env):
    assert tuple(env.scene["robot"].joint_names) != G1_23DOF.joint_names
    assert env.scene["robot"].joint_names[:2] == ["left_hip_pitch_joint", "right_hip_pitch_joint"]


def test_replaying_a_clip_reproduces_the_rows_of_the_dataset(env, dataset):
    clip = dataset.clips()[0]
    rows = EVERYTHING.from_dataset(dataset, default_pose(env))
    source = EVERYTHING.from_env(env)
    place(env, clip, 0)
    source.restart()
    done = torch.zeros(env.num_envs, dtype=torch.bool)
    worst = 0.0
    for frame in range(1, 90):
        place(env, clip, frame)
        windows, complete = source.step(done)
        assert bool(complete.all()) == (frame >= EVERYTHING.span)
        if complete.all():
            worst = max(worst, (windows - rows[frame - EVERYTHING.span]).abs().max().item())
    source.detach()
    assert worst < 1e-4


def test_a_wrong_joint_order_is_detected(env, dataset):
    """The test above can fail: reading the simulator's order as the dataset's gives large differences."""
    clip = dataset.clips()[0]
    state = AmpState(joint_names=G1_23DOF.joint_names)
    rows = state.from_dataset(dataset, default_pose(env))
    place(env, clip, 10)
    by_position = env.scene["robot"].data.joint_pos.torch[0] - env.scene["robot"].data.default_joint_pos.torch[0]
    assert (by_position - rows[10, :23]).abs().max() > 0.2


def test_a_program_that_misreads_signs_quaternions_or_the_rate_is_detected(env, dataset):
    clip, pose = dataset.clips()[0], default_pose(env)
    mistakes = {
        "none": (clip, pose),
        "sign": (clip, pose | {"right_shoulder_pitch_joint": -pose["right_shoulder_pitch_joint"]}),
        "quaternion": (replace(clip, root_quat=clip.root_quat[:, [3, 0, 1, 2]]), pose),
        "rate": (replace(clip.resample(1 / 30).trim(0, 1.0), fps=clip.fps), pose),
    }
    errors = replay(env, dataset, 40, mistakes)
    assert errors["by name, offset subtracted"].max() < 1e-4 and errors["none"].max() < 1e-4
    assert all(errors[label].min() > 0.1 for label in ("sign", "quaternion", "rate", "by position"))
    assert [len(errors[label]) for label in ("sign", "rate")] == [40, 30]


def test_the_policy_group_gives_the_same_columns_as_the_simulator(env, dataset):
    clip = dataset.clips()[0]
    state = AmpState(joint_names=G1_23DOF.joint_names, features=("joint_pos", "joint_vel", "projected_gravity"))
    simulator, group = state.from_env(env), state.from_env(env, "policy")
    place(env, clip, 30)
    env.obs_buf = env.observation_manager.compute(update_history=True)
    assert torch.allclose(group.frame(), simulator.frame(), atol=1e-5)
    assert torch.allclose(group.terminal_frame(), simulator.frame(), atol=1e-5)
    assert any("keeps 5 frames" in caveat for caveat in group.caveats)
    assert not any("noise" in caveat for caveat in group.caveats)  # play mode disables it
    group.detach()
    simulator.detach()


def test_observation_terms_give_columns_joints_and_history(env):
    terms = {term.name: term for term in observation_terms(env)}
    assert terms["joint_pos"].joint_names == G1_23DOF.joint_names
    assert terms["joint_pos"].history == 5
    assert terms["joint_pos"].newest == slice(terms["joint_pos"].stop - 23, terms["joint_pos"].stop)
    assert terms["actions"].stop == env.observation_manager.group_obs_dim["policy"][0]
    with pytest.raises(InputError, match="available: policy, critic"):
        observation_terms(env, "amp")


def test_a_group_without_a_feature_is_rejected_with_the_term_to_add(env):
    state = AmpState(joint_names=G1_23DOF.joint_names, features=("root_height",))
    with pytest.raises(InputError, match="base_pos_z"):
        state.from_env(env, "policy")


def test_the_terminal_frame_is_the_fall_and_not_the_next_start(env):
    """Environment 1 is laid on the ground: its last window ends there, and its next window starts upright."""
    state = AmpState(joint_names=G1_23DOF.joint_names, features=("root_height", "projected_gravity"))
    wrapped = AmpEnv(env, state)
    wrapped.reset()
    wrapped.source.restart()
    zeros = torch.zeros(NUM_ENVS, 23)
    wrapped.step(zeros)
    robot = env.scene["robot"]
    pose = robot.data.root_link_pose_w.torch[1:2].clone()
    pose[:, 2] = 0.15
    pose[:, 3:] = torch.tensor([0.0, np.sin(np.pi / 4), 0.0, np.cos(np.pi / 4)])
    robot.write_root_link_pose_to_sim_index(root_pose=pose, env_ids=torch.tensor([1], dtype=torch.int32))
    _, _, terminated, _, infos = wrapped.step(zeros)
    assert terminated.flatten().tolist() == [False, True, False, False]
    newest = infos["amp_obs"][:, -state.frame_dim :]
    assert newest[1, 0] < 0.4 and newest[0, 0] > 0.6
    assert robot.data.root_link_pos_w.torch[1, 2] > 0.7, "the simulator is past the reset"
    _, _, _, _, infos = wrapped.step(zeros)
    assert infos["amp_whole"].tolist() == [True, True, True, True]  # both frames are after the reset
    assert infos["amp_obs"][1, 0] > 0.7
    wrapped.close()


def test_deferred_work_runs_while_the_simulator_computes(env, monkeypatch):
    """After the physics of the next step and before its resets; the tensors that the step returned are unchanged."""
    wrapped = AmpEnv(env, AmpState(joint_names=G1_23DOF.joint_names))
    wrapped.reset()
    zeros = torch.zeros(NUM_ENVS, 23)
    observations, rewards, terminated, truncated, infos = wrapped.step(zeros)
    returned = (observations, wrapped.state(), rewards, terminated, truncated, infos["amp_obs"], infos["amp_whole"])
    copies, seen = [part.clone() for part in returned], []
    launches, step = [], env.sim.step
    monkeypatch.setattr(env.sim, "step", lambda **options: (launches.append(env.common_step_counter), step(**options)))

    def task() -> None:
        seen.append((len(launches), env.common_step_counter))
        assert all(torch.equal(now, then) for now, then in zip(returned, copies, strict=True))

    wrapped.deferred.add(task)
    assert seen == []
    common = env.common_step_counter
    wrapped.step(zeros)
    wrapped.step(zeros)
    assert seen == [(1, common)], "once, after the first launch of the physics"
    wrapped.close()
    wrapped.deferred.add(lambda: seen.append("late"))
    env.step(zeros)
    assert "late" not in seen, "close() removes the listener"


def test_each_reset_within_a_step_keeps_its_terminal_frame(env):
    """A viewer can request a reset after the fallen environments of the same step have been reset."""
    source = AmpState(joint_names=G1_23DOF.joint_names, features=("root_height",)).from_env(env)
    env.reset()
    source.restart()
    robot = env.scene["robot"]
    for fallen in (1, 2):
        ids = torch.tensor([fallen], dtype=torch.int32)
        pose = robot.data.root_link_pose_w.torch[fallen : fallen + 1].clone()
        pose[:, 2] = 0.1 * fallen
        robot.write_root_link_pose_to_sim_index(root_pose=pose, env_ids=ids)
        env.reset(env_ids=ids)
    windows, _ = source.step(torch.tensor([False, True, True, False]))
    assert windows[1:3, -1].tolist() == pytest.approx([0.1, 0.2])
    assert (windows[[0, 3], -1] > 0.7).all()
    source.detach()


def test_a_truncation_provides_the_terminal_state(env):
    wrapped = AmpEnv(env, AmpState(joint_names=G1_23DOF.joint_names))
    wrapped.reset()
    env.reset(seed=5)
    wrapped.source.restart()
    zeros = torch.zeros(NUM_ENVS, 23)
    for _ in range(3):
        _, _, _, _, infos = wrapped.step(zeros)
    assert infos["terminal_states"] is None
    env.episode_length_buf[2] = env.max_episode_length - 1
    _, _, _, truncated, infos = wrapped.step(zeros)
    assert truncated.flatten().tolist() == [False, False, True, False]
    fresh = env.obs_buf["critic"]
    assert not torch.allclose(infos["terminal_states"][2], fresh[2]), (
        "the value would be that of the next episode's start"
    )
    body = torch.ones(fresh.shape[1], dtype=torch.bool)
    command = next(t for t in observation_terms(env, "critic") if t.name == "velocity_commands")
    body[command.start : command.stop] = False  # resampled between the two
    assert torch.allclose(infos["terminal_states"][0, body], fresh[0, body], atol=1e-5), (
        "rows of continuing episodes agree"
    )
    wrapped.close()
