"""Each metric on rollouts whose value is known by construction, and what a metric cannot see."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_rollouts import DT, JOINTS, make_reference, make_rollout, stride
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError
from amp_helpers.formats.registry import read_motion
from amp_helpers.metrics import (
    evaluate_rollout,
    foot_quality,
    foot_skate,
    gait_frequency,
    lift_offs,
    pose_distances,
    settled_frames,
)
from amp_helpers.metrics.lying import lying_share
from amp_helpers.metrics.rollout import SAVED


def test_the_keys_are_those_of_metrics_json(metric_names):
    result = evaluate_rollout(make_rollout(), make_reference())
    assert set(result) == metric_names
    assert all(type(value) is float for value in result.values())


def test_a_robot_lies_that_tilts_by_more_than_a_radian_beyond_its_clips():
    tilts = np.zeros((2, 500))
    tilts[0, 325:] = 1.2  # half of the measured time of one of two environments
    root_quat = Rotation.from_euler("y", tilts.reshape(-1, 1)).as_quat().reshape(2, 500, 4)
    rollout, upright = make_rollout(envs=2, root_quat=root_quat), make_reference()
    leaning = replace(upright, root_quat=Rotation.from_euler("y", np.full((300, 1), 0.3)).as_quat())
    assert lying_share(rollout, [upright]) == 0.25
    assert lying_share(rollout, [upright, leaning]) == 0
    fell = np.tile(np.arange(500) % 100 == 99, (2, 1))
    assert np.isnan(lying_share(replace(rollout, fell=fell), [upright])), "nothing is measured between its falls"


@given(st.floats(0.5, 4.0), st.floats(4.0, 12.0))
@settings(max_examples=25, deadline=None)
def test_the_gait_frequency_is_the_strides_not_the_knees(frequency_hz, seconds):
    time_s = np.arange(int(seconds / DT)) * DT
    found = gait_frequency(stride(time_s, frequency_hz)[None], JOINTS, DT)
    # The resolution of a spectrum is a fraction of 1 / duration.
    assert found == pytest.approx(frequency_hz, abs=0.15 / seconds)


def test_the_demo_walk_strides_every_1_27_seconds(repo_root):
    walk = read_motion(repo_root / "datasets" / "g1_walk.pkl")
    assert gait_frequency(walk.joint_pos[None], walk.joint_names, walk.dt) == pytest.approx(0.79, abs=0.01)


def test_the_gait_frequency_uses_only_long_unbroken_stretches():
    rollout = make_rollout(envs=1, frequency_hz=0.8)
    keep = np.zeros((1, 500), dtype=bool)
    keep[:, 10:100] = keep[:, 120:219] = True
    assert np.isnan(gait_frequency(rollout.joint_pos, JOINTS, DT, keep))
    keep[:, 230:480] = True
    disturbed = np.where(keep[..., None] & (np.arange(500) >= 230)[:, None], rollout.joint_pos, 50.0)
    assert gait_frequency(disturbed, JOINTS, DT, keep) == pytest.approx(0.8, abs=0.03)


def test_no_movement_has_no_gait():
    assert np.isnan(gait_frequency(np.ones((2, 300, 6)), JOINTS, DT))


def test_a_robot_with_other_joint_names_is_measured_at_all_joints():
    swing = np.sin(2 * np.pi * 1.7 * np.arange(300) * DT)
    assert gait_frequency(swing[None, :, None], ("FR_thigh_joint",), DT) == pytest.approx(1.7, abs=0.02)


@pytest.mark.parametrize(("swing_rad", "walks"), [(0.005, False), (0.02, False), (0.08, True)])
def test_a_robot_that_sways_while_it_stands_has_no_stride(swing_rad, walks):
    rollout = make_rollout(frequency_hz=0.8)
    mean = rollout.joint_pos.mean(axis=1, keepdims=True)
    swing = (rollout.joint_pos - mean) * swing_rad / rollout.joint_pos.std(axis=1).max()
    result = evaluate_rollout(replace(rollout, joint_pos=mean + swing), make_reference(0.8))
    assert np.isfinite(result["gait_frequency_hz"]) == np.isfinite(result["gait_frequency_ratio"]) == walks


def test_the_frequency_ratio_compares_with_the_clip():
    result = evaluate_rollout(make_rollout(frequency_hz=1.6), make_reference(0.8))
    assert result["gait_frequency_hz"] == pytest.approx(1.6, abs=0.03)
    assert result["gait_frequency_ratio"] == pytest.approx(2.0, rel=0.03)


def test_falls_are_counted_over_the_whole_rollout():
    fell = np.zeros((4, 1000), dtype=bool)
    fell[0, 10] = fell[0, 700] = fell[2, 300] = True
    result = evaluate_rollout(make_rollout(4, 1000, fell=fell), make_reference())
    assert result["falls_per_env_10s"] == pytest.approx(3 / 4 / 2)


def test_frames_after_a_start_or_a_fall_are_left_out():
    fell = np.zeros((2, 10), dtype=bool)
    fell[1, 5] = True
    keep = settled_frames(fell, dt=0.5, warmup_s=1.0)
    assert keep[0].tolist() == [False] * 2 + [True] * 8
    assert keep[1].tolist() == [False] * 2 + [True] * 3 + [False] * 2 + [True] * 3
    assert settled_frames(fell, 0.5, 0.0).tolist() == (~fell).tolist()


def test_the_velocity_error_uses_settled_frames_only():
    speed = np.full((2, 400), 0.7)
    speed[:, :150] = 99.0
    velocity = np.stack([speed, 0 * speed + 5, 0 * speed], axis=-1)
    result = evaluate_rollout(make_rollout(2, 400, root_lin_vel=velocity), make_reference())
    assert result["velocity_error_mps"] == pytest.approx(0.1)


def test_metrics_of_a_rollout_of_falls_are_nan(metric_names):
    result = evaluate_rollout(make_rollout(fell=np.ones((3, 500), dtype=bool)), make_reference())
    assert result["falls_per_env_10s"] == pytest.approx(500)
    assert all(np.isnan(result[key]) for key in metric_names - {"falls_per_env_10s"})


def test_the_response_of_a_robot_that_always_falls_in_the_warm_up_is_undefined():
    """Where one robot stays up, there is a time: here that of the whole rollout, because none moves."""
    fell = np.zeros((2, 1000), dtype=bool)
    fell[:, 50::100] = True
    assert np.isnan(evaluate_rollout(make_rollout(2, 1000, fell=fell), None)["response_s"])
    fell[1] = False
    assert evaluate_rollout(make_rollout(2, 1000, fell=fell), None)["response_s"] == pytest.approx(20.0)


def test_without_a_reference_what_compares_with_one_is_undefined(metric_names):
    result = evaluate_rollout(make_rollout(), None)
    compared = {"gait_frequency_ratio", "pose_rmse_rad", "tilt_rmse_rad", "coverage_rmse_rad"}
    assert set(result) == metric_names and {key for key in compared if np.isnan(result[key])} == compared
    assert result["gait_frequency_hz"] == pytest.approx(0.8, abs=0.03)


def test_pose_and_coverage_are_two_different_distances():
    """Half of the reference is imitated with a constant error; the other half is never visited."""
    reference = np.zeros((100, 6), dtype=np.float32)
    reference[50:, 0] = 1.0
    clip = replace(make_reference(frames=100), joint_pos=reference)
    poses = np.zeros((40, 6))
    poses[:, 1] = 0.2
    pose, coverage = pose_distances(poses, JOINTS, clip)
    # Four of the six joints count: the ankle and the wrist do not.
    assert pose == pytest.approx(np.sqrt(0.2**2 / 4), abs=1e-9)
    far = np.sqrt((0.2**2 + 1.0**2) / 4)
    assert coverage == pytest.approx((pose + far) / 2, abs=1e-9)
    poses[:, [2, 5]] = 9.0
    assert pose_distances(poses, JOINTS, clip)[0] == pytest.approx(pose)
    capital = tuple(name.title() for name in JOINTS)  # as Booster names the joints of its robots
    assert pose_distances(poses, capital, replace(clip, joint_names=capital))[0] == pytest.approx(pose)


@given(st.integers(1, 40), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_pose_distances_agree_with_the_definition(count, seed):
    random = np.random.default_rng(seed)
    poses = random.normal(size=(count, 6))
    clip = replace(make_reference(frames=7), joint_pos=random.normal(size=(7, 6)))
    table = np.sqrt(((poses[:, None] - clip.joint_pos) ** 2)[..., [0, 1, 3, 4]].mean(axis=-1))
    pose, coverage = pose_distances(poses, JOINTS, clip)
    assert pose == pytest.approx(table.min(axis=1).mean(), abs=1e-7)
    assert coverage == pytest.approx(table.min(axis=0).mean(), abs=1e-7)


def test_tilt_is_measured_against_the_nearest_reference_pose():
    """The reference leans forward by 0.1 rad in its first half and by 0.3 rad in its second."""
    bent = np.zeros((100, 6), dtype=np.float32)
    bent[50:, 1] = 1.0
    lean = np.where(np.arange(100) < 50, 0.1, 0.3)
    clip = replace(
        make_reference(frames=100, fps=50.0),
        joint_pos=bent,
        root_quat=Rotation.from_euler("y", lean[:, None]).as_quat(),
    )
    joints = np.zeros((1, 200, 6))
    joints[..., 1] = 0.9
    for pitch, expected in ((0.3, 0.0), (0.5, 0.2), (-0.1, 0.4)):
        quat = Rotation.from_euler("ZY", [[2.0, pitch]] * 200).as_quat()[None]
        result = evaluate_rollout(make_rollout(1, 200, joint_pos=joints, root_quat=quat), clip)
        assert result["tilt_rmse_rad"] == pytest.approx(expected, abs=1e-6), "the heading does not count"


def test_lift_offs_are_steps_and_not_gaps_of_the_contact_sensor():
    contact = np.ones((2, 500, 2), dtype=bool)
    assert lift_offs(contact, DT) == 0
    for begin in range(10, 490, 50):  # 10 steps of one foot
        contact[0, begin : begin + 20, 0] = False
    assert lift_offs(contact, DT) == pytest.approx(10 / 2, rel=0.02)
    contact[1, ::7] = False  # a frame or two without contact are no step
    assert lift_offs(contact, DT) == pytest.approx(10 / 2, rel=0.02)
    settled = np.zeros((2, 500), dtype=bool)
    settled[:, 250:] = True
    assert lift_offs(contact, DT, settled) == pytest.approx(10 / 2, rel=0.05)
    assert lift_offs(np.zeros((1, 50, 2), dtype=bool), DT) == 0, "in the air all the time"
    assert np.isnan(lift_offs(contact, DT, ~settled & settled))


def test_a_reference_without_a_compared_joint_is_an_error():
    with pytest.raises(InputError, match="left_knee_joint are not in the clip"):
        evaluate_rollout(make_rollout(), make_reference().select((JOINTS[0], JOINTS[3], JOINTS[4])))


def test_skate_is_the_horizontal_speed_of_standing_feet():
    foot_pos = np.zeros((1, 5, 2, 3))
    foot_pos[0, :, 0, 0] = np.arange(5) * 0.3 * DT
    foot_pos[0, :, 0, 1] = np.arange(5) * 0.4 * DT
    foot_pos[0, :, 0, 2] = np.arange(5) * 7
    foot_pos[0, :, 1, 0] = np.arange(5) * 9
    contact = np.zeros((1, 5, 2), dtype=bool)
    assert np.isnan(foot_skate(foot_pos, contact, DT))
    contact[..., 0] = True
    contact[0, 2, 1] = True  # for one frame only: no two neighbors stand
    assert foot_skate(foot_pos, contact, DT) == pytest.approx(0.5)


def test_action_rate_and_power():
    actions = np.zeros((1, 500, 6))
    actions[0, ::2] = 0.3
    torque = np.full((1, 500, 6), -10.0)
    velocity = np.full((1, 500, 6), 0.5)
    rollout = make_rollout(1, actions=actions, joint_torque=torque, joint_vel=velocity)
    result = evaluate_rollout(rollout, make_reference())
    assert result["action_rate"] == pytest.approx(0.3)
    assert result["mechanical_power_w"] == pytest.approx(30.0)


def test_steps_across_a_reset_are_left_out_of_action_rate_and_skate():
    actions = np.zeros((1, 800, 6))
    actions[0, 400:] = 100.0
    feet = np.zeros((1, 800, 2, 3))
    feet[0, 400:] = 100.0
    fell = np.zeros((1, 800), dtype=bool)
    fell[0, 400] = True
    contact = np.ones((1, 800, 2), dtype=bool)
    rollout = make_rollout(1, 800, actions=actions, foot_pos=feet, foot_contact=contact, fell=fell)
    result = evaluate_rollout(rollout, make_reference())
    assert result["action_rate"] == 0
    assert result["foot_skate_mps"] == 0


def test_foot_quality_of_clips_below_and_above_the_ground():
    feet = np.zeros((11, 2, 3))
    feet[:, 1, 0] = np.arange(11) * 0.1
    soles = np.tile([-0.03, 0.05], (11, 1))
    quality = foot_quality(feet, soles, dt=0.1)
    assert quality["penetration_mean_m"] == pytest.approx(0.03)
    assert quality["penetration_max_m"] == pytest.approx(0.03)
    assert quality["float_mean_m"] == 0
    assert quality["skate_mps"] == 0
    assert quality["stance_share"] == 1
    quality = foot_quality(feet, soles[:, ::-1], dt=0.1)
    assert quality["skate_mps"] == pytest.approx(1.0)
    quality = foot_quality(feet, soles + 0.2, dt=0.1)
    assert quality["float_mean_m"] == pytest.approx(0.17)
    assert quality["stance_share"] == 0
    assert np.isnan(quality["skate_mps"])


def test_what_the_docstrings_say_that_metrics_cannot_see():
    reference = make_reference()
    frozen = np.broadcast_to(reference.joint_pos[50], (3, 500, 6))
    speed = np.full((3, 500), 0.8) + 0.5 * (-1) ** np.arange(500)
    result = evaluate_rollout(
        make_rollout(joint_pos=frozen, root_lin_vel=np.stack([speed, 0 * speed + 2, 0 * speed], axis=-1)), reference
    )
    assert result["pose_rmse_rad"] == pytest.approx(0, abs=0.01), "a policy that freezes in a reference pose"
    assert result["coverage_rmse_rad"] > 0.1, "shows in the coverage"
    assert result["velocity_error_mps"] < 0.01, "fluctuation cancels, and sideways speed does not count"
    hop = np.sin(2 * np.pi * 1.2 * np.arange(500) * DT)[None, :, None].repeat(6, axis=2)
    assert gait_frequency(hop, JOINTS, DT) == pytest.approx(1.2, abs=0.02), "both legs at once"


def test_the_arrays_of_rollout_npz(tmp_path):
    rollout = make_rollout()
    rollout.save(tmp_path / "rollout.npz")
    with np.load(tmp_path / "rollout.npz", allow_pickle=False) as saved:
        assert set(saved) == {
            "joint_names",
            "joint_pos",
            "joint_torque",
            "root_pos",
            "root_quat",
            "foot_contact",
            "dt",
            "command",
            "command_turn",
        }
        np.testing.assert_array_equal(saved["joint_pos"], rollout.joint_pos)
        assert saved["joint_names"].tolist() == list(JOINTS)


def test_a_command_that_changes_is_saved(tmp_path):
    profile = np.linspace(0, 1, 1000).reshape(500, 2)
    make_rollout(command_profile=profile).save(tmp_path / "rollout.npz")
    with np.load(tmp_path / "rollout.npz", allow_pickle=False) as saved:
        assert set(saved) == {*SAVED, "command_profile"}
        np.testing.assert_array_equal(saved["command_profile"], profile)


def test_misshapen_rollouts_are_refused():
    with pytest.raises(InputError, match=r"foot_pos has shape \(3, 500, 2\); expected \(3, 500, 2, 3\)"):
        make_rollout(foot_pos=np.zeros((3, 500, 2)))
