"""The reference beside a command that changes."""

import numpy as np
import pytest

from amp_helpers.dataset import MotionDataset
from amp_helpers.metrics.references import profile_reference, step_profile
from amp_helpers.metrics.tracking import heading
from amp_helpers.motion.motion import Motion

DT = 0.02


@pytest.fixture(scope="module")
def references(repo_root) -> MotionDataset:
    return MotionDataset.load(repo_root / "datasets" / "g1_locomotion.npz")


def test_a_profile_holds_each_speed():
    assert step_profile([0.0, 1.0], 0.1, DT).tolist() == [[0.0, 0.0]] * 5 + [[1.0, 0.0]] * 5


def test_the_reference_of_a_profile_goes_on_where_the_last_clip_ended(references):
    profile = step_profile([0.0, 0.9, 1.6, 0.9], 6.0, DT)
    profile[600:900, 1] = 0.0
    clip = profile_reference(references, profile, DT)
    assert clip.num_frames == len(profile) and clip.joint_names == references.joint_names
    assert np.linalg.norm(np.diff(clip.root_pos[:, :2], axis=0), axis=1).max() < 3.0 * DT, "no jump of the root"
    assert np.abs(np.diff(np.unwrap(heading(clip.root_quat)))).max() < 0.1
    for begin, speed in zip(range(0, 1200, 300), (0.0, 0.9, 1.6, 0.9), strict=True):
        travel = np.linalg.norm(clip.root_pos[begin + 299, :2] - clip.root_pos[begin, :2]) / (299 * DT)
        assert travel == pytest.approx(speed, abs=0.05)


def test_the_reference_of_a_turn_keeps_the_heading_it_has_reached(references):
    profile = np.repeat([[0.6, 0.4], [0.6, 0.0]], 200, axis=0)
    clip = profile_reference(references, profile, DT)
    yaw = np.unwrap(heading(clip.root_quat))
    assert yaw[199] - yaw[0] == pytest.approx(0.4 * 199 * DT, abs=0.25)
    assert yaw[399] - yaw[200] == pytest.approx(0, abs=0.2)
    direction = clip.root_pos[399, :2] - clip.root_pos[210, :2]
    assert np.arctan2(direction[1], direction[0]) == pytest.approx(yaw[210:400].mean(), abs=0.15)


def test_each_part_of_the_reference_is_in_the_phase_of_the_motion_beside_it(references):
    profile = step_profile([0.0, 0.9, 1.8], 4.0, DT)
    walk, run = (references.nearest((speed, 0.0)) for speed in (0.9, 1.8))
    parts = [walk.trim(0.0, DT).joint_pos[:1].repeat(200, axis=0)]
    parts += [clip.loop(8).joint_pos[shift : shift + 200] for clip, shift in ((walk, 23), (run, 11))]
    frames = np.concatenate(parts)
    still = np.zeros((600, 3)), np.tile([0.0, 0.0, 0.0, 1.0], (600, 1))
    beside = Motion(1 / DT, walk.joint_names, frames, *still)
    clip = profile_reference(references, profile, DT, beside=beside)
    knee = walk.joint_names.index("left_knee_joint")
    apart = np.abs(clip.joint_pos[200:, knee] - frames[200:, knee])
    ahead = np.abs(profile_reference(references, profile, DT).joint_pos[200:, knee] - frames[200:, knee])
    assert clip.num_frames == 600 and apart.max() < 0.05 < 0.3 < ahead.max()
    assert np.linalg.norm(np.diff(clip.root_pos[:, :2], axis=0), axis=1).max() < 3.0 * DT, "no jump of the root"
