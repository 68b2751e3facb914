"""The experiments of the notebooks: they show what they claim, and could show the opposite."""

import numpy as np
import pytest
import torch

from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.lessons.discriminators import (
    discriminator_lesson,
    joint_influence,
    paid_for,
    small_discriminator,
    style_experiment,
    windows,
)
from amp_helpers.lessons.gaits import faster, half_steps, level_feet, stumble, tremble
from amp_helpers.robots.robot import G1_23DOF


@pytest.fixture(scope="module")
def clip(repo_root):
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0]


def test_level_feet_change_ankles_most_and_track_the_rest(clip):
    stand_in = level_feet(clip, error_rad=0.02)
    change = (stand_in.joint_pos - clip.joint_pos).std(axis=0)
    ankles = np.array(["ankle" in name for name in clip.joint_names])
    assert change[~ankles].max() < 0.04
    assert change[~ankles].mean() == pytest.approx(0.02, rel=0.3)
    exact = level_feet(clip, error_rad=0.0)
    column = {name: exact.joint_pos[:, i] for i, name in enumerate(exact.joint_names)}
    pitch = column["left_hip_pitch_joint"] + column["left_knee_joint"] + column["left_ankle_pitch_joint"]
    inside = np.abs(column["left_ankle_pitch_joint"] + 0.175) < 0.69
    assert inside.any() and np.abs(pitch[inside]).max() < 1e-5, "the sole is level within the ankle's range"


def test_half_steps_shrink_the_swing_and_nothing_else(clip):
    stand_in = half_steps(clip, 0.4)
    ratio = stand_in.joint_pos.std(axis=0) / np.maximum(clip.joint_pos.std(axis=0), 1e-9)
    for name, value in zip(clip.joint_names, ratio, strict=True):
        if "wrist" not in name:
            assert value == pytest.approx(0.4 if "hip_pitch" in name or "knee" in name else 1.0, rel=1e-3), name


def test_influence_finds_the_joint_that_gives_it_away():
    generator = torch.Generator().manual_seed(0)
    reference = torch.randn(500, 6, generator=generator)
    policy = reference.clone()
    policy[:, [1, 4]] += 3.0  # joint b in both frames
    discriminator = small_discriminator(reference, policy, steps=150)
    shares = joint_influence(discriminator, reference, policy, ("a", "b", "c"))
    assert shares["b"] == pytest.approx(1.0)
    assert abs(shares["a"]) < 0.05 and abs(shares["c"]) < 0.05


def test_training_the_small_discriminator_repeats_and_leaves_the_generator_alone():
    data = torch.randn(100, 4, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (small_discriminator(data, data + 1, steps=20)(data) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_hiding_feet_makes_the_right_gait_worth_more(clip):
    pose = dict(zip(G1_23DOF.joint_names, G1_23DOF.default_pose().tolist(), strict=True))
    seen, hidden = (style_experiment(clip, pose, drop) for drop in ((), (".*ankle.*", ".*wrist.*")))
    assert len(seen.joint_names) == 23 and len(hidden.joint_names) == 17
    assert hidden.right_gait - hidden.wrong_gait > 3 * abs(seen.right_gait - seen.wrong_gait)
    ankles = sum(share for name, share in seen.influence.items() if "ankle" in name)
    assert ankles > 0.4


def test_faster_keeps_the_poses_and_the_rate(clip):
    quick = faster(clip, 2.0)
    assert quick.dt == pytest.approx(clip.dt) and quick.duration_s == pytest.approx(clip.duration_s / 2, abs=clip.dt)
    np.testing.assert_allclose(quick.joint_pos[10], clip.joint_pos[20], atol=1e-5)


def test_a_penalty_lays_a_ramp_and_too_much_of_it_flattens_it(clip):
    pose = dict(zip(G1_23DOF.joint_names, G1_23DOF.default_pose().tolist(), strict=True))
    state = AmpState(joint_names=clip.joint_names, window=2)
    sides = [windows(motion, state, pose) for motion in (clip, stumble(clip))]
    free, right, flat = (discriminator_lesson(*sides, "bce", weight, steps=300) for weight in (0.0, 10.0, 100.0))
    assert len(free.policy_logit) == 300 and free.policy_logit[-1] < -5 < right.policy_logit[-1]
    assert right.gain > 5 * free.gain and right.gain > 1.5 * flat.gain
    assert flat.paid[0] > right.paid[0] > free.paid[0]


def test_a_longer_window_hears_the_tempo(clip):
    pose = dict(zip(G1_23DOF.joint_names, G1_23DOF.default_pose().tolist(), strict=True))
    motions = {"right": level_feet(clip), "fast": level_feet(faster(clip))}
    short = AmpState(joint_names=clip.joint_names, window=2)
    long = AmpState(joint_names=clip.joint_names, features=tuple(FEATURE_DIMS), window=6, stride=2)
    two, six = (paid_for(motions, clip, state, pose) for state in (short, long))
    assert six["right"] - six["fast"] > 0.3 > abs(two["right"] - two["fast"])


def test_noise_on_the_input_hides_a_tremble(clip):
    pose = dict(zip(G1_23DOF.joint_names, G1_23DOF.default_pose().tolist(), strict=True))
    gaits = tremble(clip, 0.05), tremble(half_steps(clip), 0.05, seed=1)
    assert np.std(gaits[0].joint_pos - clip.joint_pos) == pytest.approx(0.05, rel=0.05)
    clean, noisy = (style_experiment(clip, pose, (".*wrist.*",), gaits, noise) for noise in (0.0, 0.3))
    assert noisy.right_gait > 1.2 * clean.right_gait
    assert noisy.right_gait > noisy.wrong_gait + 0.03, "it still tells a good step from a bad one"
