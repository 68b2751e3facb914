"""A quadruped, Unitree's Go1, from its model file to a measured policy, by the cookbook's commands."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import PATIENCE_S

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.dataset import MotionDataset
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.mjlab import go1_mjcf
from amp_helpers.robots.robot import Robot

pytestmark = pytest.mark.sim

LEGS = tuple(f"{leg}_{part}_joint" for leg in ("FR", "FL", "RR", "RL") for part in ("hip", "thigh", "calf"))


@pytest.fixture(scope="module")
def user_folder(repo_root, tmp_path_factory) -> Path:
    """A user's folder in which all commands of the page's last section have run."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copytree(repo_root / "docs" / "examples", folder / "docs" / "examples")
    page = (repo_root / "docs" / "cookbook.md").read_text().partition("## All of it with another robot")[2]
    commands = re.search(r"^```bash\n(.*?)^```$", page, re.M | re.S).group(1)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", commands],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (folder / "output").write_text(done.stdout)
    return folder


def test_the_robot_read_from_its_file():
    robot = Robot.from_file(go1_mjcf())
    assert robot.joint_names == LEGS
    assert robot.foot_bodies == ("FR_calf", "FL_calf", "RR_calf", "RL_calf")
    assert robot.feet_joints == LEGS[2::3]
    np.testing.assert_allclose(robot.foot_points, [(0, 0, -0.213)] * 4, atol=1e-6, err_msg="the ball below each calf")
    np.testing.assert_allclose(robot.joint_limits()[2], (-2.818, -0.888), rtol=1e-6)
    assert robot.default_pose()[2] == pytest.approx(-0.888), "the default pose is within the joint limits"


def test_the_clip_stands_on_its_feet(user_folder):
    robot = Robot.from_file(
        go1_mjcf(), default_joint_pos={".*_hip_joint": 0.0, ".*_thigh_joint": 0.9, ".*_calf_joint": -1.8}
    )
    clip = MotionDataset.load(user_folder / "trot.npz").clips()[0]
    assert clip.joint_names == LEGS and clip.num_frames == 199
    soles = Kinematics(robot).sole_heights(clip)
    assert np.abs(soles.min(axis=1)).max() < 0.01
    assert clip.root_pos[-1, 0] / clip.duration_s == pytest.approx(0.4, abs=0.1)


def test_the_preflight_passes_for_this_robot_and_task(user_folder):
    output = (user_folder / "output").read_text()
    assert re.search(r"^\d+ checks, 0 failed$", output, re.M) and "joint order" in output


def test_a_subclass_of_isaac_labs_velocity_task_fits_this_robot_too(user_folder):
    options = "--dataset trot.npz --robot my_go1.robot:ROBOT --task my_go1.stock_task:My-Go1-Stock"
    check = [sys.executable, "-m", "amp_helpers.check", *options.split()]
    done = subprocess.run(check, cwd=user_folder, capture_output=True, text=True, timeout=PATIENCE_S)
    assert re.search(r"^\d+ checks, 0 failed$", done.stdout, re.M), done.stdout + done.stderr[-2000:]


def test_it_trains_on_a_users_task(user_folder):
    config = json.loads((user_folder / "go1_run" / "config.json").read_text())
    assert config["task"] == "my_go1.task:My-Go1-Walk" and config["updates"] == 2
    assert config["robot"] == "my_go1.robot:ROBOT"
    assert config["amp_state"]["joint_names"] == [name for name in LEGS if "calf" not in name], "without the feet"
    health = [json.loads(line) for line in (user_folder / "go1_run" / "health.jsonl").read_text().splitlines()]
    assert len(health) == 2 and all(0 < record["accuracy"] <= 1 for record in health)


def test_its_policy_is_measured_on_four_feet(user_folder, metric_names):
    metrics = json.loads((user_folder / "go1_result" / "metrics.json").read_text())
    assert metric_names <= set(metrics)
    assert metrics["velocity_error_mps"] >= 0 and metrics["pose_rmse_rad"] > 0
    with np.load(user_folder / "go1_result" / "rollout.npz") as rollout:
        assert rollout["joint_pos"].shape == (4, 300, 12) and set(rollout["joint_names"]) == set(LEGS)


def test_its_policy_leaves_as_a_bundle_and_runs_in_the_controller(user_folder):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")
    from amp_helpers.deploy.controller import Controller

    controller = Controller(user_folder / "go1_bundle")
    facts = controller.facts
    assert set(controller.joint_names) == set(LEGS) and facts["stiffness"] == [25.0] * 12
    assert facts["effort_limit"] == [24.0] * 12 and facts["action_scale"] == [0.25] * 12
    assert facts["commands"] == {"forward": [0.2, 0.8], "turn": [0.0, 0.0]} and facts["robot"] == "my_go1.robot:ROBOT"
    assert [entry["name"] for entry in facts["observation"]][-2:] == ["joint_vel_rel", "last_action"]
    controller.start()
    values = {"gyro": [0, 0, 0], "gravity": [0, 0, -1], "joint_vel": [0] * 12, "command": [0.4, 0, 0]}
    targets = controller.step(**values, joint_pos=controller.default_joint_pos, base_lin_vel=[0, 0, 0])
    assert np.isfinite(targets).all() and (targets >= controller.target_limits[:, 0]).all()
