"""The task's contract in the running environment: joint order, offsets, noise, terminations and resets."""

import dataclasses

import numpy as np
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.amp_state.observation_group import observation_terms
from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.env_facts import default_pose
from amp_helpers.env.make import make_env
from amp_helpers.env.wrapper import AmpEnv
from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.robots.robot import G1_23DOF

pytestmark = pytest.mark.sim

NUM_ENVS = 6
EVERYTHING = AmpState(joint_names=G1_23DOF.joint_names, features=tuple(FEATURE_DIMS))


@pytest.fixture(scope="class")
def env():
    """Configured as for training, with noise."""
    with make_env(num_envs=NUM_ENVS, seed=1) as env:
        env.reset(seed=1)
        yield env


@pytest.fixture
def walk(repo_root):
    return repo_root / "datasets" / "g1_walk.npz"


class TestWhileTraining:
    """Closed before the other tests, because a process holds one environment at a time."""

    def test_actions_are_targets_around_the_default_pose_in_the_datasets_order(self, env):
        cfg = env.cfg.actions.joint_pos
        assert tuple(cfg.joint_names) == G1_23DOF.joint_names and cfg.preserve_order
        assert cfg.scale == 0.5 and cfg.use_default_offset
        actions = torch.arange(23.0).expand(NUM_ENVS, -1) / 23
        env.action_manager.process_action(actions)
        targets = env.action_manager.get_term("joint_pos").processed_actions
        expected = torch.tensor(G1_23DOF.default_pose()) + 0.5 * actions
        assert torch.allclose(targets, expected, atol=1e-5)
        env.action_manager.apply_action()
        order = JointOrder(tuple(env.scene["robot"].joint_names))
        in_simulator = torch.as_tensor(order.reorder(expected.numpy(), G1_23DOF.joint_names))
        assert torch.allclose(env.scene["robot"].data.joint_pos_target.torch, in_simulator, atol=1e-5)

    def test_the_simulator_has_the_default_pose_in_another_order(self, env):
        assert env.cfg.scene.robot.joint_ordering == "physx"
        assert tuple(env.scene["robot"].joint_names) != G1_23DOF.joint_names
        pose = default_pose(env)
        assert set(pose) == set(G1_23DOF.joint_names)
        recipe = {"hip_pitch": -0.20, "knee": 0.42, "ankle_pitch": -0.23, "shoulder_pitch": 0.35, "elbow": 0.0}
        for side in ("left", "right"):
            for joint, value in recipe.items():
                assert pose[f"{side}_{joint}_joint"] == pytest.approx(value)
        assert pose["left_shoulder_roll_joint"] == pytest.approx(0.16)
        assert pose["right_shoulder_roll_joint"] == pytest.approx(-0.16)

    def test_the_policy_has_noise_and_history_and_the_critic_neither(self, env):
        policy = {term.name: term for term in observation_terms(env, "policy")}
        critic = {term.name: term for term in observation_terms(env, "critic")}
        assert all(term.history == 5 for term in policy.values())
        assert "0.01" in policy["joint_pos"].noise and "1.5" in policy["joint_vel"].noise
        assert not policy["velocity_commands"].noise and not policy["actions"].noise
        assert all(term.history == 0 and not term.noise for term in critic.values())
        assert {"base_lin_vel", "base_ang_vel", "projected_gravity", "velocity_commands", "actions"} <= set(policy)
        for terms in (policy, critic):
            assert terms["joint_pos"].joint_names == terms["joint_vel"].joint_names == G1_23DOF.joint_names

    def test_the_noise_has_the_configured_amplitude(self, env):
        policy = {term.name: term for term in observation_terms(env, "policy")}
        critic = {term.name: term for term in observation_terms(env, "critic")}
        largest = dict.fromkeys(("joint_pos", "joint_vel"), 0.0)
        for _ in range(5):
            observations, *_ = env.step(torch.zeros(NUM_ENVS, 23))
            for name in largest:
                noisy = observations["policy"][:, policy[name].newest]
                clean = observations["critic"][:, critic[name].newest]
                largest[name] = max(largest[name], (noisy - clean).abs().max().item())
        assert 0.009 < largest["joint_pos"] <= 0.0101
        assert 1.35 < largest["joint_vel"] <= 1.501

    def test_an_episode_is_truncated_at_its_time_limit_and_terminated_by_a_fall(self, env):
        zeros, robot = torch.zeros(NUM_ENVS, 23), env.scene["robot"]
        env.reset(seed=2)
        assert env.max_episode_length == 1000  # 20 s at 50 Hz
        env.episode_length_buf[0] = env.max_episode_length - 1
        pose = robot.data.root_link_pose_w.torch[:3].clone()
        pose[1, 2] = 0.35  # low, on folded legs
        pose[2, 3:] = torch.tensor([np.sin(0.6), 0.0, 0.0, np.cos(0.6)])  # tilted 1.2 rad
        joint_pos = robot.data.default_joint_pos.torch[1:2].clone()
        for joint, angle in (("hip_pitch", -1.9), ("knee", 2.6), ("ankle_pitch", -0.7)):
            for side in ("left", "right"):
                joint_pos[0, robot.joint_names.index(f"{side}_{joint}_joint")] = angle
        ids = torch.tensor([1, 2], dtype=torch.int32)
        robot.write_root_link_pose_to_sim_index(root_pose=pose[1:], env_ids=ids)
        robot.write_joint_position_to_sim_index(position=joint_pos, env_ids=ids[:1])
        _, reward, terminated, truncated, _ = env.step(zeros)
        assert truncated.tolist() == [True, False, False, False, False, False]
        assert terminated.tolist() == [False, True, True, False, False, False]
        ends = {name: env.termination_manager.get_term(name).tolist()[:3] for name in ("time_out", "sunk", "tilted")}
        assert ends == {
            "time_out": [True, False, False],
            "sunk": [False, True, False],
            "tilted": [False, False, True],
        }
        assert env.episode_length_buf.tolist()[:3] == [0, 0, 0]
        assert (reward[1:3] < reward[3:].min() - 0.5).all(), "termination is penalized, truncation is not"
        assert reward[0] > reward[3:].min() - 0.5

    def test_listeners_are_removed_in_any_order(self, env):
        """Two sources listen to one environment; removing one leaves the other in place."""
        states = [dataclasses.replace(EVERYTHING, features=("root_height",)) for _ in range(2)]
        first, second = (state.from_env(env) for state in states)
        first.detach()
        env.reset()
        assert first._terminal is None and (second._terminal > 0).all()
        second.detach()
        second.restart()
        env.reset()
        assert second._terminal is None


def starts(dataset, share: float, resets: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first frames of episodes from an AMP source, and the frames of the clip."""
    with make_env(num_envs=16, dataset=dataset, reference_share=share, seed=4) as env:
        wrapped = AmpEnv(env, EVERYTHING)
        wrapped.reset()
        seen = []
        for _ in range(resets):
            env.episode_length_buf[:] = env.max_episode_length - 1
            wrapped.step(torch.zeros(16, 23))
            seen.append(wrapped.source.frame())
        clip = MotionDataset.load(dataset).clips()[0]
        frames = torch.from_numpy(EVERYTHING.frames(clip, default_pose(env)))
        wrapped.close()
    return torch.cat(seen), frames


def test_with_share_one_every_episode_starts_in_a_reference_state(walk):
    """Positions and velocities of all joints and of the root, with nothing left of the previous episode."""
    seen, frames = starts(walk, 1.0, 3)
    distance = (seen[:, None] - frames[None]).abs().amax(-1)
    nearest = distance.min(dim=1)
    assert nearest.values.max() < 1e-4
    assert len(nearest.indices.unique()) > 20, "each reset draws a frame"
    assert nearest.indices.max() > 0.7 * len(frames), "from the entire clip"


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.5, 8, 24)])
def test_the_share_of_reference_states_is_configurable(walk, share, low, high):
    seen, frames = starts(walk, share, 2)
    in_clip = (seen[:, None] - frames[None]).abs().amax(-1).min(dim=1).values < 1e-4
    assert low <= in_clip.sum() <= high


def test_play_mode_is_determined_by_the_seed():
    def run(seed: int) -> tuple[torch.Tensor, ...]:
        with make_env(num_envs=2, play=True, velocity=0.7, seed=seed) as env:
            observations, _ = env.reset()
            terms = {term.name: term for term in observation_terms(env, "critic")}
            start = observations["critic"].clone()
            first = env.scene["robot"].data.root_link_pose_w.torch[:, 2:].clone()
            command = terms["velocity_commands"]
            start[:, command.start : command.stop] = 0  # drawn at the reset, afterwards computed from the heading
            for _ in range(15):
                observations, *_ = env.step(torch.full((2, 23), 0.1))
            assert torch.allclose(observations["critic"][:, command.start], torch.tensor(0.7))
            newest = torch.cat([observations["policy"][:, t.newest] for t in observation_terms(env, "policy")], dim=-1)
            assert env.cfg.events.push is None
            return start, first, observations["critic"].clone(), newest

    one, same, other = run(1), run(1), run(2)
    for a, b in zip(one, same, strict=True):
        assert torch.equal(a, b), "the seed determines everything"
    assert not torch.equal(one[0], other[0]) and not torch.equal(one[0][0], one[0][1]), "initial states differ slightly"
    assert (one[0] - other[0]).abs().max() <= 0.1 + 1e-6
    height, quat = one[1][:, 0], one[1][:, 1:]
    assert torch.allclose(height, torch.full((2,), 0.8)), "the default pose"
    assert torch.allclose(quat, torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(2, -1))


def test_environments_open_one_after_the_other(walk):
    """Of different sizes, and after one that failed to open."""
    for num_envs in (3, 1):
        with make_env(num_envs=num_envs) as env:
            assert env.reset()[0]["policy"].shape[0] == num_envs
    with pytest.raises(InputError, match="no such file"), make_env(num_envs=1, dataset="gone.npz", reference_share=1.0):
        pass
    with pytest.raises(RuntimeError, match="in the notebook"), make_env(num_envs=1):
        raise RuntimeError("in the notebook")
    with make_env(num_envs=2, dataset=walk, reference_share=1.0) as env:
        with pytest.raises(InputError, match="another environment is open"), make_env(num_envs=1):
            pass
        assert torch.isfinite(env.reset()[0]["critic"]).all()
