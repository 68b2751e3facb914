"""The quaternion order: evidence in the file comes before a convention, and what stays undecided is a warning."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from amp_helpers.convert import convert
from amp_helpers.formats.gmr import write_gmr
from amp_helpers.formats.isaaclab_amp import write_amp
from amp_helpers.formats.mimickit import write_mimickit
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.findings import Findings
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import G1_29DOF

WXYZ = [3, 0, 1, 2]


@pytest.fixture
def walk(repo_root):
    return read_motion(repo_root / "datasets" / "g1_walk.pkl")


def angle(motion, clip) -> float:
    return float((Rotation.from_quat(motion.root_quat) * Rotation.from_quat(clip.root_quat).inv()).magnitude().max())


def standing_on_its_head(walk, height: float | None = None):
    """The walk turned over, its lowest point on the ground or its root at a height, m."""
    turned = Rotation.from_euler("x", np.pi) * Rotation.from_quat(walk.root_quat)
    clip = replace(walk, root_quat=turned.as_quat())
    lowest = Kinematics(G1_29DOF).lowest_heights(clip)
    place = clip.root_pos.copy()
    place[:, 2] = place[:, 2] - lowest if height is None else height
    return replace(clip, root_pos=place)


@pytest.mark.parametrize("height", [None, 5.0])
def test_a_clip_that_stands_on_its_head_stays_on_it_with_a_warning(walk, tmp_path, capsys, height):
    clip = standing_on_its_head(walk, height)
    write_gmr(tmp_path / "m.pkl", clip)
    assert angle(read_motion(tmp_path / "m.pkl"), clip) < 1e-5
    dataset = convert([tmp_path / "m.pkl"], tmp_path / "d.npz", robot="g1_29dof", control_dt=walk.dt)
    np.testing.assert_allclose(np.abs(dataset.root_quat), np.abs(clip.root_quat[:-1]), atol=1e-5)
    said = capsys.readouterr().err
    assert said.startswith("warning: m.pkl: the root stands on its head as xyzw; ") and "--quaternion wxyz" in said


def test_the_ground_turns_over_a_walk_that_is_stored_the_other_way(walk, tmp_path, capsys):
    write_gmr(tmp_path / "m.pkl", walk)
    content = pickle.loads((tmp_path / "m.pkl").read_bytes())
    content["root_rot"] = content["root_rot"][:, WXYZ]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(content))
    motion = read_motion(tmp_path / "m.pkl")
    assert angle(motion, walk) < 1e-5
    assert "lowest point 23.6 cm off the ground as xyzw, 0.3 as wxyz" in motion.source
    convert([tmp_path / "m.pkl"], tmp_path / "d.npz")
    assert not capsys.readouterr().err


def test_link_positions_decide_for_a_robot_that_nobody_knows(walk, tmp_path):
    """No model is needed: read in the right order, the first links of the legs stay where the root carries them."""
    write_amp(tmp_path / "m.npz", walk)
    content = dict(np.load(tmp_path / "m.npz"))
    content["dof_names"] = np.array([f"motor {number} of another" for number in range(29)])
    for order in ("wxyz", "xyzw"):
        np.savez(tmp_path / f"{order}.npz", **content)
        motion = read_motion(tmp_path / f"{order}.npz")
        assert angle(motion, walk) < 1e-5
        assert f"quaternion {order}, " in motion.source and "a link moves 0." in motion.source
        content["body_rotations"] = content["body_rotations"][..., [1, 2, 3, 0]]


@pytest.mark.parametrize("order", ["wxyz", "xyzw"])
def test_link_positions_decide_in_an_amp_file(walk, tmp_path, order):
    write_amp(tmp_path / "m.npz", walk)
    content = dict(np.load(tmp_path / "m.npz"))
    if order == "xyzw":
        content["body_rotations"] = content["body_rotations"][..., [1, 2, 3, 0]]
    np.savez(tmp_path / "m.npz", **content)
    motion = read_motion(tmp_path / "m.npz")
    assert angle(motion, walk) < 1e-5 and f"quaternion {order}" in motion.source and "links " in motion.source


def test_an_undecided_order_is_a_warning_that_names_the_option(walk, tmp_path, capsys):
    still = replace(walk, root_quat=np.tile([0.0, 0, 0, 1], (walk.num_frames, 1)), joint_pos=0 * walk.joint_pos)
    write_gmr(tmp_path / "m.pkl", replace(still, root_pos=np.tile([0, 0, 5.0], (walk.num_frames, 1))))
    convert([tmp_path / "m.pkl"], tmp_path / "d.npz")
    assert "order is undecided, and xyzw is taken by GMR's convention; " in capsys.readouterr().err
    convert([tmp_path / "m.pkl"], tmp_path / "d.npz", quaternion="xyzw")
    assert not capsys.readouterr().err


def test_an_order_given_against_the_evidence_is_a_warning(repo_root, tmp_path, capsys):
    convert([repo_root / "datasets" / "g1_run.pkl"], tmp_path / "d.npz", quaternion="wxyz")
    assert "and the evidence speaks for xyzw; leave --quaternion out" in capsys.readouterr().err


def test_the_option_does_not_touch_quaternions_that_the_reader_computed(walk, tmp_path):
    write_mimickit(tmp_path / "m.pkl", walk)
    assert angle(read_motion(tmp_path / "m.pkl", quaternion="wxyz"), walk) < 1e-5


def test_quaternions_a_few_percent_off_unit_length_are_normalized_and_recorded(walk, tmp_path):
    write_gmr(tmp_path / "m.pkl", walk)
    content = pickle.loads((tmp_path / "m.pkl").read_bytes())
    content["root_rot"] = content["root_rot"] * np.linspace(0.94, 0.99, walk.num_frames)[:, None]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(content))
    dataset = convert([tmp_path / "m.pkl"], tmp_path / "d.npz", control_dt=walk.dt)
    np.testing.assert_allclose(np.linalg.norm(dataset.root_quat, axis=1), 1, atol=1e-6)
    assert "norms 0.940 to 0.990, normalized" in dataset.source[0]
    assert Findings.from_json(dataset.findings[0]).quaternion_norm == pytest.approx((0.94, 0.99), abs=1e-6)
