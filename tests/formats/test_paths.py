"""Resolving a command's arguments to files, and recognizing a file's format."""

import shutil
import time
import tracemalloc

import numpy as np
import pytest
from support import make_motion

from amp_helpers.convert import convert, main
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.formats.gmr import write_gmr
from amp_helpers.formats.paths import motion_files
from amp_helpers.formats.registry import FORMATS, read_motion
from amp_helpers.robots.robot import JOINT_ORDERS

NAMES = JOINT_ORDERS["g1_29dof"]


def clip(path, seed: int = 0):
    path.parent.mkdir(parents=True, exist_ok=True)
    joint_pos = np.sin(np.arange(40)[:, None] / 10 + np.arange(29) + seed)
    write_gmr(path, make_motion(40, 30, joint_names=NAMES, joint_pos=joint_pos))
    return path


def as_csv(path, source):
    motion = read_motion(source)
    table = np.hstack([motion.root_pos, motion.root_quat, motion.joint_pos])
    np.savetxt(path, table, delimiter=",", fmt="%.9g")
    return path


@pytest.fixture
def folder(tmp_path):
    """Make a folder with two pickles, a CSV, a subfolder and unrelated files."""
    top = tmp_path / "my clips é"
    clip(top / "b.pkl", 1)
    clip(top / "sub" / "a.PKL", 2)
    as_csv(top / "c.csv", top / "b.pkl")
    (top / "notes.txt").write_text("hello")
    (top / ".hidden.pkl").write_bytes(b"not a pickle")
    return top


def test_a_folder_yields_the_motions_below_it(folder):
    files, notes = motion_files([folder])
    assert [path.relative_to(folder).as_posix() for path in files] == ["b.pkl", "c.csv", "sub/a.PKL"]
    assert notes == [f"{folder}: 3 motion files taken, 1 of other kinds left out (notes.txt)"]


def test_patterns_are_sorted_and_files_stay_in_the_order_given(folder):
    assert motion_files([folder / "*.csv", folder / "b.pkl"])[0] == [folder / "c.csv", folder / "b.pkl"]
    assert motion_files([folder / "**" / "*.[pP]*"])[0] == [folder / "b.pkl", folder / "sub" / "a.PKL"]
    assert motion_files([folder / "s*"])[0] == [folder / "sub" / "a.PKL"], "a pattern may name a folder"
    assert motion_files([folder / "b.pkl"] * 2)[0] == [folder / "b.pkl"] * 2, "named twice counts twice"


def test_an_existing_name_with_brackets_is_not_a_pattern(folder):
    odd = clip(folder / "walk [1].pkl")
    assert motion_files([odd])[0] == [odd]


def test_finding_no_motion_is_an_error(tmp_path, folder):
    with pytest.raises(InputError, match=r"none\*\.pkl: no file matches"):
        motion_files([folder / "none*.pkl"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: holds no motion file \(\.pkl, .*\.csv, \.npz"):
        motion_files([tmp_path / "empty"])


def test_converting_a_folder_twice_gives_the_same_dataset(folder, capsys):
    out = folder / "d.npz"
    convert([folder], out, fps=30)
    first = out.read_bytes()
    assert "of other kinds left out (notes.txt)" in capsys.readouterr().out
    dataset = MotionDataset.load(out)
    assert list(dataset.name) == ["b.pkl", "c.csv", "a.PKL"]
    in_csv, in_pickle = dataset.motion_id == 1, dataset.motion_id == 0
    np.testing.assert_allclose(dataset.states[in_csv], dataset.states[in_pickle], atol=1e-6)
    convert([folder], out, fps=30, verbose=False)
    assert out.read_bytes() == first


def test_errors_name_the_file(folder):
    with pytest.raises(InputError, match=r"c\.csv: does not say its frame rate"):
        convert([folder], folder / "d.npz")
    shutil.copy(folder / "notes.txt", folder / "sub" / "bad.csv")
    with pytest.raises(InputError, match=r"sub/bad\.csv: has no row of numbers"):
        convert([folder], folder / "d.npz", fps=30)
    assert not (folder / "d.npz").exists()


def test_a_file_without_a_known_suffix_is_recognized_by_its_content(folder):
    for source in ("b.pkl", "c.csv"):
        copy = shutil.copy(folder / source, folder / source.replace(".", "_"))
        np.testing.assert_allclose(read_motion(copy, fps=30).joint_pos, read_motion(folder / "b.pkl").joint_pos)
    with pytest.raises(InputError, match=r"notes\.txt: is of no known .* GMR pickle \(\.pkl, .*CSV.*AMP npz \(\.npz\)"):
        read_motion(folder / "notes.txt")
    with pytest.raises(InputError, match="is a folder"):
        read_motion(folder)


def test_files_inherit_the_factor_of_their_argument(folder, tmp_path, capsys):
    out = tmp_path / "d.npz"
    main([str(folder), str(folder / "b.pkl"), "--weights", "2", "0.5", "--fps", "30", "--output", str(out)])
    dataset = MotionDataset.load(out)
    assert dataset.weight.tolist() == [2, 2, 2, 0.5]
    shown = capsys.readouterr().out
    assert "c.csv: 30 fps" in shown and "1.30 s, weight 0.5" in shown and shown.count("weight 2") == 3
    plain = np.load(out)
    np.testing.assert_array_equal(plain["states"], convert([folder, folder / "b.pkl"], out, fps=30).states)
    assert "weight" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], "--weights: 1 given for 2 motions; give one for each"),
        ([1, 2, 3], "--weights: 3 given for 2 motions"),
        ([1, 0], "--weights 0: not a weight"),
        ([1, -2], "--weights -2: not a weight"),
        ([1, np.nan], "--weights nan: not a weight"),
    ],
)
def test_unusable_weights_are_refused(folder, tmp_path, weights, message):
    with pytest.raises(InputError, match=message):
        convert([folder / "b.pkl", folder / "c.csv"], tmp_path / "d.npz", weights=weights, fps=30)
    assert not (tmp_path / "d.npz").exists()


def test_formats_of_one_suffix_share_a_container():
    """Otherwise the first format of a suffix would hide the others."""
    for kind in FORMATS:
        alike = [other for other in FORMATS if set(other.suffixes) & set(kind.suffixes)]
        assert {other.container for other in alike} <= {kind.container}, kind.name


@pytest.mark.parametrize("name", [kind.name for kind in FORMATS if kind.write])
def test_what_is_written_reads_back(tmp_path, name):
    kind = next(kind for kind in FORMATS if kind.name == name)
    clip(tmp_path / "a.pkl")
    motion = read_motion(tmp_path / "a.pkl")
    path = tmp_path / f"b{kind.suffixes[0]}"
    kind.write(path, motion)
    again = read_motion(path, fps=30)
    assert set(again.joint_names) == set(motion.joint_names) and again.fps == motion.fps
    again = again.select(motion.joint_names)
    for field in ("joint_pos", "root_pos", "root_quat"):
        np.testing.assert_allclose(getattr(again, field), getattr(motion, field), atol=1e-6)
    kind.write(path, again)
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("a.pkl", "b" + kind.suffixes[0])] == []


@pytest.mark.parametrize("suffix", [".pkl", ".csv", ".npz"])
def test_two_gibibytes_are_refused_before_they_are_read(tmp_path, suffix):
    path = tmp_path / f"long{suffix}"
    with path.open("wb") as file:
        file.truncate(2 * 1024**3)  # a hole: nothing is on the disk
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(InputError, match=r"long\.(pkl|csv|npz): is 2048 MiB, more than the (256|1024) MiB"):
        read_motion(path, fps=30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - start < 1 and peak < 1024**2


def test_links_that_form_a_loop_are_no_motions(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "walk.pkl").touch()
    for named in (tmp_path, tmp_path / "*"):
        assert motion_files([named], output=tmp_path / "walk.npz")[0] == [tmp_path / "walk.pkl"]
