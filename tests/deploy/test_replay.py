"""A rollout recorded in Isaac Lab, replayed by the controller: the same observations and actions from sensors alone."""

import json
import math
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

import onnx
import onnxruntime

from amp_helpers.deploy.bundles import find_bundle
from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.driver import Driver
from amp_helpers.deploy.mujoco_sim import MujocoSim
from amp_helpers.deploy.mujoco_walk import walk
from amp_helpers.deploy.recording import record_sensors
from amp_helpers.deploy.sensor_log import SensorLog, replay, term_differences
from amp_helpers.env.make import make_env
from amp_helpers.export import Exported, export
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
    """What Isaac Lab computed in each environment, and the bundle of the policy."""

    name: str
    folder: Path
    exported: Exported
    logs: list[SensorLog]


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def recorded(request, tmp_path_factory) -> Recorded:
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    exported = export(name, folder, torchscript=True)
    _, config = find_policy(name)
    with make_env(config["task"], num_envs=NUM_ENVS, play=True, velocity=1.0, seed=4) as env:
        profile = np.repeat(np.array(COMMANDS[name]), HOLD, axis=0)
        logs = record_sensors(env, load_policy(name, env), exported.facts["joint_names"], profile)
    assert all(len(log) == HOLD * len(COMMANDS[name]) for log in logs), "it fell"
    return Recorded(name, folder, exported, logs)


def test_the_observations_are_those_of_isaac_lab(recorded):
    for log in recorded.logs:
        replayed = replay(Controller(recorded.folder), log, own_actions=False)
        assert np.abs(replayed.observations - log.observations).max() < 1e-5


def test_the_actions_are_those_of_isaac_lab_and_the_targets_are_limited(recorded):
    for log in recorded.logs:
        controller = Controller(recorded.folder)
        replayed = replay(controller, log)
        assert np.abs(replayed.actions - log.actions).max() < 1e-4
        assert np.abs(replayed.targets - np.clip(log.targets, *controller.target_limits.T)).max() < 1e-4


def test_in_plain_mujoco_it_is_as_fast_as_in_isaac_lab(recorded):
    """Both step the same model alike; what else differs, such as limits of the targets, shows in the speed."""
    controller = Controller(recorded.folder)
    rollout = walk(controller, MujocoSim(controller, G1_23DOF), np.repeat(COMMANDS[recorded.name], HOLD, axis=0))
    assert not rollout.fell.any()
    for end in range(HOLD, len(rollout.commands) + 1, HOLD):
        settled = slice(end - HOLD // 2, end)
        wanted = np.mean([log.sensors["base_lin_vel"][settled, 0] for log in recorded.logs])
        assert rollout.root_lin_vel[0, settled, 0].mean() == pytest.approx(wanted, abs=0.12)


def test_the_heading_from_the_gyroscope_is_good_to_a_few_hundredths(recorded):
    """A foot that lands changes the yaw rate within a control step, which a gyroscope read once a step does not see."""
    for log in recorded.logs:
        blind = replace(log, sensors={name: values for name, values in log.sensors.items() if name != "heading"})
        controller = Controller(recorded.folder)
        apart = term_differences(controller, log, replay(controller, blind, own_actions=False))
        assert apart.pop("velocity_commands") < 0.06, "rad/s, after 10 s"
        assert max(apart.values()) < 1e-5


def test_onnx_computes_what_torch_does_on_recorded_observations(recorded):
    parts = ("observations", "targets", "actions")
    rows, *wanted = (np.concatenate([getattr(log, name) for log in recorded.logs])[:1000] for name in parts)
    assert len(rows) == 1000
    targets, actions = Controller(recorded.folder).session.run(["joint_targets", "actions"], {"obs": rows})
    assert max(np.abs(targets - wanted[0]).max(), np.abs(actions - wanted[1]).max()) < 1e-5
    scripted = torch.jit.load(recorded.folder / "policy.pt")(torch.from_numpy(rows))[0]
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


def test_the_shipped_bundle_is_what_export_writes(recorded):
    """Of two shipped policies; that the others are of their policy's weights, ``test_driver.py`` tells quickly."""
    shipped = find_bundle(recorded.name)
    for name in ("deploy.json", "deploy.yaml", "README.md"):
        assert (shipped / name).read_text() == (recorded.folder / name).read_text()
    rows = recorded.logs[0].observations
    ours, fresh = (Controller(folder).session.run(None, {"obs": rows}) for folder in (shipped, recorded.folder))
    assert max(np.abs(a - b).max() for a, b in zip(ours, fresh, strict=True)) < 1e-6


def test_the_file_for_unitree_has_gains_by_motor_slot_and_the_policys_order_elsewhere(recorded):
    config = yaml.safe_load((recorded.folder / "deploy.yaml").read_text())
    facts = recorded.exported.facts
    slots = config["joint_ids_map"]
    assert [G1_29DOF.joint_names[slot] for slot in slots] == facts["joint_names"]
    assert [config["stiffness"][slot] for slot in slots] == facts["stiffness"] and len(config["damping"]) == 29
    assert config["default_joint_pos"] == facts["default_joint_pos"] and config["step_dt"] == 0.02
    assert list(config["observations"]) == [entry["name"] for entry in facts["observation"]]
    assert all(
        len(term["scale"]) in (2, 3, 23) and term["history_length"] == 5 for term in config["observations"].values()
    )
    fixed = recorded.folder / "fixed.onnx"
    line = re.search(r"python -m (onnxruntime\S+) (.*) policy.onnx", (recorded.folder / "README.md").read_text())
    command = [sys.executable, "-m", line[1], *line[2].split(), recorded.folder / "policy.onnx", fixed]
    subprocess.run(command, check=True, capture_output=True)
    shapes = [node.shape for node in onnxruntime.InferenceSession(fixed).get_inputs()]
    assert shapes == [[1, recorded.logs[0].observations.shape[-1]]]


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


def test_it_can_be_driven(recorded):
    """In plain MuJoCo: to its command, through a push, and to a stop where it has learned to stand."""
    driver = Driver({"policy": recorded.folder})
    driver.command = (0.8, 0.0)
    for _ in range(6 * 50):
        driver.step()
    driver.push(15.0, math.pi / 2)
    for _ in range(4 * 50):
        driver.step()
    figures = driver.figures
    assert figures.forward_mps == pytest.approx(0.8, abs=0.2) and 0.7 < figures.gait_hz < 1.4 and not figures.falls
    driver.command = (0.0, 0.0)
    for _ in range(4 * 50):
        driver.step()
    assert not driver.falls
    if recorded.name == "g1_locomotion":
        assert abs(driver.figures.forward_mps) < 0.05 and math.isnan(driver.figures.gait_hz)
