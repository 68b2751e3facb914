"""A bundle of two joints, or of more, whose policy is linear, and a robot for it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from amp_helpers.robots.robot import Robot

JOINTS = ["hip", "knee"]
ROBOT = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <geom name="its_own_floor" type="plane" size="1 1 .1" pos="0 0 -5"/>
    <body name="trunk" pos="0 0 1">
      <freejoint/>
      <inertial pos=".02 0 0" mass="4" diaginertia=".05 .05 .05"/>
      <geom type="box" size=".1 .1 .1"/>
      <body name="thigh" pos="0 0 -.1">
        <joint name="hip" axis="0 1 0" range="-1 1"/>
        <geom type="capsule" size=".03" fromto="0 0 -.05 0 0 -.2" mass="1"/>
        <body name="foot" pos="0 0 -.25">
          <joint name="knee" axis="0 1 0" range="-1 1"/>
          <geom name="sole" type="box" size=".15 .15 .02" pos="0 0 -.03" mass="2"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="hip"/></actuator>
  <sensor><actuatorfrc name="its_own_sensor" actuator="hip_motor"/></sensor>
</mujoco>
""".replace('<motor joint="hip"/>', '<motor name="hip_motor" joint="hip"/>')
GAINS = {"stiffness": [200.0, 300.0], "damping": [10.0, 15.0], "armature": [0.02, 0.03], "effort_limit": [40.0, 50.0]}
UPRIGHT = {"default_joint_pos": [0.0, 0.0], "joint_limits": [[-1.0, 1.0]] * 2, "root_height": 0.4}

STRIDE = {
    "walk_s": 1.1,
    "walk_exponent": -0.5,
    "run_s": 1.0,
    "run_exponent": -0.2,
    "run_from": 1.8,
    "turn_radius": 0.8,
    "slowest": 0.3,
    "knee_share": 0.5,
}
"""Of the clock, for tests that add one."""


def facts(**changes: object) -> dict:
    observation = [
        {"name": "base_ang_vel", "size": 3, "history": 2},
        {"name": "projected_gravity", "size": 3, "history": 1},
        {"name": "velocity_commands", "size": 3, "history": 1},
        {"name": "joint_pos_rel", "size": 2, "history": 1, "joint_names": ["knee", "hip"]},
        {"name": "joint_vel_rel", "size": 2, "history": 1},
        {"name": "last_action", "size": 2, "history": 1},
    ]
    per_joint = {key: [1.0, 1.0] for key in ("stiffness", "damping", "armature", "action_scale")}
    return {
        "format": 1,
        "control_dt": 0.02,
        "physics_dt": 0.005,
        "joint_names": JOINTS,
        "default_joint_pos": [0.1, 0.4],
        **per_joint,
        "effort_limit": [0.1, 0.1],
        "joint_limits": [[-1.0, 1.0], [None, 0.45]],
        "observation": observation,
        "commands": {"forward": [0.0, 1.0], "turn": [-0.5, 0.5]},
    } | changes


def write(
    folder: Path,
    content: dict,
    action: float = 0.2,
    pose: Sequence[float] = (0.1, 0.4),
    weights: np.ndarray | None = None,
) -> Path:
    """A bundle whose policy always acts the same, or adds ``weights`` (O, A) times what it observes."""
    inputs = sum(entry["size"] * entry["history"] for entry in content["observation"])
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = np.zeros((inputs, len(pose))) if weights is None else weights
    tensors = {"weights": weights, "act": np.full(len(pose), action), "pose": np.array(pose)}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["obs", "weights"], ["seen"]),
            helper.make_node("Add", ["seen", "act"], ["actions"]),
            helper.make_node("Add", ["actions", "pose"], ["joint_targets"]),
        ],
        "policy",
        [helper.make_tensor_value_info("obs", kind, ["N", inputs])],
        [helper.make_tensor_value_info(name, kind, ["N", len(pose)]) for name in ("joint_targets", "actions")],
        [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (folder / "policy.onnx").write_bytes(model.SerializeToString())
    (folder / "deploy.json").write_text(json.dumps(content))
    return folder


def hopper(folder: Path) -> Robot:
    """A robot that stands on one wide foot."""
    file = folder / "hopper.xml"
    file.write_text(ROBOT)
    return Robot.from_file(file)


def standing_bundle(folder: Path, **changes: object) -> Path:
    """A bundle with which the hopper stands, in a new folder."""
    folder.mkdir()
    return write(folder, facts(**(GAINS | UPRIGHT | changes)), 0.0, pose=(0.0, 0.0))
