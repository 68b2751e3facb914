"""A first frame that jumps is found by the check, dropped when asked for, and the dropping is recorded."""

import numpy as np
import pytest
from test_motion import make_motion

from amp_helpers import check as check_command
from amp_helpers.convert import convert
from amp_helpers.dataset import MotionDataset
from amp_helpers.formats import JOINT_ORDERS, write_gmr
from amp_helpers.repair import faults, repaired


def jumping(*frames: int, source: str = "walk.pkl (quaternion xyzw)"):
    """Frames before the first sound one lie 3 m away, each at another place."""
    motion = make_motion(30, 30.0, source=source)
    root_pos = motion.root_pos.copy()
    for frame in frames:
        root_pos[frame] += (0, 3.0 + frame, 0)
    return make_motion(30, 30.0, source=source, root_pos=root_pos)


@pytest.mark.parametrize(("spoilt", "what"), [((0,), "first frame"), ((0, 1), "first 2 frames")])
def test_first_frames_that_jump_are_dropped_and_recorded(spoilt, what):
    sound, kept = make_motion(30, 30.0), repaired(jumping(*spoilt), ["first_jump"])
    for field in ("joint_pos", "root_pos", "root_quat"):
        np.testing.assert_array_equal(getattr(kept, field), getattr(sound, field)[len(spoilt) :])
    assert kept.source.startswith(f"walk.pkl (quaternion xyzw; repaired: {what} dropped, from which the root jumped ")
    assert repaired(kept, ["first_jump"]) is kept
    assert repaired(jumping(*spoilt, source="computed"), ["first_jump"]).source.startswith("computed (repaired: ")


@pytest.mark.parametrize("spoilt", [(), (12,), (29,), tuple(range(30))])
def test_what_is_no_first_jump_stays(spoilt):
    motion = jumping(*spoilt)
    assert repaired(motion, ["first_jump"]) is motion and "first_jump" not in faults(motion)


def test_a_jump_later_on_is_not_hidden_by_the_repair(tmp_path):
    names = JOINT_ORDERS["g1_29dof"]
    root_pos = jumping(0, 20).root_pos
    joint_pos = 0.3 * np.sin(np.arange(30)[:, None] / 10 + np.arange(29))
    write_gmr(tmp_path / "m.pkl", make_motion(30, 30.0, joint_names=names, joint_pos=joint_pos, root_pos=root_pos))
    convert([tmp_path / "m.pkl"], tmp_path / "d.npz", repair=True, verbose=False)
    found = next(row for row in check_command.check(tmp_path / "d.npz") if row.name == "root jumps")
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
