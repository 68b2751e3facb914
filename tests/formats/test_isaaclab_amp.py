"""Isaac Lab's AMP files: joints and root by name, quaternions wxyz unless the evidence contradicts."""

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError
from amp_helpers.formats.registry import read_motion

QUAT = Rotation.from_euler("zx", np.linspace((1, 0), (2, 0.1), 10)).as_quat()


def amp(**changes) -> dict:
    random = np.random.default_rng(0)
    rotations = np.zeros((10, 3, 4))
    rotations[:, :, 0] = 1
    rotations[:, 1] = QUAT[:, [3, 0, 1, 2]]
    content = {
        "fps": np.array(60),
        "dof_names": np.array(["hip", "knee"]),
        "body_names": np.array(["head", "pelvis", "torso"]),
        "dof_positions": random.normal(size=(10, 2)).astype(np.float32),
        "dof_velocities": random.normal(size=(10, 2)).astype(np.float32),
        "body_positions": random.normal(size=(10, 3, 3)).astype(np.float32),
        "body_rotations": rotations.astype(np.float32),
    }
    return {key: value for key, value in (content | changes).items() if value is not None}


@pytest.fixture
def write(tmp_path):
    def write(content, name: str = "motion.npz"):
        path = tmp_path / name
        np.savez(path, **content)
        return path

    return write


def test_joints_and_root_come_by_name(write):
    motion = read_motion(write(amp()))
    assert motion.fps == 60 and motion.joint_names == ("hip", "knee")
    np.testing.assert_array_equal(motion.joint_pos, amp()["dof_positions"])
    np.testing.assert_array_equal(motion.root_pos, amp()["body_positions"][:, 1])
    np.testing.assert_allclose(motion.root_quat, QUAT, atol=1e-6)
    assert "root is body 'pelvis'; quaternion wxyz, pelvis up" in motion.source


@pytest.mark.parametrize(
    ("bodies", "index", "root"), [(["head", "hand", "torso"], 2, "torso"), (["left", "middle", "right"], 0, "left")]
)
def test_without_a_pelvis_the_root_is_the_torso_or_the_first_body(write, bodies, index, root):
    motion = read_motion(write(amp(body_names=np.array(bodies))))
    np.testing.assert_array_equal(motion.root_pos, amp()["body_positions"][:, index])
    assert f"root is body '{root}'" in motion.source


def test_an_xyzw_file_is_detected(write):
    rotations = np.repeat(QUAT[:, None], 3, axis=1)
    motion = read_motion(write(amp(body_rotations=rotations)))
    np.testing.assert_allclose(motion.root_quat, QUAT, atol=1e-6)
    assert "quaternion xyzw, pelvis up" in motion.source


def test_an_undecided_quaternion_follows_isaac_labs_convention(write):
    rotations = np.tile([0.0, 0, 0, 1], (10, 3, 1))  # half a turn of yaw as wxyz, none as xyzw
    motion = read_motion(write(amp(body_rotations=rotations, body_positions=np.zeros((10, 3, 3)))))
    np.testing.assert_array_equal(motion.root_quat[0], [0, 0, 1, 0])
    assert "quaternion wxyz by Isaac Lab's AMP convention, undecided" in motion.source


def test_a_frame_rate_in_the_file_wins_over_the_given_one(write):
    motion = read_motion(write(amp()), fps=30)
    assert motion.fps == 60
    assert "60 fps as the file says, not 30 as given" in motion.source
    assert list(motion.findings.warnings()) == ["the file states 60 fps, so --fps 30 is not used; leave it out"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (amp(dof_names=None), r"looks like Isaac Lab AMP npz and lacks dof_names \(found: body_names"),
        (amp(body_names=np.array(["pelvis"])), r"body_positions has shape \(10, 3, 3\), expected \(10 frames, 1 bod"),
        (amp(body_rotations=np.zeros((10, 3, 3))), r"body_rotations of 'pelvis' has shape \(10, 3\)"),
        (amp(body_rotations=np.zeros((10, 3, 4))), "body_rotations of 'pelvis' has norm 0.000"),
        (amp(body_positions=np.zeros((9, 3, 3))), r"shape \(9, 3, 3\), expected \(10 frames"),
        (amp(body_positions=np.full((10, 3, 3), np.nan)), "body_positions of 'pelvis' is nan at frame 0"),
        (amp(dof_names=np.array(["hip"])), "dof_positions has 2 columns but dof_names lists 1"),
        (amp(dof_names=np.array(["hip", "hip"])), "joint names repeat: hip"),
        (amp(dof_names=np.array([1, 2])), "dof_names is not a list of names"),
        (amp(dof_names=np.array([{}, None], dtype=object)), "dof_names is not a list of names"),
        (amp(fps=np.array(0)), "fps is 0"),
        (amp(fps=np.array("fast")), "not a number"),
    ],
)
def test_errors_are_one_sentence(write, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read_motion(write(content))
    assert "motion.npz" in str(caught.value) and "\n" not in str(caught.value)
    assert "convert the motion again" not in str(caught.value), "it was never converted"


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_npz_gives_a_motion_or_one_sentence(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "motion.npz"
    np.savez(path, **amp())
    raw = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=6)):
        raw[position] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        motion = read_motion(path)
    except InputError as error:
        assert "motion.npz" in str(error) and "\n" not in str(error)
    else:
        assert np.isfinite(motion.joint_pos).all()


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_array_in_a_valid_archive_gives_a_motion_or_one_sentence(tmp_path_factory, data):
    """The archive's checksums match, so that the damage reaches numpy."""
    victim = data.draw(st.sampled_from(sorted(amp())))
    path = tmp_path_factory.mktemp("damaged") / "motion.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in amp().items():
            array = io.BytesIO()
            np.save(array, value)
            raw = bytearray(array.getvalue())
            if key == victim:
                for position in data.draw(st.lists(st.integers(0, 140), min_size=1, max_size=4)):
                    raw[position % len(raw)] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b"9('O\\")))
            archive.writestr(f"{key}.npy", bytes(raw))
    try:
        motion = read_motion(path)
    except InputError as error:
        assert "motion.npz" in str(error) and "\n" not in str(error)
    else:
        assert np.isfinite(motion.joint_pos).all()


@pytest.mark.parametrize("name", ["humanoid_walk", "humanoid_run", "humanoid_dance"])
def test_isaac_labs_own_files_are_read_upright(name):
    package = find_spec("isaaclab_tasks")
    found = list(Path(package.origin).parent.rglob(f"{name}.npz")) if package else []
    if not found:
        pytest.skip(f"isaaclab_tasks with {name}.npz is not installed")
    motion = read_motion(found[0])
    assert motion.fps == 60 and len(motion.joint_names) == 28 and "left_knee" in motion.joint_names
    assert "root is body 'pelvis'; quaternion wxyz, pelvis up" in motion.source
    assert motion.projected_gravity[:, 2].mean() < -0.9
    if name != "humanoid_dance":
        assert motion.root_lin_vel[:, 0].mean() > 0.5, "moves where it faces"
