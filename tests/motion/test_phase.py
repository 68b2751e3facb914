"""A reference beside a policy starts in the policy's phase."""

from dataclasses import replace

import numpy as np
import pytest
from support import JOINTS

from amp_helpers.dataset import MotionDataset
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.phase import in_phase


@pytest.fixture(scope="module")
def walk(repo_root):
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0]


@pytest.mark.parametrize("shift_s", [0.0, 0.42, 1.1, 4.9])
def test_a_shifted_cycle_is_found_again(walk, shift_s):
    shifted = walk.loop(3).trim(shift_s, shift_s + 6.0)
    beside = in_phase(walk, shifted)
    assert beside.num_frames == shifted.num_frames
    np.testing.assert_allclose(beside.joint_pos, shifted.joint_pos, atol=2e-2)


def test_a_walk_that_does_not_quite_close_is_repeated_too(repo_root):
    """After locking the feet, the shipped walk's last pose is 0.0202 rad from its first, and steps are larger."""
    walk = MotionDataset.load(repo_root / "datasets" / "g1_walk_refined.npz").clips()[0]
    shifted = walk.loop(3).trim(2.7, 7.7)
    np.testing.assert_allclose(in_phase(walk, shifted).joint_pos, shifted.joint_pos, atol=1e-6)


def test_another_pose_of_one_joint_and_a_little_more_speed_leave_the_phase(walk):
    policy = walk.at_speed(1.05).resample(walk.dt).loop(2).trim(0.5, 4.5)
    joint_pos = policy.joint_pos.copy()
    joint_pos[:, walk.joint_names.index("left_elbow_joint")] += 0.3
    beside = in_phase(walk, replace(policy, joint_pos=joint_pos))
    knee = walk.joint_names.index("left_knee_joint")
    together = np.corrcoef(beside.joint_pos[:, knee], policy.joint_pos[:, knee])[0, 1]
    apart = np.corrcoef(walk.loop(2).joint_pos[: len(joint_pos), knee], policy.joint_pos[:, knee])[0, 1]
    assert together > 0.9 > apart


def test_a_long_clip_that_is_no_cycle_is_not_repeated():
    times = np.arange(301) / 50
    angles = np.stack([np.sin(times**1.5 + column) for column in range(len(JOINTS))], axis=1)
    roots = np.zeros((301, 3)), np.tile([0.0, 0, 0, 1], (301, 1))
    clip = Motion(50.0, JOINTS, angles, *roots)
    found = in_phase(clip, clip.trim(2.0, 4.0))
    np.testing.assert_array_equal(found.joint_pos, clip.joint_pos[100:201])
    assert in_phase(clip.resample(0.04), clip.trim(2.0, 4.0)).num_frames == 101, "another rate"


def test_joints_are_compared_by_name_and_those_that_one_lacks_are_ignored(walk):
    names = tuple(reversed(walk.joint_names[:12]))
    shifted = walk.loop(2).trim(0.3, 3.3)
    beside = in_phase(walk, shifted.select(names))
    assert beside.joint_names == walk.joint_names
    np.testing.assert_allclose(beside.joint_pos, shifted.joint_pos, atol=2e-2)
