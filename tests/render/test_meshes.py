"""A robot's surface as triangles: where MuJoCo has it, in its colors, and small."""

import mujoco
import numpy as np
import pytest

pytest.importorskip("trimesh", reason="trimesh is not installed; pip install -e '.[drive]'")

from amp_helpers.render.meshes import body_meshes
from amp_helpers.robots.robot import G1_23DOF, Robot

ROBOT = """
<mujoco>
  <worldbody>
    <body name="trunk" pos="0 0 1">
      <freejoint/>
      <geom name="box" type="box" size=".1 .2 .3" pos="0 0 .5" rgba="1 0 0 1"/>
      <geom name="unseen" type="box" size="9 9 9" rgba="0 0 0 0"/>
      <geom name="collision" type="sphere" size="5" group="3"/>
      <body name="leg" pos="0 0 -.1">
        <joint name="hip" axis="0 1 0"/>
        <geom name="capsule" type="capsule" size=".03" fromto="0 0 -.05 0 0 -.25" rgba="0 .5 1 1"/>
        <geom name="sphere" type="sphere" size=".05" pos="0 0 -.3" rgba="0 .5 1 1"/>
        <geom name="cylinder" type="cylinder" size=".02 .1" euler="0 90 0" rgba="0 1 0 1"/>
        <geom name="ellipsoid" type="ellipsoid" size=".01 .02 .5" rgba="1 1 1 1"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


def test_shapes_are_where_the_model_has_them(tmp_path):
    (tmp_path / "robot.xml").write_text(ROBOT)
    robot = Robot("shapes", ("hip",), (), ("leg",), {}, model_file=tmp_path / "robot.xml")
    found = {(mesh.body, mesh.color): mesh.vertices for mesh in body_meshes(robot, 0.001)}
    expected = {
        ("trunk", (255, 0, 0)): ((-0.1, -0.2, 0.2), (0.1, 0.2, 0.8)),
        ("leg", (0, 128, 255)): ((-0.05, -0.05, -0.35), (0.05, 0.05, -0.02)),
        ("leg", (0, 255, 0)): ((-0.1, -0.02, -0.02), (0.1, 0.02, 0.02)),
        ("leg", (255, 255, 255)): ((-0.01, -0.02, -0.5), (0.01, 0.02, 0.5)),
    }
    assert found.keys() == expected.keys()
    for key, (low, high) in expected.items():
        assert found[key].min(axis=0) == pytest.approx(low, abs=2e-3)
        assert found[key].max(axis=0) == pytest.approx(high, abs=2e-3)


def test_the_g1_is_drawn_by_its_meshes_and_is_small():
    meshes = body_meshes(G1_23DOF, 0.01)
    assert sum(len(mesh.faces) for mesh in meshes) < 60_000
    assert all(mesh.faces.max() == len(mesh.vertices) - 1 for mesh in meshes)
    names = {mesh.body for mesh in meshes}
    assert {"pelvis", "torso_link", "left_ankle_roll_link"} < names
    model = mujoco.MjModel.from_xml_path(str(G1_23DOF.mjcf_path))
    foot = np.concatenate([mesh.vertices for mesh in meshes if mesh.body == "left_ankle_roll_link"])
    assert 0.15 < np.ptp(foot[:, 0]) < 0.3 and names <= {model.body(i).name for i in range(model.nbody)}
