"""Figures show their input: tests read axes, series and labels rather than pixels."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from amp_helpers.dataset import MotionDataset
from amp_helpers.joints import JointOrder
from amp_helpers.plots import motion as plots


@pytest.fixture(scope="module")
def clip(repo_root):
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0]


def labels(figure: Figure) -> set[str]:
    axes = {line.get_label() for panel in figure.axes for line in panel.get_lines()}
    return axes | {text.get_text() for legend in figure.legends for text in legend.get_texts()}


def test_permutation_draws_a_line_for_each_shared_joint():
    here, there = (
        JointOrder(("left_knee_joint", "waist_yaw_joint", "left_elbow_joint")),
        JointOrder(("waist_yaw_joint",)),
    )
    axes = plots.permutation(here, there, ("file", "robot")).axes[0]
    curves = [line for line in axes.get_lines() if len(line.get_xdata()) > 2]
    assert len(curves) == 1
    assert curves[0].get_ydata()[0] == 1 and curves[0].get_ydata()[-1] == pytest.approx(0)
    written = {text.get_text() for text in axes.texts}
    assert {"file", "robot", "left_knee   0", " 0  waist_yaw"} <= written


@pytest.mark.parametrize(
    ("joint", "limb"),
    [
        ("left_ankle_roll_joint", "left leg"),
        ("right_shoulder_yaw_joint", "right arm"),
        ("waist_yaw_joint", "waist"),
        ("right_knee_joint", "right leg"),
    ],
)
def test_the_limb_follows_from_the_joint_name(joint, limb):
    assert plots.limb(joint) == limb


def test_offsets_shows_every_treatment_at_every_joint():
    names = ("left_knee_joint", "waist_yaw_joint")
    figure = plots.offsets(names, np.array([0.1, 0.2]), {"right": np.array([0.1, 0.2]), "wrong": np.array([0.5, 0.2])})
    clouds = figure.axes[0].collections
    assert [len(cloud.get_offsets()) for cloud in clouds] == [2, 2, 2]
    assert clouds[2].get_offsets()[0].tolist() == [0, 0.5]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["left_knee", "waist_yaw"]


def test_replay_errors_have_a_logarithmic_axis_and_the_tolerance():
    axes = plots.replay_errors({"right": np.array([1e-7, 0.0]), "wrong": np.array([0.5, 0.6])}, 1e-4).axes[0]
    assert axes.get_yscale() == "log"
    right, wrong, tolerance = axes.get_lines()
    assert right.get_ydata()[1] > 0, "log(0) is undefined"
    assert wrong.get_ydata().tolist() == [0.5, 0.6] and tolerance.get_ydata()[0] == 1e-4


def test_replay_errors_draw_every_mistake():
    many = {f"mistake {number}": np.full(3, 0.1 * number) for number in range(1, 10)}
    lines = plots.replay_errors(many, 1e-4).axes[0].get_lines()
    assert [line.get_label() for line in lines[:-1]] == list(many)


def test_resampling_shows_position_and_velocity_of_each_version(clip):
    figure = plots.resampling({"a": clip, "b": clip.resample(0.04)}, "left_knee_joint", seconds=1.0)
    position, velocity = figure.axes
    column = clip.joint_names.index("left_knee_joint")
    assert [len(line.get_xdata()) for line in position.get_lines()] == [51, 26]
    np.testing.assert_allclose(velocity.get_lines()[0].get_ydata(), clip.joint_vel[:51, column])
    assert "rad" in position.get_ylabel() and "rad/s" in velocity.get_ylabel() and "s" in velocity.get_xlabel()


def test_influence_has_a_bar_per_joint():
    figure = plots.influence(
        {"all": {"left_ankle_roll_joint": 0.6, "waist_yaw_joint": 0.1}, "less": {"waist_yaw_joint": 0.9}}
    )
    assert [[bar.get_width() for bar in axes.patches] for axes in figure.axes] == [[0.6, 0.1], [0.9]]
    ankle, waist = figure.axes[0].patches
    assert ankle.get_facecolor() != waist.get_facecolor()


def test_gait_phase_compares_policies_with_the_reference(clip):
    figure = plots.gait_phase(clip, {"mine": replace(clip, joint_pos=-clip.joint_pos)}, seconds=1.0)
    assert [len(axes.get_lines()) for axes in figure.axes] == [2, 2, 2]
    assert {"reference", "mine"} <= labels(figure)


def test_gait_phase_draws_the_reference_over_time_in_the_policy_s_phase(clip):
    reference, policy = plots.gait_phase(clip, {"mine": clip.loop(2).trim(0.6, 4.6)}).axes[2].get_lines()
    np.testing.assert_allclose(reference.get_ydata(), policy.get_ydata(), atol=0.05)


def test_figures_do_not_change_matplotlib_s_global_state(clip):
    before = dict(matplotlib.rcParams)
    plots.pictures([np.zeros((4, 6, 3), np.uint8)] * 2, ("a", "b"))
    plots.gait_phase(clip, {})
    assert dict(matplotlib.rcParams) == before
    from matplotlib import _pylab_helpers

    assert _pylab_helpers.Gcf.get_num_fig_managers() == 0


def test_ankles_stand_out_in_any_spelling():
    bars = plots.influence({"mine": {"LKnee": 0.4, "LAnklePitch": 0.6, "right_ankle_roll_joint": 0.1}}).axes[0].patches
    knee, left, right = (bar.get_facecolor() for bar in bars)
    assert left == right != knee
