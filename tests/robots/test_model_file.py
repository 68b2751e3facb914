"""Robot files: a URDF with two legs and Unitree's Go1 with four, each with and without its meshes."""

import numpy as np
import pytest

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.lookup import get_robot
from amp_helpers.robots.mjlab import go1_mjcf
from amp_helpers.robots.robot import Robot

INERTIAL = '<inertial><mass value="{}"/><inertia ixx=".1" iyy=".1" izz=".1" ixy="0" ixz="0" iyz="0"/></inertial>'
LINK = """
<link name="{n}_leg">{inertial}<collision><origin xyz="0 0 -.15"/><geometry><box size=".03 .03 .3"/></geometry>
</collision></link>
<link name="{n}_wheel"><visual><geometry><mesh filename="package://cart/meshes/wheel.dae"/></geometry></visual>
<collision><geometry><sphere radius=".05"/></geometry></collision></link>
<joint name="{n}_lift" type="revolute"><parent link="body"/><child link="{n}_leg"/><origin xyz="0 {y} 0"/>
<axis xyz="0 1 0"/><limit lower="-1" upper="1.5" effort="9" velocity="9"/></joint>
<joint name="{n}_axle" type="fixed"><parent link="{n}_leg"/><child link="{n}_wheel"/><origin xyz="0 0 -.3"/></joint>"""
SHAPE = '<{0}><geometry><mesh filename="package://cart/meshes/{1}"/></geometry></{0}>'
CART = (
    '<robot name="cart"><link name="body">'
    + INERTIAL.format(3)
    + SHAPE.format("visual", "body.dae")
    + SHAPE.format("collision", "body.stl")
    + "</link>"
    + "".join(LINK.format(n=n, y=y, inertial=INERTIAL.format(1)) for n, y in (("r", -0.2), ("l", 0.2)))
    + "</robot>"
)


@pytest.fixture
def cart_file(tmp_path, monkeypatch):
    monkeypatch.setenv("AMP_HELPERS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "cart" / "urdf" / "my cart.urdf"
    path.parent.mkdir(parents=True)
    path.write_text(CART)
    return path


def still(robot: Robot, **joints: float) -> Motion:
    pose = robot.default_positions() | joints
    return Motion(
        fps=50.0,
        joint_names=robot.joint_names,
        joint_pos=np.array([list(pose.values())] * 3),
        root_pos=np.array([[0.0, 0.0, robot.default_root_height]] * 3),
        root_quat=np.array([[0.0, 0.0, 0.0, 1.0]] * 3),
    )


def test_a_urdf_without_its_meshes_gives_its_robot(cart_file):
    robot = get_robot(str(cart_file))
    assert robot.name == "my cart" and robot.joint_names == ("r_lift", "l_lift")
    np.testing.assert_allclose(robot.joint_limits(), [(-1, 1.5)] * 2)
    assert robot.foot_bodies == ("r_wheel", "l_wheel"), "links on fixed joints are links of their own"
    assert robot.feet_joints == ("r_lift", "l_lift"), "the joints that move them"
    assert robot.default_root_height == pytest.approx(0.35)
    assert robot.missing_meshes == ("package://cart/meshes/body.stl",)
    heights = Kinematics(robot).sole_heights(still(robot, l_lift=np.pi / 3))
    np.testing.assert_allclose(heights, [[0, 0.15]] * 3, atol=1e-6)
    with pytest.raises(InputError, match=r"lacks the meshes package://cart/meshes/body.stl, and a simulator needs"):
        _ = robot.usd_path


def test_a_urdfs_meshes_are_found_in_its_package(cart_file):
    corners = np.array([(0, 0, 0), (0.3, 0, 0), (0, 0.3, 0), (0, 0, -0.9)])
    faces = "".join(f"f {a} {b} {c}\n" for a, b, c in ((1, 3, 2), (1, 2, 4), (1, 4, 3), (2, 3, 4)))
    (cart_file.parents[1] / "meshes").mkdir()
    mesh = cart_file.parents[1] / "meshes" / "body.obj"
    mesh.write_text("".join("v {} {} {}\n".format(*corner) for corner in corners) + faces)
    cart_file.write_text(CART.replace("body.stl", "body.obj"))
    robot = Robot.from_file(cart_file, foot_bodies=("r_wheel", "l_wheel"))
    assert robot.missing_meshes == () and robot.default_root_height == pytest.approx(0.9), "the mesh reaches lowest"
    assert Robot.from_file(cart_file, foot_bodies=("l_wheel",)).mjcf_path == robot.mjcf_path, "written once"


@pytest.mark.slow
def test_an_mjcf_without_its_meshes_gives_the_same_robot(tmp_path, monkeypatch):
    whole = Robot.from_file(go1_mjcf())
    (tmp_path / "go1.xml").write_bytes(whole.mjcf_path.read_bytes())
    bare = Robot.from_file(tmp_path / "go1.xml")
    assert whole.missing_meshes == () and "trunk.stl" in bare.missing_meshes
    for name in ("joint_names", "foot_bodies", "default_joint_pos", "default_root_height"):
        assert getattr(bare, name) == getattr(whole, name), name
    clip = still(whole, FR_thigh_joint=0.4, RL_calf_joint=-2.0)
    np.testing.assert_allclose(Kinematics(bare).sole_heights(clip), Kinematics(whole).sole_heights(clip), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('type="fixed"', 'type="floating"'), "free joint can only be used on top level"),
        (("</robot>", ""), "MuJoCo cannot read it"),
        (('<child link="l_leg"/>', '<child link="nothing"/>'), "MuJoCo cannot read it"),
        (('type="revolute"', 'type="fixed"'), "has no joints but the free one; give the file of a robot that moves"),
    ],
)
def test_urdfs_that_hold_no_robot_are_refused(cart_file, change, sentence):
    cart_file.write_text(CART.replace(*change))
    with pytest.raises(InputError) as refusal:
        get_robot(str(cart_file))
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.slow
def test_a_users_robot_is_converted_to_usd(cart_file):
    Usd = pytest.importorskip("pxr.Usd", reason="USD comes with the sim extra")
    pytest.importorskip("mujoco_usd_converter", reason="the converter comes with the sim extra")
    from pxr import UsdPhysics

    cart_file.write_text(CART.replace(SHAPE.format("collision", "body.stl"), ""))
    robot = get_robot(str(cart_file))
    stage = Usd.Stage.Open(str(robot.usd_path))
    prims = list(stage.TraverseAll())
    assert {prim.GetName() for prim in prims if prim.IsA(UsdPhysics.RevoluteJoint)} == set(robot.joint_names)
    assert [prim.GetName() for prim in prims if prim.HasAPI(UsdPhysics.ArticulationRootAPI)] == ["body"]
    assert {"r_wheel", "l_wheel"} <= {prim.GetName() for prim in prims if prim.HasAPI(UsdPhysics.RigidBodyAPI)}
    cart_file.write_text(cart_file.read_text().replace('radius=".05"', 'radius=".06"'))
    assert get_robot(str(cart_file)).usd_path != robot.usd_path, "another model is another USD"


@pytest.mark.slow
def test_names_that_usd_would_change_are_refused_before_a_simulator_has_others(tmp_path, monkeypatch):
    monkeypatch.setenv("AMP_HELPERS_CACHE", str(tmp_path / "cache"))
    dotted, renamed = tmp_path / "dotted.xml", tmp_path / "renamed.xml"
    text = (
        '<mujoco model="robot"><worldbody><body name="root" pos="0 0 1"><freejoint/><geom size=".1"/>'
        '<body name="foot" pos="0 0 -.5"><joint name="left.knee" axis="0 1 0" range="-1 1"/><geom size=".05"/>'
        "</body></body></worldbody></mujoco>"
    )
    dotted.write_text(text)
    renamed.write_text(text.replace("left.knee", "left_knee"))
    with pytest.raises(
        InputError, match=r"dotted\.xml: has the names 'left\.knee', and USD, .* would change them; rename"
    ):
        _ = Robot.from_file(dotted).usd_path
    assert "left_knee" in "".join(file.read_text() for file in Robot.from_file(renamed).usd_path.parent.rglob("*.usda"))


def test_a_link_with_several_joints_is_refused_before_a_simulator_makes_one_of_them(tmp_path):
    joints = [f'<joint name="hip_{name}" axis="{axis}"/>' for name, axis in (("yaw", "0 0 1"), ("roll", "1 0 0"))]
    small = '<inertial pos="0 0 0" mass=".1" diaginertia="1e-4 1e-4 1e-4"/>'
    foot = '<joint name="hip_pitch" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 -.5" size=".05"/></body>'
    legs = {
        "shared": f'<body name="leg">{"".join(joints)}{foot}',
        "nested": f'<body name="yaw">{small}{joints[0]}<body name="roll">{small}{joints[1]}<body name="leg">{foot}'
        "</body></body>",
    }
    found = {}
    for name, leg in legs.items():
        file = tmp_path / f"{name}.xml"
        base = f'<body name="base"><freejoint/><geom size=".1"/>{leg}</body>'
        file.write_text(f"<mujoco><worldbody>{base}</worldbody></mujoco>")
        found[name] = Robot.from_file(file)
    assert found["shared"].joint_names == found["nested"].joint_names
    with pytest.raises(InputError, match=r"link 'leg' has 3 joints, hip_yaw, hip_roll, hip_pitch, .*; nest a link"):
        _ = found["shared"].usd_path
    assert found["nested"].usd_path.is_file()
