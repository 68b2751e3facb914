"""The task on PhysX, without Isaac Sim: what holds on Newton holds here, up to the solvers' differences."""

import ctypes.util
from importlib import metadata
from importlib.util import find_spec

import mujoco
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

import isaaclab.sim as sim_utils
import warp
from foreign_tasks import registered
from isaaclab.sim.utils.stage import get_current_stage
from isaaclab_ov.physics import OvPhysxCfg
from isaaclab_physx.physics import PhysxCfg
from pxr import UsdPhysics

from amp_helpers import check
from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.checks.preflight import check_environment, check_task
from amp_helpers.dataset import MotionDataset
from amp_helpers.env import physx
from amp_helpers.env.clip_replay import replay
from amp_helpers.env.make import make_env
from amp_helpers.env.quiet_warp import kernels_compiled
from amp_helpers.env.recorder import sensed_bodies
from amp_helpers.env.task import G1_ACTUATORS
from amp_helpers.env.task_cfg import load_task_cfg
from amp_helpers.errors import InputError
from amp_helpers.measure import isaaclab
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.train import train
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.utils.task_ids import TASK

NUM_ENVS = 4


def on_physx(function):
    """Skip a test where PhysX is not installed."""
    installed = find_spec("ovphysx") is not None
    skipped = pytest.mark.skipif(not installed, reason=f"no PhysX; {physx.INSTALL}")
    return pytest.mark.sim(skipped(function))


@pytest.fixture(scope="module")
def dataset(repo_root) -> MotionDataset:
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz")


@pytest.fixture(scope="class")
def env():
    with make_env(TASK, num_envs=NUM_ENVS, seed=3, play=True, velocity=0.0, physics="physx") as env:
        env.reset(seed=3)
        yield env


@on_physx
class TestOpened:
    """Closed before a run trains, because a process holds one environment at a time."""

    def test_a_clip_replayed_gives_the_rows_of_the_dataset(self, env, dataset):
        assert isinstance(env.cfg.sim.physics, OvPhysxCfg | PhysxCfg)
        errors = replay(env, dataset, frames=60)
        assert errors["by name, offset subtracted"].max() < 1e-4
        assert errors["by position"].max() > 0.2

    def test_the_preflight_passes(self, env, dataset):
        table = [*check_task(env, dataset), *check_environment(env, dataset)]
        assert [result.name for result in table if result.verdict == "fail"] == []

    def test_joints_have_the_tasks_order_gains_armature_and_limits(self, env):
        robot = env.scene["robot"]
        assert robot.joint_names[:2] == ["left_hip_pitch_joint", "right_hip_pitch_joint"]
        knee, hip = robot.joint_names.index("left_knee_joint"), robot.joint_names.index("left_hip_pitch_joint")
        for joint, group in ((knee, "hip_roll_knee"), (hip, "hip_pitch_yaw_waist")):
            data, cfg = robot.data, G1_ACTUATORS[group]
            for values, expected in (
                (data.joint_stiffness, cfg.stiffness),
                (data.joint_damping, cfg.damping),
                (data.joint_armature, cfg.armature),
                (data.joint_effort_limits, cfg.joint_effort_limit),
            ):
                assert values.torch[0, joint].item() == pytest.approx(expected, rel=1e-4)
        limits = {name: G1_23DOF.joint_limits()[index] for index, name in enumerate(G1_23DOF.joint_names)}
        found = robot.data.joint_pos_limits.torch[0]
        for index, name in enumerate(robot.joint_names):
            assert found[index].tolist() == pytest.approx(limits[name].tolist(), abs=1e-4), name

    def test_every_collider_of_the_model_collides(self, env):
        model = mujoco.MjModel.from_xml_path(str(G1_23DOF.mjcf_path))
        expected = {model.geom(geom).name for geom in range(model.ngeom) if model.geom_contype[geom]}
        robot = sim_utils.find_first_matching_prim("/World/envs/env_0/Robot", stage=get_current_stage())
        colliders = [prim for prim in sim_utils.get_all_matching_child_prims(robot.GetPath())]
        assert expected == {prim.GetName() for prim in colliders if prim.HasAPI(UsdPhysics.CollisionAPI)}

    def test_a_robot_stands_on_the_ground_and_its_feet_carry_it(self, env):
        env.reset(seed=3)
        robot, sensor = env.scene["robot"], env.scene.sensors["contact_forces"]
        assert set(sensed_bodies(sensor)) == set(G1_23DOF.foot_bodies)
        for _ in range(25):  # without balancing, it falls after a second, as on Newton
            env.step(torch.zeros(NUM_ENVS, 23))
        assert (robot.data.root_link_pos_w.torch[:, 2] - 0.768).abs().max() < 0.005
        weight = robot.data.body_mass.torch.sum(dim=1) * 9.81
        carried = sensor.data.net_normal_forces_w.torch[..., 2].sum(dim=1)
        assert ((carried - weight).abs() < 0.03 * weight).all()


@on_physx
def test_explicit_actuators_compute_the_same_either_way(monkeypatch):
    """On a GPU they are Isaac Lab's own models, elsewhere Newton's."""
    positions = []
    for newton in (True, False):

        def changed(*arguments, newton=newton):
            cfg = load_task_cfg(*arguments)
            cfg.sim.use_newton_actuators = newton
            return cfg

        monkeypatch.setattr("amp_helpers.env.make.load_task_cfg", changed)
        with make_env(TASK, num_envs=NUM_ENVS, seed=3, play=True, velocity=0.0, physics="ovphysx") as env:
            robot = env.scene["robot"]
            assert (robot.newton_actuator_adapter is not None) == newton
            env.reset(seed=3)
            for _ in range(10):
                env.step(torch.full((NUM_ENVS, 23), 0.3))
            positions.append(robot.data.joint_pos.torch.clone())
    assert (positions[0] - positions[1]).abs().max() < 1e-6


@on_physx
def test_a_run_trains(repo_root, tmp_path):
    """The locomotion recipe, which randomizes friction, masses and gains through the simulator's own functions."""
    cfg = TrainCfg(
        task="Isaac-AMP-Locomotion-Flat-G1",
        dataset=repo_root / "datasets" / "g1_walk.npz",
        physics="ovphysx",
        device="cpu",
        num_envs=8,
        max_iterations=2,
        agent=AmpAgentCfg(rollouts=16, hidden=(32,), discriminator_hidden=(32,)),
        run_dir=tmp_path / "run",
    )
    records = []
    train(cfg, on_update=records.append, progress=False)
    assert len(records) == 2
    assert warp.is_cuda_available() or type(warp.get_device("cpu").pinned_allocator).__name__ == "CpuPinnedAllocator"


# --- which PhysX, and machines without one ---------------------------------------------------------------------------


def lacking(monkeypatch, *packages: str) -> None:
    monkeypatch.setattr(physx, "_has", lambda package: package not in packages)


def test_isaac_sims_physx_is_taken_where_isaac_sim_is_installed(monkeypatch):
    lacking(monkeypatch)
    assert isinstance(load_task_cfg(TASK, 1, "cpu", "physx").sim.physics, PhysxCfg)
    assert isinstance(load_task_cfg(TASK, 1, "cpu", "ovphysx").sim.physics, OvPhysxCfg)
    lacking(monkeypatch, "isaacsim")
    assert isinstance(load_task_cfg(TASK, 1, "cpu", "physx").sim.physics, OvPhysxCfg)


def test_no_step_on_a_gpu_compiles_every_kernel_that_was_imported(monkeypatch):
    """Isaac Lab records explicit actuators on a GPU, and has Warp compile all modules before."""
    lacking(monkeypatch)
    for physics in ("isaacsim_physx", "ovphysx"):
        assert not load_task_cfg(TASK, 1, "cuda:0", physics).sim.use_newton_actuators
    assert load_task_cfg(TASK, 1, "cuda:0", "newton_mjwarp").sim.use_newton_actuators
    assert load_task_cfg(TASK, 1, "cpu", "ovphysx").sim.use_newton_actuators


def test_a_machine_without_physx_gets_a_sentence(monkeypatch):
    """By option, and for a task that leaves its physics to Isaac Lab, as those written for Isaac Lab 2 do."""
    lacking(monkeypatch, "isaacsim", "ovphysx")
    with pytest.raises(InputError, match=r"ovphysx is not installed; pip install .*, or leave --ph.* out$"):
        load_task_cfg(TASK, 1, "cpu", "physx")
    with pytest.raises(InputError, match="on Isaac Sim's PhysX, and Isaac Sim is not installed; leave --physics or"):
        load_task_cfg(TASK, 1, "cpu", "isaacsim_physx")
    unset = registered(lambda cfg: setattr(cfg.sim, "physics", None))
    with pytest.raises(InputError, match=r"PhysX \(sim.physics is not set\), .*; set sim.physics to a N"):
        load_task_cfg(unset, 1, "cpu", None)
    for remedied in (TASK, registered()):
        assert load_task_cfg(remedied, 1, "cpu", None) is not None, "the remedy"


@pytest.mark.parametrize(("package", "physics"), [("isaaclab_ov.assets.kernels", "physx"), ("mujoco_warp._src", None)])
def test_the_note_on_compiling_is_about_the_kernels_of_the_physics(monkeypatch, tmp_path, package, physics):
    monkeypatch.setattr(warp.config, "kernel_cache_dir", str(tmp_path))
    assert not kernels_compiled("cuda:0", physics)
    (tmp_path / f"wp_{package}_75c8f72").mkdir()
    (tmp_path / f"wp_{package}_75c8f72" / "kernels.sm90.ptx").touch()
    assert kernels_compiled("cuda:0", physics)
    assert not kernels_compiled("cpu", physics)
    assert not kernels_compiled("cuda:0", None if physics else "ovphysx")


def test_a_missing_library_of_the_system_is_named(monkeypatch):
    lacking(monkeypatch, "isaacsim")
    monkeypatch.setattr(physx, "_LIBRARY", "libNotThere.so.1")
    with pytest.raises(InputError, match=r"which needs libNotThere.so.1; apt-get install libgl1, or leave"):
        load_task_cfg(TASK, 1, "cpu", "physx")
    monkeypatch.setattr(physx, "_LIBRARY", ctypes.util.find_library("c"))
    assert load_task_cfg(TASK, 1, "cpu", "physx") is not None


def test_the_packages_named_are_those_that_isaac_lab_asks_for(repo_root):
    asked = [line.partition(";") for line in metadata.requires("isaaclab") or ()]
    assert {line.strip() for line, _, extra in asked if 'extra == "ovphysx"' in extra} == set(physx.PACKAGES)


@pytest.mark.parametrize(("simulator", "physics"), [("physx", "physx"), ("newton", None)])
def test_evaluate_and_check_open_the_chosen_physics(monkeypatch, repo_root, simulator, physics):
    class Opened(Exception):
        pass

    def opened(*arguments, **options):
        raise Opened(options["physics"])

    monkeypatch.setattr(isaaclab, "make_env", opened)
    setup = MeasuringSetup(checkpoint="g1_walk", simulator=simulator)
    with pytest.raises(Opened, match=f"^{physics}$"), isaaclab.opened(setup, [(0.8, 0.0)]):
        pass
    monkeypatch.setattr("amp_helpers.env.make.make_env", opened)
    words = ["--dataset", str(repo_root / "datasets" / "g1_walk.npz"), "--task", TASK]
    with pytest.raises(Opened, match=f"^{physics}$"):
        check.main([*words, *(["--physics", physics] if physics else [])])
