"""Joints are mapped by name; a mistake in a name or pattern is an error, not a wrong column."""

import ast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder, expand_patterns, match_joints

NAMES = (
    "left_hip_pitch_joint",
    "left_knee_joint",
    "right_hip_pitch_joint",
    "right_knee_joint",
    "waist_yaw_joint",
)
orders = st.lists(st.text("abcdefgh_", min_size=1, max_size=5), min_size=1, max_size=12, unique=True)


def test_patterns_expand_like_an_isaac_lab_initial_state():
    pose = expand_patterns({".*_hip_pitch_joint": -0.2, "left_knee_joint": 0.4}, NAMES)
    assert pose.dtype == np.float32
    np.testing.assert_allclose(pose, [-0.2, 0.4, -0.2, 0.0, 0.0])


def test_a_pattern_must_match_the_whole_name():
    with pytest.raises(InputError, match=r"'knee' matches no joint.*left_knee_joint"):
        expand_patterns({"knee": 0.4}, NAMES)


def test_two_patterns_on_one_joint_are_refused():
    with pytest.raises(InputError, match=r"left_knee_joint.*'\.\*_knee_joint'.*'left_\.\*'"):
        expand_patterns({".*_knee_joint": 0.4, "left_.*": 0.1}, NAMES)


def test_a_broken_pattern_is_named():
    with pytest.raises(InputError, match="not a regular expression"):
        match_joints(["left_("], NAMES)


def test_matches_keep_the_order_of_the_names():
    assert match_joints(["right_.*", "left_knee_joint"], NAMES) == NAMES[1:4]
    assert match_joints("waist_yaw_joint", NAMES) == NAMES[4:]


@given(orders, st.randoms(use_true_random=False))
def test_reorder_moves_every_column_with_its_name(names, random):
    source = list(names)
    random.shuffle(source)
    label = {name: column for column, name in enumerate(names)}
    values = np.array([[label[name] for name in source]] * 3)
    out = JointOrder(names).reorder(values, source)
    assert out.tolist() == [list(range(len(names)))] * 3
    back = JointOrder(source).reorder(out, names)
    np.testing.assert_array_equal(back, values)


@given(orders, orders)
def test_comparison_accounts_for_every_joint(here, there):
    report = JointOrder(here).compare(there)
    assert set(report.missing) == set(here) - set(there)
    assert set(report.extra) == set(there) - set(here)
    assert all(here[i] == name and there[j] == name and i != j for name, i, j in report.moved)
    assert report.ok == (here == there)


def test_the_comparison_reads_as_a_sentence():
    report = JointOrder(NAMES).compare((NAMES[1], NAMES[0], "left_toe_joint"))
    assert not report.ok
    assert "3 missing: right_hip_pitch_joint" in str(report)
    assert "1 extra: left_toe_joint" in str(report)
    assert "left_knee_joint 1->0" in str(report)
    assert str(JointOrder(NAMES).compare(NAMES)) == "same joints in the same order"


def test_unknown_and_missing_joints_list_what_there_is():
    order = JointOrder(NAMES)
    with pytest.raises(InputError, match=r"'left_toe_joint' not found; available: left_hip_pitch_joint"):
        order.index("left_toe_joint")
    with pytest.raises(InputError, match="waist_yaw_joint not found"):
        order.indices_from(NAMES[:4])
    with pytest.raises(InputError, match=r"shape \(2, 4\) but 5 joints"):
        order.reorder(np.zeros((2, 4)), NAMES)
    with pytest.raises(InputError, match="repeat: a"):
        JointOrder(("a", "b", "a"))


def test_without_drops_by_name_or_pattern():
    order = JointOrder(NAMES)
    assert order.without([".*_knee_joint", "waist_yaw_joint"]).names == (NAMES[0], NAMES[2])
    with pytest.raises(InputError, match="matches no joint"):
        order.without(["feet"])


def test_the_cfg_to_paste_is_python_and_preserves_order():
    code = JointOrder(NAMES).isaaclab_cfg()
    tree = ast.parse(code)
    assert ast.literal_eval(tree.body[0].value) == list(NAMES)
    # Once for the actions, once for each of the two observation terms.
    preserved = [node for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "preserve_order"]
    assert len(preserved) == 3
    assert all(node.value.value is True for node in preserved)
