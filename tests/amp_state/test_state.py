"""AMP states of a dataset: columns, windows and their weights."""

import numpy as np
import pytest
from support import JOINTS, make_motion

pytest.importorskip("torch", reason="torch is not installed; pip install -e '.[sim]'")

import torch

from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState, weighted_rows
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError

POSE: dict[str, float] = dict.fromkeys(JOINTS, 0.0)
EVERYTHING = AmpState(joint_names=JOINTS, features=tuple(FEATURE_DIMS), window=3, stride=2)


def dataset_of(*clips) -> MotionDataset:
    return MotionDataset.from_motions(clips, joint_names=JOINTS, control_dt=1 / 30)


def test_columns_are_named_frame_by_frame_oldest_first():
    state = AmpState(joint_names=JOINTS[:2], features=("joint_pos", "root_height", "root_ang_vel"), window=2, stride=3)
    assert (state.frame_dim, state.dim, state.span) == (6, 12, 3)
    frame = [*(f"joint_pos {name}" for name in JOINTS[:2]), "root_height z", *(f"root_ang_vel {a}" for a in "xyz")]
    assert state.columns == [*(f"t-3 {name}" for name in frame), *(f"t {name}" for name in frame)]
    assert len(EVERYTHING.columns) == EVERYTHING.dim == 3 * (2 * len(JOINTS) + 1 + 3 * 3)


def test_a_window_holds_every_stride_th_frame_of_one_clip():
    clips = [make_motion(20), make_motion(12, seed=1)]
    dataset = dataset_of(*clips)
    windows = EVERYTHING.from_dataset(dataset, POSE)
    assert windows.shape == (20 - 4 + 12 - 4, EVERYTHING.dim) and windows.dtype == torch.float32
    first, second = (EVERYTHING.frames(clip, POSE) for clip in dataset.clips())
    assert np.array_equal(windows[15], first[[15, 17, 19]].ravel()), "the last window of the first clip"
    assert np.array_equal(windows[16], second[[0, 2, 4]].ravel())


def test_joint_positions_are_relative_to_the_default_pose_and_in_the_states_order():
    clip, pose = make_motion(), {name: 0.1 * i for i, name in enumerate(JOINTS)}
    order = JOINTS[::-1]
    frames = AmpState(joint_names=order).frames(clip, pose)
    expected = clip.joint_pos[:, ::-1] - [pose[name] for name in order]
    np.testing.assert_allclose(frames, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"features": ("joint_torque",)}, r"\['joint_torque'\]; choose from: joint_pos, joint_vel"),
        ({"features": ()}, "AMP features are empty; choose from"),
        ({"window": 1}, "window 1 with stride 1 shows no motion; give a window of at least 2"),
        ({"stride": 0}, "window 2 with stride 0 shows no motion"),
    ],
)
def test_settings_without_meaning_are_refused(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        AmpState(joint_names=JOINTS, **settings)


def test_joints_are_dropped_by_pattern():
    assert AmpState(joint_names=JOINTS).without((".*hip.*",)).joint_names == ("waist_yaw_joint",)
    with pytest.raises(InputError, match="leaves no joint; drop fewer joints"):
        AmpState(joint_names=JOINTS).without((".*",))
    with pytest.raises(InputError, match="neck"):
        AmpState(joint_names=JOINTS).without(("neck.*",))


def test_a_clip_shorter_than_a_window_and_a_pose_without_a_joint_are_refused():
    with pytest.raises(InputError, match="no clip has the 5 frames of one AMP window; shorten the window"):
        EVERYTHING.from_dataset(dataset_of(make_motion(4)), POSE)
    with pytest.raises(InputError, match="the default pose names no waist_yaw_joint; it has: left_hip_pitch_joint"):
        EVERYTHING.frames(make_motion(), {name: 0.0 for name in JOINTS[:-1]})


def test_windows_are_drawn_in_proportion_to_the_weight_of_their_clip():
    dataset = dataset_of(*(make_motion(frames, weight=weight) for frames, weight in ((40, 1.0), (3, 9.0), (30, 3.0))))
    state = AmpState(joint_names=JOINTS, window=3, stride=2)
    windows, weights = state.from_dataset(dataset, POSE), state.window_weights(dataset)
    assert len(weights) == len(windows) == 36 + 26, "a clip shorter than a window has none"
    assert weights.tolist() == [1.0] * 36 + [3.0] * 26
    torch.manual_seed(0)
    drawn = torch.bincount(weighted_rows(weights)(200_000), minlength=62) / 200_000
    expected = weights / weights.sum()
    assert (drawn / expected - 1).abs().max() < 0.1


def test_equal_weights_are_a_plain_draw():
    torch.manual_seed(1)
    drawn = weighted_rows(torch.full((62,), 2.0))(100)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.randint(62, (100,)))
