"""Forward kinematics against geometry computed by hand, and mirror images."""

import time
from dataclasses import replace

import numpy as np
import pytest

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.mjlab import go1_mjcf
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF, Robot
from amp_helpers.robots.symmetry import other_side


@pytest.fixture(scope="module")
def kinematics():
    return Kinematics(G1_23DOF)


def standing(robot=G1_23DOF, frames=2, names=None, height=0.8, yaw=0.0):
    names = robot.joint_names if names is None else names
    pose = robot.default_positions()
    return Motion(
        fps=50.0,
        joint_names=tuple(names),
        joint_pos=np.tile([pose.get(name, 0.0) for name in names], (frames, 1)),
        root_pos=np.tile([0.0, 0.0, height], (frames, 1)),
        root_quat=np.tile([0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)], (frames, 1)),
    )


@pytest.mark.parametrize("robot", [G1_23DOF, G1_29DOF])
def test_default_pose_stands_flat_on_both_soles(robot):
    kinematics = Kinematics(robot)
    soles = kinematics.sole_heights(standing(robot))
    assert soles.shape == (2, 2)
    np.testing.assert_allclose(soles[:, 0], soles[:, 1], atol=1e-4)
    ground = 0.8 - soles[0, 0]
    assert 0.77 < ground < 0.79  # a little below the reset height
    on_ground = kinematics.sole_heights(standing(robot, height=ground))
    np.testing.assert_allclose(on_ground, 0, atol=1e-4)
    np.testing.assert_allclose(kinematics.sole_heights(standing(robot, height=ground - 0.03)), -0.03, atol=1e-4)


def test_sole_is_below_the_foot_link_by_the_capsules(kinematics):
    motion = standing()
    foot = kinematics.foot_positions(motion)
    # The capsules' axes lie 2.5 cm below the link and are 1 cm thick; the default pose tilts them by 0.01 rad.
    np.testing.assert_allclose(foot[..., 2] - kinematics.sole_heights(motion), 0.035, atol=2e-3)


def test_pitching_a_foot_lowers_its_toe(kinematics):
    motion = standing(height=0.8)
    toe_down = motion.joint_pos.copy()
    toe_down[:, motion.joint_names.index("left_ankle_pitch_joint")] += 0.3
    lowered = kinematics.sole_heights(Motion(50.0, motion.joint_names, toe_down, motion.root_pos, motion.root_quat))
    level = kinematics.sole_heights(motion)
    # The toe is 13.2 cm ahead of the ankle: about 0.132 sin(0.3) lower.
    assert lowered[0, 0] - level[0, 0] == pytest.approx(-0.132 * np.sin(0.3), abs=4e-3)
    assert lowered[0, 1] == pytest.approx(level[0, 1], abs=1e-6)


def test_left_is_left_and_yaw_turns_about_z(kinematics):
    straight, turned = (kinematics.foot_positions(standing(yaw=yaw))[0] for yaw in (0.0, np.pi / 2))
    assert straight[0, 1] > 0.1 and straight[1, 1] < -0.1  # left is +y
    np.testing.assert_allclose(turned[:, 0], -straight[:, 1], atol=1e-6)
    np.testing.assert_allclose(turned[:, 1], straight[:, 0], atol=1e-6)


def test_body_positions_follow_the_names(kinematics):
    positions = kinematics.body_positions(standing())
    assert positions.shape == (2, len(kinematics.body_names), 3)
    assert kinematics.body_names[0] == "pelvis" and kinematics.parents[0] == -1
    np.testing.assert_allclose(positions[:, 0], [[0, 0, 0.8]] * 2)
    left_foot = kinematics.body_names.index("left_ankle_roll_link")
    np.testing.assert_array_equal(positions[:, left_foot], kinematics.foot_positions(standing())[:, 0])


def test_missing_joints_hold_the_default_pose_in_any_order(kinematics):
    everything = kinematics.body_positions(standing())
    legs_reversed = tuple(reversed(G1_23DOF.joint_names[:12]))
    np.testing.assert_allclose(kinematics.body_positions(standing(names=legs_reversed)), everything, atol=1e-7)


def test_unknown_joints_are_refused_by_name(kinematics):
    with pytest.raises(InputError, match="'g1_23dof' has no joint waist_roll_joint, waist_pitch_joint"):
        kinematics.body_positions(standing(G1_29DOF))


def moving(robot, frames=20):
    """Random joint positions within the limits, root positions and rotations."""
    random = np.random.default_rng(0)
    low, high = robot.joint_limits().T
    turns = random.normal(size=(frames, 4))
    return Motion(
        fps=50.0,
        joint_names=robot.joint_names,
        joint_pos=random.uniform(low, high, (frames, robot.num_joints)),
        root_pos=random.uniform(-1, 1, (frames, 3)),
        root_quat=turns / np.linalg.norm(turns, axis=1, keepdims=True),
    )


@pytest.mark.slow
@pytest.mark.parametrize("robot", ["g1_29dof", "go1"])
def test_a_mirrored_motion_puts_every_link_where_a_mirror_shows_its_counterpart(robot):
    """Go1's joint names contain neither roll, pitch nor yaw: only the axes give the signs."""
    kinematics = Kinematics(G1_29DOF if robot == "g1_29dof" else Robot.from_file(go1_mjcf()))
    motion, names = moving(kinematics.robot), kinematics.body_names
    expected = kinematics.body_positions(motion)[:, [names.index(other_side(name)) for name in names]] * (1, -1, 1)
    np.testing.assert_allclose(kinematics.body_positions(kinematics.mirror(motion)), expected, atol=2e-3)


def test_mirroring_twice_is_the_same_motion_and_once_exchanges_the_sides(kinematics):
    motion = replace(moving(G1_23DOF), command=(0.6, 0.4))
    mirrored = kinematics.mirror(motion)
    assert mirrored.command == (0.6, -0.4)
    for name, sign in (("hip_pitch", 1), ("hip_roll", -1)):
        left, right = (motion.joint_names.index(f"{side}_{name}_joint") for side in ("left", "right"))
        np.testing.assert_array_equal(mirrored.joint_pos[:, left], sign * motion.joint_pos[:, right])
    waist = motion.joint_names.index("waist_yaw_joint")
    np.testing.assert_array_equal(mirrored.joint_pos[:, waist], -motion.joint_pos[:, waist])
    # In the root's frame: the same forward speed, the opposite sideways speed and turn.
    np.testing.assert_allclose(mirrored.root_lin_vel, motion.root_lin_vel * (1, -1, 1), atol=1e-9)
    np.testing.assert_allclose(mirrored.root_ang_vel, motion.root_ang_vel * (-1, 1, -1), atol=1e-9)
    again = kinematics.mirror(mirrored)
    np.testing.assert_array_equal(again.joint_pos, motion.joint_pos)
    np.testing.assert_allclose(again.root_quat, motion.root_quat, atol=1e-12)


LEG = """<body name="{n}" pos="{x} {y} 0"><joint name="{n}_{p[0]}" axis="{s} 0 0" range="-2 2"/>
<geom type="capsule" fromto="0 0 0 0 0 -.2" size=".02"/><body name="{n}_b" pos="0 {t} -.2">
<joint name="{n}_{p[1]}" axis="0 1 0" range="-2 2"/><geom type="sphere" size=".03" pos="0 0 -.2"/></body></body>"""
BEAST = """<mujoco model="beast"><compiler angle="radian"/><worldbody><body name="trunk" pos="0 0 .4"><freejoint/>
<geom type="box" size=".3 .1 .05"/><body name="head" pos=".3 0 0"><joint name="neck_r" axis="1 0 0" range="-1 1"/>
<geom type="sphere" size=".05" pos=".1 0 0"/></body>{legs}{more}</body></worldbody></mujoco>"""


@pytest.mark.parametrize(
    "legs",
    [
        ("LF", "RF", "LH", "RH"),  # ANYmal
        ("FL", "FR", "RL", "RR"),
        ("FLleg", "FRleg", "HLleg", "HRleg"),
        ("one", "two", "three", "four"),
        ("LeftFront", "RightFront", "LeftBack", "RightBack"),
    ],
)
def test_legs_are_paired_whatever_their_names(tmp_path, legs):
    """By place and axis, where the names do not tell the side. Right hips turn about the opposite axis."""
    places = [(0.2, 0.1, 1), (0.2, -0.1, -1), (-0.2, 0.1, 1), (-0.2, -0.1, -1)]
    body = "".join(
        LEG.format(n=name, x=x, y=y, s=side, t=0.05 * side, p=("HAA", "KFE"))
        for name, (x, y, side) in zip(legs, places, strict=True)
    )
    (tmp_path / "beast.xml").write_text(BEAST.format(legs=body, more=""))
    kinematics = Kinematics(Robot.from_file(tmp_path / "beast.xml", foot_bodies=[f"{name}_b" for name in legs]))
    motion, other = moving(kinematics.robot), dict(zip(legs, [legs[1], legs[0], legs[3], legs[2]], strict=True))
    mirrored = kinematics.mirror(motion)
    assert np.abs(mirrored.joint_pos - motion.joint_pos).max() > 0.1
    names = kinematics.body_names
    leg = {body: next((leg for leg in legs if body in (leg, f"{leg}_b")), "") for body in names}
    swap = [names.index(body.replace(leg[body], other.get(leg[body], ""))) for body in names]
    expected = kinematics.body_positions(motion)[:, swap] * (1, -1, 1)
    np.testing.assert_allclose(kinematics.body_positions(mirrored), expected, atol=1e-5)


def test_a_joint_on_one_side_alone_is_named(tmp_path):
    arm = LEG.format(n="gripper", x=0.3, y=0.1, s=1, t=0, p=("lift", "grip"))
    (tmp_path / "beast.xml").write_text(BEAST.format(legs="", more=arm))
    kinematics = Kinematics(Robot.from_file(tmp_path / "beast.xml", foot_bodies=["gripper_b"]))
    with pytest.raises(InputError, match="no counterpart of gripper_lift, gripper_grip on its other side, neither by"):
        kinematics.mirror(moving(kinematics.robot))


def test_motions_without_a_mirror_image_are_refused(kinematics):
    motion = standing()
    with pytest.raises(
        InputError, match=r"left_hip_roll_joint have no counterpart in it \(missing: right_hip_roll_joint\)"
    ):
        kinematics.mirror(motion.select(("left_hip_roll_joint",)))
    with pytest.raises(InputError, match=r"no joint name tells left from right \(found: waist_yaw_joint\)"):
        kinematics.mirror(motion.select(("waist_yaw_joint",)))


def test_ten_thousand_frames_within_two_seconds_of_processor_time(kinematics):
    motion = standing(frames=10_000)
    start = time.process_time()
    kinematics.sole_heights(motion)
    assert time.process_time() - start < 2.0
