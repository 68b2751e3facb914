"""The notebooks' experiments show what the notebooks claim, and could show the opposite."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from amp_helpers.amp_state.state import AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.lessons.command_reward import command_experiment
from amp_helpers.lessons.discriminators import (
    joint_influence,
    saturation_experiment,
    small_discriminator,
    style_experiment,
    windows,
)
from amp_helpers.lessons.gaits import add_jitter, add_tracking_error, early_policy, half_steps, level_feet, speed_up
from amp_helpers.lessons.known_rollouts import move_root
from amp_helpers.metrics import evaluate_rollout
from amp_helpers.robots.robot import G1_23DOF


@pytest.fixture(scope="module")
def clip(repo_root):
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0]


@pytest.fixture(scope="module")
def pose():
    return G1_23DOF.default_positions()


def test_level_feet_changes_ankles_most_and_tracks_the_rest(clip):
    altered = level_feet(clip, error_rad=0.02)
    change = (altered.joint_pos - clip.joint_pos).std(axis=0)
    ankles = np.array(["ankle" in name for name in clip.joint_names])
    assert change[~ankles].max() < 0.04
    assert change[~ankles].mean() == pytest.approx(0.02, rel=0.3)
    exact = level_feet(clip, error_rad=0.0)
    column = {name: exact.joint_pos[:, i] for i, name in enumerate(exact.joint_names)}
    pitch = column["left_hip_pitch_joint"] + column["left_knee_joint"] + column["left_ankle_pitch_joint"]
    inside = np.abs(column["left_ankle_pitch_joint"] + 0.175) < 0.69
    assert inside.any() and np.abs(pitch[inside]).max() < 1e-5, "the sole is level within the ankle's range"


def test_half_steps_shrink_the_swing_and_nothing_else(clip):
    altered = half_steps(clip, 0.4)
    ratio = altered.joint_pos.std(axis=0) / np.maximum(clip.joint_pos.std(axis=0), 1e-9)
    for name, value in zip(clip.joint_names, ratio, strict=True):
        if "wrist" not in name:
            assert value == pytest.approx(0.4 if "hip_pitch" in name or "knee" in name else 1.0, rel=1e-3), name


def test_a_limp_shortens_the_steps_of_one_leg(clip):
    altered = half_steps(clip, 0.5, "left")
    ratio = dict(
        zip(clip.joint_names, altered.joint_pos.std(axis=0) / (clip.joint_pos.std(axis=0) + 1e-9), strict=True)
    )
    assert ratio["left_knee_joint"] == pytest.approx(0.5, rel=1e-3)
    assert ratio["right_knee_joint"] == pytest.approx(1.0, rel=1e-3)


def test_steps_are_halved_whatever_the_spelling_of_the_joints(clip):
    names = tuple(name.title().replace("_", "").removesuffix("Joint") for name in clip.joint_names)
    assert names[0] == "LeftHipPitch"
    short = tuple(name.replace("Left", "L").replace("Right", "R") for name in names)
    for side in ("", "left", "right"):
        expected = half_steps(clip, 0.4, side).joint_pos
        for spelled in (names, short):
            np.testing.assert_array_equal(half_steps(replace(clip, joint_names=spelled), 0.4, side).joint_pos, expected)


def test_influence_finds_the_joint_that_differs():
    generator = torch.Generator().manual_seed(0)
    reference = torch.randn(500, 6, generator=generator)
    policy = reference.clone()
    policy[:, [1, 4]] += 3.0  # joint b in both frames
    discriminator = small_discriminator(reference, policy, steps=150)
    influence = joint_influence(discriminator, reference, policy, ("a", "b", "c"))
    assert influence["b"] == pytest.approx(1.0)
    assert abs(influence["a"]) < 0.05 and abs(influence["c"]) < 0.05


def test_training_the_small_discriminator_is_repeatable_and_keeps_the_global_generator():
    data = torch.randn(100, 4, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (small_discriminator(data, data + 1, steps=20)(data) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_hiding_feet_raises_the_reward_of_the_right_gait(clip, pose):
    seen, hidden = (style_experiment(clip, pose, drop) for drop in ((), (".*ankle.*", ".*wrist.*")))
    assert len(seen.joint_names) == 23 and len(hidden.joint_names) == 17
    assert hidden.right_gait - hidden.wrong_gait > 3 * abs(seen.right_gait - seen.wrong_gait)
    ankles = sum(share for name, share in seen.influence.items() if "ankle" in name)
    assert ankles > 0.4


def test_speed_up_keeps_the_poses_and_the_rate(clip):
    fast = speed_up(clip, 2.0)
    assert fast.dt == pytest.approx(clip.dt) and fast.duration_s == pytest.approx(clip.duration_s / 2, abs=clip.dt)
    np.testing.assert_allclose(fast.joint_pos[10], clip.joint_pos[20], atol=1e-5)


@pytest.mark.slow
def test_a_gradient_penalty_gives_the_reward_a_slope_and_a_large_one_flattens_it(clip, pose):
    state = AmpState(joint_names=clip.joint_names, window=2)
    both = [windows(motion, state, pose) for motion in (clip, early_policy(clip))]
    none, right, large = (saturation_experiment(*both, "bce", weight, steps=300) for weight in (0.0, 10.0, 100.0))
    assert len(none.policy_logit) == 300 and none.policy_logit[-1] < -5 < right.policy_logit[-1]
    assert right.reward_gain > 5 * none.reward_gain and right.reward_gain > 1.5 * large.reward_gain
    assert large.style_reward[0] > right.style_reward[0] > none.style_reward[0]


@pytest.mark.slow
def test_of_equal_errors_the_discriminator_sees_those_of_joints_that_hardly_move(clip, pose):
    """No joint is worse than another, so what the influence shows is the discriminator's and not the policy's."""
    state = AmpState(joint_names=clip.joint_names).without((".*wrist.*",))
    sides = [windows(motion, state, pose) for motion in (clip, add_tracking_error(clip))]
    shares = joint_influence(small_discriminator(*sides), *sides, state.joint_names)
    moves = {name: clip.joint_pos[:, clip.joint_names.index(name)].std() for name in shares}
    order = sorted(shares, key=moves.__getitem__)
    assert sum(shares[name] for name in order[:7]) > 0.5 > 0.1 > sum(shares[name] for name in order[-7:])


def test_jitter_has_the_size_it_was_given_in_every_joint(clip):
    assert np.std(add_jitter(clip, 0.05).joint_pos - clip.joint_pos, axis=0) == pytest.approx(0.05, rel=0.2)


def test_a_root_that_moves_as_told_has_the_clips_style_and_the_lean_it_was_given(clip):
    """Poses and stride frequency are the clip's by construction, so each metric has a known answer."""
    exact = evaluate_rollout(move_root(0.75, command=(0.75, 0.0), clip=clip), clip)
    assert exact["pose_rmse_rad"] < 1e-6 and exact["coverage_rmse_rad"] < 1e-6 and exact["tilt_rmse_rad"] < 1e-3
    assert exact["gait_frequency_ratio"] == pytest.approx(1.0, abs=0.02)
    assert exact["tracking_rmse_mps"] < 0.01 and exact["drift_mps"] < 0.02 and exact["turn_error_radps"] < 0.02
    leaning = evaluate_rollout(move_root(0.75, lean=0.2, command=(0.75, 0.0), clip=clip), clip)
    assert leaning["tilt_rmse_rad"] == pytest.approx(0.2, abs=0.01) and leaning["pose_rmse_rad"] < 1e-6


@pytest.mark.slow
def test_only_a_discriminator_that_sees_the_command_pays_by_it_and_a_penalty_on_the_command_hides_it(repo_root, pose):
    data = MotionDataset.load(repo_root / "datasets" / "g1_locomotion.npz")
    clips = [clip for clip in data.clips() if clip.name in ("walk 0.6", "run 2")]
    blind = AmpState(joint_names=clips[0].joint_names, features=("joint_pos", "root_lin_vel"))
    without = command_experiment(clips, blind, pose)
    assert without.speeds == (0.6, 2.0)
    assert np.ptp(without.style_reward, axis=1).max() == 0 and without.fitting == pytest.approx(without.other)
    seeing = replace(blind, command=True)
    conditioned, penalized = (command_experiment(clips, seeing, pose, penalty) for penalty in (False, True))
    assert conditioned.fitting > 2 * conditioned.other
    assert conditioned.fitting - conditioned.other > 3 * (penalized.fitting - penalized.other) > 0
