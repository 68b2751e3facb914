"""Files of a world with y up: told from the feet, and read so when the user says it."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from amp_helpers import check, convert, refine
from amp_helpers.errors import InputError
from amp_helpers.formats.isaaclab_amp import write_amp
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_29DOF

TO_Y_UP = Rotation.from_euler("x", -90, degrees=True)


@pytest.fixture
def walk(repo_root):
    return read_motion(repo_root / "datasets" / "g1_walk.pkl")


def y_up(motion: Motion, own_axes: str = "trunk") -> Motion:
    """The motion in a world with y up; the root's own axes are those of its trunk, or follow the world's."""
    turned = TO_Y_UP * Rotation.from_quat(motion.root_quat)
    turned = turned * TO_Y_UP.inv() if own_axes == "world" else turned
    return replace(motion, root_pos=TO_Y_UP.apply(motion.root_pos), root_quat=turned.as_quat())


def headed(motion: Motion, degrees: float) -> Motion:
    turn = Rotation.from_euler("z", degrees, degrees=True)
    quat = (turn * Rotation.from_quat(motion.root_quat)).as_quat()
    return replace(motion, root_pos=turn.apply(motion.root_pos), root_quat=quat)


def stored(path, motion: Motion, order: str = "xyzw"):
    quat = motion.root_quat if order == "xyzw" else motion.root_quat[:, [3, 0, 1, 2]]
    content = {"fps": motion.fps, "root_pos": motion.root_pos, "root_rot": quat, "dof_pos": motion.joint_pos}
    path.write_bytes(pickle.dumps(content))
    return path


def assert_same(motion: Motion, clip: Motion) -> None:
    np.testing.assert_allclose(motion.root_pos, clip.root_pos, atol=1e-6)
    np.testing.assert_allclose(np.abs((motion.root_quat * clip.root_quat).sum(axis=1)), 1, atol=1e-6)


@pytest.mark.parametrize("degrees", [0, 70, 90, 180])
@pytest.mark.parametrize("own_axes", ["trunk", "world"])
@pytest.mark.parametrize("order", ["xyzw", "wxyz"])
def test_a_world_with_y_up_is_told_and_read_as_it_was(walk, tmp_path, own_axes, order, degrees):
    clip = headed(walk, degrees)
    path = stored(tmp_path / "m.pkl", y_up(clip, own_axes), order)
    with pytest.raises(InputError, match=r"its world has y up: .* give --up y"):
        read_motion(path, robot=G1_29DOF, quaternion=order)
    assert_same(read_motion(path, robot=G1_29DOF, up="y", quaternion=order), clip)


@pytest.mark.parametrize("own_axes", ["trunk", "world"])
def test_the_order_of_its_quaternion_is_found_as_well(walk, tmp_path, own_axes):
    for order in ("xyzw", "wxyz"):
        path = stored(tmp_path / "m.pkl", y_up(walk, own_axes), order)
        assert_same(read_motion(path, robot=G1_29DOF, up="y"), walk)


def test_its_links_are_turned_with_it(walk, tmp_path):
    write_amp(tmp_path / "m.npz", walk)
    content = dict(np.load(tmp_path / "m.npz"))
    turned = TO_Y_UP.as_matrix()
    content["body_positions"] = content["body_positions"] @ turned.T
    quat = Rotation.from_quat(content["body_rotations"].reshape(-1, 4)[:, [1, 2, 3, 0]])
    turned = (TO_Y_UP * quat).as_quat()[:, [3, 0, 1, 2]]
    content["body_rotations"] = turned.reshape(content["body_rotations"].shape).astype(np.float32)
    np.savez(tmp_path / "y.npz", **content)
    motion = read_motion(tmp_path / "y.npz", robot=G1_29DOF, up="y")
    assert_same(motion, read_motion(tmp_path / "m.npz", robot=G1_29DOF))


@pytest.mark.parametrize("height", [0.0, 0.3, 5.0])
def test_a_clip_off_the_ground_or_on_its_side_is_taken(walk, tmp_path, height):
    for clip in (walk, replace(walk, root_quat=np.tile([np.sqrt(0.5), 0, 0, np.sqrt(0.5)], (walk.num_frames, 1)))):
        lifted = replace(clip, root_pos=clip.root_pos + np.array([0, 0, height]))
        assert_same(read_motion(stored(tmp_path / "m.pkl", lifted), robot=G1_29DOF, quaternion="xyzw"), lifted)


SAYS = {convert: "y up as given, turned to z up", check: "19 checks, 0 failed", refine: "r.pkl: 153 frames at 30 fps"}


@pytest.mark.parametrize("command", SAYS)
def test_every_command_takes_the_option(walk, tmp_path, capsys, command):
    path = str(stored(tmp_path / "m.pkl", y_up(walk)))
    options = {check: [], convert: ["--output", str(tmp_path / "d.npz")]}
    arguments = [path, "--robot", "g1_29dof", *options.get(command, ["--output", str(tmp_path / "r.pkl"), "--ground"])]
    with pytest.raises(InputError, match="give --up y"):
        command.main(arguments)
    command.main([*arguments, "--up", "y"])
    assert SAYS[command] in capsys.readouterr().out
    if command is refine:
        lowered = read_motion(tmp_path / "r.pkl", robot=G1_29DOF)
        assert_same(replace(lowered, root_pos=walk.root_pos), walk)
