"""A user's robot from an MJCF file: three legs with different feet, unlike a G1 in everything."""

import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
from support import PATIENCE_S

from amp_helpers import check, convert
from amp_helpers.checks.preflight import check_motion
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.render.gl import gl_available
from amp_helpers.render.renderer import Renderer
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.lookup import get_robot
from amp_helpers.robots.model import lowest_points, shapes
from amp_helpers.robots.robot import G1_23DOF, Robot

PARTS = {"foot": -0.5, "hand": 0.2}
"""Limb of a side -> height of its link, m."""

# Thighs and shanks are 0.2 m long; every foot ends 0.03 m below its shank. Knee "b" cannot be straight.
LEG = """
<body name="thigh_{n}" pos="{x} {y} 0">
  <joint name="hip_{n}" axis="0 1 0" range="-60 60"/>
  <geom type="capsule" fromto="0 0 0 0 0 -0.2" size="0.02"/>
  <body name="shank_{n}" pos="0 0 -0.2">
    <joint name="knee_{n}" axis="0 1 0" {knee}/>
    <geom type="capsule" fromto="0 0 0 0 0 -0.2" size="0.02"/>
    <body name="toe_{n}" pos="0 0 -0.2"><geom {foot}/></body>
  </body>
</body>"""
LEGS = (
    LEG.format(n="c", x=0.2, y=0.0, knee='range="-120 120"', foot='type="sphere" size="0.03"')
    + LEG.format(n="a", x=-0.2, y=0.2, knee='limited="false"', foot='type="box" size="0.05 0.04 0.03"')
    + LEG.format(n="b", x=-0.2, y=-0.2, knee='range="10 90"', foot='type="cylinder" size="0.05 0.03"')
)
TRIPOD = f"""<mujoco model="tripod"><compiler angle="degree"/><worldbody>
<geom name="floor" type="plane" size="0 0 1"/><light pos="0 0 3"/>
<body name="hub" pos="0 0 1"><freejoint/><geom type="box" size="0.25 0.25 0.04"/>{LEGS}
<body name="mast"><joint name="mast" type="slide" axis="0 0 1" range="0 0.3"/><geom type="box" size="0.02 0.02 0.1"/>
</body></body></worldbody></mujoco>"""
# Bent by 10 degrees, the third leg is shorter, and its cylinder touches the ground with its rim.
_BENT = np.radians(10)
REACH = 0.2 + 0.2 * np.cos(_BENT) + 0.03 * np.cos(_BENT) + 0.05 * np.sin(_BENT)
NAMES = ("hip_c", "knee_c", "hip_a", "knee_a", "hip_b", "knee_b", "mast")


@pytest.fixture(scope="module")
def tripod_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("my robots") / "dreibein ü.xml"
    path.write_text(TRIPOD)
    return path


@pytest.fixture
def limber_file(tmp_path):
    """A tripod whose knee "b" can be straight, and bent to the other side."""
    path = tmp_path / "limber.xml"
    path.write_text(TRIPOD.replace('range="10 90"', 'range="-90 90"'))
    return path


@pytest.fixture(scope="module")
def tripod(tripod_file):
    return Robot.from_file(tripod_file)


def standing(robot: Robot, frames: int = 3, height: float | None = None, **joints: float) -> Motion:
    pose = robot.default_positions() | joints
    z = robot.default_root_height if height is None else height
    return Motion(
        fps=50.0,
        joint_names=robot.joint_names,
        joint_pos=np.tile(list(pose.values()), (frames, 1)),
        root_pos=np.tile([0.0, 0.0, z], (frames, 1)),
        root_quat=np.tile([0.0, 0.0, 0.0, 1.0], (frames, 1)),
    )


def test_names_limits_pose_and_feet_are_found_in_the_file(tripod):
    assert tripod.joint_names == NAMES, "depth-first"
    limits = dict(zip(NAMES, tripod.joint_limits(), strict=True))
    np.testing.assert_allclose(limits["hip_a"], np.radians((-60, 60)), rtol=1e-6)
    np.testing.assert_array_equal(limits["knee_a"], (-np.inf, np.inf))
    np.testing.assert_allclose(limits["mast"], (0, 0.3), rtol=1e-6)
    pose = dict(zip(NAMES, tripod.default_pose(), strict=True))
    assert pose.pop("knee_b") == pytest.approx(np.radians(10)), "no joint is outside its limits by default"
    assert set(pose.values()) == {0.0}
    assert tripod.foot_bodies == ("toe_c", "toe_a", "toe_b"), "and neither the shanks nor the hub"
    assert tripod.default_root_height == pytest.approx(REACH, abs=1e-6)


def test_given_facts_replace_those_of_the_file(limber_file):
    robot = Robot.from_file(
        limber_file,
        name="tripod",
        foot_bodies=("toe_a", "toe_b"),
        feet_joints=("knee_.*",),
        default_joint_pos={"hip_.*": 0.3, "knee_.*": -0.6},
    )
    assert robot.name == "tripod" and robot.foot_bodies == ("toe_a", "toe_b")
    assert robot.feet_joints == ("knee_c", "knee_a", "knee_b")
    assert robot.default_pose().tolist() == pytest.approx([0.3, -0.6] * 3 + [0])
    # Thigh 0.3 rad forward, shank 0.3 rad back; the box stands on its edge.
    legs = 0.4 * np.cos(0.3)
    assert robot.default_root_height == pytest.approx(legs + 0.03 * np.cos(0.3) + 0.05 * np.sin(0.3), abs=1e-6)


def test_a_default_angle_outside_the_limits_is_refused(tripod_file):
    for pose, told in ({"knee_b": -0.6}, "-0.6"), ({"hip_.*": 0.3}, "0"):
        sentence = (
            rf"knee_b is {told} in default_joint_pos, and its limits are 0\.174533 to 1\.5708; give an angle between"
        )
        with pytest.raises(InputError, match=sentence):
            Robot.from_file(tripod_file, default_joint_pos=pose)
    straight = np.radians(10)
    robot = Robot.from_file(tripod_file, default_joint_pos={"knee_b": straight, "knee_a": -9.0})
    assert robot.default_pose()[-2] == pytest.approx(straight), "at its limit; the other knee has none"


def test_a_robot_that_lies_in_its_file_is_told_from_a_foot_without_its_counterpart(tmp_path):
    limb = '<body name="{0}" pos="0 {1} {2}"><joint name="{0}" axis="0 1 0"/><geom size=".05"/></body>'
    limbs = [limb.format(f"{side}_{part}", y, z) for side, y in (("L", 0.2), ("R", -0.2)) for part, z in PARTS.items()]
    file = tmp_path / "biped.xml"

    def robot(attitude: str = "", feet: tuple[str, ...] = ()) -> Robot:
        body = f'<body name="base" {attitude}><freejoint/><geom size=".1"/>{"".join(limbs)}</body>'
        file.write_text(f"<mujoco><worldbody>{body}</worldbody></mujoco>")
        return Robot.from_file(file, foot_bodies=feet)

    upright = robot()
    assert upright.foot_bodies == ("L_foot", "R_foot") and not upright.remarks
    (said,) = robot('euler="60 0 0"').remarks
    assert "R_foot is taken for a foot and L_foot is not" in said and said.endswith("name the feet with --feet")
    assert not robot('euler="60 0 0"', ("L_foot", "R_foot")).remarks


def test_the_first_keyframe_is_the_default_pose(tripod_file, tmp_path):
    home = '<keyframe><key name="home" qpos="0 0 1 1 0 0 0 .1 -.2 .1 -.2 .1 .4 .05"/></keyframe></mujoco>'
    (tmp_path / "home.xml").write_text(TRIPOD.replace("</mujoco>", home))
    pose = Robot.from_file(tmp_path / "home.xml").default_pose()
    np.testing.assert_allclose(pose, (0.1, -0.2, 0.1, -0.2, 0.1, 0.4, 0.05), rtol=1e-6)


@pytest.mark.slow
def test_the_g1s_own_file_gives_the_g1():
    robot = Robot.from_file(G1_23DOF.mjcf_path)
    assert robot.joint_names == G1_23DOF.joint_names and robot.foot_bodies == G1_23DOF.foot_bodies
    np.testing.assert_array_equal(robot.joint_limits(), G1_23DOF.joint_limits())
    assert robot.default_root_height == pytest.approx(G1_23DOF.default_root_height, abs=0.02)


def test_kinematics_of_three_feet(tripod):
    kinematics = Kinematics(tripod)
    soles = kinematics.sole_heights(standing(tripod))
    np.testing.assert_allclose(soles, [[REACH - 0.43, REACH - 0.43, 0]] * 3, atol=1e-5)
    np.testing.assert_allclose(kinematics.sole_heights(standing(tripod, height=0.4))[:, :2], -0.03, atol=1e-5)
    feet = kinematics.foot_positions(standing(tripod, hip_c=-np.pi / 2))
    assert feet.shape == (3, 3, 3)
    np.testing.assert_allclose(feet[0, 0], (0.2 + 0.4, 0, REACH), atol=1e-5)


GEOMS = {
    "sphere": 'type="sphere" size="0.1"',
    "capsule": 'type="capsule" size="0.05 0.2"',
    "cylinder": 'type="cylinder" size="0.1 0.2"',
    "box": 'type="box" size="0.1 0.2 0.3"',
    "ellipsoid": 'type="ellipsoid" size="0.1 0.2 0.3"',
    "mesh": 'type="mesh" mesh="wedge"',
}


@pytest.mark.parametrize("shape", GEOMS)
def test_the_lowest_point_agrees_with_mujocos_distance_to_the_ground(shape):
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><asset><mesh name="wedge" vertex="0 0 0 .3 0 0 0 .2 0 0 0 .1"/></asset><worldbody>'
        f'<geom name="floor" type="plane" size="0 0 1"/><body><freejoint/><geom name="it" {GEOMS[shape]}/></body>'
        "</worldbody></mujoco>"
    )
    data, geoms = mujoco.MjData(model), shapes(model, 1)
    assert len(geoms) == 1
    rotations = np.random.default_rng(0).normal(size=(20, 4))
    rotations /= np.linalg.norm(rotations, axis=1, keepdims=True)
    height, up, expected = [], [], []
    for rotation in rotations:
        data.qpos[:] = (0, 0, 1, *rotation)
        mujoco.mj_forward(model, data)
        height.append(data.geom_xpos[geoms, 2].copy())
        up.append(data.geom_xmat[geoms, 6:].copy())
        expected.append(mujoco.mj_geomDistance(model, data, model.geom("floor").id, geoms[0], 10.0, None))
    found = lowest_points(model, geoms, np.array(height), np.array(up))
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-4)


@pytest.mark.parametrize(
    "gl", [False, pytest.param(True, marks=pytest.mark.skipif(not gl_available(), reason="no GL"))]
)
def test_the_camera_distance_fits_its_size(tripod, gl):
    with Renderer(tripod, 160, 120, gl=gl) as renderer:
        still = renderer.frame(standing(tripod), 0).astype(int)
        moved = renderer.frame(standing(tripod, hip_c=-1.0, hip_a=0.8), 0).astype(int)
        away = renderer.frame(standing(tripod, height=50.0), 0).astype(int)
    changed = (abs(moved - still).sum(axis=2) > 30).mean()
    robot = abs(still - away).sum(axis=2) > 30
    assert changed > 0.005 and 0.03 < robot.mean() < 0.6
    rows, columns = np.nonzero(robot)
    assert 15 < np.mean(rows) < 105 and 30 < np.mean(columns) < 130


@pytest.mark.slow
def test_a_file_without_joint_names_is_converted_and_checked_for_a_users_robot(tripod_file, tripod, tmp_path, capsys):
    """From file to preflight by command; ``--joint_order robot`` gives the columns the model's order."""
    time = np.arange(60) / 30
    swing = 0.3 * np.sin(2 * np.pi * time)
    clip = standing(tripod, frames=60)
    dof = clip.joint_pos.copy()
    dof[:, NAMES.index("hip_c")] += swing
    dof[:, NAMES.index("knee_a")] += swing**2
    content = {"fps": 30.0, "root_pos": clip.root_pos, "root_rot": clip.root_quat, "dof_pos": dof}
    content |= {"local_body_pos": None, "link_body_list": None}
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps(content))
    output = tmp_path / "mine.npz"
    arguments = [str(tmp_path / "mine.pkl"), "--output", str(output), "--robot", str(tripod_file)]
    with pytest.raises(InputError, match=r"7 joint columns and no joint names.* --joint_order robot"):
        convert.main(arguments)
    convert.main([*arguments, "--joint_order", "robot", "--control_dt", "0.01"])
    with np.load(output) as data:
        assert data["states"].shape == (196, 7) and tuple(data["joint_names"]) == NAMES
        np.testing.assert_allclose(data["states"][0], dof[0], atol=1e-6)
    assert check.main(["--dataset", str(output), "--robot", str(tripod_file)]) == 0
    assert "0 failed" in capsys.readouterr().out
    assert get_robot(str(tripod_file)).name == "dreibein ü"


def test_a_default_pose_of_zero_leaves_no_offset_to_check(limber_file):
    upright = Robot.from_file(limber_file, default_joint_pos={})
    table = {check.name: check for check in check_motion(standing(upright, frames=60), upright)}
    assert table["default offset"].verdict == "ok" and "near zero" in table["default offset"].evidence
    assert not any("nan" in check.evidence for check in table.values())


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (("<freejoint/>", ""), {}, "has 0 free joints; give a file of the robot alone, with a <freejoint/>"),
        (("<light ", '<body name="ball"><freejoint/><geom size="1"/></body><light '), {}, "has 2 free joints"),
        (('name="hip_a"', ""), {}, "joint 3 has no name; name every joint"),
        (('<joint name="mast" type="slide"', '<joint name="mast" type="ball"'), {}, "mast are ball joints; replace"),
        (("<freejoint/>", "<freejoint>"), {}, "MuJoCo cannot read it"),
        (('type="sphere" size="0.03"', 'type="sphere"'), {}, "MuJoCo cannot read it"),
        (("", ""), {"foot_bodies": ("paw",)}, "body 'paw' not found; available: hub, thigh_c, shank_c"),
        (("", ""), {"feet_joints": ("ankle",)}, "joint pattern 'ankle' matches no joint; available: hip_c"),
    ],
)
def test_files_that_hold_no_robot_are_refused(tmp_path, change, options, sentence):
    path = tmp_path / "robot.xml"
    path.write_text(TRIPOD.replace(*change) if change[0] else TRIPOD)
    with pytest.raises(InputError) as refusal:
        Robot.from_file(path, **options)
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)


def test_an_unknown_robot_is_refused():
    with pytest.raises(InputError, match=r"gone.xml: no such file; give the robot's MJCF or URDF"):
        get_robot("gone.xml")
    with pytest.raises(InputError, match=r"'h1' not found; available: g1_23dof, g1_29dof, a path of an MJCF"):
        get_robot("h1")


def test_a_robot_defined_in_a_users_module_is_found_by_its_name(tripod_file, tmp_path, monkeypatch):
    (tmp_path / "my_tripod.py").write_text(
        f"from amp_helpers.robots import Robot\nMINE = Robot.from_file({str(tripod_file)!r}, foot_bodies=['toe_a'])\n"
    )
    (tmp_path / "my_broken.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert get_robot("my_tripod:MINE").foot_bodies == ("toe_a",)
    with pytest.raises(InputError, match=r"module 'my_tripod' has no Robot 'YOURS'; make one with Robot.from_file"):
        get_robot("my_tripod:YOURS")
    with pytest.raises(InputError, match=r"'my_broken' cannot be imported .*a_package_that_nobody_has.*module:NAME"):
        get_robot("my_broken:MINE")


# --- the cookbook ---------------------------------------------------------------------------------------------------


def blocks(repo_root, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", (repo_root / "docs" / "cookbook.md").read_text(), re.M | re.S)


@pytest.mark.parametrize("command", ["convert", "check", "train", "evaluate", "calibrate"])
def test_the_cookbooks_commands_take_its_options(repo_root, command):
    line = [sys.executable, "-m", f"amp_helpers.{command}", "--help"]
    known = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    lines = [
        text for block in blocks(repo_root, "bash") for text in block.splitlines() if f"amp_helpers.{command} " in text
    ]
    assert lines
    for option in re.findall(r"--\w+", " ".join(lines)):
        assert re.search(rf"{option}\b", known), option


def test_the_cookbook_finds_the_stride_law_of_the_clips(repo_root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.npz").symlink_to(repo_root / "datasets" / "g1_locomotion.npz")
    exec(next(block for block in blocks(repo_root, "python") if "gait_frequency" in block), {})
    assert capsys.readouterr().out == "walk_s=1.100, walk_exponent=-0.494\n"


def test_the_cookbook_finds_the_stride_law_of_clips_that_state_no_command(repo_root, tmp_path, monkeypatch, capsys):
    """Measured, no walk turns by exactly 0."""
    monkeypatch.chdir(tmp_path)
    stated = MotionDataset.load(repo_root / "datasets" / "g1_locomotion.npz")
    replace(stated, command=np.empty(0)).save("mine.npz")
    exec(next(block for block in blocks(repo_root, "python") if "gait_frequency" in block), {})
    assert capsys.readouterr().out == "walk_s=1.099, walk_exponent=-0.493\n"


def test_the_cookbooks_stride_law_is_whole(repo_root):
    found = {}
    exec(next(block for block in blocks(repo_root, "python") if "StrideLaw(" in block), found)
    assert found["strides"].run_from == 1.7


@pytest.mark.slow
def test_the_cookbooks_first_steps_run(repo_root, tmp_path, monkeypatch):
    """The page's own code, up to the video; test_go1.py covers training, test_calibrate.py the calibration of a run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets").symlink_to(repo_root / "datasets")
    robot, look, *_ = blocks(repo_root, "python")  # the search for settings comes later
    (tmp_path / "my_robot.py").write_text(robot)
    (tmp_path / "look.py").write_text(look)
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in blocks(repo_root, "bash"):
        if not any(command in block for command in ("amp_helpers.train", "evaluate", "calibrate")):
            subprocess.run(["bash", "-ec", block], env=os.environ | {"PATH": tools}, check=True, timeout=PATIENCE_S)
    assert (tmp_path / "my_walk.mp4").stat().st_size > 10_000
