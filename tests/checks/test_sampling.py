"""Large datasets: every clip is checked, the costly diagnosis sees a sample, and the table says which."""

from dataclasses import replace

import numpy as np
import pytest

from amp_helpers.checks import sampling
from amp_helpers.checks.checked_motion import CheckedMotion
from amp_helpers.checks.dataset import CheckedDataset
from amp_helpers.checks.odd_signs import ODD_GAIN, odd_signs, sign_gains
from amp_helpers.checks.preflight import check_dataset
from amp_helpers.checks.sampling import DiagnosedClips
from amp_helpers.checks.table import format_table
from amp_helpers.dataset import MotionDataset
from amp_helpers.formats.registry import read_motion
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.utils.resources import find_data

CLIPS, MOST, WORST, ODD = 24, 7, 3, 1


@pytest.fixture(autouse=True)
def small_samples(monkeypatch):
    monkeypatch.setattr(sampling, "MOST_DIAGNOSED", MOST)
    monkeypatch.setattr(sampling, "WORST", WORST)
    monkeypatch.setattr(sampling, "ODD", ODD)


@pytest.fixture(scope="module")
def clips(repo_root):
    walk = read_motion(repo_root / "datasets" / "g1_walk.pkl").select(G1_23DOF.joint_names).resample(0.02).loop(3)
    return [replace(walk.trim(0.1 * i, 0.1 * i + 1.3), name=f"clip {i}") for i in range(CLIPS)]


def dataset(clips):
    return MotionDataset.from_motions(clips, joint_names=G1_23DOF.joint_names, control_dt=0.02)


def checked(clips):
    table = check_dataset(dataset(clips), G1_23DOF)
    return table, {result.name: result for result in table}


def swapped(clip):
    names = G1_23DOF.joint_names
    other = [names.index(n.replace("left", "?").replace("right", "left").replace("?", "right")) for n in names]
    return replace(clip, joint_pos=clip.joint_pos[:, other])


@pytest.mark.parametrize("at", [0, 7, CLIPS - 1])
def test_one_wrong_clip_among_many_is_diagnosed(clips, at):
    """Beside the walk, a clip with exchanged sides fits the robot worst."""
    table, by_name = checked([swapped(clip) if i == at else clip for i, clip in enumerate(clips)])
    assert by_name["left and right"].verdict == "fail"
    assert by_name["left and right"].evidence.startswith(f"clip {at}: left and right joints are exchanged")
    assert f"{MOST} of {CLIPS} clips: the {WORST} that fit the robot worst, {ODD} with a joint" in table.note
    assert " ".join(format_table(table).split()).endswith(table.note)
    assert table.note in table._repr_html_()


@pytest.mark.slow
def test_a_fault_that_numbers_show_is_found_in_every_clip(clips):
    """Only the diagnosis is sampled: a joint beyond its limit for two frames is found where nothing else is wrong."""
    for at in range(0, CLIPS, 5):
        angles = clips[at].joint_pos.copy()
        angles[20:22, 3] = 3.1
        _, by_name = checked([*clips[:at], replace(clips[at], joint_pos=angles), *clips[at + 1 :]])
        assert by_name["joint limits"].verdict != "ok" and by_name["joint limits"].evidence.startswith(f"clip {at}: ")


SIGNED = [n for n in G1_23DOF.joint_names if "wrist" not in n and "ankle_roll" not in n]


def test_a_wrong_sign_in_one_clip_of_many_is_named():
    """Found by the other clips, whether or not the clip looks wrong by itself; sound clips of other kinds are not."""
    kinds = [clip for clip in MotionDataset.load(find_data("datasets/g1_locomotion.npz")).clips() if any(clip.command)]
    clips = [clip.trim(0.7 * i, 0.7 * i + 2) for clip in kinds for i in range(3)]
    assert sign_gains(clips).max() < ODD_GAIN / 2
    for number, joint in enumerate(SIGNED):
        at, sign = 5 * number, np.where(np.array(G1_23DOF.joint_names) == joint, -1, 1)
        odd = [*clips[:at], replace(clips[at], joint_pos=clips[at].joint_pos * sign, name="odd"), *clips[at + 1 :]]
        gains = sign_gains(odd)
        assert np.unravel_index(gains.argmax(), gains.shape) == (at, G1_23DOF.joint_names.index(joint)), joint
    outcome = odd_signs(CheckedDataset(dataset(odd), G1_23DOF))
    assert outcome.verdict == "warn" and outcome.evidence.startswith(f"odd: {joint} moves against clips like this one")
    assert f"where {joint} is wrong, negate it in the file" in outcome.remedy
    assert odd_signs(CheckedDataset(dataset(clips), G1_23DOF)).verdict == "ok"
    assert odd_signs(CheckedDataset(dataset(odd[:10]), G1_23DOF)) is None


def test_the_number_of_wrong_clips_is_told(clips):
    lifted = [replace(c, root_pos=c.root_pos + np.array([0, 0, 0.3])) if i % 4 == 0 else c for i, c in enumerate(clips)]
    _, by_name = checked(lifted)
    assert by_name["ground height"].evidence.startswith("clip 0 and 5 other clips: lower sole +")


def test_small_datasets_are_diagnosed_whole_and_large_ones_from_first_to_last(clips):
    few = [CheckedMotion(clip, G1_23DOF) for clip in clips[:MOST]]
    assert DiagnosedClips.of(few) == DiagnosedClips(frozenset(range(MOST)))
    same = [CheckedMotion(clips[0], G1_23DOF)] * CLIPS
    chosen = sorted(DiagnosedClips.of(same).indices)
    assert len(chosen) == MOST and chosen[-1] == CLIPS - 1
    assert np.diff(chosen).max() < CLIPS / 2


def test_clips_without_a_body_to_fit_are_checked_all_the_same(clips):
    legless = [clip.select([n for n in G1_23DOF.joint_names if "ankle" not in n]) for clip in clips]
    data = MotionDataset.from_motions(legless, joint_names=legless[0].joint_names, control_dt=0.02)
    table = {result.name: result.verdict for result in check_dataset(data, G1_23DOF)}
    assert table["joint set"] == "fail" and "column order" not in table
