"""Fit of a clip to a body: counterparts and mirror signs, samples of long clips, and the measures of a wrong pose."""

from dataclasses import replace

import numpy as np
import pytest

from amp_helpers.checks.body_fit import ClipSample, body_model, describe_improvement
from amp_helpers.checks.diagnosis import diagnose
from amp_helpers.formats.registry import read_motion
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF
from amp_helpers.robots.symmetry import counterparts, other_side


@pytest.fixture(scope="module")
def walk(repo_root):
    return read_motion(repo_root / "datasets" / "g1_walk.pkl").select(G1_23DOF.joint_names)


@pytest.fixture(scope="module")
def body():
    return body_model(G1_23DOF)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("left_knee_joint", "right_knee_joint"),
        ("FR_hip_joint", "FL_hip_joint"),
        ("rl_thigh", "rr_thigh"),
        ("LeftAnkle", "RightAnkle"),
        ("hip_L", "hip_R"),
        ("leg_right_2", "leg_left_2"),
        ("waist_yaw_joint", "waist_yaw_joint"),
        ("torso_roll", "torso_roll"),
        ("collar", "collar"),
    ],
)
def test_the_other_side_by_name(name, other):
    assert other_side(name) == other
    assert other_side(other) == name


def test_a_joint_without_a_counterpart_is_left_out():
    assert counterparts(("left_knee", "right_knee", "left_hip", "waist")) == {
        "left_knee": "right_knee",
        "right_knee": "left_knee",
    }


def test_mirror_signs_come_from_the_axes(body):
    """A G1's joint names state the axis, so they give the same signs."""
    for name, sign in body.mirror_signs.items():
        assert sign == (-1.0 if "roll" in name or "yaw" in name else 1.0)
    assert len(body.pairs) == 22


def test_a_correct_walk_and_its_mirror_image_fit_equally_well(walk, body):
    fit = body.fit(ClipSample.of(walk, 450))
    assert fit.limit_excess_rad == 0 and fit.overlap_m < 0.005 and abs(fit.height_m) < 0.01 and fit.asymmetry_rad < 0.01
    mirrored = body.fit(ClipSample.of(body.kinematics.mirror(walk), 450))
    assert mirrored.misfit == pytest.approx(fit.misfit, rel=0.02)


def test_each_measure_responds_to_its_fault(walk, body):
    sample = ClipSample.of(walk, 450)
    correct = body.fit(sample)

    def with_joint(name, add):
        values = sample.motion.joint_pos.copy()
        values[:, walk.joint_names.index(name)] += add
        return body.fit(sample, replace(sample.motion, joint_pos=values))

    assert with_joint("left_wrist_roll_joint", 2.5).limit_excess_rad == pytest.approx(2.5 - 1.972, abs=0.01)
    tilted = [with_joint(f"{side}_ankle_pitch_joint", 0.3).tilt_rad for side in ("left", "right")]
    assert min(tilted) > correct.tilt_rad + 0.05
    assert with_joint("left_shoulder_roll_joint", -0.6).overlap_m > 0.03
    # The tolerance is 0.15 rad.
    assert with_joint("left_shoulder_yaw_joint", 0.5).asymmetry_rad == pytest.approx(0.35, abs=0.02)
    still = np.tile(sample.motion.root_pos[:1], (sample.motion.num_frames, 1))
    assert body.fit(sample, replace(sample.motion, root_pos=still)).slip_mps > 0.5
    raised = body.fit(sample, replace(sample.motion, root_pos=sample.motion.root_pos + np.array([0, 0, 0.2])))
    assert raised.height_m == pytest.approx(correct.height_m + 0.2, abs=1e-6)
    assert raised.misfit == pytest.approx(correct.misfit, abs=1e-6)
    both = sample.motion.joint_pos.copy()
    both[:, [walk.joint_names.index(f"{side}_hip_roll_joint") for side in ("left", "right")]] += 0.3
    assert body.fit(sample, replace(sample.motion, joint_pos=both)).imbalance_m > correct.imbalance_m + 0.1, (
        "feet to one side"
    )


def test_a_sample_reaches_from_the_start_to_the_end(walk):
    clip = walk.loop(20).resample(1 / 120)
    sample = ClipSample.of(clip, 450)
    assert sample.dt == pytest.approx(1 / 30)
    assert len(sample.frames) == 450 and sample.frames[0] == 0 and sample.frames[-1] >= clip.num_frames - 5
    # Only frames one step apart are joined.
    assert np.array_equal(sample.joined, np.diff(sample.frames) == 4)
    whole = ClipSample.of(walk, 450)
    assert np.array_equal(whole.frames, np.arange(walk.num_frames)) and whole.joined.all()


def test_an_improvement_is_described_by_its_measures(walk, body):
    values = walk.joint_pos.copy()
    values[:, walk.joint_names.index("left_knee_joint")] *= -1
    diagnosis = diagnose(replace(walk, joint_pos=values), body)
    assert diagnosis.cause.mistake.description == "left_knee_joint has the opposite sign"
    assert diagnosis.certain
    assert "joints are 0.00 rad beyond their limits instead of 0.4" in describe_improvement(
        diagnosis.stored, diagnosis.cause.fit
    )


def test_asymmetry_alone_is_not_certain(walk, body):
    values = walk.joint_pos.copy()
    values[:, walk.joint_names.index("right_shoulder_yaw_joint")] *= -1
    diagnosis = diagnose(replace(walk, joint_pos=values), body)
    assert diagnosis.cause.mistake.check == "mirrored axes" and not diagnosis.certain
    assert "right_shoulder_yaw" in " ".join(t.mistake.description for t in (diagnosis.cause, *diagnosis.alternatives))


def test_a_robot_with_more_joints_than_the_clip(walk):
    """Joints that the clip lacks hold the default pose."""
    fit = body_model(G1_29DOF).fit(ClipSample.of(walk, 450))
    assert fit.misfit == pytest.approx(body_model(G1_23DOF).fit(ClipSample.of(walk, 450)).misfit, rel=0.05)
