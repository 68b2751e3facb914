"""Tasks as strangers write them: this project's robot, and nothing else of this project.

One class, ``Foreign``, with names, noise, pushes, curricula and commands of its own; ``registered`` makes a variant.
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import isaaclab.envs.mdp as mdp
import isaaclab.sim as sim_utils
import torch
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg, AssetBaseCfg
from isaaclab.envs import ManagerBasedRLEnvCfg
from isaaclab.managers import (
    CurriculumTermCfg,
    EventTermCfg,
    ObservationGroupCfg,
    ObservationTermCfg,
    RewardTermCfg,
    SceneEntityCfg,
    TerminationTermCfg,
)
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sensors import ContactSensorCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from isaaclab.utils.noise import UniformNoiseCfg
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg

from amp_helpers.robots.robot import G1_23DOF

LEGS = [".*_hip_.*", ".*_knee_.*", ".*_ankle_.*"]


def faster_each_episode(env, env_ids) -> None:
    """A curriculum that changes the command, as some tasks have it."""
    env.command_manager.get_term("heading_and_speed").cfg.ranges.lin_vel_x = (1.9, 2.1)


def kick(env, env_ids) -> None:
    """A disturbance of the user's own."""
    env.kicks = getattr(env, "kicks", 0) + 1


def count_resets(env, env_ids) -> None:
    """A reset of the user's own."""
    env.resets = getattr(env, "resets", 0) + 1


def nan_later(env) -> torch.Tensor:
    """A reward that divides by zero once 20 steps have been made."""
    return torch.full((env.num_envs,), float("nan") if env.common_step_counter > 20 else 1.0, device=env.device)


@configclass
class Scene(InteractiveSceneCfg):
    floor = AssetBaseCfg(prim_path="/World/floor", spawn=sim_utils.GroundPlaneCfg(usd_path=""))
    robot: ArticulationCfg | None = ArticulationCfg(
        prim_path="{ENV_REGEX_NS}/Mine",
        spawn=sim_utils.UsdFileCfg(usd_path="", activate_contact_sensors=True),
        init_state=ArticulationCfg.InitialStateCfg(pos=(0.0, 0.0, 0.8), joint_pos={".*_knee_joint": 0.3}),
        actuators={"all": ImplicitActuatorCfg(joint_names_expr=[".*"], stiffness=60.0, damping=3.0, armature=0.02)},
    )
    contact_forces = ContactSensorCfg(prim_path="{ENV_REGEX_NS}/Mine/.*_ankle_roll_link", update_period=0.0)

    def __post_init__(self) -> None:
        self.robot.spawn.usd_path, self.floor.spawn.usd_path = str(G1_23DOF.usd_path), str(G1_23DOF.ground_usd_path)


@configclass
class Commands:
    heading_and_speed: Any = mdp.UniformVelocityCommandCfg(
        asset_name="robot",
        resampling_time_range=(0.1, 0.2),
        rel_standing_envs=0.5,
        rel_heading_envs=0.5,
        heading_command=True,
        ranges=mdp.UniformVelocityCommandCfg.Ranges(
            lin_vel_x=(-1.0, 1.0), lin_vel_y=(-1.0, 1.0), ang_vel_z=(-1.0, 1.0), heading=(-3.14, 3.14)
        ),
    )


@configclass
class Policy(ObservationGroupCfg):
    up = ObservationTermCfg(func=mdp.projected_gravity, noise=UniformNoiseCfg(n_min=-0.1, n_max=0.1))
    speed = ObservationTermCfg(func=mdp.generated_commands, params={"command_name": "heading_and_speed"})
    angles = ObservationTermCfg(func=mdp.joint_pos_rel, noise=UniformNoiseCfg(n_min=-0.1, n_max=0.1))

    def __post_init__(self) -> None:
        self.enable_corruption = True


@configclass
class Observations:
    policy: Policy = Policy()
    another: Policy = Policy()


@configclass
class Actions:
    all_joints = mdp.JointPositionActionCfg(asset_name="robot", joint_names=[".*"], scale=0.3)


@configclass
class Rewards:
    alive = RewardTermCfg(func=mdp.is_alive, weight=1.0)


@configclass
class Terminations:
    over = TerminationTermCfg(func=mdp.time_out, time_out=True)


@configclass
class Events:
    material = EventTermCfg(
        func=mdp.randomize_rigid_body_mass,
        mode="startup",
        params={
            "asset_cfg": SceneEntityCfg("robot", body_names="pelvis"),
            "mass_distribution_params": (1.0, 3.0),
            "operation": "add",
        },
    )
    place = EventTermCfg(
        func=mdp.reset_root_state_uniform,
        mode="reset",
        params={
            "pose_range": {"x": (-0.5, 0.5), "z": (0.02, 0.02), "yaw": (-3.14, 3.14)},
            "velocity_range": {"x": (-0.5, 0.5)},
        },
    )
    bend = EventTermCfg(
        func=mdp.reset_joints_by_scale,
        mode="reset",
        params={"position_range": (0.2, 1.8), "velocity_range": (0.0, 0.0)},
    )
    shove: Any = EventTermCfg(
        func=mdp.push_by_setting_velocity,
        mode="interval",
        interval_range_s=(0.1, 0.1),
        params={"velocity_range": {"x": (-2.0, 2.0)}},
    )
    mine: Any = EventTermCfg(func=kick, mode="interval", interval_range_s=(0.1, 0.1))


@configclass
class Curriculum:
    faster = CurriculumTermCfg(func=faster_each_episode)


@configclass
class Foreign(ManagerBasedRLEnvCfg):
    """A velocity task with everything that must not be on while a policy is measured."""

    sim: SimulationCfg = SimulationCfg(
        dt=0.005, physics=NewtonCfg(solver_cfg=MJWarpSolverCfg(njmax=400, nconmax=60, integrator="implicitfast"))
    )
    scene: Scene = Scene(num_envs=64, env_spacing=4.0)
    observations: Observations = Observations()
    actions: Any = Actions()
    commands: Any = Commands()
    rewards: Any = Rewards()
    terminations: Terminations = Terminations()
    events: Any = Events()
    curriculum: Any = Curriculum()
    decimation: int = 4
    episode_length_s: float = 5.0


def registered(change: Callable[[Foreign], None] | None = None, name: str = "Foreign-Walk") -> str:
    """Register a variant of the task and return its id."""

    def make() -> Foreign:
        cfg = Foreign()
        if change:
            change(cfg)
        return cfg

    gymnasium.registry.pop(name, None)
    gymnasium.register(
        id=name,
        entry_point="isaaclab.envs:ManagerBasedRLEnv",
        disable_env_checker=True,
        kwargs={"env_cfg_entry_point": make},
    )
    return name


def zero_actions(env) -> torch.Tensor:
    return torch.zeros(env.num_envs, env.action_manager.total_action_dim, device=env.device)


def with_everything_odd(cfg: Foreign) -> None:
    """A robot under another name that stands on its head, legs-only actions, an event called reference, 100 Hz."""
    robot = SceneEntityCfg("humanoid")
    cfg.scene.humanoid, cfg.scene.robot = cfg.scene.robot, None
    cfg.scene.humanoid.init_state.rot = (1.0, 0.0, 0.0, 0.0)  # upright in Isaac Lab 2.x
    cfg.decimation = 2
    cfg.actions.all_joints.joint_names, cfg.actions.all_joints.asset_name = LEGS, "humanoid"
    cfg.commands.heading_and_speed.asset_name = "humanoid"
    for group in (cfg.observations.policy, cfg.observations.another):
        group.up.params = {"asset_cfg": SceneEntityCfg("humanoid")}
        group.angles.params = {"asset_cfg": SceneEntityCfg("humanoid")}
    cfg.events.material.params["asset_cfg"] = SceneEntityCfg("humanoid", body_names="pelvis")
    for event in (cfg.events.place, cfg.events.bend, cfg.events.shove):
        event.params["asset_cfg"] = robot
    cfg.events.reference = EventTermCfg(func=count_resets, mode="reset")


def starting_limp_in_the_ground(cfg: Foreign) -> None:
    """Actions for all joints, motors in hips and knees, and a start in the ground."""
    cfg.scene.robot.init_state.pos = (0.0, 0.0, 0.3)
    cfg.scene.robot.actuators["all"].joint_names_expr = [".*_hip_.*", ".*_knee_.*"]


def without_commands(cfg: Foreign) -> None:
    """The task commands nothing; the robot has another name."""
    mended(cfg)
    cfg.commands, cfg.curriculum = None, None
    cfg.observations.policy.speed = cfg.observations.another.speed = None


def turning_nan(cfg: Foreign) -> None:
    """A reward turns NaN after 20 steps."""
    cfg.rewards.alive.func = nan_later


def mended(cfg: Foreign) -> None:
    """The same after the remedy of the check."""
    with_everything_odd(cfg)
    cfg.scene.humanoid.init_state.rot = (0.0, 0.0, 0.0, 1.0)
