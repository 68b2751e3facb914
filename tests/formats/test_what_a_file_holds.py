"""A file's content decides its format, not its name; what a file holds besides motion is no obstacle or has a name."""

import collections
import gzip
import io
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import PATIENCE_S, make_motion

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import motion_contents
import motion_samples

from amp_helpers.convert import convert
from amp_helpers.errors import InputError
from amp_helpers.feet.edits import Edit, refine_file
from amp_helpers.formats.gmr import write_gmr
from amp_helpers.formats.lafan1 import write_csv
from amp_helpers.formats.paths import motion_files
from amp_helpers.formats.registry import FORMATS, read_motion, read_motions
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import rotate
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import G1_29DOF, Robot

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 28237\n" % (b"8" * 64)
SUFFIXES = (".pkl", ".csv", ".txt", "")


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> list[motion_samples.Sample]:
    return motion_samples.samples(tmp_path_factory.mktemp("samples"))


@pytest.mark.slow
def test_the_suffix_of_a_file_does_not_matter(samples, tmp_path):
    for number, sample in enumerate(samples):
        for suffix in SUFFIXES:
            path = tmp_path / f"{number}{suffix}"
            path.write_bytes(sample.data)
            motion = read_motions(path, fps=30.0, robot=G1_29DOF)[0]
            angles = motion.select(G1_29DOF.joint_names).joint_pos[0]
            np.testing.assert_allclose(angles, sample.first_pose, atol=1e-6, err_msg=f"{sample.kind} as {suffix}")
            assert motion.fps == pytest.approx(50 if sample.kind == "dataset npz" else 30, rel=0.02)


def test_every_sample_stands_upright_and_walks_forward(samples, tmp_path):
    """The root's columns, units and quaternion order are each maker's."""
    walk = motion_samples.walk()
    for number, sample in enumerate(samples):
        path = tmp_path / f"{number}{sample.suffix}"
        path.write_bytes(sample.data)
        for motion in read_motions(path, fps=30.0, robot=G1_29DOF)[:1]:
            np.testing.assert_allclose(np.abs(motion.root_quat @ walk.root_quat[0]), 1, atol=1e-4, err_msg=sample.kind)
            kept = walk.root_pos[: motion.num_frames] if motion.fps == 30 else walk.root_pos[:1]
            found = motion.root_pos if len(kept) == motion.num_frames else motion.root_pos[:1]
            np.testing.assert_allclose(found[:, :2], kept[: len(found), :2], atol=0.05, err_msg=sample.kind)


def test_the_same_dict_is_the_same_motion_however_it_is_stored(tmp_path):
    motion = motion_samples.walk()
    content = motion_contents.gmr(motion)
    boxed = io.BytesIO()
    np.save(boxed, content, allow_pickle=True)
    lists = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in content.items()}
    packed = io.BytesIO()
    np.savez(packed, **content)
    for data in (packed.getvalue(), pickle.dumps(content), boxed.getvalue(), json.dumps(lists).encode()):
        path = tmp_path / "motion"
        path.write_bytes(data)
        np.testing.assert_allclose(read_motion(path).joint_pos, motion.joint_pos, atol=1e-6)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Make a folder of a pickle, a Git LFS pointer, a JSON motion in .txt, and files of other kinds."""
    write_gmr(tmp_path / "walk.pkl", motion_samples.walk())
    (tmp_path / "pointer.pkl").write_bytes(POINTER)
    columns = np.hstack([motion_samples.walk().root_pos, motion_samples.walk().root_quat])
    frames = np.hstack([columns, motion_samples.walk().joint_pos]).tolist()
    (tmp_path / "walk.txt").write_text(json.dumps({"FrameDuration": 1 / 30, "Frames": frames}))
    (tmp_path / "config.json").write_text('{"robot": "g1"}')
    (tmp_path / "README.txt").write_text("Frames of a walk, in JSON")
    np.save(tmp_path / "weights.npy", np.zeros((3, 3)))
    return tmp_path


def test_a_pointer_is_named_and_does_not_stop_a_folder(folder):
    with pytest.raises(InputError, match=r"pointer\.pkl: is a Git LFS pointer, .*; run 'git lfs pull'"):
        read_motion(folder / "pointer.pkl")
    files, notes = motion_files([folder])
    assert [path.name for path in files] == ["walk.pkl", "walk.txt"]
    assert any("1 Git LFS pointers left out (pointer.pkl); run 'git lfs pull'" in note for note in notes)
    assert any("3 of other kinds left out (README.txt, config.json, weights.npy)" in note for note in notes)
    dataset = convert([folder], folder / "d.npz", robot=G1_29DOF, joint_order="robot", verbose=False)
    assert list(dataset.name) == ["walk.pkl", "walk.txt"]


def test_a_folder_of_pointers_alone_is_an_error_with_its_remedy(tmp_path):
    (tmp_path / "a.pkl").write_bytes(POINTER)
    with pytest.raises(InputError, match=r"holds only Git LFS pointers \(a\.pkl\); run 'git lfs pull'"):
        motion_files([tmp_path])
    write_gmr(tmp_path / "a.pkl", motion_samples.walk())  # as git lfs pull does
    assert motion_files([tmp_path])[0] == [tmp_path / "a.pkl"]


def test_members_that_hold_none_are_skipped(tmp_path):
    content = motion_contents.gmr(motion_samples.walk())
    odd = {"local_body_pos": None, "link_body_list": None, "note": {"by": "somebody"}, "tags": np.array(["a", None])}
    np.savez(tmp_path / "m.npz", **content, **odd)
    np.testing.assert_allclose(read_motion(tmp_path / "m.npz").joint_pos, motion_samples.walk().joint_pos)
    np.savez(tmp_path / "m.npz", **(content | {"root_pos": None}))
    with pytest.raises(InputError, match="keys root_pos are missing"):
        read_motion(tmp_path / "m.npz")


@pytest.mark.parametrize("name", ["m.pkl", "m.csv", "m.npz"])
def test_a_web_page_in_place_of_a_file_is_called_one(tmp_path, name):
    (tmp_path / name).write_text("\n<!DOCTYPE html>\n<html><head><title>walk.pkl at main</title>")
    with pytest.raises(InputError, match="is a web page, not the motion itself; download the file that the page shows"):
        read_motion(tmp_path / name)


def test_what_is_no_motion_is_not_taken_for_half_of_one(repo_root, tmp_path):
    for name in ("policies/g1_walk/policy.pt", "policies/g1_walk/config.json"):
        with pytest.raises(InputError, match=r"holds .*, which is no motion known here; give one of these \("):
            read_motion(repo_root / name)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"\x1b[31m" + "a" * 5000: 1, "line\nbreak": 2}))
    with pytest.raises(InputError, match=r"^[ -~]{50,1200}$"):
        read_motion(tmp_path / "m.pkl")


def test_a_packed_table_is_to_be_unpacked(tmp_path):
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(b"1,2,3"))
    with pytest.raises(InputError, match=r"m\.csv\.gz: is packed with gzip .*; unpack it with gunzip"):
        read_motion(tmp_path / "m.csv.gz")


def test_content_that_is_no_dict_is_refused_in_every_container(tmp_path):
    torch = pytest.importorskip("torch")
    for content in ([{"fps": 30}], 7, "text", None):
        boxed = np.empty((), dtype=object)
        boxed[()] = content
        np.save(tmp_path / "m.npy", boxed, allow_pickle=True)
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(content))
        torch.save(content, tmp_path / "m.motion")
        for name in ("m.npy", "m.pkl", "m.motion"):
            with pytest.raises(InputError, match=rf"{name}: holds a \w+, not a dict with the keys of a motion"):
                read_motion(tmp_path / name)


def test_a_clip_of_any_format_can_be_refined(sonic, tmp_path):
    trimmed = tmp_path / "refined.pkl"
    refine_file(sonic, trimmed, [Edit("trim", (0.2, 1.0))], robot=G1_29DOF)
    assert read_motion(trimmed).num_frames < 40


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (("poses", "trans", "betas", "mocap_framerate"), "SMPL or AMASS"),
        (("pose_body", "root_orient", "trans"), "SMPL or AMASS"),
        (("smpl_poses", "smpl_trans", "smpl_scaling"), "SMPL or AMASS"),
        (("pose_aa", "trans_orig", "root_trans_offset", "beta", "fps"), "SMPL or AMASS"),
        (("rotation", "root_translation", "skeleton_tree", "fps"), "poselib"),
    ],
)
def test_the_motion_of_a_person_is_to_be_retargeted_first(tmp_path, keys, kind):
    content = {key: np.zeros((3, 3)) for key in keys}
    message = rf"holds the motion of a person \({kind}\), .*; retarget it to your robot first, with GMR"
    np.savez(tmp_path / "m.npz", **content)
    np.save(tmp_path / "m.npy", collections.OrderedDict(content), allow_pickle=True)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"clip": content} if kind != "poselib" else content))
    for name in ("m.npz", "m.npy", "m.pkl"):
        with pytest.raises(InputError, match=message):
            read_motion(tmp_path / name)
    (tmp_path / "m.bvh").write_text("HIERARCHY\nROOT Hips\n{\n")
    with pytest.raises(InputError, match=r"m\.bvh: holds the motion of a person \(BVH\)"):
        read_motion(tmp_path / "m.bvh")


@pytest.mark.parametrize("shape", [(9, 22, 3), (9, 24, 3), (9, 263)])
def test_joints_of_a_person_in_an_array_are_known_by_their_shape(tmp_path, shape):
    np.save(tmp_path / "m.npy", np.zeros(shape))
    with pytest.raises(InputError, match=r"the motion of a person \(an array of shape"):
        read_motion(tmp_path / "m.npy")


def test_a_person_beside_the_robot_is_no_obstacle(tmp_path):
    content = motion_contents.gmr(motion_samples.walk()) | {"poses": np.zeros((40, 72)), "trans": np.zeros((40, 3))}
    np.savez(tmp_path / "m.npz", **content)
    np.testing.assert_allclose(read_motion(tmp_path / "m.npz").joint_pos, motion_samples.walk().joint_pos)


def test_an_array_without_names_is_refused_with_what_to_do(tmp_path):
    np.save(tmp_path / "m.npy", np.zeros((5, 36)))
    with pytest.raises(InputError, match=r"one array of shape \(5, 36\) .*; store it as a CSV with a header"):
        read_motion(tmp_path / "m.npy")


MIMICKIT = """
import enum

class LoopMode(enum.Enum):
    CLAMP = 0
    WRAP = 1

class Motion:
    def __init__(self, loop_mode, fps, frames):
        self.loop_mode, self.fps, self.frames = loop_mode, fps, frames
"""


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["anim.motion", "mimickit.anim.motion", "motion"])
def test_a_pickled_motion_of_mimickit_is_read_as_data(tmp_path, monkeypatch, protocol, name):
    """Its class is neither imported nor called."""
    walk = motion_samples.walk()
    frames = np.hstack([walk.root_pos, np.zeros((walk.num_frames, 3)), walk.joint_pos])
    module = type(sys)(name)
    exec(MIMICKIT, module.__dict__)
    with monkeypatch.context() as patched:
        for end in range(name.count(".") + 1):
            patched.setitem(sys.modules, name.rsplit(".", end)[0], module)
        data = pickle.dumps(module.Motion(module.LoopMode.WRAP, 30, frames), protocol)
    (tmp_path / "m.pkl").write_bytes(data)
    motion = read_motion(tmp_path / "m.pkl", robot=G1_29DOF)
    assert motion.fps == 30 and "MimicKit clip that wraps around" in motion.source
    np.testing.assert_allclose(motion.joint_pos, walk.joint_pos, atol=1e-6)


def test_reading_a_torch_archive_needs_no_torch(samples, tmp_path):
    path = tmp_path / "m.motion"
    path.write_bytes(next(sample.data for sample in samples if sample.kind == "ProtoMotions motion"))
    script = "import sys; from amp_helpers.formats import read_motion as read; read(sys.argv[1])"
    script += "; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, timeout=PATIENCE_S)


def test_tensors_never_reach_beyond_their_storage(tmp_path):
    torch = pytest.importorskip("torch")
    whole = torch.arange(12.0).reshape(3, 4)
    torch.save({"dof_pos": whole.expand(2, 3, 4), "a": whole.T, "b": whole[1:, ::2]}, tmp_path / "m.motion")
    with pytest.raises(InputError, match=r"m\.motion: is a damaged torch file \(a tensor that is larger"):
        read_motion(tmp_path / "m.motion")


def test_a_call_in_a_torch_archive_or_an_npy_is_refused_by_name(tmp_path):
    torch = pytest.importorskip("torch")
    trace = tmp_path / "trace"
    gadget = Call(f"open({str(trace)!r}, 'w')")
    torch.save({"dof_pos": gadget}, tmp_path / "m.motion")
    np.save(tmp_path / "m.npy", {"joints_list": gadget}, allow_pickle=True)
    for name in ("m.motion", "m.npy"):
        with pytest.raises(InputError, match=r"holds '.*eval', which no motion file needs, so it was not loaded"):
            read_motion(tmp_path / name)
    assert not trace.exists()


class Call:
    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return eval, (self.code,)


def test_every_dict_format_is_read_from_every_container(tmp_path):
    walk = motion_samples.walk()
    every = [motion_contents.gmr, motion_contents.phc, motion_contents.amp, motion_contents.tracking]
    every += [motion_contents.amp_rsl_rl, motion_contents.protomotions, motion_contents.loco_mujoco]
    dicts = [make(walk) for make in every] + motion_contents.amp_json(walk)
    for content in dicts:
        npz, npy = io.BytesIO(), io.BytesIO()
        np.savez(npz, **content)
        np.save(npy, content, allow_pickle=True)
        for data in (npz.getvalue(), npy.getvalue(), pickle.dumps(content)):
            path = tmp_path / "motion"
            path.write_bytes(data)
            motion = read_motions(path, fps=30, robot=G1_29DOF)[0]
            np.testing.assert_allclose(motion.select(walk.joint_names).joint_pos[0], walk.joint_pos[0], atol=1e-6)


# --- CSV ------------------------------------------------------------------------------------------------------------

WALK = make_motion(40, 50, joint_names=G1_29DOF.joint_names, joint_pos=motion_samples.walk().joint_pos)
TABLE = np.hstack([WALK.root_pos, WALK.root_quat, WALK.joint_pos])
HEADER = [*(f"root_pos_{axis}" for axis in "xyz"), *(f"root_quat_{axis}" for axis in "xyzw"), *WALK.joint_names]


def csv(path: Path, header: list[str] | None, table: np.ndarray) -> Path:
    np.savetxt(path, table, fmt="%.9g", delimiter=",", header=",".join(header or []), comments="")
    return path


@pytest.mark.parametrize("name", ["time", "Time (s)", "t", "timestamp", "time_s", "time(ms)"])
def test_a_time_column_gives_the_rate(tmp_path, name):
    times = np.arange(len(TABLE)) / 50 * (1000 if "ms" in name else 1) + 7
    motion = read_motion(csv(tmp_path / "m.csv", [name, *HEADER], np.column_stack([times, TABLE])))
    assert motion.fps == 50 and "frame rate of the column" in motion.source
    np.testing.assert_allclose(motion.joint_pos, WALK.joint_pos, atol=1e-6)
    swapped = csv(tmp_path / "m.csv", [*HEADER, name], np.column_stack([TABLE, times]))
    assert read_motion(swapped).fps == 50, "wherever it stands"


@pytest.mark.parametrize("name", ["Frame", "frame_id", "index", "", "Unnamed: 0"])
def test_a_column_that_counts_rows_is_left_out(tmp_path, name):
    rows = np.column_stack([np.arange(len(TABLE)), TABLE])
    path = csv(tmp_path / "m.csv", [name, *HEADER], rows)
    with pytest.raises(InputError, match="does not say its frame rate"):
        read_motion(path)
    np.testing.assert_allclose(read_motion(path, fps=50).joint_pos, WALK.joint_pos, atol=1e-6)


def test_columns_that_count_are_known_without_a_header_too(tmp_path):
    counted = csv(tmp_path / "a.csv", None, np.column_stack([np.arange(len(TABLE)), TABLE]))
    np.testing.assert_allclose(read_motion(counted, fps=50).root_pos, WALK.root_pos, atol=1e-6)
    timed = csv(tmp_path / "b.csv", None, np.column_stack([np.arange(len(TABLE)) / 50, TABLE]))
    assert read_motion(timed).fps == 50


def test_a_header_of_pandas_is_no_row(tmp_path):
    numbers = [str(number) for number in range(TABLE.shape[1])]
    for header, table in ((numbers, TABLE), (["", *numbers], np.column_stack([np.arange(len(TABLE)), TABLE]))):
        motion = read_motion(csv(tmp_path / "m.csv", header, table), fps=50)
        assert motion.num_frames == len(TABLE)
        np.testing.assert_allclose(motion.root_pos, WALK.root_pos, atol=1e-6)


@pytest.mark.parametrize("mark", [";", "\t", " ", ", "])
def test_other_marks_between_columns_are_known_too(tmp_path, mark):
    """So are rows that end in one, and cells in quotes."""
    lines = csv(tmp_path / "m.csv", HEADER, TABLE).read_text().splitlines()
    end = "" if mark == " " else mark
    text = "\n".join(line.replace(",", mark) + end for line in lines)
    (tmp_path / "m.csv").write_text(text)
    np.testing.assert_allclose(read_motion(tmp_path / "m.csv", fps=50).joint_pos, WALK.joint_pos, atol=1e-6)
    quoted = "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in lines)
    (tmp_path / "m.csv").write_text(quoted)
    np.testing.assert_allclose(read_motion(tmp_path / "m.csv", fps=50).joint_pos, WALK.joint_pos, atol=1e-6)


COMMENTED = {
    "# made by me\n# fps: 50\n": 50.0,
    "% frame rate 50\n": 50.0,
    "// 50 Hz, see http://here\n": 50.0,
    "# 50 fps of 120 fps\n": None,
}


@pytest.mark.parametrize("comment", COMMENTED)
@pytest.mark.parametrize("header", [HEADER, None, ["# " + HEADER[0], *HEADER[1:]]])
def test_comments_before_a_table_are_none_of_it_and_may_state_the_rate(tmp_path, comment, header):
    path = csv(tmp_path / "m.csv", header, TABLE)
    path.write_text(comment + path.read_text())
    if COMMENTED[comment] is None:
        with pytest.raises(InputError, match="does not say its frame rate"):
            read_motion(path)
    motion = read_motion(path, fps=None if COMMENTED[comment] else 50)
    assert motion.fps == 50 and motion.joint_names == WALK.joint_names
    np.testing.assert_allclose(motion.joint_pos, WALK.joint_pos, atol=1e-6)


@pytest.mark.parametrize("header", [HEADER, None])
@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_comma_between_semicolons_or_tabs_is_a_decimal_mark(tmp_path, header, mark):
    path = csv(tmp_path / "m.csv", header, TABLE)
    path.write_text(path.read_text().replace(",", mark).replace(".", ","))
    np.testing.assert_allclose(read_motion(path, fps=50).joint_pos, WALK.joint_pos, atol=1e-6)


def test_a_table_between_spaces_is_known_under_any_name(tmp_path):
    np.savetxt(tmp_path / "walk.txt", TABLE, header=" ".join(HEADER))
    np.testing.assert_allclose(read_motion(tmp_path / "walk.txt", fps=50).joint_pos, WALK.joint_pos)


@pytest.mark.parametrize("factor", [100, 1000])
def test_a_root_in_centimeters_or_millimeters_is_refused_where_none_says_so(tmp_path, factor):
    content = motion_contents.gmr(WALK)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(content | {"root_pos": content["root_pos"] * factor}))
    for path in (tmp_path / "m.pkl", csv(tmp_path / "m.csv", None, TABLE * ([factor] * 3 + [1] * 33))):
        with pytest.raises(InputError, match=r"the root \S+ m high, so it is not in meters; divide it by 100"):
            read_motion(path, fps=50)


def test_angles_in_degrees_are_refused_where_nothing_says_so(tmp_path):
    content = motion_contents.gmr(WALK)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(content | {"dof_pos": np.degrees(content["dof_pos"])}))
    for path in (tmp_path / "m.pkl", csv(tmp_path / "m.csv", None, TABLE * ([1] * 7 + [57.3] * 29))):
        with pytest.raises(InputError, match=r"so it is not in radians; multiply it by pi / 180"):
            read_motion(path, fps=50)


@pytest.mark.parametrize(
    ("key", "value"), [("frame_rate", 50), ("FPS", 50.0), ("hz", [50]), ("dt", 0.02), ("frameTime", 0.02)]
)
def test_the_rate_is_found_under_other_keys(tmp_path, key, value):
    content = motion_contents.gmr(WALK)
    del content["fps"]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(content | {key: value}))
    assert read_motion(tmp_path / "m.pkl").fps == 50


def test_each_clip_of_a_file_is_read_by_its_own_keys(tmp_path):
    gmr, tracked = motion_contents.gmr(WALK), motion_contents.tracking(WALK)
    clips = {"a": tracked, "b": gmr, "c": tracked}
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(clips))
    found = read_motions(tmp_path / "m.pkl", fps=50, robot=G1_29DOF)
    assert [clip.name for clip in found] == ["m.pkl/a", "m.pkl/b", "m.pkl/c"]
    for clip in found:
        np.testing.assert_allclose(clip.select(WALK.joint_names).joint_pos, WALK.joint_pos, atol=1e-5)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"about": {"author": "me"}} | clips))
    with pytest.raises(InputError, match="'about' holds author, which is no motion known here; give one of these"):
        read_motions(tmp_path / "m.pkl")


def test_the_weight_of_amp_json_is_told_with_the_option_that_follows_it(tmp_path):
    frames = np.hstack([WALK.root_pos, WALK.root_quat, WALK.joint_pos])
    content = {"FrameDuration": 0.02, "MotionWeight": 0.5, "Frames": frames.tolist()}
    (tmp_path / "m.txt").write_text(json.dumps(content))
    said = read_motion(tmp_path / "m.txt").findings.sentence()
    assert "MotionWeight 0.5 counts clips and is not applied; weights count frames, and --weights 0.625" in said


OTHER_HUMANS = {
    "C3D": bytes([2, 0x50]) + bytes(600),
    "FBX": b"; FBX 7.4.0 project file\n; ----\n",
    "BVH": b"hierarchy\r\nROOT Hips\r\n",
    "GLB": b"glTF\x02\0\0\0" + bytes(99),
    "glTF": b'{"asset": {"version": "2.0"}}',
    "TRC": b"PathFileType\t4\t(X/Y/Z)\ta.trc\n",
    "OpenSim": b"Coordinates\nversion=1\n",
    "MVNX": b'<?xml version="1.0"?>\n<mvnx version="4">\n',
    "ASF": b"# AST/ASF file generated\n:version 1.10\n",
    "AMC": b":FULLY-SPECIFIED\n:DEGREES\n",
    "USD": b"PXR-USDC" + bytes(99),
}


@pytest.mark.parametrize("kind", OTHER_HUMANS)
@pytest.mark.parametrize("suffix", [".csv", ".pkl", ".npz", ".json", ".take"])
def test_the_motion_of_a_person_is_known_by_its_first_bytes_whatever_its_name(tmp_path, kind, suffix):
    path = tmp_path / f"walk{suffix}"
    path.write_bytes(OTHER_HUMANS[kind])
    with pytest.raises(InputError, match=rf"holds the motion of a person \({kind}\), .*; retarget it"):
        read_motion(path)


def test_a_table_in_utf_16_is_text_too(tmp_path):
    path = csv(tmp_path / "m.csv", HEADER, TABLE)
    path.write_text(path.read_text(), encoding="utf-16")
    np.testing.assert_allclose(read_motion(path, fps=50).root_pos, WALK.root_pos, atol=1e-6)


def test_uneven_times_are_refused(tmp_path):
    times = np.r_[np.arange(20) / 50, np.arange(20) / 25 + 1]
    path = csv(tmp_path / "m.csv", ["time", *HEADER], np.column_stack([times, TABLE]))
    with pytest.raises(InputError, match=r"the column time has steps from 0\.02 to .*, so no steady frame rate"):
        read_motion(path)


# --- folders that are a motion --------------------------------------------------------------------------------------


@pytest.fixture
def sonic(tmp_path) -> Path:
    return sonic_folder(tmp_path / "clips" / "walk_a")


def sonic_folder(path: Path, bodies: int = 30) -> Path:
    path.mkdir(parents=True)
    content = motion_contents.tracking(motion_samples.walk())
    tables = {"joint_pos": content["joint_pos"], "joint_vel": content["joint_vel"]}
    tables |= {"body_pos": content["body_pos_w"][:, :bodies], "body_quat": content["body_quat_w"][:, :bodies]}
    for name, table in tables.items():
        flat = table.reshape(len(table), -1)
        csv(path / f"{name}.csv", [f"{name}_{column}" for column in range(flat.shape[1])], flat)
    (path / "metadata.txt").write_text("Body part indexes:\n[0]\n")
    return path


@pytest.mark.parametrize("bodies", [30, 1])
def test_a_folder_of_sonic_is_one_motion(tmp_path, bodies):
    """Its joints are breadth-first, by its links or as the format has them; its velocities give the rate."""
    path = sonic_folder(tmp_path / "walk_a", bodies)
    motion = read_motion(path, robot=G1_29DOF)
    walk = motion_samples.walk()
    assert motion.fps == 30 and motion.name == "walk_a" and len(motion.sha256) == 64
    np.testing.assert_allclose(motion.select(walk.joint_names).joint_pos, walk.joint_pos, atol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(motion.root_quat * walk.root_quat, axis=1)), 1, atol=1e-6)


def test_a_folder_holds_folders_that_are_motions(sonic, tmp_path):
    write_csv(sonic.parent / "other.csv", motion_samples.walk())
    shutil.copytree(sonic, sonic.parent / "walk_b")
    assert [path.name for path in motion_files([sonic.parent])[0]] == ["other.csv", "walk_a", "walk_b"]
    assert motion_files([sonic])[0] == motion_files([sonic.parent / "*_a"])[0] == [sonic]
    dataset = convert([sonic.parent], tmp_path / "d.npz", robot=G1_29DOF, fps=30, verbose=False)
    assert list(dataset.name) == ["other.csv", "walk_a", "walk_b"]


def test_the_error_without_a_rate_says_which_is_usual(sonic, tmp_path):
    (sonic / "joint_vel.csv").unlink()
    with pytest.raises(InputError, match="--fps 50 if it is as SONIC's deployment plays it"):
        read_motion(sonic, robot=G1_29DOF)
    assert read_motion(sonic, robot=G1_29DOF, fps=50).fps == 50
    content = motion_contents.loco_mujoco_arrays(motion_samples.walk())
    np.savez(tmp_path / "m.npz", **{key: value for key, value in content.items() if not key.startswith("dq_")})
    with pytest.raises(InputError, match="--fps 500 if it is one of loco-mujoco's"):
        read_motion(tmp_path / "m.npz")


def test_a_damaged_table_of_a_folder_is_named(sonic):
    kept = (sonic / "body_quat.csv").read_bytes()
    (sonic / "body_quat.csv").write_bytes(POINTER)
    with pytest.raises(InputError, match=r"body_quat\.csv: is a Git LFS pointer"):
        read_motion(sonic)
    (sonic / "body_quat.csv").write_bytes(kept)
    assert read_motion(sonic, robot=G1_29DOF).num_frames == 40
    (sonic / "body_quat.csv").write_text("a,b,c\n1,2,x\n")
    with pytest.raises(InputError, match=r"walk_a: body_quat\.csv is not a comma-separated table of numbers"):
        read_motion(sonic)
    (sonic / "body_quat.csv").write_text("a,b,c\n1,2,3\n")
    with pytest.raises(InputError, match=r"walk_a: body_quat\.csv has 3 columns, no multiple of 4"):
        read_motion(sonic)


# --- what a format leaves open ----------------------------------------------------------------------------------------


def test_feet_of_amp_for_hardware_are_no_joints(samples, tmp_path):
    """Their positions and velocities stand where further joints could; the robot's number of joints decides."""
    with_feet = next(sample for sample in samples if sample.kind == "AMP JSON")
    content = json.loads(with_feet.data)
    del content["joint_names"]
    path = tmp_path / "m.json"
    path.write_text(json.dumps(content))
    motion = read_motion(path, robot=G1_29DOF)
    np.testing.assert_allclose(motion.joint_pos[0], with_feet.first_pose, atol=1e-6)


@pytest.mark.parametrize("legs", [("FR", "FL", "RR", "RL"), ("FL", "FR", "RL", "RR")])
def test_the_feet_of_a_quadruped_name_its_legs(tmp_path, legs):
    """AMP_for_hardware stores PyBullet's order, and others Isaac Gym's."""
    corner = {"F": 0.2, "R": -0.2}, {"L": 0.15, "R": -0.15}
    feet = np.tile(np.ravel([[corner[0][leg[0]], corner[1][leg[1]], -0.3] for leg in legs]), (30, 1))
    angles = 0.1 * np.sin(np.arange(30)[:, None] / 5 + np.arange(12))
    rates = np.gradient(angles, axis=0) * 30
    root = np.column_stack([np.arange(30) / 60, np.zeros(30), np.full(30, 0.3)])
    turn = np.tile([0, 0, 0, 1], (30, 1))
    frames = np.hstack([root, turn, angles, feet, np.zeros((30, 6)), rates, np.zeros((30, 12))])
    (tmp_path / "m.txt").write_text(json.dumps({"FrameDuration": 1 / 30, "Frames": frames.tolist()}))
    joints = [f"{leg}_{part}_joint" for leg in ("FL", "FR", "RL", "RR") for part in ("hip", "thigh", "calf")]
    motion = read_motion(tmp_path / "m.txt", robot=quadruped(tmp_path))
    column = 3 * legs.index("RL") + 2
    np.testing.assert_allclose(motion.select(joints).joint_pos[:, 8], angles[:, column], atol=1e-6)
    assert f"legs {', '.join(legs)} by the positions of their feet" in motion.source


@pytest.mark.parametrize("breadth_first", [True, False])
def test_points_that_no_link_of_the_model_has_decide_the_order_too(tmp_path, breadth_first):
    """legged_lab's key bodies of a quadruped are its feet, which many models have as shapes of the calf."""
    dog = quadruped(tmp_path)
    time = np.arange(90)[:, None] / 30
    angles = 0.4 * np.sin(2 * np.pi * time + np.arange(12))
    motion = Motion(
        fps=30,
        joint_names=dog.joint_names,
        joint_pos=angles,
        root_pos=np.hstack([0.5 * time, 0 * time, 0 * time + 0.4]),
        root_quat=np.tile([0.0, 0.0, 0.0, 1.0], (90, 1)),
    )
    kinematics = Kinematics(dog)
    calves = [kinematics.body_names.index(f"{leg}_calf") for leg in ("FL", "FR", "RL", "RR")]
    links, turns = kinematics.body_positions(motion)[:, calves], kinematics.body_rotations(motion)[:, calves]
    feet = links + rotate(turns, np.broadcast_to([0.0, 0.0, -0.2], links.shape)) - motion.root_pos[:, None]
    stored = motion_contents.isaac_order(motion, dog) if breadth_first else motion
    content = motion_contents.gmr(stored) | {"loop_mode": 1, "root_rot": motion_contents.wxyz(motion)}
    del content["joint_names"]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(content | {"key_body_pos": feet}))
    read = read_motion(tmp_path / "m.pkl", robot=dog)
    np.testing.assert_allclose(read.select(dog.joint_names).joint_pos, angles, atol=1e-6)
    assert "by its links" in read.source


def quadruped(folder: Path) -> Robot:
    legs = "".join(
        f"""<body name="{leg}_hip" pos="{x} {y} 0">
        <joint name="{leg}_hip_joint" axis="1 0 0" range="-2 2"/><geom size=".03"/>
        <body name="{leg}_thigh"><joint name="{leg}_thigh_joint" axis="0 1 0" range="-2 2"/><geom size=".03"/>
        <body name="{leg}_calf" pos="0 0 -.2"><joint name="{leg}_calf_joint" axis="0 1 0" range="-3 3"/>
        <geom size=".02" pos="0 0 -.2"/></body></body></body>"""
        for leg, x, y in (("FL", 0.2, 0.1), ("FR", 0.2, -0.1), ("RL", -0.2, 0.1), ("RR", -0.2, -0.1))
    )
    path = folder / "dog.xml"
    path.write_text(
        f"""<mujoco><compiler angle="radian"/><worldbody><body name="base">
        <freejoint/><geom size=".1"/>{legs}</body></worldbody>
        </mujoco>"""
    )
    return Robot.from_file(path)


@pytest.mark.parametrize("protocol", [2, 4])
def test_an_enumeration_of_protomotions_is_its_value(samples, tmp_path, protocol):
    torch = pytest.importorskip("torch")
    module = type(sys)("protomotions_state")
    exec("import enum\nclass StateConversion(enum.Enum):\n    COMMON = 'common'", module.__dict__)
    path = tmp_path / "m.motion"
    path.write_bytes(next(sample.data for sample in samples if sample.kind == "ProtoMotions motion"))
    content = torch.load(path, weights_only=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "protomotions_state", module)
        torch.save(content | {"state_conversion": module.StateConversion.COMMON}, path, pickle_protocol=protocol)
    assert read_motion(path, robot=G1_29DOF).num_frames == 40


def test_amp_json_without_a_root_says_which_file_has_it(tmp_path):
    walk = motion_samples.walk()
    rates = np.gradient(walk.joint_pos, axis=0) * 30
    frames = np.hstack([walk.joint_pos, rates, np.zeros((walk.num_frames, 12))])
    (tmp_path / "m.txt").write_text(json.dumps({"FrameDuration": 1 / 30, "Frames": frames.tolist()}))
    with pytest.raises(InputError, match=r"and no root, .*; give the file of the same motion that has the root"):
        read_motion(tmp_path / "m.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"Frames": [[1, 2], [3]], "FrameDuration": 0.1}', "Frames is not a table of numbers"),
        (b'{"Frames": [[1, 2], [3, 4]], "FrameDuration": 0.1}', "Frames have 2 columns in no known layout"),
        (b'{"Frames": [[NaN, 2]], "FrameDuration": 0.1}', "Frames is nan at frame 0"),
        (b'{"Frames": [[1, 2]]}', "lacks FrameDuration"),
        (b'{"Frames": [[1, 2]], "FrameDuration"', "is not readable JSON"),
        (b'{"Frames": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is not readable JSON|would take"),
        (b"[[1, 2], [3, 4]]", "is a JSON list, and a motion's is an object"),
        (b'{"Loop": "wrap", "Frames": [[0.03, 1, 2]]}', r"the motion of a person \(DeepMimic\)"),
    ],
)
def test_json_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, content, message):
    path = tmp_path / "m.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_motion(path)
    assert str(caught.value).startswith(f"{path}: ") and "; " in str(caught.value)


def test_json_that_unfolds_to_more_than_its_share_is_refused_before_it_is_parsed(tmp_path):
    path = tmp_path / "m.json"
    path.write_bytes(b'{"Frames": [' + b"[]," * 2**22 + b"[]]}")
    with pytest.raises(InputError, match=r"would take \d+ MiB of memory"):
        read_motion(path)


def test_every_format_says_what_it_needs():
    for known in FORMATS:
        assert known.keys or known.name == "LAFAN1 CSV"


def test_ragged_velocities_of_loco_mujoco_give_no_rate(tmp_path):
    clip = make_motion(40, 30.0, joint_names=G1_29DOF.joint_names, joint_pos=np.zeros((40, 29)))
    content = motion_contents.loco_mujoco_arrays(clip)
    path = tmp_path / "ragged.pkl"
    path.write_bytes(pickle.dumps(content | {"dq_left_knee_joint": [[0.0], [0.0, 0.0]]}))
    with pytest.raises(InputError, match="does not say its frame rate"):
        read_motion(path)


@pytest.mark.parametrize(
    ("make", "key", "value", "sentence"),
    [
        (motion_contents.protomotions_library, "gts", np.float32(0), "gts and grs have shapes"),
        (motion_contents.loco_mujoco, "split_points", [np.inf, np.nan], "split_points .* are no clips of 40 frames"),
    ],
)
def test_damaged_arrays_of_clips_are_one_sentence(tmp_path, make, key, value, sentence, recwarn):
    clip = make_motion(40, 30.0, joint_names=G1_29DOF.joint_names, joint_pos=np.zeros((40, 29)))
    path = tmp_path / "damaged.pkl"
    path.write_bytes(pickle.dumps(make(clip) | {key: value}))
    with pytest.raises(InputError, match=sentence):
        read_motions(path)
    assert not recwarn.list


def test_numbers_beyond_all_bounds_in_a_csv_are_one_sentence(tmp_path, recwarn):
    path = tmp_path / "huge.csv"
    path.write_text("".join(f"{frame},0,0,0.8,0,0,0,1{',1e300' * 29}\n" for frame in range(5)))
    with pytest.raises(InputError, match="is 1e\\+300 at frame 0"):
        read_motions(path, fps=30)
    path.write_text("".join(f"0,0,0.8,1e300,0,0,1{',0.1' * 29}\n" for frame in range(5)))
    with pytest.raises(InputError, match="1e\\+300"):
        read_motions(path, fps=30)
    assert not recwarn.list
