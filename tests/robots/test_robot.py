"""Built-in robots: names, poses, and model files that are pinned, complete, reproducible and safe to build twice."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
from support import PATIENCE_S

from amp_helpers.errors import InputError
from amp_helpers.robots import assets as cache
from amp_helpers.robots import mjlab
from amp_helpers.robots.lookup import get_robot, other_joints
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF, ROBOTS, Robot


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AMP_HELPERS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files(folder):
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".lock")
    }


def test_joint_order_is_depth_first_and_the_23_lack_six():
    assert G1_29DOF.num_joints == 29 and G1_23DOF.num_joints == 23
    assert G1_29DOF.joint_names[:4] == (
        "left_hip_pitch_joint",
        "left_hip_roll_joint",
        "left_hip_yaw_joint",
        "left_knee_joint",
    )
    assert G1_29DOF.joint_names[12:15] == ("waist_yaw_joint", "waist_roll_joint", "waist_pitch_joint")
    assert G1_29DOF.joint_names[-1] == "right_wrist_yaw_joint"
    dropped = [name for name in G1_29DOF.joint_names if name not in G1_23DOF.joint_names]
    assert dropped == [
        "waist_roll_joint",
        "waist_pitch_joint",
        "left_wrist_pitch_joint",
        "left_wrist_yaw_joint",
        "right_wrist_pitch_joint",
        "right_wrist_yaw_joint",
    ]
    assert G1_23DOF.joint_names == tuple(n for n in G1_29DOF.joint_names if n not in dropped)
    assert len(G1_23DOF.feet_joints) == 4 and all("ankle" in name for name in G1_23DOF.feet_joints)


@pytest.mark.parametrize("robot", [G1_23DOF, G1_29DOF])
def test_the_default_pose(robot):
    pose = robot.default_positions()
    for side, roll in (("left", 0.16), ("right", -0.16)):
        assert pose.pop(f"{side}_hip_pitch_joint") == pytest.approx(-0.20)
        assert pose.pop(f"{side}_knee_joint") == pytest.approx(0.42)
        assert pose.pop(f"{side}_ankle_pitch_joint") == pytest.approx(-0.23)
        assert pose.pop(f"{side}_shoulder_pitch_joint") == pytest.approx(0.35)
        assert pose.pop(f"{side}_shoulder_roll_joint") == pytest.approx(roll)
    assert set(pose.values()) == {0.0}
    assert robot.default_pose().dtype == np.float32


def test_limits_come_from_the_model_and_hold_the_default_pose():
    limits = G1_23DOF.joint_limits()
    assert limits.shape == (23, 2)
    np.testing.assert_allclose(limits[G1_23DOF.joint_names.index("left_knee_joint")], (-0.087267, 2.8798), rtol=1e-6)
    pose = G1_23DOF.default_pose()
    assert (limits[:, 0] < pose).all() and (pose < limits[:, 1]).all()


def test_unknown_robot_lists_the_names():
    assert get_robot("g1_23dof") is G1_23DOF
    with pytest.raises(InputError, match="'g1' not found; available: g1_23dof, g1_29dof"):
        get_robot("g1")


@pytest.mark.parametrize("robot", [G1_23DOF, G1_29DOF])
def test_usd_has_the_joints_one_articulation_and_the_soles(robot):
    Usd = pytest.importorskip("pxr.Usd", reason="USD comes with the sim extra")
    from pxr import UsdPhysics

    stage = Usd.Stage.Open(str(robot.usd_path))
    prims = list(stage.TraverseAll())
    joints = {prim.GetName() for prim in prims if prim.IsA(UsdPhysics.RevoluteJoint)}
    assert joints == set(robot.joint_names)
    roots = [prim.GetName() for prim in prims if prim.HasAPI(UsdPhysics.ArticulationRootAPI)]
    assert roots == ["pelvis"]
    soles = {p.GetName() for p in prims if "_foot" in p.GetName() and p.GetTypeName() == "Capsule"}
    assert soles == {f"{side}_foot{i}_collision" for side in ("left", "right") for i in range(1, 8)}


def test_ground_has_what_isaac_lab_looks_for():
    Usd = pytest.importorskip("pxr.Usd", reason="USD comes with the sim extra")
    from pxr import UsdPhysics

    stage = Usd.Stage.Open(str(G1_23DOF.ground_usd_path))
    root = stage.GetDefaultPrim().GetPath()
    planes = [prim for prim in stage.Traverse() if prim.GetTypeName() == "Plane"]
    assert len(planes) == 1 and planes[0].HasAPI(UsdPhysics.CollisionAPI)
    tint = stage.GetPrimAtPath(f"{root}/Looks/theGrid/Shader").GetAttribute("inputs:diffuse_tint")
    assert tint.IsValid()


@pytest.mark.slow
def test_another_robot_of_mjlab_takes_one_entry(fresh_cache, monkeypatch):
    """Joints that the entry leaves out are rigid; joints that the model lacks are refused."""
    legs = tuple(f"{leg}_{part}_joint" for leg in ("FR", "FL", "RR", "RL") for part in ("thigh", "calf"))
    go1 = Robot(
        name="go1",
        joint_names=legs,
        feet_joints=tuple(name for name in legs if "calf" in name),
        foot_bodies=("FL_calf", "FR_calf", "RL_calf", "RR_calf"),
        default_joint_pos={".*_thigh_joint": 0.9, ".*_calf_joint": -1.8},
        mjlab_file="unitree_go1/xmls/go1.xml",
    )
    monkeypatch.setitem(ROBOTS, go1.name, go1)
    robot = get_robot("go1")
    assert robot.mjcf_path.parent.name == "unitree_go1-v1" and robot.joint_limits().shape == (8, 2)
    assert Robot.from_file(robot.mjcf_path).joint_names == legs
    wrong = dataclasses.replace(go1, joint_names=("FL_knee_joint",))
    monkeypatch.setitem(ROBOTS, go1.name, wrong)
    monkeypatch.setenv("AMP_HELPERS_CACHE", str(fresh_cache / "again"))
    with pytest.raises(
        InputError, match=r"'go1': joints FL_knee_joint are not joints of its model, .*available: FR_hip_joint, "
    ):
        _ = wrong.mjcf_path
    with pytest.raises(InputError, match="robot 'go1': has no model; give model_file"):
        dataclasses.replace(go1, mjlab_file="")


@pytest.mark.slow
def test_building_again_changes_nothing_and_leaves_no_temporary_files(fresh_cache):
    path = G1_23DOF.mjcf_path
    before = files(fresh_cache)
    assert path in {fresh_cache / name for name in before}
    assert (path.parent / "LICENSE.mjlab").is_file()
    assert not [name for name in before if ".download" in name.parts or "building" in str(name)]
    assert G1_23DOF.mjcf_path == path and G1_29DOF.mjcf_path.parent == path.parent
    assert files(fresh_cache) == before


@pytest.mark.slow
def test_two_processes_build_at_once_with_one_download(fresh_cache):
    code = "from amp_helpers.robots.robot import G1_23DOF as r; r.build(); print(r.mjcf_path, r.usd_path)"
    env = os.environ | {"AMP_HELPERS_CACHE": str(fresh_cache)}
    both = [subprocess.Popen([sys.executable, "-c", code], env=env, stdout=-1, stderr=-1, text=True) for _ in "ab"]
    results = [process.communicate(timeout=PATIENCE_S) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert results[0][0] == results[1][0] != ""
    # One fetches, the other waits.
    assert sum(stderr.count("fetching mjlab") for _, stderr in results) == 1
    assert not list(fresh_cache.glob(".*building*"))


def test_an_interrupted_build_is_repeated(fresh_cache):
    def half(folder):
        (folder / "half.xml").write_text("<mujoco>")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.cached_folder("thing-v1", half)
    assert not (fresh_cache / "thing-v1").exists()
    killed = fresh_cache / ".thing-v1.building-killed"  # what a killed process leaves
    killed.mkdir()
    whole = cache.cached_folder("thing-v1", lambda folder: (folder / "whole.xml").write_text("<mujoco/>"))
    assert [path.name for path in whole.iterdir()] == ["whole.xml"]
    assert not killed.exists()


def test_a_wrong_hash_is_refused(fresh_cache, monkeypatch):
    monkeypatch.setattr(mjlab, "MJLAB", dataclasses.replace(mjlab.MJLAB, sha256="0" * 64))
    with pytest.raises(InputError, match=r"mjlab 1\.6\.0: .*SHA-256 is not the pinned one; do not use it"):
        _ = G1_23DOF.mjcf_path
    assert files(fresh_cache) == {}


def test_without_network_the_message_has_a_remedy(fresh_cache):
    env = os.environ | {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
    env |= {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
    done = subprocess.run(
        [sys.executable, "-m", "amp_helpers.robots"], env=env, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 2
    error = done.stderr.splitlines()[-1]
    assert error.startswith("error: mjlab 1.6.0: cannot be fetched")
    assert "check the network" in error and "Traceback" not in done.stderr


def test_a_missing_pip_and_a_full_disk_are_named():
    assert "ensurepip" in cache._pip_complaint("/usr/bin/python: No module named pip\n")
    assert "AMP_HELPERS_CACHE" in cache._pip_complaint("OSError: [Errno 28] No space left on device")


def test_a_robot_that_is_not_the_policys_is_told_by_its_joints():
    assert other_joints(G1_23DOF, G1_23DOF.joint_names[::-1]) is None
    told = other_joints(G1_29DOF, G1_23DOF.joint_names)
    assert told and told.startswith("robot 'g1_29dof' is not the policy's: only it has waist_roll_joint, waist_pitch")
    lacking = other_joints(G1_23DOF, ("toe", *G1_23DOF.joint_names))
    assert lacking == "robot 'g1_23dof' is not the policy's: it lacks toe"
