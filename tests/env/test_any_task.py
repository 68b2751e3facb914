"""A user's task in a package of their own, without any support for AMP. For Isaac Lab's, see test_isaac_tasks.py."""

import json
from pathlib import Path

import pytest
import torch
from support import train_command

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.agent.checkpoint import load_checkpoint
from amp_helpers.amp_state.observation_group import observation_terms
from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.clip_replay import place
from amp_helpers.env.env_facts import default_pose
from amp_helpers.env.make import make_env
from amp_helpers.env.task_cfg import load_task_cfg
from amp_helpers.errors import InputError
from amp_helpers.robots.robot import G1_23DOF

pytestmark = pytest.mark.sim

LEGS = tuple(name for name in G1_23DOF.joint_names if any(part in name for part in ("hip", "knee", "ankle")))

# A task with its own term names and joint order; without critic, contact sensor, command or reference states; with
# separate terms for legs and arms, and a second observed asset.
WALKING = """
import gymnasium
import isaaclab.envs.mdp as mdp
import isaaclab.sim as sim_utils
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg, AssetBaseCfg, RigidObjectCfg
from isaaclab.envs import ManagerBasedRLEnvCfg
from isaaclab.managers import EventTermCfg, ObservationGroupCfg, ObservationTermCfg, RewardTermCfg
from isaaclab.managers import SceneEntityCfg, TerminationTermCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg

USD, GROUND = {usd!r}, {ground!r}
LEGS = SceneEntityCfg("robot", joint_names=[".*_hip_.*", ".*_knee_.*", ".*_ankle_.*"])
ARMS = SceneEntityCfg("robot", joint_names=["waist_.*", ".*_shoulder_.*", ".*_elbow_.*", ".*_wrist_.*"])

@configclass
class Scene(InteractiveSceneCfg):
    floor = AssetBaseCfg(prim_path="/World/floor", spawn=sim_utils.GroundPlaneCfg(usd_path=GROUND))
    crate = RigidObjectCfg(
        prim_path="{{ENV_REGEX_NS}}/Crate",
        spawn=sim_utils.CuboidCfg(
            size=(0.2, 0.2, 0.2),
            rigid_props=sim_utils.RigidBodyPropertiesCfg(),
            collision_props=sim_utils.CollisionPropertiesCfg(),
            mass_props=sim_utils.MassPropertiesCfg(mass=1.0),
        ),
        init_state=RigidObjectCfg.InitialStateCfg(pos=(1.0, 1.0, 0.1)),
    )
    robot = ArticulationCfg(
        prim_path="{{ENV_REGEX_NS}}/Mine",
        spawn=sim_utils.UsdFileCfg(usd_path=USD),
        joint_ordering={joints!r},
        init_state=ArticulationCfg.InitialStateCfg(pos=(0.0, 0.0, 0.8), joint_pos={{".*_knee_joint": 0.3}}),
        actuators={{"all": ImplicitActuatorCfg(joint_names_expr=[".*"], stiffness=60.0, damping=3.0, armature=0.02)}},
    )

@configclass
class Policy(ObservationGroupCfg):
    crate_speed = ObservationTermCfg(func=mdp.base_lin_vel, params={{"asset_cfg": SceneEntityCfg("crate")}})
    up = ObservationTermCfg(func=mdp.projected_gravity, scale=2.0)
    arm_angles = ObservationTermCfg(func=mdp.joint_pos, params={{"asset_cfg": ARMS}})
    leg_angles = ObservationTermCfg(func=mdp.joint_pos, params={{"asset_cfg": LEGS}}, scale=0.5)

@configclass
class Observations:
    policy: Policy = Policy()

@configclass
class Actions:
    legs = mdp.JointPositionActionCfg(asset_name="robot", joint_names=LEGS.joint_names, scale=0.3)

@configclass
class Rewards:
    alive = RewardTermCfg(func=mdp.is_alive, weight=1.0)

@configclass
class Terminations:
    over = TerminationTermCfg(func=mdp.time_out, time_out=True)
    fell = TerminationTermCfg(func=mdp.root_height_below_minimum, params={{"minimum_height": 0.5}})

@configclass
class Events:
    anew = EventTermCfg(func=mdp.reset_scene_to_default, mode="reset")

@configclass
class Walking(ManagerBasedRLEnvCfg):
    sim: SimulationCfg = SimulationCfg(
        dt=0.005, physics=NewtonCfg(solver_cfg=MJWarpSolverCfg(njmax=400, nconmax=60, integrator="implicitfast"))
    )
    scene: Scene = Scene(num_envs=64, env_spacing=4.0)
    observations: Observations = Observations()
    actions: Actions = Actions()
    rewards: Rewards = Rewards()
    terminations: Terminations = Terminations()
    events: Events = Events()
    decimation: int = 4
    episode_length_s: float = 5.0

gymnasium.register(
    id="Mine-Walking-v0",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={{"env_cfg_entry_point": Walking}},
)
"""
TASK = "mine.walking:Mine-Walking-v0"


@pytest.fixture(scope="module")
def user_folder(tmp_path_factory) -> Path:
    """A user's folder with a package in it."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "mine").mkdir()
    (folder / "mine" / "__init__.py").touch()
    usd, ground = str(G1_23DOF.usd_path), str(G1_23DOF.ground_usd_path)
    joints = G1_23DOF.joint_names[::-1]
    (folder / "mine" / "walking.py").write_text(WALKING.format(usd=usd, ground=ground, joints=joints))
    (folder / "mine" / "broken.py").write_text("import a_missing_package\n")
    (folder / "mine" / "unfinished.py").write_text("def task(:\n")
    return folder


@pytest.fixture(scope="module")
def env(user_folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(user_folder)
        with make_env(TASK, num_envs=2) as env:
            env.reset()
            for _ in range(3):
                env.step(torch.full((2, len(LEGS)), 0.2))
            yield env


def test_observation_terms_are_recognized_by_function_not_by_name(env):
    terms = {term.name: term for term in observation_terms(env)}
    assert terms["crate_speed"].asset == "crate" and terms["leg_angles"].asset == "robot"
    assert set(terms["leg_angles"].joint_names) == set(LEGS)
    assert terms["leg_angles"].start == 3 + 3 + (23 - len(LEGS))


def test_states_from_the_simulator_and_from_observations_agree(env):
    state = AmpState(joint_names=LEGS, features=("joint_pos", "projected_gravity"))
    group, simulator = state.from_env(env, "policy"), state.from_env(env)
    joints = env.scene["robot"].joint_names
    left_knee = env.scene["robot"].data.joint_pos.torch[:, joints.index("left_knee_joint")] - 0.3
    assert (left_knee.abs() > 1e-4).all(), "the robot must have moved"
    for source in (group, simulator):
        assert torch.allclose(source.frame()[:, LEGS.index("left_knee_joint")], left_knee, atol=1e-5)
        source.detach()
    assert torch.allclose(group.frame(), simulator.frame(), atol=1e-5)
    assert torch.allclose(group.terminal_frame(), simulator.frame(), atol=1e-5)


def test_replaying_a_clip_reproduces_the_datasets_rows(env, repo_root):
    """The demo clip, in a simulator with another joint order and another default pose."""
    assert env.scene["robot"].joint_names[0] == "right_wrist_roll_joint"
    clip = MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0]
    state = AmpState(joint_names=clip.joint_names, features=tuple(FEATURE_DIMS))
    source = state.from_env(env)
    expected = torch.from_numpy(state.frames(clip, default_pose(env)))
    for frame in (3, 17, 60):
        place(env, clip, frame)
        assert torch.allclose(source.frame(), expected[frame].expand(2, -1), atol=1e-4)
    source.detach()


def test_a_group_with_unflattened_history_is_rejected(env, monkeypatch):
    monkeypatch.setitem(env.observation_manager.group_obs_term_dim, "policy", [(5, 3), (3,), (11,), (12,)])
    with pytest.raises(InputError, match="table of numbers in 'crate_speed'; set flatten_history_dim=True"):
        observation_terms(env)


@pytest.mark.parametrize(
    ("features", "joints", "sentence"),
    [
        (("root_lin_vel",), LEGS, "has no root_lin_vel; add a term with mdp.base_lin_vel or read the simulator's"),
        (("joint_vel",), LEGS, "has no joint_vel; add a term with mdp.joint_vel_rel"),
        (("joint_pos",), G1_23DOF.joint_names, "waist_yaw_joint"),
    ],
)
def test_a_group_that_lacks_a_feature_is_rejected_with_the_term_to_add(env, features, joints, sentence):
    with pytest.raises(InputError, match=sentence):
        AmpState(joint_names=joints, features=features).from_env(env, "policy")


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("mine.nowhere:X", "module 'mine.nowhere' cannot be imported (No module named 'mine.nowhere'); write package"),
        ("mine.broken:X", "cannot be imported (No module named 'a_missing_package')"),
        ("mine.unfinished:X", "module 'mine.unfinished' cannot be imported (invalid syntax"),
        ("mine/walking.py:X", "'mine/walking.py' is not a module name; write package.module:ID"),
        (":X", "'' is not a module name"),
        ("mine.walking:Mine-Walk", "close to it: Mine-Walking-v0, "),
        ("Mine-Walk", "name one of your own as package.module:ID"),
        ("Isaac-Ant-Direct", "is not a manager-based one; AMP reads its states through managers"),
    ],
)
def test_a_task_that_cannot_be_opened_is_one_sentence(user_folder, monkeypatch, task, sentence):
    monkeypatch.syspath_prepend(user_folder)
    with pytest.raises(InputError) as error:
        load_task_cfg(task, 1, "cpu", None)  # not make_env, because another environment is open
    assert sentence in str(error.value)


def test_a_users_task_trains_by_import_path(user_folder, repo_root):
    """On the demo walk, unchanged, in the user's folder."""
    dataset = repo_root / "datasets" / "g1_walk.npz"
    done = train_command(user_folder, "--task", TASK, "--dataset", dataset, "--run_dir", "run")
    assert done.returncode == 0, done.stderr
    config = json.loads((user_folder / "run" / "config.json").read_text())
    assert config["task"] == TASK and config["updates"] == 1 and config["reference_share"] == 0
    health = json.loads((user_folder / "run" / "health.jsonl").read_text())
    assert 0 < health["accuracy"] <= 1 and health["weighted_task"] > 0
    saved = load_checkpoint(user_folder / "run" / "policy.pt")
    assert saved["policy"]["net.0.weight"].shape == (32, 3 + 3 + 23)
