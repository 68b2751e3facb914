"""The reference beside a command that changes."""

import numpy as np
import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.dataset import MotionDataset
from amp_helpers.env.rollout import profile_reference, step_profile
from amp_helpers.metrics.tracking import heading

DT = 0.02


@pytest.fixture(scope="module")
def references(repo_root) -> MotionDataset:
    return MotionDataset.load(repo_root / "datasets" / "g1_locomotion.npz")


def test_a_profile_holds_each_speed():
    assert step_profile([0.0, 1.0], 0.1, DT).tolist() == [[0.0, 0.0]] * 5 + [[1.0, 0.0]] * 5


def test_the_reference_of_a_profile_goes_on_where_the_last_clip_ended(references):
    profile = step_profile([0.0, 0.9, 1.8, 0.9], 6.0, DT)
    profile[600:900, 1] = 0.0
    clip = profile_reference(references, profile, DT)
    assert clip.num_frames == len(profile) and clip.joint_names == references.joint_names
    assert np.linalg.norm(np.diff(clip.root_pos[:, :2], axis=0), axis=1).max() < 3.0 * DT, "no jump of the root"
    assert np.abs(np.diff(np.unwrap(heading(clip.root_quat)))).max() < 0.1
    for begin, speed in zip(range(0, 1200, 300), (0.0, 0.9, 1.8, 0.9), strict=True):
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
