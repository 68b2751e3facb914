"""Feet are found in models of any making, and what is guessed is said."""

import subprocess
import sys

import numpy as np
import pytest

from amp_helpers.errors import InputError
from amp_helpers.feet.gait_speed import GaitChange, change_gait
from amp_helpers.feet.lock import ground, lock_feet
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.lookup import get_robot
from amp_helpers.robots.robot import Robot
from amp_helpers.robots.soles import soles
from amp_helpers.training.dropped_joints import drop_patterns

LEG = """<body name="{s}_thigh" pos="0 {y} 0"><joint name="{s}_hip" axis="0 1 0" range="-90 90"/>
  <geom type="capsule" size=".04" fromto="0 0 0 0 0 -.3"/>
  <body name="{s}_shin" pos="0 0 -.4"><joint name="{s}_knee" axis="0 1 0" range="-90 10"/>
    <geom type="capsule" size=".04" fromto="0 0 0 0 0 -.3"/>
    <body name="{s}_foot" pos="0 0 -.4"><joint name="{s}_ankle" axis="0 1 0" range="-45 45"/>{foot}</body>
  </body></body>"""
BOX = '<geom name="{s}_sole" type="box" size=".1 .04 .02" pos="0 0 -.03"/>'
MESH = '<geom type="mesh" mesh="foot"/>'


@pytest.fixture
def biped(tmp_path):
    """Write a biped with a foot of one's choice; ``change`` is applied to the whole text."""

    def biped(foot: str = BOX, extra: str = "", change=("", "")) -> str:
        legs = "".join(
            LEG.format(s=side, y=y, foot=foot.format(s=side)) for side, y in (("left", 0.1), ("right", -0.1))
        )
        text = (
            f'<mujoco><asset><mesh name="foot" file="foot.stl"/></asset><worldbody><body name="hull" pos="0 0 .9">'
            f'<freejoint/><geom type="box" size=".1 .1 .1"/>{legs}</body></worldbody>{extra}</mujoco>'
        )
        if 'mesh="foot"' not in foot:
            text = text.replace('<mesh name="foot" file="foot.stl"/>', "")
        path = tmp_path / "biped.xml"
        path.write_text(text.replace(*change) if change[0] else text)
        return str(path)

    return biped


UNTOUCHING = ("<geom ", '<geom contype="0" conaffinity="0" ')
FEET = ("left_foot", "right_foot")


@pytest.mark.parametrize(
    ("extra", "change"),
    [
        ("", ("", "")),
        ("", ("<geom ", '<geom contype="0" conaffinity="0" ')),
        ("", ("<geom ", '<geom contype="0" conaffinity="0" group="3" ')),
        (
            '<contact><pair geom1="left_sole" geom2="right_sole"/></contact>',
            ("<geom ", '<geom contype="0" conaffinity="0" '),
        ),
        ('<contact><pair geom1="left_sole" geom2="floor"/></contact>', ("", "")),
    ],
    ids=["touching", "touching nothing", "collision group", "explicit pairs", "a pair with the scene's floor"],
)
def test_feet_are_found_whatever_makes_shapes_touch(biped, capsys, extra, change):
    robot = get_robot(biped(extra=extra, change=change))
    assert robot.foot_bodies == FEET and robot.feet_joints == ("left_ankle", "right_ankle")
    assert robot.default_root_height == pytest.approx(0.85) and not capsys.readouterr().err
    heights = Kinematics(robot).sole_heights(_standing(robot))
    np.testing.assert_allclose(heights, 0, atol=1e-6)
    assert all(sole.flat for sole in soles(Kinematics(robot)))


def test_feet_whose_meshes_are_missing_are_guessed_and_it_is_said(biped, capsys):
    """The shin is then the lowest shape; the foot, whose origin is lower, is the foot all the same."""
    robot = get_robot(biped(MESH))
    assert robot.foot_bodies == FEET
    said = capsys.readouterr().err
    assert said.startswith("note: ") and "feet taken as left_foot right_foot by the places of the links" in said
    assert "and measured at the links' origins, because 1 meshes are missing (foot.stl" in said and "--feet" in said
    assert robot.shapeless_feet == FEET
    kinematics = Kinematics(robot)
    np.testing.assert_allclose(kinematics.sole_heights(_standing(robot)), 0, atol=1e-6)
    assert [sole.flat for sole in soles(kinematics)] == [False, False]


def test_a_clip_is_not_put_on_the_ankles_of_feet_whose_meshes_are_missing(biped, tmp_path):
    path = biped(MESH, change=("foot.stl", "foot.obj"))
    bare = get_robot(path)
    clip = _standing(bare)
    for edit in (ground, lock_feet, lambda clip, kinematics: change_gait(clip, kinematics, GaitChange(stride=0.9))):
        with pytest.raises(
            InputError, match=r"left_foot right_foot are missing \(foot.obj, ...\), so .* its ankles; put "
        ):
            edit(clip, Kinematics(bare))
    corners = "v -.1 -.04 -.05\nv .1 -.04 -.05\nv 0 .08 -.05\nv 0 0 0\n"
    (tmp_path / "foot.obj").write_text(corners + "f 1 3 2\nf 1 2 4\nf 2 3 4\nf 3 1 4\n")
    whole = get_robot(path)
    assert whole.shapeless_feet == () and ground(clip, Kinematics(whole)).root_height == pytest.approx(0.85)
    assert lock_feet(clip, Kinematics(whole)).root_height == pytest.approx(0.85)


def test_feet_can_be_named(biped, capsys):
    path = biped(MESH)
    assert get_robot(path, ["left_shin", "right_shin"]).foot_bodies == ("left_shin", "right_shin")
    assert not capsys.readouterr().err
    assert get_robot(path, FEET).foot_bodies == FEET
    assert "the meshes of left_foot right_foot are missing, so feet are measured at the links' origins" in (
        capsys.readouterr().err
    )
    with pytest.raises(InputError, match="body 'paw' not found; available: hull, left_thigh, left_shin, left_foot"):
        get_robot(path, ["paw"])
    with pytest.raises(InputError, match="--feet left_foot: robot 'g1_23dof' has its feet"):
        get_robot("g1_23dof", ["left_foot"])


def test_visual_meshes_that_are_missing_change_no_feet(biped, capsys):
    robot = get_robot(biped(BOX + MESH.replace("<geom ", '<geom contype="0" conaffinity="0" ')))
    assert robot.foot_bodies == FEET and robot.missing_meshes == ("foot.stl",) and not capsys.readouterr().err
    assert robot.shapeless_feet == ()


SEEN = '<geom type="box" size=".1 .04 .02" pos="0 0 -.03" contype="0" conaffinity="0"/>'


@pytest.mark.parametrize("foot", [SEEN, ""], ids=["seen only", "a frame"])
def test_named_feet_without_collision_shapes_are_measured_at_their_origins_and_it_is_said(biped, capsys, foot):
    light = ("<mujoco>", '<mujoco><compiler boundmass=".01" boundinertia=".01"/>')
    robot = get_robot(biped(foot, change=light), FEET)
    said = capsys.readouterr().err
    assert "left_foot right_foot have no collision shapes, by which soles are measured" in said
    assert "measured at the links' origins; give them collision shapes in the file" in said
    clip = _standing(robot)
    heights = Kinematics(robot).sole_heights(clip)
    np.testing.assert_allclose(heights, Kinematics(robot).foot_positions(clip)[..., 2])
    whole = get_robot(biped(BOX, change=light), FEET)
    assert not capsys.readouterr().err
    np.testing.assert_allclose(Kinematics(whole).sole_heights(clip), heights - 0.05, atol=1e-6)


def test_links_without_a_name_get_one(biped):
    robot = Robot.from_file(biped(change=(' name="left_foot"', "")))
    assert robot.foot_bodies == ("left_shin_1", "right_foot")
    assert Kinematics(robot).sole_heights(_standing(robot)).shape == (2, 2)


def test_a_model_without_feet_lists_the_links_to_name(tmp_path):
    path = tmp_path / "sled.xml"
    path.write_text(
        '<mujoco><worldbody><body name="sled"><freejoint/><geom type="box" size="1 1 .1"/>'
        '<body name="mast" pos="0 0 2"><joint name="turn"/><geom size=".1"/></body></body></worldbody></mujoco>'
    )
    with pytest.raises(InputError, match=r"name them with --feet .*, such as mast; links: sled, mast"):
        get_robot(str(path))
    assert get_robot(str(path), ["mast"]).foot_bodies == ("mast",)


@pytest.mark.parametrize("command", ["convert", "check", "refine", "train", "evaluate"])
def test_commands_take_feet(command):
    done = subprocess.run([sys.executable, "-m", f"amp_helpers.{command}", "--help"], capture_output=True, text=True)
    assert "--feet " in done.stdout


def test_feet_that_training_leaves_out_can_be_named(biped):
    patterns = drop_patterns(("feet",), biped(), links=("left_shin", "right_shin"))
    assert patterns == ("left_knee", "right_knee")


def test_the_feet_of_a_real_model_without_meshes(field_samples, capsys):
    robot = get_robot(str(field_samples / "robots" / "pi_22dof_0826.xml"))
    assert robot.foot_bodies == ("l_ankle_roll_link", "r_ankle_roll_link")
    assert "32 meshes are missing" in capsys.readouterr().err


def _standing(robot: Robot) -> Motion:
    place, turn = np.tile([0, 0, robot.default_root_height], (2, 1)), np.tile([0.0, 0, 0, 1], (2, 1))
    pose = np.tile(robot.default_pose(), (2, 1))
    return Motion(fps=30, joint_names=robot.joint_names, joint_pos=pose, root_pos=place, root_quat=turn)
