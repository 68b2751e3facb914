"""A foot from its side shows how far its sole is below the ground, for robots with meshes and without."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from amp_helpers.dataset import MotionDataset
from amp_helpers.plots import soles as module
from amp_helpers.plots.soles import sole_profiles
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import G1_23DOF


@pytest.fixture(scope="module")
def kinematics():
    return Kinematics(G1_23DOF)


@pytest.fixture(scope="module")
def walk(repo_root):
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0].trim(0, 0.5)


def words(figure) -> list[str]:
    return [axes.get_title(loc="left").partition(": ")[2] for axes in figure.axes]


@pytest.mark.slow
@pytest.mark.parametrize("meshes", [True, False])
def test_depth_is_drawn_to_scale_and_written(walk, kinematics, monkeypatch, meshes):
    if not meshes:
        monkeypatch.setattr(module, "_foot_mesh", lambda robot, name: None)
    height = kinematics.sole_heights(walk)[3].min()
    at = {depth: replace(walk, root_pos=walk.root_pos - [0, 0, height + depth]) for depth in (0.012, 0.0, -0.03)}
    figure = sole_profiles({f"{depth}": clip for depth, clip in at.items()}, kinematics, 3)
    assert words(figure) == ["sole 12 mm below the ground", "sole on the ground", "sole 30 mm above the ground"]
    for axes, depth in zip(figure.axes, at, strict=True):
        shapes = [found for found in axes.collections if isinstance(found, PolyCollection)]
        lowest = min(path.vertices[:, 1].min() for path in shapes[0].get_paths())
        assert lowest == pytest.approx(-1000 * depth, abs=4), "the mesh is within 4 mm of the collision shapes"
        assert len(shapes) == (2 if depth > 0 else 1), "red where it is sunk"
        assert axes.get_aspect() == 1 and axes.get_ylim()[0] < lowest


def test_the_other_foot_and_a_clip_without_ankles_can_be_drawn(walk, kinematics):
    legs = walk.select([name for name in walk.joint_names if "ankle" not in name])
    lowest = int(np.argmin(kinematics.sole_heights(walk)[0]))
    figure = sole_profiles({"all": walk, "without": legs}, kinematics, 0, foot=1 - lowest)
    assert len(words(figure)) == 2
