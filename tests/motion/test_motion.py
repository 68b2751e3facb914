"""Resampling, looping and smoothing preserve a clip's physics."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp
from support import JOINTS, make_motion

from amp_helpers.errors import InputError
from amp_helpers.motion.findings import Findings
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import (
    continuous,
    multiply,
    projected_gravity,
    rotate,
    rotation_vector,
    slerp,
    wrap_to_pi,
    yaw_part,
)


@pytest.mark.parametrize("dt", [0, -0.02, 50, float("nan"), "fast", True, None])
def test_a_control_step_is_a_number_of_seconds_and_no_rate(dt):
    with pytest.raises(InputError, match=r"control step .*: not a time from 0 to 1 s; give seconds"):
        make_motion().resample(dt)


@given(st.floats(5, 120), st.floats(0.004, 0.1), st.integers(2, 80))
@settings(max_examples=40, deadline=None)
def test_resampling_agrees_with_an_independent_interpolation(fps, dt, frames):
    motion = make_motion(frames, fps)
    out = motion.resample(dt)
    times = np.arange(out.num_frames) * dt
    assert times[-1] <= motion.duration_s + 1e-6 * dt
    assert motion.duration_s - times[-1] < dt
    times = np.minimum(times, motion.times[-1])
    for column in range(5):
        expected = np.interp(times, motion.times, motion.joint_pos[:, column])
        np.testing.assert_allclose(out.joint_pos[:, column], expected, atol=1e-6)
    turned = Slerp(motion.times, Rotation.from_quat(motion.root_quat))(times)
    assert (turned.inv() * Rotation.from_quat(out.root_quat)).magnitude().max() < 1e-6
    assert out.fps == pytest.approx(1 / dt)


def test_resampling_to_its_own_rate_changes_nothing():
    motion = make_motion(fps=29.7)
    out = motion.resample(1 / 29.7)
    assert out.num_frames == motion.num_frames
    np.testing.assert_allclose(out.joint_pos, motion.joint_pos, atol=1e-6)
    np.testing.assert_allclose(out.root_pos, motion.root_pos, atol=1e-9)


@given(st.floats(0.2, 5))
@settings(max_examples=30, deadline=None)
def test_a_clip_at_another_speed_has_the_same_path_and_another_duration(factor):
    clip = make_motion(name="walk.pkl")
    played = clip.at_speed(factor)
    assert np.array_equal(played.joint_pos, clip.joint_pos) and np.array_equal(played.root_pos, clip.root_pos)
    assert played.duration_s == pytest.approx(clip.duration_s / factor)
    np.testing.assert_allclose(played.joint_vel, factor * clip.joint_vel, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(played.root_ang_vel, factor * clip.root_ang_vel, rtol=1e-6, atol=1e-9)
    assert played.forward_speed == pytest.approx(factor * clip.forward_speed)


def test_the_label_shows_the_playback_speed():
    clip = make_motion(name="walk.pkl", findings=Findings(notes=("recorded outdoors",)))
    assert clip.at_speed(0.6).source == "walk.pkl at 0.6 times its speed (recorded outdoors)"
    assert clip.at_speed(0.6).at_speed(2).label == "walk.pkl at 1.2 times its speed"
    assert clip.at_speed(1) is clip
    for factor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"cannot be played .* times as fast; give a positive number"):
            clip.at_speed(factor)


def test_velocities_of_a_known_motion():
    t = np.arange(100) / 50
    spin = Rotation.from_rotvec(np.outer(t, (0.3, -0.2, 0.9)))
    motion = Motion(
        fps=50,
        joint_names=("a",),
        joint_pos=2 * t[:, None],
        root_pos=np.outer(t, (1.0, 0.5, -0.25)),
        root_quat=spin.as_quat(),
    )
    np.testing.assert_allclose(motion.joint_vel, 2, atol=1e-4)
    np.testing.assert_allclose(motion.root_ang_vel, np.tile((0.3, -0.2, 0.9), (100, 1)), atol=1e-9)
    np.testing.assert_allclose(motion.root_lin_vel, spin.inv().apply((1.0, 0.5, -0.25)), atol=1e-9)
    np.testing.assert_allclose(motion.projected_gravity, spin.inv().apply((0, 0, -1)), atol=1e-12)
    np.testing.assert_allclose(motion.root_height, -0.25 * t)


@pytest.mark.parametrize("turn", [0.0, 0.8, -0.8, 5.0])
def test_the_measured_command_follows_the_path_whatever_its_direction(turn):
    """A walk on an arc that starts at any heading, for more than a full turn, with a root that sways and yaws."""
    t = np.arange(1001) / 50
    heading = 2.0 + turn * t
    steps = 0.6 / 50 * np.stack([np.cos(heading + turn / 100), np.sin(heading + turn / 100)], axis=1)
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:-1], axis=0)])
    yaw = heading + 0.1 * np.sin(2 * np.pi * t)
    tilt = np.stack([yaw, 0.1 * np.sin(t), 0.2 * np.cos(t)], axis=1)
    motion = Motion(
        fps=50,
        joint_names=("a",),
        joint_pos=t[:, None],
        root_pos=np.insert(path, 2, 0.8, axis=1),
        root_quat=Rotation.from_euler("ZYX", tilt).as_quat(),
    )
    assert motion.measured_command == pytest.approx((0.6, turn), abs=0.01)


def test_a_clip_that_sways_in_place_is_a_reference_for_standing():
    """No recorded stand measures exactly 0, and only at the command 0 does a robot stand."""
    t = np.arange(201) / 50
    root_pos = np.stack([0.006 * t + 0.004 * np.sin(2.5 * t), 0 * t, 0 * t + 0.7], axis=1)
    root_quat = Rotation.from_rotvec(np.outer(0.003 * t, (0, 0, 1))).as_quat()
    motion = Motion(fps=50, joint_names=("a",), joint_pos=t[:, None], root_pos=root_pos, root_quat=root_quat)
    assert motion.measured_command == motion.reference_command == (0.0, 0.0)
    creeping = replace(motion, root_pos=10 * root_pos)
    assert creeping.measured_command == pytest.approx((0.06, 0.003), abs=0.01)


def test_a_command_is_checked_and_follows_the_clip():
    clip = replace(make_motion(), command=[0.6, -0.4])
    assert clip.command == (0.6, -0.4) == clip.resample(0.02).trim(0.5).command == clip.reference_command
    assert clip.at_speed(2.0).command == (1.2, -0.8)
    for wrong in ((1.0,), (1.0, float("nan"))):
        with pytest.raises(InputError, match=r"command is .*; give a forward speed"):
            replace(clip, command=wrong)


def test_select_maps_by_name_and_lists_missing_joints():
    motion = make_motion()
    picked = motion.select(JOINTS[::-2])
    assert picked.joint_names == JOINTS[::-2]
    np.testing.assert_array_equal(picked.joint_pos, motion.joint_pos[:, ::-2])
    with pytest.raises(InputError, match="knee_joint are not in the clip; available: left_hip_pitch_joint"):
        motion.select(("knee_joint",))
    filled = motion.select(("knee_joint", JOINTS[1]), fill=np.array([0.4, 9.0]))
    np.testing.assert_allclose(filled.joint_pos[:, 0], 0.4)
    np.testing.assert_array_equal(filled.joint_pos[:, 1], motion.joint_pos[:, 1])


def test_trim_keeps_both_ends():
    motion = make_motion(61, 30.0)
    part = motion.trim(0.5, 1.0)
    assert part.num_frames == 16
    np.testing.assert_array_equal(part.joint_pos, motion.joint_pos[15:31])
    with pytest.raises(InputError, match=r"runs from 0 to 2\.00 s"):
        motion.trim(5.0)


@pytest.mark.parametrize(
    "frames", [np.array([4, 4, 2]), slice(2, 5), np.arange(7) > 4], ids=["indices", "slice", "mask"]
)
def test_frames_are_kept_by_their_number(frames):
    motion = make_motion(7)
    part = motion.at_frames(frames)
    assert part.fps == motion.fps
    np.testing.assert_array_equal(part.joint_pos, motion.joint_pos[frames])
    np.testing.assert_array_equal(part.root_pos, motion.root_pos[frames])
    np.testing.assert_allclose(part.root_quat, motion.root_quat[frames], atol=1e-12)


def test_a_loop_accumulates_travel_and_yaw():
    """Eight repetitions of an eighth of a circle close the circle."""
    angle = np.linspace(0, np.pi / 4, 20)
    arc = Motion(
        fps=30,
        joint_names=("a",),
        joint_pos=np.sin(8 * angle)[:, None],
        root_pos=np.stack([np.sin(angle), 1 - np.cos(angle), 0.8 + 0.05 * np.sin(8 * angle)], axis=1),
        root_quat=Rotation.from_euler("z", angle[:, None]).as_quat(),
    )
    circle = arc.loop(8)
    assert circle.num_frames == 8 * 19 + 1
    np.testing.assert_allclose(circle.root_pos[-1], circle.root_pos[0], atol=1e-9)
    np.testing.assert_allclose(np.hypot(circle.root_pos[:, 0], circle.root_pos[:, 1] - 1), 1, atol=1e-9)
    np.testing.assert_allclose(circle.root_ang_vel[:, 2], np.pi / 4 / 19 * 30, atol=1e-9)
    assert arc.loop(1).num_frames == 20


def test_smoothing_is_a_low_pass_filter():
    t = np.arange(300)[:, None] / 60
    slow, fast = np.sin(2 * np.pi * t), 0.2 * np.sin(2 * np.pi * 20 * t)
    motion = make_motion(300, 60.0, joint_names=("a",), joint_pos=slow + fast)
    out = motion.smooth(6.0)
    assert np.abs(out.joint_pos - slow)[20:-20].max() < 0.01
    np.testing.assert_allclose(np.linalg.norm(out.root_quat, axis=1), 1)
    with pytest.raises(InputError, match="between 0 and 30"):
        motion.smooth(30.0)


def test_a_motion_is_read_only():
    values = np.zeros((3, 1))
    motion = make_motion(3, joint_names=("a",), joint_pos=values)
    values[:] = 7
    assert motion.joint_pos.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        motion.joint_pos[0] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fps": 0}, "fps is 0"),
        ({"fps": np.nan}, "fps is nan"),
        ({"joint_pos": np.zeros((61, 4))}, r"joint_pos has shape \(61, 4\); expected \(61, 5\)"),
        ({"root_pos": np.zeros((60, 3))}, r"root_pos has shape"),
        ({"root_quat": np.zeros((61, 4))}, "norm 0.000 at frame 0"),
        ({"joint_pos": np.full((61, 5), np.inf)}, "joint_pos is NaN or infinite at frame 0"),
        ({"joint_pos": np.zeros((0, 5))}, "has no frames"),
        ({"joint_names": ("a", "b", "c", "d", "a")}, "repeat: a"),
    ],
)
def test_invalid_arrays_are_refused_with_a_reason(change, message):
    motion = make_motion()
    with pytest.raises(InputError, match=message):
        replace(motion, **change)


def test_one_frame_is_a_pose_without_velocities():
    pose = make_motion(1)
    assert pose.duration_s == 0
    assert pose.resample(0.02).num_frames == 1
    with pytest.raises(InputError, match="at least two"):
        _ = pose.joint_vel


rotations = st.lists(st.floats(-3, 3), min_size=6, max_size=6)


@given(rotations, st.floats(0, 1))
def test_quaternion_formulas_agree_with_scipy(vectors, share):
    a, b = Rotation.from_rotvec(vectors[:3]), Rotation.from_rotvec(vectors[3:])
    qa, qb = a.as_quat(), b.as_quat()
    assert (Rotation.from_quat(multiply(qa, qb)) * (a * b).inv()).magnitude() < 1e-6
    np.testing.assert_allclose(rotate(qa, np.array([1.0, 2.0, 3.0])), a.apply((1, 2, 3)), atol=1e-9)
    np.testing.assert_allclose(projected_gravity(qa), a.inv().apply((0, 0, -1)), atol=1e-9)
    np.testing.assert_allclose(Rotation.from_rotvec(rotation_vector(qa)).as_matrix(), a.as_matrix(), atol=1e-9)
    between = Slerp([0, 1], Rotation.concatenate([a, b]))(share)
    # Half a turn apart both ways round are equally short.
    if (a.inv() * b).magnitude() < 3.14:
        ours = Rotation.from_quat(slerp(qa[None], qb[None], np.array([share]))[0])
        assert (ours.inv() * between).magnitude() < 1e-6


@given(st.floats(-3.1, 3.1), st.floats(-1, 1), st.floats(-1, 1))
def test_the_yaw_of_a_tilted_body_is_its_heading(yaw, tilt_x, tilt_y):
    heading = Rotation.from_euler("z", yaw)
    swing = Rotation.from_rotvec((tilt_x, tilt_y, 0))
    got = Rotation.from_quat(yaw_part((swing * heading).as_quat()))
    assert (got.inv() * heading).magnitude() < 1e-6


@given(st.floats(-30, 30))
def test_an_angle_is_brought_within_half_a_turn(angle):
    wrapped = wrap_to_pi(angle)
    assert -np.pi <= wrapped <= np.pi and abs(np.exp(1j * wrapped) - np.exp(1j * angle)) < 1e-9
    assert wrap_to_pi(np.array([angle])) == wrapped


@given(st.lists(st.booleans(), min_size=2, max_size=40))
def test_signs_are_made_continuous_without_changing_the_rotation(signs):
    smooth = Rotation.from_euler("z", np.linspace(0, 2, len(signs))[:, None]).as_quat()
    flipped = smooth * np.where(signs, -1.0, 1.0)[:, None]
    out = continuous(flipped)
    assert (np.einsum("ni,ni->n", out[1:], out[:-1]) > 0).all()
    np.testing.assert_allclose(np.abs(np.einsum("ni,ni->n", out, smooth)), 1)


def test_a_clip_on_a_circle_has_its_speed():
    """Where it starts and ends in one place."""
    angle = np.linspace(0, 2 * np.pi, 201)
    clip = make_motion(
        frames=201,
        fps=50.0,
        root_pos=np.stack([np.sin(angle), 1 - np.cos(angle), 0 * angle + 0.8], axis=1),
        root_quat=np.stack([0 * angle, 0 * angle, np.sin(angle / 2), np.cos(angle / 2)], axis=1),
    )
    assert clip.forward_speed == pytest.approx(2 * np.pi / 4, rel=1e-3)
