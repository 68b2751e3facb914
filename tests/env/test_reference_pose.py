"""The pose reward on robots and options other than the recipe's, without a simulator."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.env.commands import LocomotionCommand, LocomotionCommandCfg
from amp_helpers.env.locomotion_terms import track_reference_pose
from amp_helpers.env.make import _reward_notes
from amp_helpers.env.mdp import reset_robot
from amp_helpers.env.stride import G1_STRIDES, stride_duration
from amp_helpers.env.task_cfg import rewards_poses
from amp_helpers.motion import Motion
from amp_helpers.utils.task_ids import LOCOMOTION_TASK, STYLE_TASK, TASK

JOINTS = ("left_hip", "right_hip", "left_knee", "right_knee")


def swinging() -> Motion:
    """A stride at 1 m/s that begins at phase 0."""
    angle = np.linspace(0, 2 * np.pi, 51)
    stride_s = stride_duration(torch.ones(1), torch.zeros(1), G1_STRIDES).item()
    return Motion(
        fps=50 / stride_s,
        joint_names=JOINTS,
        joint_pos=np.stack((-np.cos(angle), np.cos(angle), 0 * angle, 0 * angle), axis=-1),
        root_pos=np.zeros((51, 3)),
        root_quat=np.tile((0.0, 0.0, 0.0, 1.0), (51, 1)),
        command=(1.0, 0.0),
    )


@pytest.fixture
def task():
    """Two robots at phases 0 and 0.5, in the pose of phase 0."""
    command, states = object.__new__(LocomotionCommand), object.__new__(reset_robot)
    command.cfg, command.legs = LocomotionCommandCfg(), ((0, 1), (2, 3))
    command.phase = torch.tensor([0.0, 0.5], dtype=torch.float64)
    command.vel_command_b = torch.tensor([1.0, 0.0, 0.0]).expand(2, 3)
    states.clips = [swinging()]
    pose = torch.tensor([-1.0, 1.0, 0.0, 0.0]).expand(2, 4)
    return SimpleNamespace(
        num_envs=2,
        device="cpu",
        command_manager=SimpleNamespace(get_term=lambda name: command),
        event_manager=SimpleNamespace(
            active_terms={"reset": ["mine"]}, get_term_cfg=lambda name: SimpleNamespace(func=states)
        ),
        scene={"robot": SimpleNamespace(data=SimpleNamespace(joint_pos=SimpleNamespace(torch=pose)))},
    )


@pytest.mark.parametrize("joints", [slice(None), [0, 1], torch.tensor([1, 0])])
def test_all_joints_or_some_are_compared(task, joints, capsys):
    params = {"command_name": "c", "std": 0.2, "asset_cfg": SimpleNamespace(name="robot", joint_ids=joints)}
    term = track_reference_pose(SimpleNamespace(params=params), task)  # pyright: ignore
    reward = term(task, **params)
    assert reward[0] > 0.99 and reward[1] < 0.01 and not capsys.readouterr().err and not term.notes


def test_a_note_names_clips_without_whole_strides_and_only_the_caller_prints_it(task, capsys):
    params = {"command_name": "c", "std": 0.2, "asset_cfg": SimpleNamespace(name="robot", joint_ids=slice(None))}
    (states,) = {task.event_manager.get_term_cfg("mine").func}
    states.clips = [swinging().trim(0, 0.4)]
    term = track_reference_pose(SimpleNamespace(params=params), task)  # pyright: ignore
    (note,) = term.notes
    assert "hold no whole strides as long as the command's 'strides' say" in note and not capsys.readouterr().err
    rewards = {"upright": lambda env: 0.0, "pose": term, "own": SimpleNamespace(notes="of something else")}
    manager = SimpleNamespace(active_terms=list(rewards), get_term_cfg=lambda name: SimpleNamespace(func=rewards[name]))
    assert _reward_notes(SimpleNamespace(reward_manager=manager)) == [note]  # pyright: ignore


def test_a_reward_of_poses_gets_its_clips_without_starts_in_them():
    assert [rewards_poses(task) for task in (LOCOMOTION_TASK, TASK, STYLE_TASK)] == [True, False, False]
