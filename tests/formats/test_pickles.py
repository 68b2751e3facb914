"""Pickles: MimicKit's plain lists, the joblib files of ASAP and PHC, and streams that are malformed or too large."""

import os
import pickle
import zlib

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from support import make_motion

from amp_helpers.convert import convert
from amp_helpers.errors import InputError
from amp_helpers.formats.mimickit import write_mimickit
from amp_helpers.formats.pickles import load as safe_pickle
from amp_helpers.formats.pickles import machine
from amp_helpers.formats.pickles.load import load_pickle
from amp_helpers.formats.registry import read_motion, read_motions
from amp_helpers.robots.robot import JOINT_ORDERS

NAMES_29 = JOINT_ORDERS["g1_29dof"]
ROTATION = Rotation.from_euler("zx", np.linspace((1, 0), (2, 0.1), 10))
ANGLES = 0.2 * np.sin(np.arange(10)[:, None] / 3 + np.arange(29))
PLACES = np.linspace((0, 0, 0.8), (1, 0, 0.8), 10)


def mimickit(**changes) -> dict:
    frames = np.hstack([PLACES, ROTATION.as_rotvec(), ANGLES]).tolist()
    return {"loop_mode": 1, "fps": 30, "frames": frames} | changes


def asap(**changes) -> dict:
    pose = np.concatenate([ROTATION.as_rotvec()[:, None], np.zeros((10, 29, 3))], axis=1)
    content = {
        "root_trans_offset": PLACES,
        "pose_aa": pose.astype(np.float32),
        "dof": ANGLES.astype(np.float32),
        "root_rot": np.asfortranarray(ROTATION.as_quat()),
        "smpl_joints": np.zeros((10, 24, 3)),
        "fps": 30,
    }
    return {key: value for key, value in (content | changes).items() if value is not None}


@pytest.fixture
def plain(tmp_path):
    def write(content):
        path = tmp_path / "motion.pkl"
        path.write_bytes(pickle.dumps(content))
        return path

    return write


@pytest.fixture
def dumped(tmp_path):
    def write(content, **how):
        path = tmp_path / "motion.pkl"
        joblib.dump(content, path, **how)
        return path

    return write


def test_a_mimickit_clip_is_rotated_by_its_exponential_map(plain):
    motion = read_motion(plain(mimickit()))
    assert motion.fps == 30 and motion.joint_names == NAMES_29
    np.testing.assert_allclose(motion.joint_pos, ANGLES, atol=1e-7)
    np.testing.assert_allclose(motion.root_pos, PLACES)
    assert (Rotation.from_quat(motion.root_quat) * ROTATION.inv()).magnitude().max() < 1e-9
    assert "MimicKit clip that wraps around, root rotation from its exponential map" in motion.source
    assert "wraps" not in read_motion(plain(mimickit(loop_mode=0))).source


def test_a_written_mimickit_clip_reads_back(tmp_path):
    motion = make_motion(40, 29.7, joint_names=NAMES_29, joint_pos=np.resize(ANGLES, (40, 29)))
    write_mimickit(tmp_path / "m.pkl", motion)
    content = pickle.loads((tmp_path / "m.pkl").read_bytes())
    assert set(content) == {"loop_mode", "fps", "frames"} and type(content["frames"][0][0]) is float
    again = read_motion(tmp_path / "m.pkl")
    np.testing.assert_array_equal(again.joint_pos, motion.joint_pos)
    turned = Rotation.from_quat(again.root_quat) * Rotation.from_quat(motion.root_quat).inv()
    assert turned.magnitude().max() < 1e-7 and again.fps == motion.fps


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (mimickit(frames=[[0.0] * 6]), "frames have 6 columns, and MimicKit's have 3 of root position"),
        (mimickit(frames=[[0.0] * 30] * 3), "has 24 joint columns and no joint names"),
        (mimickit(frames=[[0.0] * 35, [0.0] * 34]), "frames is not a table of numbers"),
        (mimickit(frames=[]), "frames has no frames"),
        (mimickit(fps=None), "does not say its frame rate"),
    ],
)
def test_faults_of_a_mimickit_clip_are_reported_in_one_sentence(plain, content, message):
    with pytest.raises(InputError, match=rf"motion\.pkl: {message}") as caught:
        read_motion(plain(content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "how", [{}, {"compress": 3}, {"compress": ("gzip", 1)}, {"protocol": 2}, {"protocol": 5}, {"compress": ("zlib", 9)}]
)
def test_joblib_files_are_read_without_joblib(dumped, monkeypatch, how):
    clips = {"walk": asap(), "run 2": asap(fps=np.float64(50), dof=ANGLES[:, :, None])}
    path = dumped(clips, **how)
    monkeypatch.setattr(joblib, "load", None)
    walk, run = read_motions(path)
    assert walk.source.startswith("motion.pkl/walk (") and run.source.startswith("motion.pkl/run 2 (")
    assert (walk.fps, run.fps) == (30, 50)
    for motion in (walk, run):
        np.testing.assert_allclose(motion.joint_pos, ANGLES, atol=1e-7)
        np.testing.assert_allclose(motion.root_pos, PLACES)
        np.testing.assert_allclose(motion.root_quat, ROTATION.as_quat(), atol=1e-12)
        assert "quaternion xyzw, pelvis up" in motion.source


def test_without_root_rot_the_first_body_gives_the_root_rotation(dumped):
    motion = read_motion(dumped({"only": asap(root_rot=None)}))
    assert (Rotation.from_quat(motion.root_quat) * ROTATION.inv()).magnitude().max() < 1e-6
    assert "root rotation from pose_aa" in motion.source


def test_asaps_23_joints_are_not_those_of_the_g1_23dof(dumped):
    path = dumped({"only": asap(dof=ANGLES[:, :23])})
    with pytest.raises(InputError, match=r"fits two different sets .*--joint_order gmt_23 .*ASAP"):
        read_motion(path)
    assert "waist_pitch_joint" in read_motion(path, joint_names="gmt_23").joint_names


def test_a_file_of_several_clips_is_one_dataset_but_not_one_motion(dumped, tmp_path):
    path = dumped({"a": asap(), "b": asap(), "c": asap()})
    with pytest.raises(InputError, match=r"holds 3 clips \(a, b, c\), and one is wanted"):
        read_motion(path)
    dataset = convert([path], tmp_path / "d.npz", verbose=False)
    assert list(dataset.name) == [f"motion.pkl/{name}" for name in "abc"]


def test_a_dict_of_gmr_motions_is_several_clips(plain):
    gmr = {"fps": 30, "root_pos": PLACES, "root_rot": ROTATION.as_quat(), "dof_pos": ANGLES}
    assert [motion.num_frames for motion in read_motions(plain({"a": gmr, "b": gmr}))] == [10, 10]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": asap(), "b": asap(dof=None)}, r"clip 'b' lacks dof \(found: fps, pose_aa, "),
        (asap(dof=None), r"looks like ASAP/PHC pickle and lacks dof \(found: fps, pose_aa, "),
        ({"a": asap(root_rot=None, pose_aa=None)}, "clip 'a' has neither root_rot nor pose_aa"),
        (asap(root_trans_offset=PLACES[:5]), "frame counts differ .*root_trans_offset 5, root_rot 10, dof 10"),
        ({"a": asap(fps=None)}, "does not say its frame rate"),
        ({"a": asap(dof=np.full((10, 29), np.nan))}, "dof is nan at frame 0"),
    ],
)
def test_faults_of_a_joblib_file_are_reported_in_one_sentence(dumped, content, message):
    with pytest.raises(InputError, match=rf"motion\.pkl: {message}") as caught:
        read_motions(dumped(content))
    assert "\n" not in str(caught.value)


class Exploit:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


class Setstate(Exploit):
    def __reduce__(self):
        return eval, (f"__import__('os').system('touch {self.path}')",)


class Partial(Exploit):
    def __reduce__(self):
        from functools import partial

        return partial(os.system, f"touch {self.path}"), ()


@pytest.mark.parametrize("gadget", [Exploit, Setstate, Partial])
@pytest.mark.parametrize("how", [{}, {"compress": 3}])
def test_code_in_a_joblib_file_is_not_run(dumped, tmp_path, gadget, how):
    trace = tmp_path / "executed"
    path = dumped({"walk": asap(), "evil": gadget(trace)}, **how)
    with pytest.raises(InputError, match=r"holds '.*\.(system|eval|partial)', .* not loaded"):
        read_motions(path)
    assert not trace.exists()
    joblib.load(path)
    assert trace.exists(), "joblib itself runs the code"


def test_arrays_of_objects_and_other_classes_are_refused(dumped, tmp_path):
    trace = tmp_path / "executed"
    hidden = np.array([Exploit(trace), None], dtype=object)
    with pytest.raises(InputError, match="a joblib array of Python objects"):
        read_motions(dumped({"walk": asap(), "evil": hidden}))
    with pytest.raises(InputError, match=r"numpy\.(matrixlib\.defmatrix\.)?matrix'"):
        read_motions(dumped({"walk": asap(dof=np.asmatrix(ANGLES))}))
    assert not trace.exists()


@pytest.mark.parametrize(("compress", "name"), [("bz2", "bz2"), ("xz", "xz"), ("lzma", "lzma")])
def test_other_compression_methods_are_refused_by_name(dumped, compress, name):
    with pytest.raises(InputError, match=f"holds data packed with {name}, .*not loaded"):
        read_motions(dumped({"a": asap()}, compress=(compress, 3)))


def test_a_compression_bomb_is_refused_before_it_unpacks(tmp_path, monkeypatch):
    path = tmp_path / "motion.pkl"
    path.write_bytes(zlib.compress(bytes(3_000_000)))
    monkeypatch.setattr(safe_pickle, "MIN_MEMORY", 1024**2)
    with pytest.raises(InputError, match=r"more than 1 MiB packed into 0\.0"):
        load_pickle(path)
    path.write_bytes(zlib.compress(pickle.dumps(mimickit()))[:-20])
    with pytest.raises(InputError, match="cut short in its zlib data"):
        load_pickle(path)


def test_opcodes_cannot_take_much_more_memory_than_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "MIN_MEMORY", 1024**2)
    path = tmp_path / "motion.pkl"
    for bomb in (b"]" * 20_000, b"(" + b"}" * 20_000 + b"l", b")" * 200_000):
        path.write_bytes(b"\x80\x04" + bomb + b".")
        with pytest.raises(InputError, match="would take over 1 MiB of memory"):
            load_pickle(path)
    path.write_bytes(pickle.dumps(np.random.default_rng(0).normal(size=(3000, 35)).tolist()))
    with pytest.raises(InputError, match=r"as plain lists do; split the motion, or store its numbers as numpy arrays"):
        load_pickle(path)  # a Python float takes five times the bytes of its opcode
    monkeypatch.undo()
    assert len(load_pickle(path)) == 3000


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_joblib_file_gives_motions_or_an_input_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "motion.pkl"
    joblib.dump({"a": asap(smpl_joints=None), "b": asap(smpl_joints=None)}, path)
    raw = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=6)):
        raw[position] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.one_of(st.none(), st.integers(0, len(raw))))])
    try:
        motions = read_motions(path)
    except InputError as error:
        assert "motion.pkl" in str(error) and "\n" not in str(error)
    else:
        assert all(np.isfinite(motion.joint_pos).all() for motion in motions)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(-(2**40), 2**40), inner)
        | st.tuples(inner, inner)
        | st.frozensets(st.text() | st.floats(allow_nan=False))
        | st.sets(st.integers(-(2**40), 2**40))
    ),
    max_leaves=20,
)


@pytest.mark.slow
@given(PLAIN, st.integers(0, 5))
@settings(max_examples=300, deadline=None)
def test_plain_data_are_read_as_by_python(content, protocol):
    read = machine.interpret(pickle.dumps([content, content], protocol))
    assert read == [content, content] and type(read[0]) is type(content)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_an_array_of_ten_megabytes_is_within_the_budget(monkeypatch, protocol):
    monkeypatch.setattr(machine, "MIN_MEMORY", 0)
    rows = np.random.default_rng(0).normal(size=(10_000, 130))
    np.testing.assert_array_equal(machine.interpret(pickle.dumps(rows, protocol)), rows)


@pytest.mark.parametrize("protocol", range(6))
def test_an_array_mentioned_twice_is_one_array(protocol):
    rows = np.arange(6.0).reshape(2, 3)
    first, second, scalar, empty = machine.interpret(pickle.dumps([rows, rows, np.int32(7), rows[:0]], protocol))
    assert first is second and scalar == 7 and empty.shape == (0, 3)
    np.testing.assert_array_equal(first, rows)


def test_copies_of_memo_entries_count_as_memory(monkeypatch):
    """Each repetition is a few opcodes that encode the same long text."""
    monkeypatch.setattr(machine, "MIN_MEMORY", 1024**2)
    text = b"X" + (100_000).to_bytes(4, "little") + b"a" * 100_000
    copies = b"c_codecs\nencode\n" + text + b"q\x00X\x06\x00\x00\x00latin1\x86R"
    again = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    with pytest.raises(machine.TooLarge, match="would take over 1 MiB"):
        machine.interpret(copies + 100 * again + b".")


@pytest.mark.parametrize(
    "raw",
    [
        b"]q\x00h\x00a.",  # a list in itself
        b"cnumpy\nndarray\n.",  # a constructor as content
        b"cnumpy\nndarray\n)R.",  # an array without its state
        b"cnumpy\nndarray\n)Rq\x00]h\x00ah\x00K\x01b.",  # an array used before its state
        b"}))s.",  # a tuple as key
        pickle.dumps({2**61: 0}),  # an integer of which many hash alike
        b"G\x00\x00.",  # half a number
        b"h\x07.",  # a memo that was never written
        b"N",  # no end
        b"cbuiltins\nset\n]](ee\x85R.",
    ],
)
def test_malformed_streams_are_reported_as_damaged(tmp_path, raw):
    path = tmp_path / "motion.pkl"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"motion\.pkl: is not a motion pickle, it is damaged or of another format"):
        load_pickle(path)


def test_files_of_joblib_before_1_2_are_read(dumped, monkeypatch):
    """They have no padding between the opcodes and the data of an array."""
    monkeypatch.setattr(joblib.numpy_pickle.NumpyArrayWrapper.__init__, "__defaults__", (False, None))
    motion = read_motion(dumped({"only": asap()}))
    np.testing.assert_allclose(motion.joint_pos, ANGLES, atol=1e-7)
    np.testing.assert_allclose(motion.root_quat, ROTATION.as_quat(), atol=1e-12)


def test_joblib_arrays_in_separate_files_are_refused(tmp_path):
    """Files of the oldest joblib name another file for each array."""
    path = tmp_path / "motion.pkl"
    path.write_bytes(b"\x80\x02}U\x03dofcjoblib.numpy_pickle\nNDArrayWrapper\n)\x81}s.")
    with pytest.raises(InputError, match=r"holds 'joblib\.numpy_pickle\.NDArrayWrapper', .*not loaded"):
        load_pickle(path)
