"""Figures of a walk at several speeds show what was changed."""

import numpy as np
import pytest

from amp_helpers.feet import at_gait_speed
from amp_helpers.formats.registry import read_motion
from amp_helpers.plots import strides
from amp_helpers.robots import G1_23DOF, Kinematics


@pytest.fixture(scope="module")
def figure(repo_root):
    walk = read_motion(repo_root / "datasets" / "g1_walk_refined.pkl").select(G1_23DOF.joint_names)
    kinematics, factors = Kinematics(G1_23DOF), (0.5, 1.5)
    groups = {
        "by time": [walk.at_speed(factor) for factor in factors],
        "by gait": [at_gait_speed(walk, kinematics, factor) for factor in factors],
    }
    return strides(groups, kinematics)


def lines(axes):
    return [line for line in axes.lines if line.get_label() and not line.get_label().startswith("_")]


def test_stride_length_stays_by_time_and_grows_with_the_frequency_by_gait(figure):
    by_time, by_gait = (np.array(line.get_data()) for line in lines(figure.axes[0]))
    assert by_time[0, 1] / by_time[0, 0] == pytest.approx(3, rel=0.05)
    assert by_time[1, 1] / by_time[1, 0] == pytest.approx(1, rel=0.05)
    for change in by_gait[:, 1] / by_gait[:, 0]:
        assert change == pytest.approx(3**0.5, rel=0.05)


def test_the_foot_reaches_further_by_gait_only(figure):
    for axes, growth in zip(figure.axes[1:], (1.0, 3**0.5), strict=True):
        slow, fast = (np.ptp(line.get_xdata()) for line in lines(axes))
        assert fast / slow == pytest.approx(growth, rel=0.1)
        assert axes.get_legend().get_texts()[0].get_text().endswith("m/s")
