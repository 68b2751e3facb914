"""The convert command, as a user runs it."""

import os
import pickle
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp
from support import make_motion

from amp_helpers.checks.files import check_motion_files
from amp_helpers.convert import convert, main
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError, sha256
from amp_helpers.formats.gmr import write_gmr
from amp_helpers.formats.registry import read_motion, read_motions
from amp_helpers.motion.repeats import ClipIndex
from amp_helpers.robots.robot import G1_23DOF, JOINT_ORDERS


def run(*arguments, preexec_fn=None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "amp_helpers.convert", *map(str, arguments)]
    # Coverage would write its own file at the end, which a limit on file sizes forbids.
    env = (
        {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")} if preexec_fn else None
    )
    return subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=preexec_fn, env=env)


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.pkl"
    names = JOINT_ORDERS["g1_29dof"]
    joint_pos = np.sin(np.arange(90)[:, None] / 10 + np.arange(29))
    write_gmr(path, make_motion(90, 29.7, joint_names=names, joint_pos=joint_pos))
    return path


def test_a_motion_becomes_a_dataset(clip, tmp_path):
    out = tmp_path / "new" / "d.npz"
    result = run(clip, clip, "--output", out)
    assert result.returncode == 0, result.stderr
    assert "clip.pkl: 29.7 fps -> 50 Hz, 90 -> 150 frames, 3.00 s" in result.stdout
    assert "joints dropped: waist_roll_joint" in result.stdout
    assert "quaternion xyzw" in result.stdout
    assert "2 motions, 298 pairs of 23 joints (g1_23dof)" in result.stdout
    dataset = MotionDataset.load(out, joint_names=G1_23DOF.joint_names, control_dt=0.02)
    assert dataset.sha256 == (sha256(clip),) * 2


def test_a_clip_at_several_speeds_becomes_several_motions(clip, tmp_path):
    out = tmp_path / "d.npz"
    result = run(clip, "--speeds", 1, 0.5, "--output", out)
    assert result.returncode == 0, result.stderr
    assert "clip.pkl at 0.5 times its speed: 14.85 fps -> 50 Hz, 90 -> 300 frames, 5.99 s" in result.stdout
    as_it_is, slow = MotionDataset.load(out, joint_names=G1_23DOF.joint_names, control_dt=0.02).clips()
    assert slow.forward_speed == pytest.approx(0.5 * as_it_is.forward_speed, rel=0.01)
    shared = min(as_it_is.num_frames, (slow.num_frames + 1) // 2)
    np.testing.assert_allclose(slow.joint_pos[::2][:shared], as_it_is.joint_pos[:shared], atol=1e-5)
    refused = run(clip, "--speeds", 1, -2, "--output", tmp_path / "none.npz")
    assert refused.returncode == 2 and not (tmp_path / "none.npz").exists()
    assert refused.stderr.strip() == (
        "error: --speeds 1 -2: not all are speeds; give positive numbers, 1 for a clip as it is"
    )


def test_speeds_by_gait_change_stride_and_cadence(tmp_path):
    out = tmp_path / "d.npz"
    walk = Path(__file__).parents[1] / "datasets" / "g1_walk_refined.pkl"
    result = run(walk, "--speeds", 1, 0.49, "--speed_by", "gait", "--output", out)
    assert result.returncode == 0, result.stderr
    assert "at 0.49 times its speed: 21 fps" in result.stdout, "the cadence changes with the square root"
    assert "steps 0.70 times as long and 0.70 times as frequent" in result.stdout
    as_it_is, slow = MotionDataset.load(out).clips()
    assert slow.forward_speed == pytest.approx(0.49 * as_it_is.forward_speed, rel=0.02)
    assert "warning" not in result.stderr
    with pytest.raises(InputError, match=r"--speed_by magic: .*give one of time, gait"):
        convert([walk], tmp_path / "none.npz", speed_by="magic")
    with pytest.raises(InputError, match=r"--speed_by gait: no other speed is asked for; give --speeds too"):
        convert([walk], tmp_path / "none.npz", speed_by="gait")


@pytest.mark.parametrize(("speed", "warned"), [(0.39, True), (0.4, False), (1.9, False), (6, True)])
def test_a_gait_far_from_the_captured_one_is_warned_of(repo_root, tmp_path, capsys, speed, warned):
    convert([repo_root / "datasets" / "g1_walk.pkl"], tmp_path / "d.npz", speeds=[speed], speed_by="gait")
    sentence = (
        f"warning: g1_walk.pkl: --speeds {speed:g} with --speed_by gait makes steps unlike the captured ones; give"
    )
    assert (sentence in capsys.readouterr().err) == warned


def test_the_real_walk_agrees_with_an_independent_interpolation(gmr_samples, tmp_path):
    path = gmr_samples / "0807_yanjie_walk_001.pkl"
    dataset = convert([path], tmp_path / "d.npz", verbose=False)

    class NumpyOnly(pickle.Unpickler):
        def find_class(self, module, name):
            assert module.startswith("numpy")
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)

    with open(path, "rb") as file:
        raw = NumpyOnly(file).load()
    times = np.arange(len(raw["dof_pos"])) / raw["fps"]
    wanted = np.arange(len(dataset) + 1) * 0.02
    assert wanted[-1] <= times[-1] < wanted[-1] + 0.02
    for column, name in enumerate(dataset.joint_names):
        values = np.interp(wanted, times, raw["dof_pos"][:, JOINT_ORDERS["g1_29dof"].index(name)])
        np.testing.assert_allclose(dataset.states[:, column], values[:-1], atol=1e-5)
        np.testing.assert_allclose(dataset.next_states[:, column], values[1:], atol=1e-5)
    for axis in range(3):
        values = np.interp(wanted, times, raw["root_pos"][:, axis])
        np.testing.assert_allclose(dataset.root_pos[:, axis], values[:-1], atol=1e-5)
    turned = Slerp(times, Rotation.from_quat(raw["root_rot"]))(wanted)
    for ours, theirs in ((dataset.root_quat, turned[:-1]), (dataset.next_root_quat, turned[1:])):
        assert (theirs.inv() * Rotation.from_quat(ours)).magnitude().max() < 1e-5


def test_the_real_gmt_file_converts_with_its_remedies(gmr_samples, tmp_path):
    path = gmr_samples / "gmt_basic_walk_23dof.pkl"
    with pytest.raises(InputError, match=r"lacks joints of g1_23dof: left_wrist_roll_joint.*--fill_missing"):
        convert([path], tmp_path / "d.npz")
    dataset = convert([path], tmp_path / "d.npz", fill_missing=True, verbose=False)
    assert "norms 0.974 to 0.984, normalized" in dataset.source[0]
    dataset = convert([path], tmp_path / "d.npz", repair=["quaternion_norm"], fill_missing=True, verbose=False)
    assert "repaired: norms 0.974 to 0.984 made 1" in dataset.source[0]
    assert np.ptp(dataset.states[:, dataset.joint_names.index("left_wrist_roll_joint")]) == 0
    assert np.ptp(dataset.states[:, dataset.joint_names.index("left_knee_joint")]) > 0.5


def test_unusable_arguments_are_refused(clip, tmp_path):
    with pytest.raises(InputError, match="g1_23dof"):
        convert([clip], tmp_path / "d.npz", robot="h1")
    with pytest.raises(InputError, match=r"--control_dt 0"):
        convert([clip], tmp_path / "d.npz", control_dt=0)
    with pytest.raises(InputError, match=r"ends in \.npz"):
        convert([clip], tmp_path / "d.pkl")
    with pytest.raises(InputError, match="no motion given"):
        convert([], tmp_path / "d.npz")
    with pytest.raises(InputError, match="arguments are required: --output; --help lists the options"):
        main([str(clip)])
    with pytest.raises(InputError, match=r"--speeds 1 0\.5 1: names a speed twice"):
        convert([clip], tmp_path / "d.npz", speeds=(1, 0.5, 1))
    assert not list(tmp_path.glob("d.*"))


def test_a_bad_motion_gives_one_line_and_keeps_the_old_dataset(clip, tmp_path):
    out = tmp_path / "d.npz"
    convert([clip], out, verbose=False)
    before = out.read_bytes()
    bad = tmp_path / "bad.pkl"
    bad.write_bytes(clip.read_bytes()[:-100])
    result = run(clip, bad, "--output", out)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {bad}: is not a motion pickle")
    assert result.stderr.count("\n") == 1
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.pkl", "clip.pkl", "d.npz"]


def test_a_full_disk_gives_one_line_and_keeps_the_old_dataset(clip, tmp_path):
    out = tmp_path / "d.npz"
    out.write_bytes(b"what stood there")

    def allow_little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    result = run(clip, "--output", out, preexec_fn=allow_little)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {out}: cannot be written")
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1
    assert out.read_bytes() == b"what stood there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.pkl", "d.npz"]


@pytest.mark.parametrize(
    ("name", "motion", "speeds"),
    [
        ("g1_walk", "g1_walk", (1,)),
        ("g1_run", "g1_run", (1,)),
        ("g1_walk_speeds", "g1_walk_refined", (1, 0.6, 0.8, 1.2, 1.4)),
    ],
)
def test_converting_reproduces_the_demo_datasets_byte_for_byte(repo_root, tmp_path, name, motion, speeds):
    convert([repo_root / "datasets" / f"{motion}.pkl"], tmp_path / "d.npz", speeds=speeds, verbose=False)
    shipped = repo_root / "datasets" / f"{name}.npz"
    assert shipped.read_bytes() == (tmp_path / "d.npz").read_bytes()
    assert shipped.stat().st_size < 100_000 * len(speeds)


def test_a_file_name_may_hold_brackets(clip, tmp_path, capsys):
    """A browser saves a second copy as ``walk (1).pkl``."""
    path = shutil.copy(clip, tmp_path / "walk (1).pkl")
    assert read_motion(path).label == "walk (1).pkl"
    dataset = convert([path], tmp_path / "d (2).npz", speeds=[1, 0.5])
    assert dataset.name == ("walk (1).pkl",) * 2
    shown = capsys.readouterr().out
    assert "walk (1).pkl: 29.7 fps" in shown and "walk (1).pkl at 0.5 times its speed: 14.85 fps" in shown
    assert [motion.name for motion in read_motions(tmp_path / "d (2).npz")] == ["d (2).npz/walk (1).pkl"] * 2
    with pytest.raises(InputError, match=r"walk \(1\)\.pkl at 0\.5 times its speed\), and one is wanted"):
        read_motion(tmp_path / "d (2).npz")
    assert list(check_motion_files([path])) == ["walk (1).pkl"]
    with pytest.raises(InputError, match=r"^walk \(1\)\.pkl: no frame lies between"):
        read_motion(path).trim(50, 60)


def test_a_motion_is_never_replaced_by_the_dataset_made_of_it(tmp_path):
    convert(["datasets/g1_walk.npz"], tmp_path / "walk.npz", verbose=False)
    before = (tmp_path / "walk.npz").read_bytes()
    (tmp_path / "link.npz").symlink_to(tmp_path / "walk.npz")
    (tmp_path / "twin.npz").hardlink_to(tmp_path / "walk.npz")
    for output in ("walk.npz", "link.npz", "twin.npz", f"../{tmp_path.name}/walk.npz"):
        with pytest.raises(InputError, match="a motion to read, and would be replaced; choose another --output"):
            convert([tmp_path / "walk.npz"], tmp_path / output, verbose=False)
    assert (tmp_path / "walk.npz").read_bytes() == before


def test_a_clip_is_taken_once_from_a_folder(repo_root, tmp_path, capsys):
    """As pickle and as the dataset made from it, with fewer joints at another rate; but twice when named twice."""
    folder = tmp_path / "motions"
    folder.mkdir()
    walk, run = (repo_root / "datasets" / f"g1_{name}.pkl" for name in ("walk", "run"))
    shutil.copy(walk, folder / "walk.pkl")
    convert([walk], folder / "a_walk.npz", verbose=False)
    convert([run], folder / "run.npz", verbose=False)
    dataset = convert([folder], tmp_path / "once.npz", robot="g1_29dof", fill_missing=True)
    assert dataset.name == ("walk.pkl", "run.npz/g1_run.pkl"), "the only file of the run"
    assert "a_walk.npz/g1_walk.pkl: left out, the same clip as walk.pkl" in capsys.readouterr().out
    assert convert([folder / "walk.pkl", folder / "a_walk.npz"], tmp_path / "twice.npz").num_motions == 2


def test_a_copy_that_is_no_dataset_is_taken_with_a_note(repo_root, tmp_path, capsys):
    folder = tmp_path / "motions"
    folder.mkdir()
    for name in ("walk.pkl", "walk_again.pkl"):
        shutil.copy(repo_root / "datasets" / "g1_walk.pkl", folder / name)
    assert convert([folder], tmp_path / "both.npz").num_motions == 2
    note = "note: walk_again.pkl: the same clip as walk.pkl; both are taken, so remove one if it should not count twice"
    assert note in capsys.readouterr().out
    (folder / "walk_again.pkl").unlink()
    assert convert([folder], tmp_path / "once.npz").num_motions == 1
    assert "same clip" not in capsys.readouterr().out


def test_a_variant_of_a_clip_is_another_clip(repo_root):
    walk = MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0]
    index = ClipIndex()
    assert index.repeated(walk) is None and index.repeated(walk.resample(1 / 30)) == walk.label
    assert index.repeated(walk.at_speed(0.9)) is None and index.repeated(walk.trim(0.0, 2.0)) is None
    assert index.repeated(replace(walk, root_pos=np.add(walk.root_pos, (0, 0, 0.03)))) is None
    assert index.repeated(replace(walk, root_pos=np.add(walk.root_pos, (5, 2, 0)))) == walk.label
    assert index.repeated(replace(walk, joint_pos=walk.joint_pos + 0.05)) is None
