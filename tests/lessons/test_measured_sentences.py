"""Sentences of the notebooks that are written from measurements say what was measured, whatever it was."""

import numpy as np
import pytest

from amp_helpers.dataset import MotionDataset
from amp_helpers.feet.lock import lock_feet
from amp_helpers.lessons.discriminators import StyleResult
from amp_helpers.lessons.feet import AS_IT_IS, HIDDEN, REPAIRED, FeetResult, feet_experiment
from amp_helpers.lessons.tempo import TempoResult, tempo_experiment
from amp_helpers.lessons.tremble import tremble_experiment
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.training.cfg import TrainCfg

STILL = (".*wrist.*",)


@pytest.fixture(scope="module", params=["g1_walk", "g1_run"])
def clip(request, repo_root):
    return MotionDataset.load(repo_root / "datasets" / f"{request.param}.npz").clips()[0]


@pytest.fixture(scope="module")
def pose():
    return G1_23DOF.default_positions()


def feet_result(**rewards: list[tuple[float, float]]) -> FeetResult:
    labels = {"before": AS_IT_IS, "hidden": HIDDEN, "repaired": REPAIRED}
    return FeetResult(
        {labels[key]: [StyleResult(("a",), *pair, {"a": 1.0}) for pair in pairs] for key, pairs in rewards.items()}
    )


BEFORE = [(0.60, 0.50), (0.62, 0.52)]


@pytest.mark.parametrize(
    ("hidden", "repaired", "says"),
    [
        ([(0.70, 0.50), (0.72, 0.52)], [(0.65, 0.55), (0.67, 0.57)], ["0.10 more (0.71 in place of 0.61)", "both pay"]),
        ([(0.59, 0.49), (0.61, 0.51)], [(0.60, 0.50), (0.62, 0.52)], ["about as much", "neither remedy matters much"]),
        (
            [(0.50, 0.45), (0.52, 0.47)],
            [(0.55, 0.5), (0.57, 0.5)],
            ["0.10 less", "by 0.05, in place of 0.10", "both remedies cost reward"],
        ),
        ([(0.70, 0.50), (0.72, 0.52)], [(0.50, 0.3), (0.52, 0.3)], ["hiding the ankles pays", "the feet costs reward"]),
        (
            [(0.70, 0.50), (0.55, 0.52)],
            BEFORE,
            ["about as much (0.62 in", "neither remedy matters much"],
        ),
    ],
)
def test_the_sentence_about_remedies_follows_sign_and_size(hidden, repaired, says):
    sentence = feet_result(before=BEFORE, hidden=hidden, repaired=repaired).sentence
    for words in says:
        assert words.replace("both pay", "both remedies pay") in sentence


@pytest.mark.slow
def test_a_remedy_that_pays_on_the_walk_does_not_on_the_run(clip, pose):
    result = feet_experiment(clip, lock_feet(clip, Kinematics(G1_23DOF)), pose, [".*ankle.*"], STILL, seeds=1)
    effects = [result.effect(label) for label in (AS_IT_IS, HIDDEN, REPAIRED)]
    assert effects == ([0, 1, 1] if "walk" in clip.name else [0, 0, 0])
    assert set(result.influence(AS_IT_IS)) - set(result.influence(HIDDEN)) == {
        name for name in clip.joint_names if "ankle" in name
    }
    assert result.lead(HIDDEN) == pytest.approx(result.right_gait(HIDDEN) - result.wrong_gait(HIDDEN))


@pytest.mark.parametrize(
    ("gaps", "says"),
    [
        ((0.04, 0.34, 0.13, 0.54), "two frames pay it 0.34 more; six frames of positions alone, 0.13;"),
        ((0.04, 0.34, 0.13, 0.54), "the features do more."),
        ((0.04, 0.13, 0.34, 0.54), "the frames do more."),
        ((0.04, 0.30, 0.33, 0.54), "both changes do about as much."),
    ],
)
def test_the_sentence_about_windows_follows_the_two_by_two(gaps, says):
    assert says in TempoResult(*gaps).sentence


@pytest.mark.slow
def test_frames_and_features_each_find_the_tempo_and_the_shortest_window_does_not(clip, pose):
    result = tempo_experiment(clip, TrainCfg().features, pose)
    assert result.long_all > 0.3 > 0.15 > result.short_positions
    assert min(result.short_all, result.long_positions) > 2 * result.short_positions
    assert [row[1:] for row in result.rows()] == [
        (result.short_positions, result.long_positions),
        (result.short_all, result.long_all),
    ]


@pytest.mark.slow
def test_input_noise_makes_right_steps_stand_out_and_stillness_pay_less(clip, pose):
    clean, noisy = (tremble_experiment(clip, pose, STILL, noise) for noise in (0.0, 0.3))
    assert noisy.signal > 1.5 * clean.signal
    assert noisy.for_stillness < 0.6 * clean.for_stillness
    assert 0 < noisy.for_steps < 1.1 * clean.for_steps, "the reward for steps itself does not grow"
    assert np.isclose(noisy.signal, noisy.for_steps / noisy.scatter)
