"""The strides of the task and those of a robot's controller are the same."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from amp_helpers.dataset import MotionDataset
from amp_helpers.deploy.clock import ClockTerm
from amp_helpers.env.stride import G1_STRIDES, keeps_to_strides, leg_phase, poses_by_phase, stride_duration
from amp_helpers.motion import Motion

JOINTS = ["left_hip", "right_hip", "left_knee", "right_knee"]
ENTRY = {"stride": asdict(G1_STRIDES), "hip_joints": JOINTS[:2], "knee_joints": JOINTS[2:]}


@pytest.fixture
def term() -> ClockTerm:
    return ClockTerm.read(ENTRY, JOINTS)


@pytest.mark.parametrize("forward", [0.0, 0.1, 0.3, 1.0, 1.79, 1.8, 2.6])
@pytest.mark.parametrize("turn", [-1.0, 0.0, 0.4])
def test_the_controller_s_stride_lasts_as_long_as_the_task_s(term, forward, turn):
    asked = stride_duration(torch.tensor([forward]), torch.tensor([turn]), G1_STRIDES).item()
    assert term.stride_s(np.array([forward, 0.0, turn])) == pytest.approx(asked)


def test_the_controller_reads_the_phase_of_the_task_from_the_legs(term):
    joint_pos, joint_vel = np.random.default_rng(0).normal(size=(2, 20, 4))
    stride = torch.full((20,), 1.3, dtype=torch.float64)
    legs = (0, 1), (2, 3)
    task = leg_phase(torch.tensor(joint_pos), torch.tensor(joint_vel), stride, legs, G1_STRIDES.knee_share)
    controller = [term.leg_phase(*row, 1.3) for row in zip(joint_pos, joint_vel, strict=True)]
    assert controller == pytest.approx(task.tolist())


def test_legs_that_swing_the_other_way_are_named_right_one_first():
    joint_pos, joint_vel = torch.randn(2, 20, 4).unbind()
    stride = torch.ones(20)
    phase = leg_phase(joint_pos, joint_vel, stride, ((0, 1), (2, 3)), 0.5)
    assert torch.allclose(phase, leg_phase(-joint_pos, -joint_vel, stride, ((1, 0), (3, 2)), 0.5))


@pytest.fixture
def gait():
    """Three strides whose left thigh is farthest forwards at phase 0, from phase 0.3 on; knees that do not bend."""

    def at(phase: np.ndarray) -> np.ndarray:
        swing, still = np.cos(2 * np.pi * phase), np.zeros_like(phase)
        return np.stack((-swing, swing, still, still), axis=-1)

    stride_s = stride_duration(torch.ones(1), torch.zeros(1), G1_STRIDES).item()
    frames = 151
    return at, Motion(
        fps=(frames - 1) / (3 * stride_s),
        joint_names=tuple(JOINTS),
        joint_pos=at(0.3 + np.linspace(0, 3, frames)),
        root_pos=np.zeros((frames, 3)),
        root_quat=np.tile((0.0, 0.0, 0.0, 1.0), (frames, 1)),
        command=(1.0, 0.0),
    )


def test_the_poses_of_a_clip_are_found_by_phase_wherever_it_begins(gait):
    at, clip = gait
    poses = poses_by_phase(clip, G1_STRIDES, ((0, 1), (2, 3)), 20)
    np.testing.assert_allclose(poses, at(np.arange(20) / 20), atol=0.01)


def test_clips_that_are_cut_or_have_other_strides_are_told(repo_root):
    clips = {clip.name: clip for clip in MotionDataset.load(repo_root / "datasets" / "g1_locomotion.npz").clips()}
    walk = clips["walk 0.9"]
    left, right = (
        [walk.joint_names.index(f"{side}_{joint}_joint") for joint in ("hip_pitch", "knee")]
        for side in ("left", "right")
    )
    legs = (left[0], right[0]), (left[1], right[1])
    assert all(keeps_to_strides(clip, G1_STRIDES, legs) for clip in clips.values())
    assert not keeps_to_strides(replace(walk.trim(0, 2.5), command=walk.command), G1_STRIDES, legs)
    assert not keeps_to_strides(walk, replace(G1_STRIDES, walk_s=1.7), legs)
