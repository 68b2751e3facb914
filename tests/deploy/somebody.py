"""Somebody else's controller: nothing but deploy.json, onnxruntime and MuJoCo. It imports nothing of this project.

python somebody.py BUNDLE ROBOT.xml FORWARD TURN SECONDS prints time, position, heading and the lowest root height.
"""

import json
import sys
from collections import deque
from pathlib import Path

import mujoco
import numpy as np
import onnxruntime

folder, robot = Path(sys.argv[1]), sys.argv[2]
forward, turn, seconds = map(float, sys.argv[3:])
facts = json.loads((folder / "deploy.json").read_text())
policy = onnxruntime.InferenceSession(str(folder / "policy.onnx"), providers=["CPUExecutionProvider"])

spec = mujoco.MjSpec.from_file(robot)
spec.option.timestep = facts["physics_dt"]
spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], friction=[1, 0.005, 0.0001])
for actuator in list(spec.actuators):
    spec.delete(actuator)
keys = ("joint_names", "stiffness", "damping", "armature", "effort_limit")
for name, stiffness, damping, armature, effort in zip(*(facts[key] for key in keys), strict=True):
    joint = spec.joint(name)
    joint.armature = armature
    motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    motor.set_to_position(kp=stiffness, kv=damping)
    motor.forcerange, motor.forcelimited = [-effort, effort], True
model = spec.compile()
data = mujoco.MjData(model)
joints = [model.joint(name) for name in facts["joint_names"]]
qpos, qvel = (np.array([getattr(joint, address)[0] for joint in joints]) for address in ("qposadr", "dofadr"))
root = model.jnt_bodyid[np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE)[0]]
default = np.array(facts["default_joint_pos"])
data.qpos[qpos], data.qpos[2] = default, 0.8
mujoco.mj_forward(model, data)

action, histories, error, commanded_turn, phase = np.zeros(len(joints)), {}, 0.0, 0.0, 0.0
heading, path, lowest = 0.0, [], np.inf
for _ in range(round(seconds / facts["control_dt"])):
    frame = data.xmat[root].reshape(3, 3)
    now = np.arctan2(frame[1, 0], frame[0, 0])
    change = (now - heading + np.pi) % (2 * np.pi) - np.pi
    heading, error, commanded_turn = now, error + change - commanded_turn, turn * facts["control_dt"]
    law = next((term["stride"] for term in facts["observation"] if "stride" in term), None)
    if law and (forward or turn):
        walk = law["walk_s"] * max(np.hypot(forward, law["turn_radius"] * turn), law["slowest"]) ** law["walk_exponent"]
        phase += facts["control_dt"] / (
            walk if forward < law["run_from"] else law["run_s"] * forward ** law["run_exponent"]
        )
    observation = []
    for term in facts["observation"]:
        correction = np.clip(-term.get("heading_gain", 0) * error, *(np.array([-1, 1]) * term.get("max_correction", 0)))
        value = {
            "base_lin_vel": frame.T @ data.qvel[:3],
            "base_ang_vel": data.qvel[3:6],
            "projected_gravity": frame.T @ [0, 0, -1],
            "velocity_commands": np.array([forward, 0, turn + (correction if forward or turn else 0)]),
            "gait_clock": np.array([np.sin(2 * np.pi * phase), np.cos(2 * np.pi * phase)]),
            "joint_pos_rel": data.qpos[qpos] - default,
            "joint_vel_rel": data.qvel[qvel],
            "last_action": action,
        }[term["name"]]
        frames = histories.setdefault(term["name"], deque([value] * term["history"], maxlen=term["history"]))
        frames.append(value.copy())
        observation += [number for row in frames for number in row]
    targets, actions = policy.run(["joint_targets", "actions"], {"obs": np.array([observation], np.float32)})
    action, data.ctrl[:] = actions[0], targets[0]
    for _ in range(round(facts["control_dt"] / facts["physics_dt"])):
        mujoco.mj_step(model, data)
    path.append([data.qpos[0], data.qpos[1]])
    lowest = min(lowest, data.qpos[2])
half = len(path) // 2
speed = (path[-1][0] - path[half][0]) / ((len(path) - half) * facts["control_dt"])
print(json.dumps({"x": path[-1][0], "y": path[-1][1], "heading": heading, "lowest": lowest, "speed": speed}))
