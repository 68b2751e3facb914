"""Limits, links and feet of the model reveal files of another robot or in another order."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from amp_helpers.convert import convert
from amp_helpers.errors import InputError
from amp_helpers.formats.model_evidence import Evidence, order_of
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.model import breadth_first
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF, JOINT_ORDERS, Robot

NAMES_29 = JOINT_ORDERS["g1_29dof"]

# Booster's T1 with 29 joints, head and arms first, in a bent stance (its default angles, rad).
T1_STANCE = [
    *(0.0, 0.0, 0.2, -1.35, 0.0, -0.5, 0.0, 0.0, 0.0, 0.2, 1.35, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0),
    *(-0.2, 0.0, 0.0, 0.4, -0.25, 0.0, -0.2, 0.0, 0.0, 0.4, -0.25, 0.0),
]


@pytest.fixture(scope="module")
def walk(repo_root):
    return read_motion(repo_root / "datasets" / "g1_walk.pkl")


@pytest.fixture
def write(tmp_path, walk):
    """Return a function that writes the demo walk as a GMR pickle without joint names, with or without links."""

    def write(**changes):
        content = {
            "fps": 30,
            "root_pos": walk.root_pos,
            "root_rot": walk.root_quat,
            "dof_pos": walk.joint_pos,
            "local_body_pos": None,
            "link_body_list": None,
        }
        path = tmp_path / "motion.pkl"
        path.write_bytes(pickle.dumps(content | changes))
        return path

    return write


def local_links(motion) -> dict:
    kinematics = Kinematics(G1_29DOF)
    upright = np.tile([0.0, 0, 0, 1], (motion.num_frames, 1))
    places = kinematics.body_positions(replace(motion, root_pos=0 * motion.root_pos, root_quat=upright))
    return {"local_body_pos": places.astype(np.float32), "link_body_list": list(kinematics.body_names)}


def test_twenty_nine_numbers_of_another_humanoid_are_refused(write, tmp_path):
    sway = 0.1 * np.sin(np.arange(60)[:, None] / 5 + np.arange(29))
    still = {"root_pos": np.tile([0, 0, 0.7], (60, 1)), "root_rot": np.tile([0.0, 0, 0, 1], (60, 1))}
    path = write(dof_pos=np.array(T1_STANCE) + sway, **still)
    with pytest.raises(InputError, match=r"29 columns are not those of g1_29dof: left_knee_joint would be at -1\.3"):
        convert([path], tmp_path / "d.npz")
    assert not (tmp_path / "d.npz").exists()
    named = {"local_body_pos": np.zeros((60, 3, 3)), "link_body_list": ["Trunk", "H1", "AL1"]}
    with pytest.raises(InputError, match=r"its links \(Trunk, H1, AL1\) are those of no robot known here"):
        convert([write(dof_pos=np.array(T1_STANCE) + sway, **still, **named)], tmp_path / "d.npz")


def test_forty_three_columns_with_hands_are_refused_not_truncated(write, walk, tmp_path):
    hands = np.insert(walk.joint_pos, [22] * 7, 0.0, axis=1)
    hands = np.hstack([hands, np.zeros((walk.num_frames, 7))])
    with pytest.raises(InputError, match=r"43 joint columns .* left hand sits at columns 22 to 28"):
        convert([write(dof_pos=hands)], tmp_path / "d.npz")


def test_a_breadth_first_file_without_links_contradicts_the_limits(write, walk, tmp_path):
    arms_first = write(dof_pos=np.roll(walk.joint_pos, 14, axis=1))
    with pytest.raises(InputError, match=r"29 columns are not those of g1_29dof: \w+ would be at .*--joint_order"):
        convert([arms_first], tmp_path / "d.npz")
    physx = write(dof_pos=walk.select(breadth_first(Kinematics(G1_29DOF).model)).joint_pos)
    with pytest.raises(InputError, match=r"usual order of 29 32% of frames .*, 0% as g1_29dof breadth-first"):
        convert([physx], tmp_path / "d.npz")
    dataset = convert([physx], tmp_path / "d.npz", joint_order="physx", verbose=False)
    order = [NAMES_29.index(name) for name in dataset.joint_names]
    np.testing.assert_allclose(dataset.states[0], walk.joint_pos[0, order], atol=1e-6)


def test_the_two_23_joint_sets_are_decided_by_links_or_need_an_order(write, walk, tmp_path):
    for name in ("g1_23dof", "gmt_23"):
        held = replace(walk, joint_pos=walk.joint_pos * [joint in JOINT_ORDERS[name] for joint in NAMES_29])
        part = held.select(JOINT_ORDERS[name]).joint_pos
        motion = read_motion(write(dof_pos=part, **local_links(held)))
        assert motion.joint_names == JOINT_ORDERS[name] and f"joints of {name} by its links" in motion.source
    with pytest.raises(InputError, match="two different sets of joints"):
        read_motion(write(dof_pos=part))
    with pytest.raises(InputError, match="lacks joints of g1_23dof: left_wrist_roll_joint, right_wrist_roll_joint"):
        convert([write(dof_pos=part)], tmp_path / "d.npz", joint_order="gmt_23")


def test_a_wrong_23_joint_order_contradicts_the_limits(write, repo_root, tmp_path):
    run = read_motion(repo_root / "datasets" / "g1_run.pkl")
    root = {"root_pos": run.root_pos, "root_rot": run.root_quat}
    path = write(dof_pos=run.select(JOINT_ORDERS["g1_23dof"]).joint_pos, **root)
    with pytest.raises(InputError, match=r"order given of 23 \d+% of frames leave .* limits, 0% as g1_23dof; "):
        convert([path], tmp_path / "d.npz", joint_order="gmt_23", fill_missing=True)
    assert convert([path], tmp_path / "d.npz", joint_order="g1_23dof", verbose=False).num_motions == 1


def test_links_reveal_a_wrong_order_although_every_angle_is_within_limits(write, walk):
    swapped = walk.joint_pos.copy()
    swapped[:, [0, 6]] = swapped[:, [6, 0]]
    with pytest.raises(InputError, match="no known order of 29 puts the links where the file has them"):
        read_motion(write(dof_pos=swapped, **local_links(walk)))


@pytest.mark.parametrize("stored", ["xyzw", "wxyz"])
def test_feet_decide_between_two_upright_orders(write, walk, stored, tmp_path):
    """Leaning forward and facing along x, half a turn makes it lean backward, and lifts the soles."""
    standing = np.tile([0, 0, walk.root_pos[:, 2].mean() - 0.06], (60, 1))
    lean = np.tile([0.0, np.sin(0.2), 0, np.cos(0.2)], (60, 1))
    crouch = np.zeros((60, 29)) + 0.01 * np.sin(np.arange(60)[:, None] / 5)
    crouch[:, [0, 6]] -= 0.9
    crouch[:, [3, 9]] += 0.5
    columns = {"xyzw": [0, 1, 2, 3], "wxyz": [3, 0, 1, 2]}[stored]
    dataset = convert(
        [write(root_pos=standing, root_rot=lean[:, columns], dof_pos=crouch)], tmp_path / "d.npz", verbose=False
    )
    np.testing.assert_allclose(dataset.root_quat[0], lean[0], atol=1e-6)
    assert f"quaternion {stored}, " in dataset.source[0] and "cm off the ground" in dataset.source[0]


def test_the_samples_are_within_joint_limits(repo_root, gmr_samples):
    def trial(clip):
        evidence = Evidence(clip.joint_pos, clip.root_pos, {"xyzw": clip.root_quat})
        order = order_of(clip.joint_names)
        return evidence.implausible_joint(order), evidence.share_beyond_limits(order)

    clips = [read_motion(repo_root / "datasets" / f"{name}.pkl") for name in ("g1_walk", "g1_run")]
    clips += [read_motion(path, fps=30) for path in sorted(gmr_samples.iterdir()) if path.suffix in (".pkl", ".csv")]
    assert len(clips) > 4
    assert [trial(clip) for clip in clips] == [(None, 0.0)] * len(clips)
    assert trial(clips[0].select(G1_23DOF.joint_names)) == (None, 0.0)
    impossible, outside = trial(replace(clips[0], joint_pos=clips[0].joint_pos + 3))
    assert " would be at " in impossible and outside == 1


LEG = """<body name="{s}_thigh" pos="0 {y} 0"><joint name="{s}_hip" axis="0 1 0" range="-1 1"/>
  <geom type="capsule" size=".04" fromto="0 0 0 0 0 -.4"/>
  <body name="{s}_shin" pos="0 0 -.4"><joint name="{s}_knee" axis="0 1 0" range="-2 0.1"/>
    <geom type="capsule" size=".04" fromto="0 0 0 0 0 -.4"/></body></body>"""


@pytest.fixture
def walker(tmp_path):
    """Make a custom biped with four joints, whose two orders differ."""
    legs = "".join(LEG.format(s=side, y=y) for side, y in (("left", 0.1), ("right", -0.1)))
    path = tmp_path / "walker.xml"
    path.write_text(
        f'<mujoco><compiler angle="radian"/><worldbody><body name="hull" pos="0 0 .84"><freejoint/>'
        f'<geom type="box" size=".1 .1 .1"/>{legs}</body></worldbody></mujoco>'
    )
    return Robot.from_file(path)


def test_orders_of_a_custom_robot_are_decided_by_links(walker, tmp_path):
    assert walker.joint_names == ("left_hip", "left_knee", "right_hip", "right_knee")
    swing = 0.4 * np.sin(np.arange(50)[:, None] / 6 + [0, 1, 3, 4]) - [0, 0.5, 0, 0.5]
    place, turn = np.tile([0, 0, 0.84], (50, 1)), np.tile([0.0, 0, 0, 1], (50, 1))
    motion = Motion(fps=30, joint_names=walker.joint_names, joint_pos=swing, root_pos=place, root_quat=turn)
    kinematics = Kinematics(walker)
    local = kinematics.body_positions(replace(motion, root_pos=0 * place)).astype(np.float32)
    stored = motion.select(["left_hip", "right_hip", "left_knee", "right_knee"]).joint_pos  # breadth-first
    content = {"fps": 30, "root_pos": place, "root_rot": turn, "dof_pos": stored}
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(content | {"local_body_pos": local, "link_body_list": list(kinematics.body_names)}))
    read = read_motion(path, robot=walker)
    np.testing.assert_array_equal(read.select(walker.joint_names).joint_pos, motion.joint_pos)
    assert "joints of walker breadth-first by its links, 0.0 cm off" in read.source
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=r"4 joint columns and no joint names; .*--joint_order robot"):
        convert([path], tmp_path / "d.npz", robot=walker)
    dataset = convert([path], tmp_path / "d.npz", robot=walker, joint_order="physx", control_dt=1 / 30, verbose=False)
    np.testing.assert_allclose(dataset.states, motion.joint_pos[:-1], atol=1e-6)


def test_a_custom_robot_with_29_joints_is_not_taken_for_a_g1(write, walk, tmp_path):
    link = '<body name="b{0}" pos="0 0 -.02"><joint name="j{0}" axis="0 1 0"/><geom size=".01"/>'
    chain = "".join(link.format(index) for index in range(29)) + "</body>" * 29
    path = tmp_path / "snake.xml"
    path.write_text(
        f'<mujoco><worldbody><body name="head"><freejoint/><geom size=".05"/>{chain}</body></worldbody></mujoco>'
    )
    with pytest.raises(InputError, match="29 joint columns and no joint names"):
        convert([write()], tmp_path / "d.npz", robot=Robot.from_file(path))


@pytest.mark.parametrize("key", ["link_body_list", "body_names", "link_names", None])
def test_link_positions_decide_under_any_key_for_their_names(write, walk, key):
    stored = breadth_first(Kinematics(G1_29DOF).model)
    links = local_links(walk)
    names = links.pop("link_body_list")
    more = {} if key is None else {key: np.array(names) if key == "link_names" else names}
    path = write(dof_pos=walk.select(stored).joint_pos, **links, **more)
    motion = read_motion(path, robot=G1_29DOF)
    np.testing.assert_allclose(motion.select(NAMES_29).joint_pos, walk.joint_pos, atol=1e-6)
    assert "joints of g1_29dof breadth-first by its links" in motion.source


def test_columns_taken_by_their_number_are_a_warning_unless_the_limits_leave_no_other_order(
    write, walk, tmp_path, capsys
):
    convert([write()], tmp_path / "d.npz")
    assert "warning" not in capsys.readouterr().err
    convert([write(dof_pos=0.01 * walk.joint_pos)], tmp_path / "d.npz")
    assert "29 columns are taken for g1_29dof's by their number alone; " in capsys.readouterr().err


@pytest.mark.parametrize("order", ["robot", "physx"])
def test_the_orders_are_those_of_the_robot_given_only(write, walker, tmp_path, order):
    """A file of 29 columns is never read in a G1's order for a robot with four joints."""
    with pytest.raises(InputError, match="has 29 columns, and walker has 4 joints; name the robot"):
        convert([write()], tmp_path / "d.npz", robot=walker, joint_order=order)
    with pytest.raises(InputError, match=r"29 joint columns and no joint names, and walker has 4 joints; ") as caught:
        convert([write()], tmp_path / "d.npz", robot=walker, fill_missing=True)
    assert "g1" not in str(caught.value)


def test_23_columns_for_a_robot_of_29_are_refused_or_filled_by_name(write, walk, tmp_path):
    names = JOINT_ORDERS["g1_23dof"]
    part = walk.select(names).joint_pos
    for order in (None, "robot", "physx"):
        with pytest.raises(InputError, match=r"23 joint columns|has 23 columns, and g1_29dof has 29 joints"):
            convert([write(dof_pos=part)], tmp_path / "d.npz", robot="g1_29dof", joint_order=order, fill_missing=True)
    how = {"robot": "g1_29dof", "control_dt": walk.dt, "fill_missing": True, "verbose": False}
    dataset = convert([write(dof_pos=part, dof_names=list(names))], tmp_path / "d.npz", **how)
    kept = [dataset.joint_names.index(name) for name in names]
    np.testing.assert_allclose(dataset.states[:, kept], part[:-1], atol=1e-6)


def test_filling_in_every_joint_is_refused(write, walk, tmp_path):
    other = [f"wing_{name}" for name in NAMES_29[:-1]] + ["tail"]
    with pytest.raises(InputError, match="no joints of g1_23dof: 'wing_left_hip_pitch_joint'"):
        convert([write(dof_names=other)], tmp_path / "d.npz", fill_missing=True)
    with pytest.raises(InputError, match="has no joint of g1_23dof"):
        only = walk.select(["waist_roll_joint", "waist_pitch_joint"])
        convert(
            [write(dof_pos=only.joint_pos, dof_names=list(only.joint_names))], tmp_path / "d.npz", fill_missing=True
        )
