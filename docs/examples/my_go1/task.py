"""A manager-based task that knows nothing of AMP: the robot on a plane, asked to go at a speed."""

import gymnasium
import isaaclab.envs.mdp as mdp
import isaaclab.sim as sim_utils
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg, AssetBaseCfg
from isaaclab.envs import ManagerBasedRLEnvCfg
from isaaclab.managers import EventTermCfg, ObservationGroupCfg, ObservationTermCfg, RewardTermCfg, TerminationTermCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sensors import ContactSensorCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg

from .robot import ROBOT


@configclass
class Scene(InteractiveSceneCfg):
    ground = AssetBaseCfg(
        prim_path="/World/ground", spawn=sim_utils.GroundPlaneCfg(usd_path=str(ROBOT.ground_usd_path))
    )
    robot = ArticulationCfg(
        prim_path="{ENV_REGEX_NS}/Robot",
        spawn=sim_utils.UsdFileCfg(usd_path=str(ROBOT.usd_path), activate_contact_sensors=True),
        init_state=ArticulationCfg.InitialStateCfg(
            pos=(0.0, 0.0, ROBOT.default_root_height), joint_pos=dict(ROBOT.default_joint_pos)
        ),
        actuators={
            "legs": ImplicitActuatorCfg(
                joint_names_expr=[".*"], joint_effort_limit=24.0, stiffness=25.0, damping=1.0, armature=0.01
            )
        },
    )
    contact_forces = ContactSensorCfg(prim_path="{ENV_REGEX_NS}/Robot/.*_calf", update_period=0.0)


@configclass
class Commands:
    base_velocity = mdp.UniformVelocityCommandCfg(
        asset_name="robot",
        resampling_time_range=(10.0, 10.0),
        ranges=mdp.UniformVelocityCommandCfg.Ranges(lin_vel_x=(0.2, 0.8), lin_vel_y=(0.0, 0.0), ang_vel_z=(0.0, 0.0)),
    )


@configclass
class Actions:
    legs = mdp.JointPositionActionCfg(asset_name="robot", joint_names=[".*"], scale=0.25)


@configclass
class Policy(ObservationGroupCfg):
    speed = ObservationTermCfg(func=mdp.base_lin_vel)
    turning = ObservationTermCfg(func=mdp.base_ang_vel)
    up = ObservationTermCfg(func=mdp.projected_gravity)
    wanted = ObservationTermCfg(func=mdp.generated_commands, params={"command_name": "base_velocity"})
    angles = ObservationTermCfg(func=mdp.joint_pos_rel)
    rates = ObservationTermCfg(func=mdp.joint_vel_rel)
    last = ObservationTermCfg(func=mdp.last_action)


@configclass
class Observations:
    policy: Policy = Policy()


@configclass
class Rewards:
    speed = RewardTermCfg(
        func=mdp.track_lin_vel_xy_exp, weight=2.0, params={"command_name": "base_velocity", "std": 0.5}
    )
    torque = RewardTermCfg(func=mdp.joint_torques_l2, weight=-2e-4)


@configclass
class Terminations:
    over = TerminationTermCfg(func=mdp.time_out, time_out=True)
    fell = TerminationTermCfg(func=mdp.bad_orientation, params={"limit_angle": 1.0})


@configclass
class Events:
    anew = EventTermCfg(func=mdp.reset_scene_to_default, mode="reset")


@configclass
class WalkCfg(ManagerBasedRLEnvCfg):
    sim: SimulationCfg = SimulationCfg(
        dt=0.005,
        render_interval=4,
        physics=NewtonCfg(solver_cfg=MJWarpSolverCfg(njmax=200, nconmax=60, integrator="implicitfast")),
    )
    scene: Scene = Scene(num_envs=64, env_spacing=2.5)
    observations: Observations = Observations()
    actions: Actions = Actions()
    commands: Commands = Commands()
    rewards: Rewards = Rewards()
    terminations: Terminations = Terminations()
    events: Events = Events()
    decimation: int = 4
    episode_length_s: float = 10.0


gymnasium.register(
    id="My-Go1-Walk",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={"env_cfg_entry_point": WalkCfg},
)
