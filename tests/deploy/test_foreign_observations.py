"""Scales, clips, absolute angles, other orders and no history are folded into the network; what is left is refused."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

import gymnasium
import isaaclab.envs.mdp as mdp
from isaaclab.managers import ObservationTermCfg, SceneEntityCfg
from skrl.resources.preprocessors.torch import RunningStandardScaler

from amp_helpers.agent.networks import Policy
from amp_helpers.amp_state.commands import velocity_commands
from amp_helpers.deploy.bundle import action_limits, deploy_facts, input_columns
from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.network import DeployedPolicy, write_onnx
from amp_helpers.env.make import make_env
from amp_helpers.errors import InputError

pytestmark = pytest.mark.sim

TASK = "Test-Deploy-Go1"


@pytest.fixture(scope="module")
def env(repo_root):
    """The cookbook's Go1 with observations as other people's tasks have them."""
    sys.path.insert(0, str(repo_root / "docs" / "examples"))
    try:
        from my_go1.task import WalkCfg
    finally:
        sys.path.pop(0)
    cfg = WalkCfg()
    group = cfg.observations.policy
    del group.speed
    group.turning = ObservationTermCfg(func=mdp.base_ang_vel, scale=0.2, clip=(-0.5, 0.5), history_length=3)
    group.angles = ObservationTermCfg(func=mdp.joint_pos, scale=0.5)
    some = SceneEntityCfg("robot", joint_names=["RR_calf_joint", "FL_hip_joint"], preserve_order=True)
    group.rates = ObservationTermCfg(func=mdp.joint_vel_rel, params={"asset_cfg": some}, scale=(0.05, 0.1))
    group.last = ObservationTermCfg(func=mdp.last_action, params={"action_name": "legs"}, history_length=2)
    cfg.actions.legs.clip = {".*_hip_joint": (-0.05, 0.05)}
    cfg.actions.legs.scale = {".*_hip_joint": 0.1, ".*_(thigh|calf)_joint": 0.25}
    gymnasium.register(
        id=TASK,
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,
        kwargs={"env_cfg_entry_point": lambda: cfg},
    )
    with make_env(TASK, num_envs=2, play=True, velocity=0.4) as env:
        yield env


def test_commands_of_a_normal_distribution_are_limited_to_two_standard_deviations(env):
    ranges = mdp.NormalVelocityCommandCfg.Ranges(
        mean_vel=(0.5, 0.0, -0.1), std_vel=(0.25, 0.0, 0.2), zero_prob=(0.1, 1.0, 0.1)
    )
    command = next(term for _, term in velocity_commands(env.cfg))
    before, command.ranges = command.ranges, ranges
    try:
        commands = deploy_facts(env)[0]["commands"]
    finally:
        command.ranges = before
    assert commands == {"forward": [-1.0, 1.0], "turn": [-0.5, 0.5]}


def test_the_controller_does_what_the_task_does(env, tmp_path: Path):
    torch.manual_seed(0)
    spaces = env.single_observation_space["policy"], env.single_action_space
    policy = Policy(*spaces, env.device, hidden=(16,))
    scaler = RunningStandardScaler(size=spaces[0], device=env.device)
    facts, warnings = deploy_facts(env)
    assert not warnings
    scale, offset = (torch.tensor(facts[key]) for key in ("action_scale", "action_offset"))
    network = DeployedPolicy(policy, scaler, input_columns(env), scale, offset, action_limits(env))
    write_onnx(tmp_path / "policy.onnx", network, {})
    (tmp_path / "deploy.json").write_text(json.dumps(facts))
    controller = Controller(tmp_path)
    robot, term = env.scene["robot"], env.action_manager.get_term("legs")
    index = [robot.joint_names.index(name) for name in controller.joint_names]
    seen, _ = env.reset()
    controller.start()
    for _ in range(20):
        data = robot.data
        targets = controller.step(
            data.root_ang_vel_b.torch[0].numpy(),
            data.projected_gravity_b.torch[0].numpy(),
            data.joint_pos.torch[0, index].numpy(),
            data.joint_vel.torch[0, index].numpy(),
            env.command_manager.get_command("base_velocity")[0].numpy(),
        )
        with torch.no_grad():
            actions = policy.mean(scaler(seen["policy"]))
        assert np.abs(controller.action - actions[0].numpy()).max() < 1e-4
        with torch.inference_mode():
            seen, *_ = env.step(actions)
        limited = np.clip(term.processed_actions[0].numpy(), *controller.target_limits.T)
        assert np.abs(targets - limited).max() < 1e-4


def test_what_no_robot_measures_is_refused_by_name(env, monkeypatch):
    cfg = env.observation_manager.cfg.policy
    monkeypatch.setattr(cfg.up, "func", mdp.root_pos_w)
    with pytest.raises(InputError, match=r"observation 'up' \(root_pos_w of 'robot'\) cannot be computed on a robot"):
        deploy_facts(env)


def test_actions_that_are_no_joint_positions_are_refused_by_name(env, monkeypatch):
    monkeypatch.setattr(env.action_manager, "get_term", lambda name: env.command_manager.get_term("base_velocity"))
    with pytest.raises(InputError, match=r"action 'legs' is a .*Command, and a bundle holds joint position targets"):
        deploy_facts(env)
