"""Real files of other people: the known trap of each is detected and reported."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import field_samples

from amp_helpers.convert import convert
from amp_helpers.errors import InputError
from amp_helpers.robots.robot import JOINT_ORDERS

# File -> result of converting it without options: an error with its remedy, or a fact in the dataset.
TRAPS = {
    "0807_yanjie_walk_001.pkl": ({}, "fps_source", 29.876),
    "0807_yanjie_walk_004.pkl": ({}, "offered", "--repair first_jump (first 2 frames dropped, from which the root"),
    "gmt_basic_walk_23dof.pkl": ({}, "refused", "lacks joints of g1_23dof: left_wrist_roll_joint, right_"),
    "sub1_clothesstand_004.pkl": ({}, "source", "quaternion xyzw, pelvis up 1.00 as xyzw, -0.21 as wxyz, soles 3.7 cm"),
    "sub1_clothesstand_004_wxyz_23dof.pkl": ({}, "refused", "lacks joints of g1_23dof: left_wrist_roll_joint, right_"),
    "B_HandsUp.csv": ({}, "refused", "does not say its frame rate, .*--fps 30"),
    "protomotions_walk_wxyz.csv": ({"fps": 30}, "source", "quaternion wxyz, pelvis up -0.99 as xyzw, 0.99 as wxyz"),
}

# With the remedy of the error, the same files convert; the decision is recorded in the dataset.
HELPED = {
    "0807_yanjie_walk_004.pkl": ({"repair": ["first_jump"]}, "repaired: first 2 frames dropped"),
    "gmt_basic_walk_23dof.pkl": (
        {"fill_missing": True},
        "joints of gmt_23 by its links, 0.0 cm off as gmt_23, 4.7 cm off as g1_23dof",
    ),
    "sub1_clothesstand_004_wxyz_23dof.pkl": ({"fill_missing": True}, "quaternion wxyz, pelvis up 0.21 as xyzw, 1.00"),
    "B_HandsUp.csv": (
        {"fps": 60},
        "60 fps as given; joints taken for g1_29dof's, the one known order of 29, and",
    ),
}


def sample(folder, name):
    if not (folder / name).is_file():
        pytest.skip(f"{name} is not among the samples in {folder}")
    return folder / name


@pytest.mark.parametrize("name", TRAPS)
def test_the_known_trap_of_a_sample_is_caught(gmr_samples, tmp_path, capsys, name):
    how, kind, said = TRAPS[name]
    path = sample(gmr_samples, name)
    if kind == "refused":
        with pytest.raises(InputError, match=said) as caught:
            convert([path], tmp_path / "d.npz", **how)
        assert str(caught.value).startswith(f"{path}: ") and not (tmp_path / "d.npz").exists()
        return
    dataset = convert([path], tmp_path / "d.npz", **how)
    if kind == "fps_source":
        assert dataset.fps_source[0] == pytest.approx(said, abs=1e-3), "a rate that is no whole number is kept"
    elif kind == "offered":
        assert f"offered: {said}" in capsys.readouterr().out
    else:
        assert said in dataset.source[0]


@pytest.mark.parametrize("name", HELPED)
def test_a_sample_converts_with_the_remedy_of_its_error(gmr_samples, tmp_path, name):
    how, said = HELPED[name]
    dataset = convert([sample(gmr_samples, name)], tmp_path / "d.npz", verbose=False, **how)
    assert said in dataset.source[0]
    up = 1 - 2 * (dataset.root_quat[:, 0] ** 2 + dataset.root_quat[:, 1] ** 2)
    assert up.mean() > 0.95 and np.abs(np.diff(dataset.root_pos, axis=0)).max() < 0.2


def test_the_whole_folder_is_one_dataset(gmr_samples, tmp_path):
    """A given frame rate applies only to files that do not state theirs."""
    names = [name for name in TRAPS if (gmr_samples / name).is_file()]
    how = {"fps": 60, "repair": True, "fill_missing": True, "weights": [2], "verbose": False}
    dataset = convert([gmr_samples], tmp_path / "d.npz", **how)
    assert dataset.num_motions == len(names) and set(dataset.weight) == {2.0}
    rates = dict(zip(dataset.name, dataset.fps_source, strict=True))
    assert rates["0807_yanjie_walk_001.pkl"] == pytest.approx(29.876, abs=1e-3)
    assert rates["B_HandsUp.csv"] == rates["protomotions_walk_wxyz.csv"] == 60
    assert set(dataset.joint_names) == set(JOINT_ORDERS["g1_23dof"])


@pytest.mark.parametrize("case", [*field_samples.FIELD, *field_samples.GMR], ids=lambda case: case.name)
def test_a_file_is_converted_right_or_refused_with_a_remedy(repo_root, case):
    """What is known of each file decides whether its conversion is right."""
    folders = [repo_root.parent / "shared" / name for name in ("field_samples", "gmr_samples")]
    folder = next((folder for folder in folders if (folder / case.name).exists()), None)
    if folder is None:
        pytest.skip(f"{case.name} is not among the samples in {folders[0].parent}")
    (row,) = field_samples.rows_of(folder, (case,))
    assert row.outcome == ("refused" if case.refused else "right"), row
    assert row.first == "converted" or "; " in row.first, "an error says what to do"
