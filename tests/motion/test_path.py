"""The path of a clip is where it travels without the sway of its steps, scaled and bent without a kink."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from amp_helpers.motion.motion import Motion
from amp_helpers.motion.path import Path


def swaying(turn: float, sideways: float = 0.0, seconds: float = 12.0) -> Motion:
    """A root that travels at 0.8 m/s, sways 3 cm to each side and yaws 0.15 rad once a second."""
    t = np.arange(round(seconds * 50) + 1) / 50
    heading = 1.0 + turn * t
    direction = heading + sideways
    velocity = 0.8 * np.stack([np.cos(direction), np.sin(direction)], axis=1)
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(velocity[:-1] + np.diff(velocity, axis=0) / 2, axis=0) / 50])
    sway = 0.03 * np.sin(2 * np.pi * t)[:, None] * np.stack([-np.sin(heading), np.cos(heading)], axis=1)
    yaw = heading + 0.15 * np.sin(2 * np.pi * t)
    return Motion(
        fps=50,
        joint_names=("a",),
        joint_pos=t[:, None],
        root_pos=np.insert(path + sway, 2, 0.8, axis=1),
        root_quat=Rotation.from_euler("z", yaw[:, None]).as_quat(),
    )


@pytest.mark.parametrize("sideways", [0.0, np.pi / 2])
@pytest.mark.parametrize("turn", [0.0, 0.5])
def test_a_path_has_neither_sway_nor_yaw_of_the_steps(turn, sideways):
    motion = swaying(turn, sideways)
    path = Path.of(motion, stride_s=1.0, cyclic=True)
    np.testing.assert_allclose(np.diff(path.heading) * 50, turn, atol=0.01)
    assert np.cos(path.heading[0] - (1.0 + sideways)) == pytest.approx(1, abs=1e-3)
    assert path.speed * 50 == pytest.approx(0.8, abs=0.005)
    local = path.to_local(motion.root_pos[:, :2])
    assert np.ptp(local[:, 1 if sideways == 0 else 0]) == pytest.approx(0.06, abs=0.01)
    np.testing.assert_allclose(path.to_world(local), motion.root_pos[:, :2], atol=1e-9)


def test_a_changed_path_is_longer_and_bent():
    path = Path.of(swaying(0.0), stride_s=1.0, cyclic=True)
    changed = path.changed(stride=1.5, turn=0.01)
    assert changed.speed == pytest.approx(1.5 * path.speed)
    assert changed.turn == pytest.approx(0.01, abs=1e-4)
    half = path.at(np.array([0.5, 100.25]))
    assert half.position.shape == (2, 2) and half.heading.shape == (2,)
    np.testing.assert_allclose(half.position[0], path.position[:2].mean(axis=0))


def test_a_path_that_stays_in_place_still_turns():
    changed = Path.of(swaying(0.0), stride_s=1.0, cyclic=True).changed(stride=0.0, turn=0.02)
    assert np.abs(changed.position).max() < 0.01
    assert changed.turn == pytest.approx(0.02, abs=1e-4)


def test_a_long_path_stays_with_the_root():
    """A root that turns left and right for a minute; a drift would move places in the path's frame."""
    t = np.arange(3001) / 50
    heading = 2.0 * np.sin(0.4 * t)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1)[:-1] * 0.8 / 50
    position = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    yaw = Rotation.from_euler("z", heading[:, None]).as_quat()
    motion = Motion(50, ("a",), t[:, None], np.insert(position, 2, 0.8, axis=1), yaw)
    path = Path.of(motion, stride_s=1.2, cyclic=False)
    assert np.abs(path.to_local(position)[50:-50]).max() < 0.12
