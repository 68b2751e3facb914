"""Joint names in a file are understood in any spelling, map in any order, and are quoted where they fit no joint."""

import pickle
import random
import time
from pathlib import Path

import numpy as np
import pytest

from amp_helpers.convert import convert
from amp_helpers.errors import InputError
from amp_helpers.formats.isaaclab_amp import write_amp
from amp_helpers.formats.joint_names import match_names, split_unit
from amp_helpers.formats.name_lists import find_names
from amp_helpers.formats.registry import read_motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.model import breadth_first
from amp_helpers.robots.robot import G1_29DOF, JOINT_ORDERS

NAMES = JOINT_ORDERS["g1_29dof"]


def parts(name: str) -> tuple[str, list[str]]:
    """Side and other words of a G1 joint; the side of a middle joint is empty."""
    words = name.removesuffix("_joint").split("_")
    return (words[0], words[1:]) if words[0] in ("left", "right") else ("", words)


def joined(separator: str, words: list[str]) -> str:
    return separator.join(filter(None, words))


SPELLINGS = {
    "dots, side last": lambda side, rest: joined(".", [*rest, side[:1]]),
    "capital side first": lambda side, rest: joined("_", [side[:1].upper(), *rest]),
    "camel case": lambda side, rest: "".join(word.capitalize() for word in (side, *rest)),
    "side glued on": lambda side, rest: side[:1].upper() + "".join(word.capitalize() for word in rest),
    "everything glued": lambda side, rest: side + "".join(rest),
    "upper case, hyphens": lambda side, rest: joined("-", [side, *rest]).upper(),
    "spaces": lambda side, rest: joined(" ", [*rest, side]),
    "dof_ and unit": lambda side, rest: f"dof_{joined('_', [side, *rest])}_joint(rad)",
    "_dof": lambda side, rest: f"{joined('_', [side, *rest])}_joint_dof",
    "a path": lambda side, rest: f"/world/g1/{joined('_', [side, *rest])}_joint.pos",
    "words reversed": lambda side, rest: joined("_", [*rest[::-1], side]),
    "the region named": lambda side, rest: joined("_", [side, {"hip": "leg", "wrist": "arm"}.get(rest[0], ""), *rest]),
    "in brackets": lambda side, rest: f"position({joined('_', [side, *rest])}_joint)",
    "a motor": lambda side, rest: f"motor:{joined('_', [side, *rest])}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_name_is_the_same_joint(spelling):
    names = random.Random(0).sample(NAMES, len(NAMES))
    match = match_names([SPELLINGS[spelling](*parts(name)) for name in names], NAMES)
    assert match.joints == tuple(names) and not match.unmatched and not match.missing


COUNTED = ["joint_{}.{}", "{}_{}", "J{:02d}_{}", "{}: {}", "dof_{}_{}_pos", "{1}[{0}]"]


@pytest.mark.parametrize("pattern", COUNTED)
def test_a_number_that_counts_the_joints_does_not_tell_them_apart(pattern):
    names = random.Random(1).sample(NAMES, len(NAMES))
    match = match_names(["root_0", *(pattern.format(i, name) for i, name in enumerate(names))], NAMES)
    assert match.joints == (None, *names) and not match.missing


def test_a_number_that_tells_joints_apart_stays():
    arm = ["left_arm_1", "left_arm_2", "right_arm_1", "right_arm_2"]
    assert match_names([f"{i}_{name}" for i, name in enumerate(arm)], arm).joints == tuple(arm)
    twice = match_names(["knee_0_left", "knee_1_left", "knee_0_right"], ["left_knee_joint", "right_knee_joint"])
    assert twice.joints == (None, None, None), "two columns of one joint are not one joint each"


def test_quadruped_corners_are_spelled_either_way():
    dog = [f"{corner}_{part}_joint" for corner in ("FL", "FR", "RL", "RR") for part in ("hip", "thigh", "calf")]
    other = [f"{corner}.{part}" for corner in ("lf", "rf", "lh", "rh") for part in ("hip", "thigh", "calf")]
    assert match_names(other, dog).joints == tuple(dog)


@pytest.mark.parametrize(
    ("name", "bare", "unit"),
    [
        ("knee(rad)", "knee", "rad"),
        ("dof_knee [Degrees]", "dof_knee", "deg"),
        ("left_knee_deg", "left_knee", "deg"),
        ("root_x (mm)", "root_x", "mm"),
        ("knee", "knee", None),
        ("rad", "rad", None),
    ],
)
def test_a_unit_is_taken_off_the_name(name, bare, unit):
    assert split_unit(name) == (bare, unit)


def test_similar_joints_are_not_the_same_joint():
    for joint in ("left_hip", "left_hip_pitch_roll", "hip_pitch", "left_elbow_pitch", "waist", "left_left_knee"):
        assert match_names([joint], NAMES).unmatched == (joint,)


def test_two_names_of_one_joint_and_unknown_units_are_refused():
    with pytest.raises(InputError, match=r"the names left_knee and knee\.l are both left_knee_joint"):
        match_names(["left_knee", "knee.l"], NAMES)
    with pytest.raises(InputError, match=r"unit of 'knee.turns.' is not known; known are rad, deg, m, cm"):
        match_names(["knee(turns)"], NAMES)


def test_long_names_and_lists_take_no_time():
    start = time.process_time()
    assert len(match_names(["left" * 100_000, "l" * 50, *NAMES[2:]], NAMES).nearest()) < 500
    with pytest.raises(InputError, match="names 100000 joints, more than the 1000 read at most"):
        match_names([f"joint {number}" for number in range(100_000)], NAMES)
    assert time.process_time() - start < 5


def test_joints_that_differ_in_word_order_only_need_their_own_order():
    joints = ["ankle_cross_left", "cross_ankle_left", "knee_left"]
    assert match_names(["Ankle.Cross.L", "CrossAnkleLeft"], joints).joints == (None, "cross_ankle_left")
    assert match_names(joints[::-1], joints).joints == tuple(joints[::-1])


@pytest.mark.parametrize("key", ["joint_names", "dof_names", "JointNames", "joints_list", "Joint Order", "dofNames"])
def test_names_are_found_under_any_key(key):
    assert find_names(Path("m.pkl"), {"dof_order": "mujoco", "fps": 30, key: ["a"]}) == (key, ["a"])
    assert find_names(Path("m.pkl"), {"info": {key: ["a"]}}) == (key, ["a"])
    assert find_names(Path("m.pkl"), {"joint_pos": np.zeros(3), key: None}) == ("joint_names", None)


@pytest.mark.parametrize("key", ["robot_joints", "isaac_joint_names", "columns", "labels", "joints"])
def test_as_many_texts_as_columns_name_them(write, walk, key):
    names = random.Random(2).sample(NAMES, len(NAMES))
    links = {"link_names": [*NAMES[::-1]], "foot_joint_names": names[:2], "author": "me"}
    motion = read_motion(write(names, **{key: names}, **links))
    np.testing.assert_allclose(motion.select(NAMES).joint_pos, walk.joint_pos)
    numbered = {name: i for i, name in enumerate(names)}
    for value in (numbered, {i: name for name, i in numbered.items()}):
        motion = read_motion(write(names, joint_names=value))
        assert motion.joint_names == tuple(names)


@pytest.fixture
def walk(repo_root):
    return read_motion(repo_root / "datasets" / "g1_walk.pkl")


@pytest.fixture
def write(walk, tmp_path):
    """Write the demo walk as a GMR pickle with its columns in the order of ``names``, and other keys beside."""

    def write(names, **more) -> Path:
        part = walk.select([name for name in names if name in walk.joint_names])
        pose = {name: part.joint_pos[:, column] for column, name in enumerate(part.joint_names)}
        table = np.stack([pose.get(name, np.zeros(walk.num_frames)) for name in names], axis=1)
        content = {"fps": walk.fps, "root_pos": walk.root_pos, "root_rot": walk.root_quat, "dof_pos": table, **more}
        (tmp_path / "clip.pkl").write_bytes(pickle.dumps(content))
        return tmp_path / "clip.pkl"

    return write


@pytest.mark.parametrize("key", ["dof_names", "JointNames", "joints_list"])
@pytest.mark.parametrize("spelling", ["dots, side last", "side glued on", "dof_ and unit"])
def test_a_pickle_is_read_by_its_names_in_any_order(write, walk, key, spelling):
    names = random.Random(1).sample(NAMES, len(NAMES))
    path = write(names, **{key: [SPELLINGS[spelling](*parts(name)) for name in names]})
    motion = read_motion(path, robot=G1_29DOF)
    np.testing.assert_allclose(motion.select(NAMES).joint_pos, walk.joint_pos, atol=1e-6)
    np.testing.assert_allclose(read_motion(path).select(NAMES).joint_pos, walk.joint_pos, atol=1e-6)


def test_angles_that_their_names_state_in_degrees_are_converted(write, walk):
    degrees = np.degrees(walk.joint_pos)
    motion = read_motion(write(NAMES, dof_pos=degrees, dof_names=[f"{name} (deg)" for name in NAMES]))
    np.testing.assert_allclose(motion.joint_pos, walk.joint_pos, atol=1e-5)


def test_an_unknown_name_is_quoted_with_the_nearest_joints(write, tmp_path):
    names = [*NAMES[:3], "left_kneee", *NAMES[4:]]
    with pytest.raises(InputError, match=r"dof_names has .* no joints of g1_29dof: 'left_kneee' \(nearest: left_knee"):
        convert([write(NAMES, dof_names=names)], tmp_path / "d.npz", robot="g1_29dof", fill_missing=True)
    assert not (tmp_path / "d.npz").exists()


def test_names_of_further_joints_beside_all_of_the_robots_are_dropped_by_name(write, walk, tmp_path):
    names = [*NAMES[:22], "left_thumb", *NAMES[22:], "right_thumb"]
    dataset = convert([write(names, dof_names=names)], tmp_path / "d.npz", robot="g1_29dof", control_dt=walk.dt)
    np.testing.assert_allclose(dataset.states, walk.joint_pos[:-1], atol=1e-5)


def test_two_lists_of_names_have_to_agree(write, walk):
    names = [SPELLINGS["camel case"](*parts(name)) for name in NAMES]
    assert read_motion(write(NAMES, joint_names=list(NAMES), dof_names=names)).joint_names == NAMES
    with pytest.raises(InputError, match=r"clip\.pkl: dof_names and joint_names name the joints differently"):
        read_motion(write(NAMES, joint_names=list(NAMES), dof_names=names[::-1]))


def test_a_name_of_the_free_joint_has_no_column(write, walk):
    motion = read_motion(write(NAMES, joint_names=["floating_base_joint", *NAMES]))
    np.testing.assert_array_equal(motion.joint_pos, walk.joint_pos)


def test_a_joint_order_beside_names_is_checked_against_them(write, walk):
    names = [*NAMES[6:12], *NAMES[:6], *NAMES[12:]]
    path = write(names, dof_names=names)
    with pytest.raises(InputError, match=r"column 0 is right_hip_pitch_joint in the file and left_hip_pitch_joint as"):
        read_motion(path, joint_names="robot", robot=G1_29DOF)
    path = write(NAMES, dof_names=[SPELLINGS["camel case"](*parts(name)) for name in NAMES])
    np.testing.assert_array_equal(read_motion(path, joint_names="robot", robot=G1_29DOF).joint_pos, walk.joint_pos)


def test_names_that_contradict_the_links_are_refused_with_remedies_that_work(walk, tmp_path):
    """Breadth-first columns under depth-first names, as files of PhysX have them whose names are MuJoCo's."""
    path = tmp_path / "clip.npz"
    write_amp(path, walk)
    content = dict(np.load(path))
    physx = breadth_first(Kinematics(G1_29DOF).model)
    content["dof_positions"] = walk.select(physx).joint_pos
    np.savez(path, **content)
    with pytest.raises(
        InputError, match=r"dof_names contradicts the file's own links, .* --joint_order physx .* names"
    ):
        convert([path], tmp_path / "d.npz", robot="g1_29dof")
    how = {"robot": "g1_29dof", "control_dt": walk.dt, "verbose": False}
    dataset = convert([path], tmp_path / "d.npz", joint_order="physx", **how)
    np.testing.assert_allclose(dataset.states, walk.joint_pos[:-1], atol=1e-5)
    dataset = convert([path], tmp_path / "d.npz", joint_order="names", **how)
    np.testing.assert_allclose(dataset.states, walk.select(physx).joint_pos[:-1], atol=1e-5)
    with pytest.raises(InputError, match="names no joints that --joint_order names could trust"):
        read_motion(_nameless(walk, tmp_path), joint_names="names")


def _nameless(walk, folder: Path) -> Path:
    content = {"fps": 30, "root_pos": walk.root_pos, "root_rot": walk.root_quat, "dof_pos": walk.joint_pos}
    (folder / "nameless.pkl").write_bytes(pickle.dumps(content))
    return folder / "nameless.pkl"
