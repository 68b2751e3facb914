"""A rollout recorded in Isaac Lab, replayed by the controller: the same observations and actions from sensors alone."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

import onnx
import onnxruntime

from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.amp_state.sources import observation_terms
from amp_helpers.deploy.controller import Controller
from amp_helpers.env.make import make_env
from amp_helpers.env.measuring import set_command
from amp_helpers.export import Exported, export
from amp_helpers.joints import JointOrder
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF
from amp_helpers.training.policy import find_policy, load_policy

pytestmark = pytest.mark.sim

NUM_ENVS, HOLD = 2, 130
COMMANDS = {
    "g1_locomotion": ((1.0, 0.0), (1.4, 0.5), (0.0, 0.0), (2.0, 0.0)),
    "g1_walk": ((0.8, 0.0), (0.6, 0.0), (0.9, 0.0), (0.8, 0.1)),
}


@dataclass
class Recorded:
    """What Isaac Lab computed, (T, E, ...), and the bundle of the policy."""

    name: str
    folder: Path
    exported: Exported
    sensors: list[dict[str, np.ndarray]]
    observations: torch.Tensor
    actions: torch.Tensor
    targets: torch.Tensor
    command_columns: list[int]


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def recorded(request, tmp_path_factory) -> Recorded:
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    exported = export(name, folder, torchscript=True)
    joint_names = exported.facts["joint_names"]
    _, config = find_policy(name)
    sensors, observations, actions, targets = [], [], [], []
    steps = HOLD * len(COMMANDS[name])
    with make_env(config["task"], num_envs=NUM_ENVS, play=True, velocity=1.0, seed=4) as env:
        policy, data = load_policy(name, env), scene_robot(env).data
        index = list(JointOrder(tuple(joint_names)).indices_from(tuple(scene_robot(env).joint_names)))
        action_term = env.action_manager.get_term("joint_pos")
        columns = [
            column
            for term in observation_terms(env)
            if term.name == "velocity_commands"
            for column in range(term.start, term.stop)
        ]
        set_command(env, *COMMANDS[name][0])
        seen, _ = env.reset()
        with torch.inference_mode():
            for step in range(steps):
                observed = seen["policy"].clone()
                measured = {
                    "gyro": data.root_ang_vel_b.torch,
                    "gravity": data.projected_gravity_b.torch,
                    "joint_pos": data.joint_pos.torch[:, index],
                    "joint_vel": data.joint_vel.torch[:, index],
                    "command": env.command_manager.get_command("base_velocity"),
                    "base_lin_vel": data.root_lin_vel_b.torch,
                    "heading": data.heading_w.torch,
                }
                sensors.append({key: value.cpu().numpy().copy() for key, value in measured.items()})
                if step % HOLD == HOLD - 1 and step + 1 < steps:  # observed from the next step on
                    set_command(env, *COMMANDS[name][(step + 1) // HOLD])
                chosen = policy(observed)
                seen, _, terminated, _, _ = env.step(chosen)
                assert not terminated.any(), "it falls, and a replay would see the reset"
                observations.append(observed)
                actions.append(chosen.clone())
                targets.append(action_term.processed_actions.clone())
    stacked = (torch.stack(parts) for parts in (observations, actions, targets))
    return Recorded(name, folder, exported, sensors, *stacked, columns)


def replay(recorded: Recorded, *, heading: bool = True, own_actions: bool = True) -> list[np.ndarray]:
    """Observations, actions and targets of the controller, (T, E, ...) each.

    Args:
        recorded: the rollout.
        heading: give the heading, which is otherwise integrated from the gyroscope.
        own_actions: remember the controller's own actions as the last ones, not the recorded ones.
    """
    rows = []
    for env in range(NUM_ENVS):
        controller = Controller(recorded.folder)
        controller.start()
        for step, measured in enumerate(recorded.sensors):
            values = {key: value[env] for key, value in measured.items() if heading or key != "heading"}
            targets = controller.step(**values)
            rows.append((controller.observed, controller.action, targets))
            if not own_actions:
                controller.action = recorded.actions[step, env].numpy()
    return [np.stack(part).reshape(NUM_ENVS, -1, len(part[0])).swapaxes(0, 1) for part in zip(*rows, strict=True)]


def test_the_observations_are_those_of_isaac_lab(recorded):
    observations, _, _ = replay(recorded, own_actions=False)
    assert np.abs(observations - recorded.observations.numpy()).max() < 1e-5


def test_the_actions_are_those_of_isaac_lab_and_the_targets_are_limited(recorded):
    _, actions, targets = replay(recorded)
    assert np.abs(actions - recorded.actions.numpy()).max() < 1e-4
    low, high = Controller(recorded.folder).joint_limits.T
    wanted = np.clip(recorded.targets.numpy(), low, high)
    assert np.abs(targets - wanted).max() < 1e-4


def test_the_heading_from_the_gyroscope_is_good_to_a_few_hundredths(recorded):
    """A foot that lands changes the yaw rate within a control step, which a gyroscope read once a step does not see."""
    observations, _, _ = replay(recorded, heading=False, own_actions=False)
    apart = np.abs(observations - recorded.observations.numpy())
    assert apart[:, :, recorded.command_columns].max() < 0.06, "rad/s, after 10 s"
    assert np.delete(apart, recorded.command_columns, axis=2).max() < 1e-5


def test_onnx_computes_what_torch_does_on_recorded_observations(recorded):
    rows = recorded.observations.flatten(0, 1)[:1000]
    assert len(rows) == 1000
    targets, actions = Controller(recorded.folder).session.run(["joint_targets", "actions"], {"obs": rows.numpy()})
    assert np.abs(targets - recorded.targets.flatten(0, 1)[:1000].numpy()).max() < 1e-5
    assert np.abs(actions - recorded.actions.flatten(0, 1)[:1000].numpy()).max() < 1e-5
    scripted = torch.jit.load(recorded.folder / "policy.pt")(rows)[0]
    assert np.abs(scripted.numpy() - targets).max() < 1e-5


def test_the_bundle_says_what_the_robot_needs(recorded):
    facts = json.loads((recorded.folder / "deploy.json").read_text())
    assert facts == recorded.exported.facts and facts["control_dt"] == 0.02 and facts["physics_dt"] == 0.005
    assert facts["joint_names"] == list(G1_23DOF.joint_names)
    wrist = facts["joint_names"].index("left_wrist_roll_joint")
    assert facts["stiffness"][wrist] == pytest.approx(0.00361 * (20 * np.pi) ** 2, rel=1e-5), "an explicit actuator"
    velocity = any(entry["name"] == "base_lin_vel" for entry in facts["observation"])
    assert velocity == (recorded.name == "g1_walk") == any("state estimator" in w for w in recorded.exported.warnings)
    command = next(entry for entry in facts["observation"] if entry["name"] == "velocity_commands")
    assert command.get("heading_gain") == (None if velocity else 1.0)
    metadata = onnx.load(recorded.folder / "policy.onnx").metadata_props
    assert {"joint_names", "joint_stiffness", "joint_damping", "default_joint_pos", "action_scale"} <= {
        entry.key for entry in metadata
    }
    assert recorded.exported.difference_rad < 1e-5 and recorded.exported.latency_ms < 3, "alone, a tenth of that"


def test_the_file_for_unitree_has_gains_by_motor_slot_and_the_policys_order_elsewhere(recorded):
    config = yaml.safe_load((recorded.folder / "deploy.yaml").read_text())
    facts = recorded.exported.facts
    slots = config["joint_ids_map"]
    assert [G1_29DOF.joint_names[slot] for slot in slots] == facts["joint_names"]
    assert [config["stiffness"][slot] for slot in slots] == facts["stiffness"] and len(config["damping"]) == 29
    assert config["default_joint_pos"] == facts["default_joint_pos"] and config["step_dt"] == 0.02
    assert list(config["observations"]) == [entry["name"] for entry in facts["observation"]]
    assert all(
        len(term["scale"]) in (3, 23) and term["history_length"] == 5 for term in config["observations"].values()
    )
    fixed = recorded.folder / "fixed.onnx"
    line = re.search(r"python -m (onnxruntime\S+) (.*) policy.onnx", (recorded.folder / "README.md").read_text())
    command = [sys.executable, "-m", line[1], *line[2].split(), recorded.folder / "policy.onnx", fixed]
    subprocess.run(command, check=True, capture_output=True)
    shapes = [node.shape for node in onnxruntime.InferenceSession(fixed).get_inputs()]
    assert shapes == [[1, recorded.observations.shape[-1]]]


def test_somebody_with_deploy_json_and_onnxruntime_walks_in_mujoco(recorded, tmp_path):
    """Another simulator, and a controller that shares no line with ours; the policy has not been trained for either."""
    script = Path(__file__).with_name("somebody.py")
    assert "amp_helpers" not in script.read_text()
    commands = [(0.8, 0.0)] if recorded.name == "g1_walk" else [(0.0, 0.0), (0.9, 0.0), (1.2, 0.5)]
    for forward, turn in commands:
        command = [sys.executable, script, recorded.folder, G1_23DOF.mjcf_path, str(forward), str(turn), "10"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        walked = json.loads(done.stdout)
        assert walked["lowest"] > 0.65, "it does not fall"
        assert walked["speed"] == pytest.approx(forward, abs=0.15) or turn
        heading = (walked["heading"] - turn * 10 + np.pi) % (2 * np.pi) - np.pi
        assert abs(heading) < 0.3
