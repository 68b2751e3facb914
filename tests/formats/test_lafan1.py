"""CSV motions: names in the header are used, missing facts are required, other layouts are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError, sha256
from amp_helpers.formats import lafan1 as formats_csv
from amp_helpers.formats.registry import read_motion
from amp_helpers.robots.robot import JOINT_ORDERS

NAMES_29 = JOINT_ORDERS["g1_29dof"]
ROOT = ["root_x", "root_y", "root_z", "root_qx", "root_qy", "root_qz", "root_qw"]


def columns(frames: int = 10, width: int = 29) -> np.ndarray:
    """Make root position, an upright xyzw quaternion with a yaw of a radian or two, and angles."""
    random = np.random.default_rng(0)
    quat = Rotation.from_euler("zx", np.linspace((1, 0), (2, 0.1), frames)).as_quat()
    return np.hstack([random.normal(size=(frames, 3)), quat, random.normal(size=(frames, width))])


def wxyz(table: np.ndarray) -> np.ndarray:
    return table[:, [0, 1, 2, 6, 3, 4, 5, *range(7, table.shape[1])]]


@pytest.fixture
def write(tmp_path):
    def write(table, header=None, name: str = "motion.csv", ending: str = "\n"):
        lines = [",".join(map(repr, row)) for row in np.asarray(table).tolist()]
        path = tmp_path / name
        path.write_text(ending.join([*([",".join(header)] if header else []), *lines, ""]), newline="")
        return path

    return write


@pytest.mark.parametrize("header", [None, [f"column {i}" for i in range(36)], ["x"] * 36])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_thirty_six_columns_are_the_29_dof_g1(write, header, ending):
    path = write(columns(), header, ending=ending)
    motion = read_motion(path, fps=60)
    assert motion.fps == 60 and motion.joint_names == NAMES_29
    np.testing.assert_array_equal(motion.root_pos, columns()[:, :3])
    np.testing.assert_allclose(motion.root_quat, columns()[:, 3:7], atol=1e-12)
    np.testing.assert_array_equal(motion.joint_pos, columns()[:, 7:].astype(np.float32))
    assert (
        "60 fps as given; joints taken for g1_29dof's, the one known order of 29; quaternion xyzw, pelvis up"
        in motion.source
    )
    assert motion.sha256 == sha256(path)


def test_a_frame_rate_is_required(write):
    with pytest.raises(InputError, match=r"motion\.csv: does not say its frame rate, .*--fps") as caught:
        read_motion(write(columns()))
    assert "\n" not in str(caught.value)
    for wrong in (0, -30, np.nan):
        with pytest.raises(InputError, match=r"fps is .*a number from 0\.1 to 10000"):
            read_motion(write(columns()), fps=wrong)


def test_a_wxyz_quaternion_is_detected_and_recorded(write):
    motion = read_motion(write(wxyz(columns())), fps=30)
    np.testing.assert_allclose(motion.root_quat, columns()[:, 3:7], atol=1e-12)
    assert "quaternion wxyz, pelvis up" in motion.source


def test_undecided_evidence_is_recorded_and_the_header_can_decide(write):
    upright = columns()
    upright[:, 3:7] = (0, 0, 0, 1)  # identity as xyzw, half a turn of yaw as wxyz
    plain = read_motion(write(upright), fps=30)
    assert "quaternion xyzw by LAFAN1's convention, undecided" in plain.source
    header = [*ROOT[:3], "qw", "qx", "qy", "qz", *NAMES_29]
    turned = read_motion(write(upright, header), fps=30)
    np.testing.assert_array_equal(turned.root_quat[0], [0, 0, 1, 0])
    assert "quaternion order named by the header; quaternion wxyz" in turned.source
    given = read_motion(write(upright, header), fps=30, quaternion="xyzw")
    np.testing.assert_array_equal(given.root_quat[0], [0, 0, 0, 1])


@pytest.mark.parametrize("shorten", [False, True])
def test_joint_names_in_the_header_win_over_the_column_count(write, shorten):
    names = JOINT_ORDERS["g1_23dof"][::-1]
    header = ROOT + [name.removesuffix("_joint") if shorten else name for name in names]
    motion = read_motion(write(columns(width=23), header), fps=30)
    assert motion.joint_names == names
    with pytest.raises(InputError, match="names its own joints, and they differ"):
        read_motion(write(columns(width=23), header), fps=30, joint_names="g1_23dof")


def test_a_header_may_name_the_joints_of_any_robot(write):
    dog = ["FR_hip_joint", "FR_thigh_joint"]
    assert read_motion(write(columns(width=2), ROOT + dog), fps=30).joint_names == tuple(dog)
    plain = ["hip", "thigh"]
    assert read_motion(write(columns(width=2), ROOT + plain), fps=30, joint_names=plain).joint_names == tuple(plain)
    with pytest.raises(InputError, match="they differ from the joint order given"):
        read_motion(write(columns(width=2), ROOT + plain), fps=30, joint_names=plain[::-1])


def test_thirty_columns_need_a_joint_order(write):
    path = write(columns(width=23))
    with pytest.raises(InputError, match=r"23 joint columns .*--joint_order gmt_23 .*--joint_order g1_23dof"):
        read_motion(path, fps=30)
    assert read_motion(path, fps=30, joint_names="g1_23dof").joint_names == JOINT_ORDERS["g1_23dof"]
    with pytest.raises(InputError, match="23 columns but the joint order given names 29"):
        read_motion(path, fps=30, joint_names="g1_29dof")


SEED = ["Frame", *(f"root_{kind}{axis}" for kind in ("translate", "rotate") for axis in "XYZ")]


@pytest.mark.parametrize(
    ("table", "header", "message"),
    [
        (columns(width=30), None, "has 37 columns .*known: 36 for g1_29dof.*a leading frame or time column needs"),
        (columns()[:, 7:], None, r"has 29 columns where 3 of root position, 4 of root quaternion .*30 for g1_23dof"),
        (columns(width=28), None, "has 35 columns"),
        (columns(width=43), None, "43 joint columns .*columns 22 to 28"),
        (columns()[:, :5], None, "has 5 columns"),
        (columns()[:, :7], ROOT, "has 7 columns"),
        (columns(), [*NAMES_29, *ROOT], "quaternion in columns 32 to 35 has norm .* holds no rotation"),
        (columns(), [*ROOT, *NAMES_29[:28], NAMES_29[0]], "joint names repeat: left_hip_pitch_joint"),
        (columns(), [*ROOT, *NAMES_29[:28]], "the header names 35 columns and the rows have 36"),
        (np.arange(360.0).reshape(10, 36), None, "quaternion in columns 3 to 6 has norm .* holds no rotation"),
        (np.where(np.arange(36) == 9, np.nan, columns()), None, "the table is nan at frame 0, column 9"),
    ],
)
def test_other_layouts_are_refused_in_one_sentence(write, table, header, message):
    with pytest.raises(InputError, match=message) as caught:
        read_motion(write(table, header), fps=30)
    assert "motion.csv" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a,b,c\n", "has no row of numbers"),
        (b"1,2,3\n1,2\n", "not a table of numbers, separated by commas"),
        (b"1,2,x\n", "not a table of numbers, separated by commas"),
        (b"1,,3\n", "not a table of numbers, separated by commas"),
        (b"1;2;3\n4;5a;6\n", "not a table of numbers, separated by commas"),
        (b"\xff\x81,\x02\n", "is not text in UTF-8"),
    ],
)
def test_other_content_in_a_csv_is_refused_in_one_sentence(tmp_path, raw, message):
    path = tmp_path / "motion.csv"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=message) as caught:
        read_motion(path, fps=30)
    assert "motion.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_too_large_is_refused_before_it_is_read(write):
    path = write(columns())
    with path.open("r+b") as file:
        file.truncate(formats_csv.MAX_CSV_BYTES + 1)
    with pytest.raises(InputError, match="MiB read at most"):
        read_motion(path, fps=30)


def test_a_byte_order_mark_is_ignored(write):
    path = write(columns(), [*ROOT, *NAMES_29])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_motion(path, fps=30).joint_names == NAMES_29


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_csv_gives_a_motion_or_one_sentence(tmp_path_factory, data):
    header = data.draw(st.sampled_from([None, [*ROOT, *NAMES_29]]))
    lines = [",".join(f"{value:.4f}" for value in row) for row in columns(frames=3)]
    raw = bytearray("\n".join([",".join(header), *lines] if header else lines).encode())
    for position in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        raw[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "motion.csv"
    path.write_bytes(raw)
    try:
        motion = read_motion(path, fps=30)
    except InputError as error:
        assert "motion.csv" in str(error)
    else:
        assert np.isfinite(motion.joint_pos).all()


@pytest.mark.parametrize(
    ("name", "fps", "frames", "reading"),
    [("B_HandsUp.csv", 60, 442, "xyzw"), ("protomotions_walk_wxyz.csv", 30, 150, "wxyz")],
)
def test_real_files_are_read_upright(gmr_samples, name, fps, frames, reading):
    path = gmr_samples / name
    if not path.is_file():
        pytest.skip(f"{name} is not among the samples in {gmr_samples}")
    motion = read_motion(path, fps=fps)
    assert motion.joint_pos.shape == (frames, 29) and motion.joint_names == NAMES_29
    assert (
        motion.source.startswith(f"{name} ({fps} fps as given; ")
        and f"; quaternion {reading}, pelvis up" in motion.source
    )
    assert motion.projected_gravity[:, 2].mean() < -0.98
    raw = np.genfromtxt(path, delimiter=",")
    np.testing.assert_allclose(motion.joint_pos, raw[:, 7:], atol=1e-6)
    order = [0, 1, 2, 3] if reading == "xyzw" else [1, 2, 3, 0]
    turned = Rotation.from_quat(motion.root_quat).inv() * Rotation.from_quat(raw[:, 3:7][:, order])
    assert turned.magnitude().max() < 1e-5
    if "walk" in name:
        ahead = motion.root_lin_vel.mean(axis=0)
        assert ahead[0] > 0.5 and abs(ahead[1]) < 0.2, "walks where it faces"
