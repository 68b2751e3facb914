"""GMR pickles of any writer are read correctly, and errors are one sentence."""

import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError, sha256
from amp_helpers.formats.gmr import write_gmr
from amp_helpers.formats.pickles import load as safe_pickle
from amp_helpers.formats.pickles.load import load_pickle, parse_pickle
from amp_helpers.formats.registry import read_motion
from amp_helpers.robots.robot import JOINT_ORDERS
from amp_helpers.utils import npz
from amp_helpers.utils.npz import read_npz, write_npz

NAMES_29 = JOINT_ORDERS["g1_29dof"]


def gmr(frames: int = 10, width: int = 29, **changes) -> dict:
    random = np.random.default_rng(0)
    content = {
        "fps": 30,
        "root_pos": random.normal(size=(frames, 3)),
        "root_rot": Rotation.from_euler("zx", np.linspace((1, 0), (2, 0.1), frames)).as_quat(),
        "dof_pos": random.normal(size=(frames, width)),
        "local_body_pos": None,
        "link_body_list": None,
    }
    return content | changes


@pytest.fixture
def write(tmp_path):
    def write(content, protocol: int = 4):
        path = tmp_path / "motion.pkl"
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        return path

    return write


@pytest.mark.parametrize("protocol", range(6))
def test_every_pickle_protocol_gives_the_same_motion(write, protocol):
    content = gmr(
        fps=np.float64(29.7), dof_pos=np.asfortranarray(gmr()["dof_pos"]), root_pos=gmr()["root_pos"].astype(">f4")
    )
    motion = read_motion(write(content, protocol))
    assert motion.fps == 29.7
    assert motion.joint_names == NAMES_29
    np.testing.assert_array_equal(motion.joint_pos, content["dof_pos"].astype(np.float32))
    np.testing.assert_array_equal(motion.root_pos, content["root_pos"])
    np.testing.assert_allclose(motion.root_quat, content["root_rot"], atol=1e-12)


def test_both_numpy_module_paths_are_read(write):
    path = write(gmr(), protocol=2)
    raw = path.read_bytes()
    assert b"numpy._core.multiarray" in raw
    path.write_bytes(raw.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    np.testing.assert_allclose(read_motion(path).root_pos, gmr()["root_pos"])


def test_lists_and_zero_dimensional_fps_are_read(write):
    content = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in gmr().items()}
    motion = read_motion(write(content | {"fps": np.array([25.0])}))
    assert motion.fps == 25
    np.testing.assert_allclose(motion.root_pos, gmr()["root_pos"])


class Exploit:
    """Write a file when Python unpickles the object."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_that_would_run_code_is_refused_by_name_and_does_not_run(write, tmp_path, protocol):
    trace = tmp_path / "executed"
    path = write(gmr(evil=Exploit(trace)), protocol)
    with pytest.raises(InputError, match=r"motion\.pkl: holds '(posix|nt)\.system'.*not loaded"):
        read_motion(path)
    assert not trace.exists()
    # Python itself does run the file, otherwise the test would show nothing.
    pickle.loads(path.read_bytes())
    assert trace.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins\neval",
        "numpy\nload",
        "numpy.core.multiarray\n_reconstruct.__globals__",
        "numpy.testing._private.utils\nrunstring",
        "torch._utils\n_rebuild_tensor_v2",
    ],
)
def test_names_near_the_allowed_ones_are_refused(tmp_path, name):
    path = tmp_path / "motion.pkl"
    path.write_bytes(b"c" + name.encode() + b"\n(tR.")
    with pytest.raises(InputError, match=name.replace("\n", ".")):
        load_pickle(path)


def test_the_stand_ins_cannot_be_altered_from_the_file(tmp_path):
    path = tmp_path / "motion.pkl"
    path.write_bytes(b"cnumpy\nndarray\n}b.")
    with pytest.raises(InputError, match="alter a constructor"):
        load_pickle(path)


def test_numpy_arrays_of_objects_are_what_they_hold(write):
    odd = {"nothing": np.array(None, dtype=object), "extra": np.array([{}, None, "a"], dtype=object)}
    content = load_pickle(write(gmr(**odd)))
    assert content["nothing"] is None and content["extra"] == [{}, None, "a"]
    assert read_motion(write(gmr(**odd))).num_frames > 0
    with pytest.raises(InputError, match="Python objects with several axes"):
        read_motion(write(gmr(extra=np.full((2, 2), None))))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        pickle.dumps(gmr())[:-200],
        b"\x80\x04N",
        b"\x80\x04" + b"r" + struct.pack("<I", 2**31) + b".",
        b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
        b"cbuiltins\ntuple\n(I1000000000\ntR.",
    ],
)
def test_incomplete_pickles_are_refused(tmp_path, raw):
    path = tmp_path / "motion.pkl"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"motion\.pkl: is not a motion pickle"):
        read_motion(path)
    with pytest.raises(InputError, match="is not a motion pickle, it is an npz or torch archive"):
        parse_pickle(path, b"PK\x03\x04 an archive")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_pickle_gives_a_motion_or_one_sentence(tmp_path_factory, data):
    raw = bytearray(pickle.dumps(gmr(frames=3), protocol=data.draw(st.sampled_from([2, 4, 5]))))
    for position in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        raw[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "motion.pkl"
    path.write_bytes(raw)
    try:
        motion = read_motion(path)
    except InputError as error:
        assert "motion.pkl" in str(error)
    else:
        assert np.isfinite(motion.joint_pos).all()


def test_a_small_file_cannot_expand_into_a_large_one(write):
    row = [0.0] * 10_000
    nested = [0.0]
    for _ in range(60):
        nested = [nested, nested]
    for content in (gmr(dof_pos=[row] * 10_000), gmr(fps=nested), nested):
        with pytest.raises(InputError, match="mentions its content so often that it unfolds to over 16 MiB"):
            read_motion(write(content))


def test_a_file_too_large_is_refused_before_it_is_read(write):
    path = write(gmr())
    with path.open("r+b") as file:
        file.truncate(safe_pickle.MAX_PICKLE_BYTES + 1)
    with pytest.raises(InputError, match="MiB read at most"):
        read_motion(path)


def with_nan(key: str, frame: int, value: float) -> dict:
    content = gmr()
    content[key][frame, 1] = value
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list, not a dict with the keys of a motion such as fps, root_pos"),
        (
            {"fps": 30, "xpos": 1},
            "holds fps, xpos, which is no motion known here; .*GMR pickle: dof_pos, root_pos, root_rot",
        ),
        ({"fps": 30, "dof_pos": 1}, r"looks like GMR pickle and lacks root_pos, root_rot \(found: dof_pos, fps\)"),
        (gmr(root_pos=np.zeros((10, 2))), r"root_pos has shape \(10, 2\), expected \(frames, 3\)"),
        (gmr(root_rot=np.zeros((10, 3))), r"root_rot has shape \(10, 3\)"),
        (gmr(dof_pos=np.zeros((10, 29, 1))), r"dof_pos has shape \(10, 29, 1\), expected \(frames, joints\)"),
        (gmr(dof_pos=np.zeros((9, 29))), "frame counts differ .*dof_pos 9"),
        (gmr(frames=0), r"root_pos has no frames"),
        (gmr(dof_pos="none"), "dof_pos is not a table of numbers"),
        (with_nan("dof_pos", 4, np.nan), "dof_pos is nan at frame 4, column 1"),
        (with_nan("root_pos", 7, np.inf), "root_pos is inf at frame 7, column 1"),
        (gmr(fps=0), "fps is 0"),
        (gmr(fps=-30.0), "fps is -30"),
        (gmr(fps=np.nan), "fps is nan"),
        (gmr(fps="fast"), "fps is 'fast', not a number"),
        (gmr(fps=None), "does not say its frame rate, .*--fps 30"),
        (gmr(root_rot=np.zeros((10, 4))), "root_rot has norm 0.000 at frame 0"),
        (gmr(width=23), "--joint_order gmt_23 .*--joint_order g1_23dof"),
        (gmr(width=43), "43 joint columns .*columns 22 to 28"),
        (gmr(width=12), r"12 joint columns .*known: g1_29dof \(29\)"),
        (gmr(joint_names=list(NAMES_29[:5])), "29 columns but joint_names lists 5 joints"),
        (gmr(joint_names=[*NAMES_29[:28], NAMES_29[0]]), "joint names repeat: left_hip_pitch_joint"),
        (gmr(joint_names=[1] * 29), "joint_names is not a list of names"),
    ],
)
def test_errors_are_one_sentence(write, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read_motion(write(content))
    assert "motion.pkl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_reported():
    with pytest.raises(InputError, match=r"absent\.pkl: no such file"):
        read_motion("absent.pkl")


def test_joint_names_come_from_the_file_then_from_the_caller(write):
    shuffled = list(NAMES_29[::-1])
    assert read_motion(write(gmr(joint_names=shuffled))).joint_names == tuple(shuffled)
    assert read_motion(write(gmr(joint_names=np.array(shuffled)))).joint_names == tuple(shuffled)
    nameless = write(gmr(width=23))
    assert read_motion(nameless, joint_names="gmt_23").joint_names == JOINT_ORDERS["gmt_23"]
    assert read_motion(nameless, joint_names=NAMES_29[:23]).joint_names == NAMES_29[:23]
    with pytest.raises(InputError, match="23 columns but the joint order given names 29"):
        read_motion(nameless, joint_names="g1_29dof")
    with pytest.raises(InputError, match="'h1' not found; available: g1_29dof"):
        read_motion(nameless, joint_names="h1")
    with pytest.raises(InputError, match="leave the joint order out"):
        read_motion(write(gmr(joint_names=shuffled)), joint_names="g1_29dof")


def test_the_two_23_wide_orders_hold_different_joints():
    only_gmt = set(JOINT_ORDERS["gmt_23"]) - set(JOINT_ORDERS["g1_23dof"])
    only_robot = set(JOINT_ORDERS["g1_23dof"]) - set(JOINT_ORDERS["gmt_23"])
    assert only_gmt == {"waist_roll_joint", "waist_pitch_joint"}
    assert only_robot == {"left_wrist_roll_joint", "right_wrist_roll_joint"}
    assert len(JOINT_ORDERS["gmt_23"]) == len(JOINT_ORDERS["g1_23dof"]) == 23


def test_a_wxyz_quaternion_is_detected_and_recorded(write):
    quat = gmr()["root_rot"]
    motion = read_motion(write(gmr(root_rot=quat[:, [3, 0, 1, 2]])))
    np.testing.assert_allclose(motion.root_quat, quat, atol=1e-12)
    assert "quaternion wxyz" in motion.source
    given = read_motion(write(gmr(root_rot=quat[:, [3, 0, 1, 2]])), quaternion="xyzw")
    assert "as given" in given.source
    assert not np.allclose(given.root_quat, quat, atol=0.1)
    with pytest.raises(InputError, match="'zyxw' not found; available: auto, xyzw, wxyz"):
        read_motion(write(gmr()), quaternion="zyxw")


def test_an_undecided_quaternion_follows_the_convention_and_is_recorded(write):
    """Facing along x without tilt, the robot is upright in both orders."""
    motion = read_motion(write(gmr(root_rot=np.tile([0.0, 0, 0, 1], (10, 1)))))
    np.testing.assert_array_equal(motion.root_quat[0], [0, 0, 0, 1])
    assert "undecided" in motion.source


def test_walking_forward_decides_between_two_upright_orders(write):
    ahead = np.linspace((0, 0, 0.8), (1, 0, 0.8), 10)
    facing_x = np.tile([0.0, 0, 0, 1], (10, 1))
    assert "undecided" not in read_motion(write(gmr(root_rot=facing_x, root_pos=ahead))).source
    # Backwards may be a wxyz file or a clip that walks backwards: that is for the user to say.
    backwards = read_motion(write(gmr(root_rot=facing_x, root_pos=ahead * (-1, 1, 1))))
    assert "undecided" in backwards.source
    np.testing.assert_array_equal(backwards.root_quat, facing_x)


def test_norms_and_signs_are_repaired_and_recorded(write):
    quat = gmr()["root_rot"]
    scale = np.linspace(0.95, 1.0, 10)[:, None] * np.where(np.arange(10) % 3, 1, -1)[:, None]
    motion = read_motion(write(gmr(root_rot=quat * scale)))
    assert "norms 0.950 to 1.000, normalized" in motion.source
    assert (Rotation.from_quat(motion.root_quat) * Rotation.from_quat(quat).inv()).magnitude().max() < 1e-9
    assert (np.einsum("ni,ni->n", motion.root_quat[1:], motion.root_quat[:-1]) > 0).all()


def test_written_gmr_reads_back_and_is_the_same_bytes_each_time(write, tmp_path):
    motion = read_motion(write(gmr(fps=29.7)))
    write_gmr(tmp_path / "a.pkl", motion)
    again = read_motion(tmp_path / "a.pkl")
    write_gmr(tmp_path / "b.pkl", again)
    assert (tmp_path / "a.pkl").read_bytes() == (tmp_path / "b.pkl").read_bytes()
    assert again.joint_names == motion.joint_names
    assert again.fps == motion.fps
    np.testing.assert_array_equal(again.joint_pos, motion.joint_pos)
    assert again.sha256 == sha256(tmp_path / "a.pkl")


REAL = {
    "0807_yanjie_walk_001.pkl": (416, 29, "xyzw"),
    "0807_yanjie_walk_004.pkl": (380, 29, "xyzw"),
    "sub1_clothesstand_004.pkl": (239, 29, "xyzw"),
    "sub1_clothesstand_004_wxyz_23dof.pkl": (239, 23, "wxyz"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_upright(gmr_samples, name):
    frames, width, reading = REAL[name]
    motion = read_motion(gmr_samples / name)
    assert motion.joint_pos.shape == (frames, width)
    assert f"quaternion {reading}," in motion.source
    assert motion.projected_gravity[:, 2].mean() < -0.95


def test_the_same_real_motion_in_both_layouts_is_the_same_motion(gmr_samples):
    full = read_motion(gmr_samples / "sub1_clothesstand_004.pkl")
    other = read_motion(gmr_samples / "sub1_clothesstand_004_wxyz_23dof.pkl")
    np.testing.assert_allclose(full.root_quat, other.root_quat, atol=1e-6)
    np.testing.assert_allclose(full.select(other.joint_names).joint_pos, other.joint_pos, atol=1e-6)


def test_the_links_in_the_real_gmt_file_decide_its_23_joints(gmr_samples):
    path = gmr_samples / "gmt_basic_walk_23dof.pkl"
    motion = read_motion(path)
    assert motion.joint_names == JOINT_ORDERS["gmt_23"]
    assert "joints of gmt_23 by its links, 0.0 cm off as gmt_23, 4.7 cm off as g1_23dof" in motion.source
    assert "norms 0.974 to 0.984, normalized" in motion.source
    with pytest.raises(InputError, match="the joint order given puts the links 5 cm from where the file has them"):
        read_motion(path, joint_names="g1_23dof")


def test_npz_files_are_read_without_unpickling(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(InputError, match=r"d\.npz: is not a readable npz file \(Object arrays"):
        read_npz(path, ["a"])
    with pytest.raises(TypeError, match="Python objects"):
        write_npz(path, {"a": np.array([{}], dtype=object)})
    write_npz(path, {"a": np.arange(3)})
    np.testing.assert_array_equal(read_npz(path, ["a"])["a"], [0, 1, 2])
    with pytest.raises(InputError, match=r"arrays b are missing \(found: a\)"):
        read_npz(path, ["a", "b"])
    with pytest.raises(InputError, match=r"ends in \.npz"):
        write_npz(tmp_path / "d.pkl", {})


@pytest.mark.parametrize("raw", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_other_content_in_an_npz_is_refused(tmp_path, raw):
    path = tmp_path / "d.npz"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"d\.npz: is not a readable npz"):
        read_npz(path, ["a"])


def test_a_huge_npz_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "d.npz"
    np.savez_compressed(path, a=np.zeros(100_000))
    assert path.stat().st_size < 5_000
    monkeypatch.setattr(npz, "MAX_NPZ_BYTES", 500_000)
    with pytest.raises(InputError, match="read at most"):
        read_npz(path, ["a"])


@pytest.mark.parametrize("changes", [{"fps": 10**400}, {"dof_pos": [[10**400] * 29] * 40}])
def test_integers_beyond_floating_point_are_refused(write, changes):
    with pytest.raises(InputError, match=r"not a number|not a table of numbers"):
        read_motion(write(gmr(**changes)))
