"""The task without a command and without a reward: its recipe trains in it, and its step can be recorded."""

from dataclasses import replace

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

import numpy as np
import torch

from amp_helpers.deploy.recording import record_sensors
from amp_helpers.env.make import make_env
from amp_helpers.env.rollout import record_rollout
from amp_helpers.env.task_cfg import takes_velocity
from amp_helpers.errors import InputError
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.train import train
from amp_helpers.training.cfg import RECIPES
from amp_helpers.utils.task_ids import STYLE_TASK

pytestmark = pytest.mark.sim


def test_style_alone_is_rewarded(tmp_path, capsys):
    recipe = RECIPES["style"]
    assert recipe.task == STYLE_TASK and not takes_velocity(STYLE_TASK)
    agent = replace(recipe.agent, rollouts=16, hidden=(32,), discriminator_hidden=(32,))
    records = []
    run = {"device": "cpu", "num_envs": 4, "max_iterations": 1, "run_dir": tmp_path / "run", "agent": agent}
    train(replace(recipe, frontend="warp", **run), on_update=records.append, progress=False)  # or it is refused
    assert "no reward that --task_weight" not in capsys.readouterr().out
    (record,) = records
    assert record.weighted_task == 0 < record.weighted_style
    assert record.verdict != "task drowned"


def test_a_weight_without_a_reward_is_told_and_no_reward_at_all_is_refused(tmp_path, capsys):
    recipe = RECIPES["style"]
    small = {"rollouts": 16, "hidden": (32,), "discriminator_hidden": (32,)}
    run = {"device": "cpu", "num_envs": 4, "max_iterations": 1, "run_dir": tmp_path / "run"}
    nothing = replace(recipe.agent, **small, task_weight=1.0, style_weight=0.0)
    with pytest.raises(InputError, match="--style_weight is 0, and the task has no reward; raise --style"):
        train(replace(recipe, agent=nothing, **run), progress=False)
    assert not (tmp_path / "run").exists()
    train(replace(recipe, agent=replace(nothing, style_weight=1.0), **run), progress=False)
    assert "the task has no reward that --task_weight 1 could weigh" in capsys.readouterr().out


def test_sensors_and_rollouts_are_recorded_without_a_command():
    actions = torch.zeros(1, len(G1_23DOF.joint_names))
    with make_env(STYLE_TASK, num_envs=1, device="cpu", play=True) as env:
        (log,) = record_sensors(env, lambda seen: actions, G1_23DOF.joint_names, np.zeros((5, 2)))
        with pytest.raises(InputError, match="no velocity command, and the profile has one; give a profile of"):
            record_sensors(env, lambda seen: actions, G1_23DOF.joint_names, np.ones((5, 2)))
        rollout = record_rollout(env, lambda seen: actions, None, 0.1)
    assert log.sensors["command"].shape == (5, 3) and not log.sensors["command"].any()
    assert np.isnan((rollout.command, rollout.command_turn)).all()
