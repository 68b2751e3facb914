"""Defects of a clip are reported, repaired on request, and the repair is recorded."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from support import make_motion

from amp_helpers import check as check_command
from amp_helpers.convert import convert, main
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.formats.gmr import write_gmr
from amp_helpers.formats.pickles.load import load_pickle
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.repair import REPAIRS, apply_repairs, find_defects
from amp_helpers.robots.robot import JOINT_ORDERS


def jumping(*frames: int):
    """Make a motion whose given frames lie meters away, each at another place."""
    motion = make_motion(30, 30.0, name="walk.pkl")
    root_pos = motion.root_pos.copy()
    for frame in frames:
        root_pos[frame] += (0, 3.0 + frame, 0)
    return make_motion(30, 30.0, name="walk.pkl", root_pos=root_pos)


@pytest.mark.parametrize(("spoilt", "what"), [((0,), "first frame"), ((0, 1), "first 2 frames")])
def test_first_frames_that_jump_are_dropped_and_recorded(spoilt, what):
    sound, kept = make_motion(30, 30.0), apply_repairs(jumping(*spoilt), ["first_jump"])
    for field in ("joint_pos", "root_pos", "root_quat"):
        np.testing.assert_array_equal(getattr(kept, field), getattr(sound, field)[len(spoilt) :])
    assert kept.source.startswith(f"walk.pkl (repaired: {what} dropped, from which the root jumped ")
    assert apply_repairs(kept, ["first_jump"]) is kept
    assert [repair.name for repair in kept.findings.repairs] == ["first_jump"]


@pytest.mark.parametrize("spoilt", [(), (12,), (29,), tuple(range(30))])
def test_other_jumps_are_kept(spoilt):
    motion = jumping(*spoilt)
    assert apply_repairs(motion, ["first_jump"]) is motion and "first_jump" not in find_defects(motion)


def test_a_later_jump_is_not_hidden_by_the_repair(tmp_path):
    names = JOINT_ORDERS["g1_29dof"]
    root_pos = jumping(0, 20).root_pos
    joint_pos = 0.3 * np.sin(np.arange(30)[:, None] / 10 + np.arange(29))
    write_gmr(tmp_path / "m.pkl", make_motion(30, 30.0, joint_names=names, joint_pos=joint_pos, root_pos=root_pos))
    convert([tmp_path / "m.pkl"], tmp_path / "d.npz", repair=True, verbose=False)
    found = next(row for row in check_command.check_dataset_file(tmp_path / "d.npz") if row.name == "root jumps")
    assert found.verdict == "fail"


def test_the_real_clip_that_starts_with_a_jump(gmr_samples, tmp_path, monkeypatch, capsys):
    path = gmr_samples / "0807_yanjie_walk_004.pkl"
    if not path.is_file():
        pytest.skip(f"{path.name} is not among the samples in {gmr_samples}")

    def check(*options: str) -> tuple[int, str]:
        out = tmp_path / "d.npz"
        convert([path], out, repair="--repair" in options)
        code = check_command.main(["--dataset", str(out)])
        return code, capsys.readouterr().out

    code, shown = check()
    assert code == 1 and "1 failed: root jumps" in shown and "--repair" in shown
    assert "repaired" not in MotionDataset.load(tmp_path / "d.npz").source[0]
    code, shown = check("--repair")
    assert code == 0 and "0 failed" in shown
    assert "repaired: first 2 frames dropped, from which the root jumped 3.21 m" in shown
    assert "jumped 3.21 m" in MotionDataset.load(tmp_path / "d.npz").source[0]


def swinging(frames: int = 60):
    """Make a motion with smooth joints and a smooth root at 30 fps."""
    time = np.arange(frames)[:, None] / 30
    return make_motion(frames, 30.0, joint_pos=np.sin(time * [2.0, 3.0, 2.5, 4.0, 1.5] + [0, 1, 2, 3, 4]))


def rows(motion, picked):
    fields = ("joint_pos", "root_pos", "root_quat")
    return replace(motion, **{field: getattr(motion, field)[picked] for field in fields})


def off(a, b) -> float:
    """Compute the largest difference of joint angles, rad, between clips of equal length."""
    assert a.num_frames == b.num_frames
    return float(np.abs(a.joint_pos - b.joint_pos).max())


@pytest.mark.parametrize("times", [1, 2, 5])
def test_inserted_repeated_frames_are_dropped(times):
    sound = swinging()
    stuttering = rows(sound, np.insert(np.arange(60), [20] * times, 19))
    assert set(find_defects(stuttering)) == {"duplicate_frames"}
    clean = apply_repairs(stuttering, ["duplicate_frames"])
    assert off(clean, sound) == 0
    assert clean.source == f"test (repaired: {times} repeated frame{'s' if times > 1 else ''} dropped)"
    assert off(apply_repairs(stuttering, ["missing_frames"]), stuttering) == 0, "only what was asked for"


@pytest.mark.parametrize("lost", [[20], [20, 21], [20, 40]])
def test_frames_held_in_place_of_lost_ones_are_filled_in(lost):
    sound = swinging()
    held = rows(
        sound, [19 if frame in (20, 21) and frame in lost else 39 if frame in lost else frame for frame in range(60)]
    )
    clean = apply_repairs(held, ["duplicate_frames"])
    assert f"{len(lost)} repeated frame{'s' if len(lost) > 1 else ''} filled in" in clean.source
    assert off(clean, sound) < 0.02 < off(held, sound)


def test_a_clip_that_holds_every_other_frame_keeps_its_duration():
    sound = swinging()
    clean = apply_repairs(rows(sound, np.arange(60) // 2 * 2), REPAIRS)
    assert "28 repeated frames filled in" in clean.source, "all but those that begin and end the clip"
    inside = np.arange(2, 58)
    assert off(rows(clean, inside), rows(sound, inside)) < 0.01


@pytest.mark.parametrize("gap", [[20], [20, 21], [20, 40], [30, 31, 32]])
def test_missing_frames_are_filled_in(gap):
    sound = swinging()
    jerky = rows(sound, np.setdiff1d(np.arange(60), gap))
    assert set(find_defects(jerky)) == {"missing_frames"}
    clean = apply_repairs(jerky, ["missing_frames"])
    assert f"{len(gap)} missing frame{'s' if len(gap) > 1 else ''} filled in" in clean.source
    assert off(clean, sound) < 0.05
    np.testing.assert_allclose(clean.root_pos, sound.root_pos, atol=0.01)


def test_correct_movement_and_rest_have_no_defects(repo_root, gmr_samples):
    still = rows(swinging(), [0] * 30 + list(range(60)) + [59] * 30)
    assert find_defects(swinging()) == {} == find_defects(still), "a clip may begin and end with a rest"
    assert find_defects(rows(swinging(), list(range(30)) + [29] * 10 + list(range(30, 60)))) == {}, (
        "and pause for a third of a second"
    )
    assert apply_repairs(still, REPAIRS) is still
    clips = [repo_root / "datasets" / f"{name}.pkl" for name in ("g1_walk", "g1_run")]
    clips += [path for path in sorted(gmr_samples.iterdir()) if path.suffix in (".pkl", ".csv")]
    found = {path.name: set(find_defects(read_motion(path, fps=30))) for path in clips}
    # One step of that clip does look like two, in all 29 joints; a repair is offered, and made only when asked for.
    expected = {"0807_yanjie_walk_004.pkl": {"first_jump"}, "protomotions_walk_wxyz.csv": {"missing_frames"}}
    assert {name: kinds for name, kinds in found.items() if kinds} == {
        name: kinds for name, kinds in expected.items() if name in found
    }


def test_repairs_are_applied_on_request_recorded_and_otherwise_offered(tmp_path, capsys):
    names = JOINT_ORDERS["g1_29dof"]
    base = 0.2 * np.sin(np.arange(60)[:, None] / 5 + np.arange(29))
    jerky = rows(make_motion(60, 30.0, joint_names=names, joint_pos=base), np.delete(np.arange(60), 20))
    write_gmr(tmp_path / "m.pkl", jerky)
    plain = convert([tmp_path / "m.pkl"], tmp_path / "d.npz")
    assert "offered: --repair missing_frames (1 missing frame filled in)" in capsys.readouterr().out
    assert "repaired" not in plain.source[0]
    main([str(tmp_path / "m.pkl"), "--output", str(tmp_path / "e.npz"), "--repair", "missing_frames", "first_jump"])
    assert "offered" not in capsys.readouterr().out
    assert "repaired: 1 missing frame filled in" in MotionDataset.load(tmp_path / "e.npz").source[0]
    with pytest.raises(InputError, match="repair 'gaps' not found; available: quaternion_norm, "):
        convert([tmp_path / "m.pkl"], tmp_path / "d.npz", repair=["gaps"])
    with pytest.raises(InputError, match="invalid choice: 'gaps'"):
        main([str(tmp_path / "m.pkl"), "--output", str(tmp_path / "f.npz"), "--repair", "gaps"])


def test_norms_and_signs_of_quaternions_are_repaired_and_recorded(tmp_path):
    content = load_pickle(write(tmp_path, norm=0.97, flip=[10, 30]))
    assert np.linalg.norm(content["root_rot"], axis=1).max() < 0.98
    path = tmp_path / "m.pkl"
    plain = convert([path], tmp_path / "d.npz", verbose=False)
    assert "norms 0.970 to 0.970, normalized" in plain.source[0]
    source = convert([path], tmp_path / "d.npz", repair=["quaternion_norm"], verbose=False).source[0]
    assert "2 sign flips of the quaternion, which do not change the rotation" in source
    assert "repaired: norms 0.970 to 0.970 made 1" in source
    dataset = convert([path], tmp_path / "d.npz", repair=True, verbose=False)
    assert "repaired: 2 sign flips of the quaternion evened out" in dataset.source[0]
    sound = convert([write(tmp_path)], tmp_path / "e.npz", verbose=False)
    np.testing.assert_allclose(dataset.root_quat, sound.root_quat, atol=1e-6)


def write(folder, norm: float = 1.0, flip: tuple[int, ...] = ()):
    """Write a GMR pickle with quaternions of length ``norm`` that change sign after the frames in ``flip``."""
    names = JOINT_ORDERS["g1_29dof"]
    motion = make_motion(
        60, 30.0, joint_names=names, joint_pos=0.2 * np.sin(np.arange(60)[:, None] / 5 + np.arange(29))
    )
    sign = np.prod([np.where(np.arange(60) > frame, -1, 1) for frame in flip], axis=0)
    write_gmr(folder / "m.pkl", motion)
    content = load_pickle(folder / "m.pkl")
    content["root_rot"] = motion.root_quat * norm * np.reshape(sign, (-1, 1))
    (folder / "m.pkl").write_bytes(pickle.dumps(content))
    return folder / "m.pkl"
