"""A clip at another speed takes other steps: longer and quicker ones, with feet that stand where they stand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError
from amp_helpers.feet import GaitChange, at_gait_speed, change_gait, find_stance
from amp_helpers.formats.registry import read_motion
from amp_helpers.metrics import gait_frequency
from amp_helpers.motion import is_cycle
from amp_helpers.robots import G1_23DOF, Kinematics

DATASETS = Path(__file__).parents[2] / "datasets"
KNEES = [G1_23DOF.joint_names.index(f"{side}_knee_joint") for side in ("left", "right")]


@pytest.fixture(scope="module")
def kinematics():
    return Kinematics(G1_23DOF)


@pytest.fixture(scope="module")
def walk():
    """One cycle of the refined walk, 1.27 s."""
    clip = read_motion(DATASETS / "g1_walk_refined.pkl").select(G1_23DOF.joint_names)
    return replace(clip.trim(0, 38 / 30), command=clip.measured_command)


def check_feet(cycle, before, kinematics):
    """Feet stand still in the frames in which they stood, on the ground, with knees that bend forward."""
    still = find_stance(before.loop(3), kinematics).stance
    found = find_stance(cycle.loop(3), kinematics)
    both = still[1:] & still[:-1]
    assert found.slip[:-1][both].mean() < 0.01
    assert found.sole_height.min() > -0.001
    assert np.abs(found.sole_height[still]).max() < 0.003
    assert cycle.joint_pos[:, KNEES].min() > 0
    low, high = G1_23DOF.joint_limits().T
    assert (cycle.joint_pos > low - 1e-4).all() and (cycle.joint_pos < high + 1e-4).all()


@pytest.mark.parametrize("factor", [0.4, 0.75, 1.25, 1.87])
def test_stride_and_cadence_change_alike_and_feet_stay_in_place(factor, walk, kinematics):
    changed = at_gait_speed(walk, kinematics, factor)
    assert changed.num_frames == walk.num_frames
    assert changed.fps == pytest.approx(walk.fps * factor**0.5)
    assert changed.forward_speed == pytest.approx(factor * walk.forward_speed, rel=0.005)
    assert changed.command == pytest.approx((factor * walk.command[0], 0), abs=1e-6)
    assert changed.label.endswith(f"at {factor:g} times its speed")
    slow, own = (gait_frequency(m.joint_pos[None], m.joint_names, m.dt) for m in (changed.loop(5), walk.loop(5)))
    assert slow / own == pytest.approx(factor**0.5, rel=0.03)
    assert is_cycle(changed)
    np.testing.assert_allclose(changed.joint_pos[0], changed.joint_pos[-1], atol=1e-6)
    check_feet(changed, walk, kinematics)


def test_feet_clear_the_ground_as_high_at_every_speed(walk, kinematics):
    clearance = [
        kinematics.sole_heights(at_gait_speed(walk, kinematics, factor)).max(axis=0) for factor in (0.4, 1.0, 1.87)
    ]
    assert np.min(clearance) > 0.03 and np.max(clearance) < 0.08


def test_arms_swing_with_the_stride(walk, kinematics):
    column = walk.joint_names.index("left_shoulder_pitch_joint")
    swings = [np.ptp(at_gait_speed(walk, kinematics, f).joint_pos[:, column]) for f in (0.4, 1.0, 1.5)]
    assert swings[0] / swings[1] == pytest.approx(0.4**0.5, abs=0.01)
    assert swings[2] / swings[1] == pytest.approx(1.5**0.5, abs=0.01)


def test_unchanged_gaits_stay_as_they_are(walk, kinematics):
    assert at_gait_speed(walk, kinematics, 1.0) is walk
    same = change_gait(walk, kinematics, GaitChange())
    assert np.abs(same.joint_pos - walk.joint_pos).max() < 0.25  # knees that were straight are bent a little
    assert np.sqrt(np.square(same.joint_pos - walk.joint_pos).mean()) < 0.04


@pytest.mark.parametrize(("stride", "turn"), [(1.0, 0.8), (1.2, -0.4), (0.0, 0.8)])
def test_a_bent_walk_follows_the_arc_with_planted_feet(stride, turn, walk, kinematics):
    bent = change_gait(walk, kinematics, GaitChange(stride=stride, turn=turn))
    wanted = (stride * walk.command[0], turn)
    assert bent.command == pytest.approx(wanted) and bent.measured_command == pytest.approx(wanted, abs=0.01)
    check_feet(bent, walk, kinematics)
    lean = Rotation.from_quat(bent.root_quat).as_euler("ZYX")[:, 2].mean()
    assert lean == pytest.approx(-np.arctan(wanted[0] * turn / 9.81), abs=0.01)


def test_a_left_turn_is_the_mirror_image_of_a_right_turn(walk, kinematics):
    left = change_gait(kinematics.mirror(walk), kinematics, GaitChange(turn=0.8))
    right = kinematics.mirror(change_gait(walk, kinematics, GaitChange(turn=-0.8)))
    assert left.command == pytest.approx(right.command)
    np.testing.assert_allclose(left.joint_pos, right.joint_pos, atol=0.01)
    np.testing.assert_allclose(left.root_pos, right.root_pos, atol=0.005)


def test_a_walk_in_place_lifts_flat_feet_where_they_are(walk, kinematics):
    still = change_gait(walk, kinematics, GaitChange(stride=0.0))
    feet = kinematics.foot_positions(still)
    assert np.ptp(feet[..., 0], axis=0).max() < 0.03 and feet[..., 2].max() - feet[..., 2].min() > 0.03
    up = kinematics.foot_rotations(still)[..., 2, 2]
    assert up.min() > 0.999


def test_a_slower_walk_sways_more(walk, kinematics):
    """The inverted pendulum: 1 - sech of a longer time is larger."""
    sway = [np.ptp(at_gait_speed(walk, kinematics, factor).root_pos[:, 1]) for factor in (0.5, 1.0, 1.5)]
    assert sway[0] > 1.1 * sway[1] > 1.1**2 * sway[2]


def test_a_balanced_walk_sways_as_a_pendulum_on_its_feet(walk, kinematics):
    """y'' = (y - p) / c^2: half way between two steps the pendulum is between the feet, and then nearer to the foot."""
    feet = kinematics.foot_positions(walk)[..., 1].mean()
    swaying = change_gait(walk, kinematics, GaitChange(balance=1.0))
    side = swaying.root_pos[:, 1] - swaying.root_pos[:, 1].mean()
    assert abs(feet) < 0.01 and 1.3 * np.ptp(walk.root_pos[:, 1]) < np.ptp(side) < 0.08
    still = find_stance(walk, kinematics).stance
    alone = still[:, 0] & ~still[:, 1]
    assert side[alone].mean() > 0.015, "over the left foot while it stands alone"
    np.testing.assert_allclose(side[:19], -side[19:38], atol=0.003)


def test_a_clip_that_is_no_cycle_changes_too(walk, kinematics):
    part = walk.loop(3).trim(0.4, 2.7)
    changed = at_gait_speed(part, kinematics, 0.6)
    assert changed.num_frames == part.num_frames
    assert changed.forward_speed == pytest.approx(0.6 * part.forward_speed, rel=0.05)


def test_runners_change_their_stride_more_than_their_cadence(kinematics):
    run = read_motion(DATASETS / "g1_run_refined.pkl").select(G1_23DOF.joint_names).trim(0, 0.8)
    slow = at_gait_speed(run, kinematics, 0.6)
    assert slow.fps == pytest.approx(run.fps * 0.6**0.2)
    assert slow.forward_speed == pytest.approx(0.6 * run.forward_speed, rel=0.005)


def test_lean_scales_the_mean_tilt_of_the_root(kinematics):
    run = read_motion(DATASETS / "g1_run_refined.pkl").select(G1_23DOF.joint_names).trim(0, 0.8)
    pitch = [
        Rotation.from_quat(m.root_quat).as_euler("ZYX")[:, 1].mean()
        for m in (run, change_gait(run, kinematics, GaitChange(stride=0.8, lean=0.5)))
    ]
    assert pitch[1] == pytest.approx(0.5 * pitch[0], abs=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stride": -0.1}, r"stride -0\.1: .*give a number from 0 upward"),
        ({"cadence": 0.0}, r"cadence 0\.0: .*give a positive number"),
        ({"turn": float("nan")}, "turn nan: .*give a number of rad/s"),
        ({"lean": float("inf")}, "lean inf: .*give a number"),
        ({"balance": 1.5}, r"balance 1\.5: .*give a number from 0 to 1"),
    ],
)
def test_changes_that_mean_nothing_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        GaitChange(**change)


def test_speeds_and_clips_that_cannot_walk_are_refused(walk, kinematics):
    for factor in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match=r"cannot walk .* times as fast; give a positive number"):
            at_gait_speed(walk, kinematics, factor)
    flying = replace(walk.loop(2).trim(0, 2.0), root_pos=np.linspace([0, 0, 1], [6, 0, 9], 61))
    with pytest.raises(InputError, match="no foot stands in any frame"):
        at_gait_speed(flying, kinematics, 0.5)
