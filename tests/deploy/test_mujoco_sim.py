"""Plain MuJoCo from a bundle: the model that the bundle states, sensors, falls, and the record of a walk."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

from small_bundle import GAINS, JOINTS, UPRIGHT, facts, hopper, write

from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.mujoco_model import MujocoPhysics
from amp_helpers.deploy.mujoco_sim import MujocoSim
from amp_helpers.deploy.mujoco_walk import walk
from amp_helpers.errors import InputError
from amp_helpers.robots.robot import Robot


@pytest.fixture(scope="module")
def robot(tmp_path_factory) -> Robot:
    return hopper(tmp_path_factory.mktemp("robot"))


@pytest.fixture
def controller(tmp_path) -> Controller:
    return make_controller(tmp_path)


def make_controller(folder: Path, action: float = 0.0, **changes: object) -> Controller:
    return Controller(write(folder, facts(**(GAINS | UPRIGHT | changes)), action, pose=(0.0, 0.0)))


def test_the_model_has_what_the_bundle_states_and_the_robots_own_shapes(controller, robot):
    model = MujocoSim(controller, robot).model
    names = [model.actuator(i).name for i in range(model.nu)]
    assert names == JOINTS == ["hip", "knee"]
    assert model.actuator_gainprm[:, 0].tolist() == GAINS["stiffness"]
    assert (-model.actuator_biasprm[:, 1:3]).T.tolist() == [GAINS["stiffness"], GAINS["damping"]]
    assert model.jnt_actfrcrange[1:, 1].tolist() == GAINS["effort_limit"]
    assert model.dof_armature[6:].tolist() == GAINS["armature"]
    assert model.opt.timestep == 0.005 and model.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    floors = np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE)
    assert len(floors) == 1 and model.geom_pos[floors[0], 2] == 0 and model.nsensor == 0


def test_the_physics_is_changed_one_thing_at_a_time(controller, robot):
    physics = MujocoPhysics(friction=0.4, timestep=0.002, integrator="euler", cone="elliptic", iterations=7, mass=2.0)
    physics = replace(physics, stiffness=0.5, damping=3.0, armature=2.0, solref=(0.01, 1.0), self_collisions=False)
    plain, model = (MujocoSim(controller, robot, chosen).model for chosen in (MujocoPhysics(), physics))
    assert set(model.geom_friction[:, 0]) == {0.4} and set(plain.geom_friction[:, 0]) == {1.0}
    assert (model.opt.timestep, model.opt.iterations) == (0.002, 7) and set(model.geom_solref[:, 0]) == {0.01}
    assert (model.opt.integrator, model.opt.cone) == (
        mujoco.mjtIntegrator.mjINT_EULER,
        mujoco.mjtCone.mjCONE_ELLIPTIC,
    )
    assert np.allclose(model.body_mass, 2 * plain.body_mass) and np.allclose(model.body_inertia, 2 * plain.body_inertia)
    assert np.allclose(model.body_subtreemass[0], 2 * plain.body_subtreemass[0])
    assert np.allclose(model.actuator_gainprm[:, 0], 0.5 * plain.actuator_gainprm[:, 0])
    assert np.allclose(model.actuator_biasprm[:, 2], 3 * plain.actuator_biasprm[:, 2])
    assert np.allclose(model.dof_armature[6:], 2 * plain.dof_armature[6:])


def test_it_stands_on_the_ground_in_its_default_pose(controller, robot):
    sim = MujocoSim(controller, robot)
    for _ in range(100):
        sim.advance(controller.default_joint_pos)
    assert not sim.fallen and sim.foot_contact.all() and sim.root_pos[2] == pytest.approx(0.4, abs=0.01)
    assert sim.foot_pos[0, 2] == pytest.approx(0.02, abs=0.005), "the contact point is the sole's center"
    assert np.abs(sim.sense().joint_vel).max() < 0.01


def test_without_self_collisions_it_still_stands_on_the_ground(controller, robot):
    sim = MujocoSim(controller, robot, MujocoPhysics(self_collisions=False))
    for _ in range(20):
        sim.advance(controller.default_joint_pos)
    assert sim.foot_contact.all() and not sim.fallen


def test_sensors_are_in_the_root_links_frame(controller, robot):
    sim = MujocoSim(controller, robot)
    sim.reset(heading=0.7, joint_offsets=np.array([0.1, -0.2]))
    assert sim.sense().heading == pytest.approx(0.7) and sim.sense().gravity == pytest.approx([0, 0, -1])
    assert sim.sense().joint_pos == pytest.approx([0.1, -0.2])
    assert sim.root_quat == pytest.approx([0, 0, np.sin(0.35), np.cos(0.35)])
    half = np.sqrt(0.5)
    sim.data.qpos[3:7] = (half, 0, half, 0)  # pitched forward by 90 degrees: the x axis points down
    sim.data.qvel[:6] = (0, 0, -2.0, 0, 0, 3.0)
    sensed = sim.sense()
    assert sensed.gravity == pytest.approx([1, 0, 0], abs=1e-9) and sensed.gyro == pytest.approx([0, 0, 3])
    assert sensed.base_lin_vel == pytest.approx([2.0, 0.06, 0]), "of the center of mass, 2 cm ahead of the origin"
    assert sim.root_lin_vel == pytest.approx([2.0, 0, 0], abs=1e-9) and sim.fallen


def test_torques_keep_within_the_limits_of_effort(controller, robot):
    sim = MujocoSim(controller, robot)
    sim.advance([9.0, -9.0])
    assert sim.joint_torque.tolist() == [40.0, -50.0]


def test_a_push_changes_the_velocity_in_the_worlds_frame(controller, robot):
    sim = MujocoSim(controller, robot)
    sim.reset(heading=np.pi / 2)
    sim.push((0.5, 0.0))
    assert sim.sense().base_lin_vel == pytest.approx([0, -0.5, 0], abs=1e-9)


def test_a_fall_is_what_the_bundle_says(tmp_path, robot):
    sim = MujocoSim(make_controller(tmp_path, fall={"tilt": 0.2, "root_height": 0.3}), robot)
    assert not sim.fallen
    sim.data.qpos[2] = 0.29
    assert sim.fallen
    sim.reset()
    sim.data.qpos[3:7] = (np.cos(0.15), np.sin(0.15), 0, 0)
    assert sim.fallen
    sim.reset()
    sim.data.qvel[0] = np.nan
    assert sim.fallen, "it diverged"
    sim.advance([0.0, 0.0])
    assert sim.fallen, "and MuJoCo has not put it back to the start"


def test_latency_delays_the_targets(controller, robot):
    sim = MujocoSim(controller, robot, MujocoPhysics(latency=1))
    sim.advance([0.5, 0.5])
    assert sim.data.ctrl.tolist() == [0.0, 0.0], "of the default pose"
    sim.advance([0.7, 0.7])
    assert sim.data.ctrl.tolist() == [0.5, 0.5]


def test_a_walk_is_recorded_in_every_environment(controller, robot):
    commands = [(0.0, 0.0)] * 5 + [(1.0, 0.2)] * 5
    rollout = walk(controller, MujocoSim(controller, robot), commands, num_envs=3, seed=4)
    assert rollout.joint_pos.shape == (3, 10, 2) and rollout.foot_contact.shape == (3, 10, 1) and rollout.dt == 0.02
    assert rollout.commands.tolist() == [list(command) for command in commands] and not rollout.fell.any()
    starts = rollout.joint_pos[:, 0]
    assert len(np.unique(starts[:, 0])) == 3 and np.abs(starts).max() < 0.06, "the environments differ by their start"
    again = walk(controller, MujocoSim(controller, robot), commands, num_envs=3, seed=4)
    assert np.array_equal(again.root_pos, rollout.root_pos)
    assert np.array_equal(walk(controller, MujocoSim(controller, robot), commands[:4]).commands, [(0, 0)] * 4)


def test_after_a_fall_it_starts_again(tmp_path, robot):
    controller = make_controller(tmp_path, action=1.0, fall={"tilt": 0.3})
    rollout = walk(controller, MujocoSim(controller, robot), [(0.0, 0.0)] * 150)
    assert rollout.fell.sum() > 1
    upright = rollout.root_pos[rollout.fell]
    assert upright == pytest.approx(np.tile((0, 0, 0.4), (len(upright), 1))), "the frame of a fall is the new start"


def test_pushes_come_every_three_seconds_and_differ(controller, robot):
    commands = [(0.0, 0.0)] * 151
    calm, pushed = (
        walk(controller, MujocoSim(controller, robot), commands, num_envs=2, pushes=pushes) for pushes in (False, True)
    )
    assert np.array_equal(calm.root_pos[:, :149], pushed.root_pos[:, :149])
    kick = (pushed.root_lin_vel - calm.root_lin_vel)[:, 149, :2]
    assert np.linalg.norm(kick, axis=1) == pytest.approx([0.6, 0.6], abs=0.02) and not np.allclose(*kick)


def test_wrong_physics_and_robots_are_one_sentence(controller, robot, tmp_path):
    with pytest.raises(InputError, match="cone 'square' not found; available: pyramidal, elliptic"):
        MujocoPhysics(cone="square")
    with pytest.raises(InputError, match=r"timestep is 0.003 s, which does not divide .* 0.02 s; give 0.005"):
        MujocoSim(controller, robot, MujocoPhysics(timestep=0.003))
    assert MujocoSim(controller, robot, MujocoPhysics(timestep=0.005)).dt == 0.02
    (tmp_path / "other").mkdir()
    other = make_controller(tmp_path / "other", joint_names=["hip", "neck"], observation=facts()["observation"][:3])
    with pytest.raises(InputError, match=r"robot 'hopper' lacks the policy's joints neck; name the robot .* --robot"):
        MujocoSim(other, robot)
    with pytest.raises(InputError, match=r"lacks the meshes a.stl, and a simulator needs them; put them"):
        MujocoSim(controller, replace(robot, missing_meshes=("a.stl",)))


def test_neither_torch_nor_isaac_lab_is_imported():
    code = "import sys; import amp_helpers.deploy.mujoco_walk; print({'torch', 'isaaclab', 'warp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
