"""Datasets keep their clips, hold no pair across motions, and are refused for another robot or control step."""

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import JOINTS, make_motion

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.formats.registry import read_motion, read_motions
from amp_helpers.motion.findings import ByOrder, Findings, FrameRate, JointOrderFinding, QuaternionOrderFinding


def make_dataset(**changes) -> MotionDataset:
    motions = [make_motion(40, 30.0, seed=1, name="a"), make_motion(25, 29.7, seed=2, name="b", sha256="f00")]
    return MotionDataset.from_motions(motions, **({"joint_names": JOINTS, "control_dt": 0.02} | changes))


def test_pairs_are_neighboring_frames_of_the_resampled_clips():
    dataset = make_dataset()
    clips = [make_motion(40, 30.0, seed=1).resample(0.02), make_motion(25, 29.7, seed=2).resample(0.02)]
    start = 0
    for index, clip in enumerate(clips):
        rows = slice(start, start + clip.num_frames - 1)
        np.testing.assert_array_equal(dataset.states[rows], clip.joint_pos[:-1])
        np.testing.assert_array_equal(dataset.next_states[rows], clip.joint_pos[1:])
        np.testing.assert_array_equal(dataset.next_root_pos[rows], clip.root_pos[1:])
        assert (dataset.motion_id[rows] == index).all()
        start = rows.stop
    assert len(dataset) == start
    assert dataset.states.dtype == np.float32
    assert dataset.source == ("a", "b")
    assert dataset.sha256 == ("", "f00")
    np.testing.assert_allclose(dataset.fps_source, [30, 29.7])


@given(st.lists(st.integers(3, 30), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_no_pair_crosses_two_motions(lengths):
    """Every motion has another offset, so a pair across motions would jump."""
    motions = [
        make_motion(n, 50.0, joint_pos=np.full((n, 5), 10.0 * i) + np.arange(n)[:, None] * 0.01)
        for i, n in enumerate(lengths)
    ]
    dataset = MotionDataset.from_motions(motions, joint_names=JOINTS, control_dt=0.02)
    assert len(dataset) == sum(n - 1 for n in lengths)
    np.testing.assert_allclose(dataset.next_states - dataset.states, 0.01, atol=1e-5)


def test_clips_are_restored():
    dataset = make_dataset()
    for clip, n, fps in zip(dataset.clips(), (40, 25), (30.0, 29.7), strict=True):
        assert clip.fps == pytest.approx(50)
        assert clip.num_frames == int((n - 1) / fps / 0.02 + 1e-6) + 1
    assert sum(clip.num_frames - 1 for clip in dataset.clips()) == len(dataset)
    again = MotionDataset.from_motions(dataset.clips(), joint_names=JOINTS, control_dt=0.02)
    np.testing.assert_allclose(again.states, dataset.states, atol=1e-6)
    np.testing.assert_allclose(again.root_quat, dataset.root_quat, atol=1e-9)


def test_the_file_is_read_with_numpy_alone(tmp_path):
    dataset = make_dataset()
    dataset.save(tmp_path / "d.npz")
    with np.load(tmp_path / "d.npz", allow_pickle=False) as plain:
        assert plain["states"].dtype == plain["next_states"].dtype == np.float32
        np.testing.assert_array_equal(plain["states"], dataset.states)
        assert plain["joint_names"].tolist() == list(JOINTS)
        assert float(plain["dt"]) == 0.02
        assert not any(plain[key].dtype.hasobject for key in plain)


def test_saving_and_loading_keeps_everything(tmp_path):
    dataset = make_dataset()
    dataset.save(tmp_path / "d.npz")
    loaded = MotionDataset.load(tmp_path / "d.npz", joint_names=JOINTS, control_dt=0.02)
    for name in ("states", "next_states", "root_pos", "next_root_pos", "root_quat", "next_root_quat", "motion_id"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(dataset, name))
    for name in ("joint_names", "dt", "source", "sha256", "format_version"):
        assert getattr(loaded, name) == getattr(dataset, name)


def test_loading_for_another_order_moves_the_columns(tmp_path):
    dataset = make_dataset()
    dataset.save(tmp_path / "d.npz")
    loaded = MotionDataset.load(tmp_path / "d.npz", joint_names=JOINTS[::-1])
    assert loaded.joint_names == JOINTS[::-1]
    np.testing.assert_array_equal(loaded.states, dataset.states[:, ::-1])
    np.testing.assert_array_equal(loaded.next_states, dataset.next_states[:, ::-1])


def test_a_dataset_for_another_robot_or_step_is_refused(tmp_path):
    make_dataset().save(tmp_path / "d.npz")
    with pytest.raises(
        InputError, match=r"d\.npz: was made for another robot than the task's, it also has waist_yaw_joint"
    ):
        MotionDataset.load(tmp_path / "d.npz", joint_names=JOINTS[:4])
    with pytest.raises(InputError, match=r"lacks neck_joint"):
        MotionDataset.load(tmp_path / "d.npz", joint_names=(*JOINTS, "neck_joint"))
    with pytest.raises(
        InputError, match=r"control step of 0\.02 s but the environment steps 0\.01 s.*--control_dt 0\.01"
    ):
        MotionDataset.load(tmp_path / "d.npz", control_dt=0.01)


def broken(key: str, row, value) -> dict:
    content = {name: np.array(value) for name, value in vars(make_dataset()).items()}
    content[key][row] = value
    return content


@pytest.mark.parametrize(
    ("key", "row", "value", "message"),
    [
        ("states", 3, np.nan, "states is NaN or infinite at row 3"),
        ("next_states", 5, 9.0, "next_states is not the following row of states at row 5"),
        ("root_quat", 4, 0.0, "root_quat is not a unit quaternion at row 4"),
        ("motion_id", 2, 1, "motion_id does not number"),
        ("dt", (), -1.0, "dt is -1"),
        ("format_version", (), 7, "format version 7 is not 1"),
        ("joint_names", 1, JOINTS[0], "joint names repeat"),
    ],
)
def test_an_inconsistent_file_is_refused(tmp_path, key, row, value, message):
    np.savez(tmp_path / "d.npz", **broken(key, row, value))
    with pytest.raises(InputError, match=rf"d\.npz: .*{message}.*convert the motion again"):
        MotionDataset.load(tmp_path / "d.npz")


def test_a_file_with_arrays_missing_or_misshapen_is_refused(tmp_path):
    content = {name: np.array(value) for name, value in vars(make_dataset()).items()}
    np.savez(tmp_path / "d.npz", **(content | {"next_states": content["next_states"][:, :3]}))
    with pytest.raises(InputError, match=r"next_states has shape \(\d+, 3\), expected"):
        MotionDataset.load(tmp_path / "d.npz")
    np.savez(tmp_path / "d.npz", **(content | {"states": np.array(["text"])}))
    with pytest.raises(InputError, match=r"d\.npz: "):
        MotionDataset.load(tmp_path / "d.npz")
    del content["motion_id"]
    np.savez(tmp_path / "d.npz", **content)
    with pytest.raises(InputError, match="arrays motion_id are missing"):
        MotionDataset.load(tmp_path / "d.npz")


def test_selected_joints_keep_their_columns():
    dataset = make_dataset().select((JOINTS[4], JOINTS[0]))
    assert dataset.joint_names == (JOINTS[4], JOINTS[0])
    np.testing.assert_array_equal(dataset.states, make_dataset().states[:, [4, 0]])
    np.testing.assert_array_equal(dataset.next_states, make_dataset().next_states[:, [4, 0]])
    for names, message in (
        ((), "keep at least one"),
        (("neck",), "neck not found; available: waist_yaw_joint, left_hip"),
    ):
        with pytest.raises(InputError, match=message):
            dataset.select(names)


@pytest.mark.slow
def test_two_thousand_clips_load_in_linear_time(tmp_path):
    """In half a second of an idle machine's; quadratic, they took eleven."""
    clip = make_motion(150, 50.0)
    made = MotionDataset.from_motions([clip] * 2000, joint_names=JOINTS, control_dt=0.02)
    made.save(tmp_path / "many.npz")
    start = time.process_time()
    clips = MotionDataset.load(tmp_path / "many.npz").clips()
    assert time.process_time() - start < 3.0
    assert len(clips) == 2000
    np.testing.assert_array_equal(clips[1234].joint_pos, clip.joint_pos)


def test_motions_that_cannot_make_a_pair_are_refused():
    with pytest.raises(InputError, match="no motion given"):
        MotionDataset.from_motions([], joint_names=JOINTS, control_dt=0.02)
    with pytest.raises(InputError, match=r"lasts 0\.010 s, less than one control step"):
        MotionDataset.from_motions([make_motion(2, 100.0)], joint_names=JOINTS, control_dt=0.02)
    with pytest.raises(InputError, match="neck_joint are not in the clip"):
        make_dataset(joint_names=("neck_joint",))


def test_the_data_modules_import_fast_and_without_simulators():
    code = (
        "import sys, time; start = time.process_time()\n"
        "import amp_helpers.joints, amp_helpers.motion, amp_helpers.formats, amp_helpers.dataset, amp_helpers.metrics\n"
        "seconds = time.process_time() - start\n"
        "heavy = {'torch', 'isaaclab', 'mujoco', 'warp', 'newton', 'skrl', 'matplotlib'} & set(sys.modules)\n"
        "print(seconds); print(sorted(heavy))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(run.stdout.split()[0]) for run in runs) < 1.0
    assert all(run.stdout.splitlines()[1] == "[]" for run in runs)


def test_weights_are_kept_and_default_to_one(tmp_path):
    clips = [replace(make_motion(name=name), weight=weight) for name, weight in (("a", 1.0), ("b", 2.5))]
    dataset = MotionDataset.from_motions(clips, joint_names=JOINTS, control_dt=0.02)
    dataset.save(tmp_path / "d.npz")
    loaded = MotionDataset.load(tmp_path / "d.npz")
    assert loaded.weight.tolist() == [1.0, 2.5] == [clip.weight for clip in loaded.clips()]
    arrays = dict(np.load(tmp_path / "d.npz"))
    del arrays["weight"]
    np.savez(tmp_path / "old.npz", **arrays)
    assert MotionDataset.load(tmp_path / "old.npz").weight.tolist() == [1.0, 1.0]
    for weight in (0.0, -1.0, np.nan):
        np.savez(tmp_path / "bad.npz", **arrays, weight=np.array([1.0, weight]))
        with pytest.raises(InputError, match=r"bad\.npz: weight is .*convert the motion again"):
            MotionDataset.load(tmp_path / "bad.npz")
        with pytest.raises(InputError, match="weight is"):
            replace(clips[0], weight=weight)


def test_findings_survive_a_dataset_and_files_without_them_load(tmp_path):
    found = Findings(
        frame_rate=FrameRate(30.0, "user"),
        joints=JointOrderFinding("links", "g1_29dof", 29, (("g1_29dof", 0.001), ("gmt_23", 0.2))),
        quaternion=QuaternionOrderFinding(
            "wxyz", "convention", ByOrder(1.0, 0.9), ByOrder(0.1, 0.2), convention="GMR's"
        ),
        quaternion_norm=(0.97, 1.0),
        sign_flips=2,
        root_body="'pelvis'",
        notes=("a (note; with) signs",),
    ).with_repair("first_jump", "first frame dropped")
    motion = make_motion(name="walk (1).pkl", findings=found).at_speed(0.5)
    MotionDataset.from_motions([motion], joint_names=JOINTS, control_dt=0.02).save(tmp_path / "d.npz")
    dataset = MotionDataset.load(tmp_path / "d.npz")
    (clip,) = dataset.clips()
    assert clip.name == "walk (1).pkl" and clip.findings == replace(found, speed=0.5)
    assert clip.source == motion.source == dataset.source[0]
    content = dict(np.load(tmp_path / "d.npz"))
    for key in ("name", "findings", "weight"):
        del content[key]
    np.savez(tmp_path / "old.npz", **content)
    (old,) = MotionDataset.load(tmp_path / "old.npz").clips()
    assert old.source == motion.source and old.findings == Findings()
    content["name"] = np.array(["walk (1).pkl"])
    for damage in ("{}", "[]", "nonsense", found.to_json().replace("0.97", '"high"')):
        np.savez(tmp_path / "bad.npz", **content, findings=np.array([damage]))
        with pytest.raises(InputError, match=r"bad\.npz: .*convert the motion again"):
            MotionDataset.load(tmp_path / "bad.npz")


def test_commands_are_kept_and_measured_where_a_file_lacks_them(tmp_path):
    clips = [replace(make_motion(name="a"), command=(0.5, -0.4)), make_motion(name="b", seed=3)]
    dataset = MotionDataset.from_motions(clips, joint_names=JOINTS, control_dt=0.02)
    dataset.save(tmp_path / "d.npz")
    loaded = MotionDataset.load(tmp_path / "d.npz")
    np.testing.assert_array_equal(loaded.command, dataset.command)
    assert loaded.clips()[0].command == (0.5, -0.4)
    assert loaded.clips()[1].command == pytest.approx(clips[1].measured_command, abs=0.01)
    arrays = dict(np.load(tmp_path / "d.npz"))
    del arrays["command"]
    np.savez(tmp_path / "old.npz", **arrays)
    make_dataset().save(tmp_path / "measured.npz")
    assert "command" not in np.load(tmp_path / "measured.npz"), "what is measured need not be stored"
    old = MotionDataset.load(tmp_path / "old.npz")
    assert tuple(old.command[0]) == pytest.approx(old.clips()[0].measured_command)
    for command in (np.zeros((1, 2)), np.full((2, 2), np.nan), np.zeros(2)):
        np.savez(tmp_path / "bad.npz", **arrays, command=command)
        with pytest.raises(InputError, match=r"bad\.npz: command .*convert the motion again"):
            MotionDataset.load(tmp_path / "bad.npz")


def test_a_clip_that_an_earlier_version_measured_as_nearly_standing_stands(tmp_path):
    """Beside a clip with a command of its own, the measured one was stored; what somebody states as so slow stays."""
    sway = np.linspace(0, 1, 60)[:, None] * (0.02, 0.0, 0.0) + (0.0, 0.0, 0.8)
    stand = make_motion(60, fps=50.0, root_pos=sway, root_quat=np.tile((0.0, 0.0, 0.0, 1.0), (60, 1)))
    clips = [stand, replace(stand, command=(0.04, 0.02)), replace(make_motion(name="a"), command=(0.5, -0.4))]
    dataset = MotionDataset.from_motions(clips, joint_names=JOINTS, control_dt=0.02)
    assert stand.mean_speeds[0] == pytest.approx(0.017, abs=1e-3) and not dataset.command[0].any()
    replace(dataset, command=[stand.mean_speeds, *dataset.command[1:]]).save(tmp_path / "d.npz")
    assert np.load(tmp_path / "d.npz")["command"][0].any(), "as the earlier version wrote it"
    expected = [[0.0, 0.0], [0.04, 0.02], [0.5, -0.4]]
    np.testing.assert_array_equal(MotionDataset.load(tmp_path / "d.npz").command, expected)
    assert [clip.command for clip in read_motions(tmp_path / "d.npz")] == [tuple(row) for row in expected]


def test_a_dataset_read_as_a_motion_file_keeps_its_commands(tmp_path):
    clip = replace(make_motion(name="a"), command=(0.5, -0.4))
    MotionDataset.from_motions([clip], joint_names=JOINTS, control_dt=0.02).save(tmp_path / "d.npz")
    assert read_motion(tmp_path / "d.npz").command == (0.5, -0.4)


def test_the_nearest_motion_counts_speed_and_turn_alike():
    commands = ((0.0, 0.0), (0.6, 0.0), (0.6, 0.8), (0.6, -0.8))
    clips = [replace(make_motion(name=str(command)), command=command) for command in commands]
    dataset = MotionDataset.from_motions(clips, joint_names=JOINTS, control_dt=0.02)
    for asked, found in (((0.1, -0.1), 0), ((1.5, 0.3), 1), ((0.5, 0.5), 2), ((0.3, -2.0), 3)):
        assert dataset.nearest(asked).name == str(commands[found])


def test_the_middle_motion_goes_straight_ahead_at_the_median_speed(repo_root):
    locomotion = MotionDataset.load(repo_root / "datasets" / "g1_locomotion.npz")
    straight = [forward for forward, turn in locomotion.command if turn == 0 and forward > 0]
    forward, turn = locomotion.middle().command
    assert turn == 0 and forward == sorted(straight)[len(straight) // 2]
    turning = replace(locomotion, command=np.tile([0.5, 0.4], (locomotion.num_motions, 1)))
    assert turning.middle().name == locomotion.name[0]
