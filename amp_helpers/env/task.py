"""The task ``Isaac-AMP-Velocity-Flat-G1``: the 23-dof G1 walks at a commanded speed, in the style that AMP rewards.

Actions and observations are in the dataset's joint order (``preserve_order``); actions have scale 0.5 and the default
pose as offset; the policy's observations have noise and history. The simulator orders joints breadth-first, as PhysX
does, so that the mapping between the two orders is never the identity.
"""

from typing import cast

import isaaclab.envs.mdp as lab
import isaaclab.sim as sim_utils
import isaaclab_tasks.core.velocity.mdp as velocity
from isaaclab.actuators import ActuatorBaseCfg, IdealPDActuatorCfg, ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg, AssetBaseCfg
from isaaclab.envs import ManagerBasedRLEnvCfg
from isaaclab.managers import EventTermCfg, ObservationGroupCfg, RewardTermCfg, SceneEntityCfg, TerminationTermCfg
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.physics import PhysxAutoCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sensors import ContactSensorCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from isaaclab.utils.noise import UniformNoiseCfg
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg
from isaaclab_newton.sim.schemas import NewtonArticulationCfg
from isaaclab_ov.physics import OvPhysxCfg
from isaaclab_physx.physics import PhysxCfg
from isaaclab_physx.sim.schemas import PhysxArticulationCfg
from isaaclab_tasks.utils import PresetCfg

from amp_helpers.env.mdp import reset_robot
from amp_helpers.env.measuring import configure_for_measuring
from amp_helpers.env.registration import add_task
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.utils.task_ids import TASK


def _actuator(
    joints: list[str],
    armature: float,
    effort: float,
    motors: int = 1,
    kind: type[ImplicitActuatorCfg] | type[IdealPDActuatorCfg] = ImplicitActuatorCfg,
) -> ActuatorBaseCfg:
    """Configure PD-driven joints: gains for a natural frequency of 10 Hz and a damping ratio of 2.

    The inertia in these gains is the motor's reflected inertia alone. Armatures (kg m^2), effort limits (N m) and the
    rule for the gains are those of mjlab 1.6.0 (``unitree_g1/g1_constants.py``). ``motors`` drive each joint together.
    """
    frequency = 2 * 3.1415926535 * 10
    return kind(
        joint_names_expr=joints,
        joint_effort_limit=effort * motors,
        stiffness=armature * motors * frequency**2,
        damping=2 * 2.0 * armature * motors * frequency,
        armature=armature * motors,
    )


G1_ACTUATORS: dict[str, ActuatorBaseCfg] = {
    "hip_pitch_yaw_waist": _actuator([".*_hip_pitch_joint", ".*_hip_yaw_joint", "waist_yaw_joint"], 0.010178, 88.0),
    "hip_roll_knee": _actuator([".*_hip_roll_joint", ".*_knee_joint"], 0.025102, 139.0),
    "ankle": _actuator([".*_ankle_pitch_joint", ".*_ankle_roll_joint"], 0.003610, 25.0, motors=2),
    "arm": _actuator([".*_shoulder_.*_joint", ".*_elbow_joint"], 0.003610, 25.0),
    # With an explicit actuator group, Isaac Lab 3.0.0 runs all physics of a control step in one CUDA graph; with
    # implicit ones alone it launches each of the four substeps from Python, and a control step takes 1.5 times as long.
    "wrist": _actuator([".*_wrist_roll_joint"], 0.003610, 25.0, kind=IdealPDActuatorCfg),
}


def in_dataset_order() -> SceneEntityCfg:
    """Select all joints in the dataset's order; a new instance for each term, because managers resolve it in place."""
    return SceneEntityCfg("robot", joint_names=list(G1_23DOF.joint_names), preserve_order=True)


def feet_sensor() -> SceneEntityCfg:
    """Select the contact forces of the feet."""
    return SceneEntityCfg("contact_forces", body_names=list(G1_23DOF.foot_bodies), preserve_order=True)


@configclass
class SceneCfg(InteractiveSceneCfg):
    """A robot on a plane, from local files alone."""

    ground = AssetBaseCfg(
        prim_path="/World/ground",
        spawn=sim_utils.GroundPlaneCfg(
            usd_path="",
            physics_material=sim_utils.RigidBodyMaterialCfg(static_friction=1.0, dynamic_friction=1.0),
        ),
    )
    robot = ArticulationCfg(
        prim_path="{ENV_REGEX_NS}/Robot",
        spawn=sim_utils.UsdFileCfg(
            usd_path="",
            activate_contact_sensors=True,
            articulation_props=[
                NewtonArticulationCfg(self_collision_enabled=True),
                PhysxArticulationCfg(enabled_self_collisions=True),
            ],
        ),
        init_state=ArticulationCfg.InitialStateCfg(
            pos=(0.0, 0.0, G1_23DOF.default_root_height),
            joint_pos={**dict(G1_23DOF.default_joint_pos)},
        ),
        soft_joint_pos_limit_factor=0.9,
        joint_ordering="physx",
        actuators=G1_ACTUATORS,
    )
    contact_forces = ContactSensorCfg(prim_path="{ENV_REGEX_NS}/Robot/.*_ankle_roll_link", update_period=0.0)

    def __post_init__(self) -> None:
        # Not above, because these paths build the files, which takes seconds and needs the simulator.
        cast(sim_utils.UsdFileCfg, self.robot.spawn).usd_path = str(G1_23DOF.usd_path)
        cast(sim_utils.GroundPlaneCfg, self.ground.spawn).usd_path = str(G1_23DOF.ground_usd_path)


@configclass
class CommandsCfg:
    """Forward speed; the heading is kept at 0, because the demo clips walk straight ahead."""

    base_velocity = lab.UniformVelocityCommandCfg(
        asset_name="robot",
        resampling_time_range=(10.0, 10.0),
        rel_standing_envs=0.02,
        heading_command=True,
        heading_control_stiffness=0.5,
        ranges=lab.UniformVelocityCommandCfg.Ranges(
            lin_vel_x=(0.0, 1.2), lin_vel_y=(0.0, 0.0), ang_vel_z=(-0.5, 0.5), heading=(0.0, 0.0)
        ),
    )


@configclass
class ActionsCfg:
    """Joint position targets relative to the default pose, in the dataset's order."""

    joint_pos = lab.JointPositionActionCfg(
        asset_name="robot",
        joint_names=list(G1_23DOF.joint_names),
        scale=0.5,
        use_default_offset=True,
        preserve_order=True,
    )


@configclass
class PolicyObservationsCfg(ObservationGroupCfg):
    """The policy's observations: with noise and five frames of history."""

    base_lin_vel = ObsTerm(func=lab.base_lin_vel, noise=UniformNoiseCfg(n_min=-0.1, n_max=0.1))
    base_ang_vel = ObsTerm(func=lab.base_ang_vel, noise=UniformNoiseCfg(n_min=-0.2, n_max=0.2))
    projected_gravity = ObsTerm(func=lab.projected_gravity, noise=UniformNoiseCfg(n_min=-0.05, n_max=0.05))
    velocity_commands = ObsTerm(func=lab.generated_commands, params={"command_name": "base_velocity"})
    joint_pos = ObsTerm(
        func=lab.joint_pos_rel,
        params={"asset_cfg": in_dataset_order()},
        noise=UniformNoiseCfg(n_min=-0.01, n_max=0.01),
    )
    joint_vel = ObsTerm(
        func=lab.joint_vel_rel,
        params={"asset_cfg": in_dataset_order()},
        noise=UniformNoiseCfg(n_min=-1.5, n_max=1.5),
    )
    actions = ObsTerm(func=lab.last_action)

    def __post_init__(self) -> None:
        self.enable_corruption = True
        self.concatenate_terms = True
        self.history_length = 5


@configclass
class CriticObservationsCfg(ObservationGroupCfg):
    """The value function's observations: without noise, and without history, which a truncation would interrupt."""

    base_lin_vel = ObsTerm(func=lab.base_lin_vel)
    base_ang_vel = ObsTerm(func=lab.base_ang_vel)
    base_height = ObsTerm(func=lab.base_pos_z)
    projected_gravity = ObsTerm(func=lab.projected_gravity)
    velocity_commands = ObsTerm(func=lab.generated_commands, params={"command_name": "base_velocity"})
    joint_pos = ObsTerm(func=lab.joint_pos_rel, params={"asset_cfg": in_dataset_order()})
    joint_vel = ObsTerm(func=lab.joint_vel_rel, params={"asset_cfg": in_dataset_order()})
    actions = ObsTerm(func=lab.last_action)

    def __post_init__(self) -> None:
        self.enable_corruption = False
        self.concatenate_terms = True


@configclass
class ObservationsCfg:
    """Groups ``policy`` and ``critic``; AMP states are read from the simulator and need no group."""

    policy: PolicyObservationsCfg = PolicyObservationsCfg()
    critic: CriticObservationsCfg = CriticObservationsCfg()


@configclass
class RewardsCfg:
    """Task rewards: track the command, stay upright, limit effort. The style reward of AMP is added by the agent."""

    track_lin_vel_xy = RewardTermCfg(
        func=velocity.track_lin_vel_xy_yaw_frame_exp,
        weight=2.0,
        params={"command_name": "base_velocity", "std": 0.5},
    )
    track_ang_vel_z = RewardTermCfg(
        func=velocity.track_ang_vel_z_world_exp,
        weight=1.0,
        params={"command_name": "base_velocity", "std": 0.5},
    )
    upright = RewardTermCfg(func=lab.flat_orientation_l2, weight=-1.0)
    action_rate = RewardTermCfg(func=lab.action_rate_l2, weight=-0.02)
    joint_limits = RewardTermCfg(func=lab.joint_pos_limits, weight=-1.0)
    joint_torques = RewardTermCfg(func=lab.joint_torques_l2, weight=-2.0e-5)
    feet_slide = RewardTermCfg(
        func=velocity.feet_slide,
        weight=-0.1,
        params={
            "sensor_cfg": feet_sensor(),
            "asset_cfg": SceneEntityCfg("robot", body_names=list(G1_23DOF.foot_bodies), preserve_order=True),
        },
    )
    fallen = RewardTermCfg(func=lab.is_terminated, weight=-50.0)


@configclass
class TerminationsCfg:
    """Truncation at the time limit; termination when the robot falls."""

    time_out = TerminationTermCfg(func=lab.time_out, time_out=True)
    tilted = TerminationTermCfg(func=lab.bad_orientation, params={"limit_angle": 1.0})
    sunk = TerminationTermCfg(func=lab.root_height_below_minimum, params={"minimum_height": 0.4})


@configclass
class EventsCfg:
    """Resets and random pushes."""

    reference = EventTermCfg(
        func=reset_robot,  # pyright: ignore[reportArgumentType]  (annotated for functions, classes are taken too)
        mode="reset",
        params={
            "dataset": None,
            "share": 0.5,
            "yaw": 0.3,
            "forward": (-0.2, 0.8),
            "sideways": (-0.2, 0.2),
            "joint_noise": 0.05,
        },
    )
    push: EventTermCfg | None = EventTermCfg(
        func=lab.push_by_setting_velocity,
        mode="interval",
        interval_range_s=(5.0, 10.0),
        params={"velocity_range": {"x": (-0.3, 0.3), "y": (-0.3, 0.3)}},
    )


def newton(rows: int, iterations: int, line_search: int) -> NewtonCfg:
    """Configure Newton with MuJoCo Warp's solver.

    Args:
        rows: constraint rows for each robot: four for each contact, one for each joint at its limit.
        iterations: of the solver in a substep, at most.
        line_search: iterations of the line search in each, at most.
    """
    return NewtonCfg(
        solver_cfg=MJWarpSolverCfg(
            class_type="amp_helpers.env.solver:NewtonLeanManager",
            njmax=rows,
            nconmax=60,
            cone="pyramidal",
            impratio=1.0,
            integrator="implicitfast",
            iterations=iterations,
            ls_iterations=line_search,
        ),
        num_substeps=1,
        debug_mode=False,
    )


@configclass
class PhysicsCfg(PresetCfg):
    """Physics presets; ``physx`` is PhysX of Isaac Sim where that is installed, else of the package ovphysx."""

    # Each iteration is launched for all robots until the slowest is done, and with thousands that takes nine, where the
    # mean is three.
    newton_mjwarp = newton(rows=256, iterations=4, line_search=5)
    isaacsim_physx = PhysxCfg()
    ovphysx = OvPhysxCfg()
    physx = PhysxAutoCfg(isaacsim_physx=isaacsim_physx, ovphysx=ovphysx)
    default = newton_mjwarp


def simulation(physics: PhysicsCfg) -> SimulationCfg:
    """Configure the simulator at 200 Hz, with the physics that is chosen from these presets."""
    return SimulationCfg(
        dt=0.005,
        render_interval=4,
        physics=physics,  # pyright: ignore[reportArgumentType]  (a preset, resolved by parse_env_cfg)
    )


@configclass
class G1AmpEnvCfg(ManagerBasedRLEnvCfg):
    """The task: control at 50 Hz, physics at 200 Hz, episodes of 20 s."""

    sim: SimulationCfg = simulation(PhysicsCfg())
    scene: SceneCfg = SceneCfg(num_envs=4096, env_spacing=2.5)
    observations: ObservationsCfg = ObservationsCfg()
    actions: ActionsCfg = ActionsCfg()
    commands: CommandsCfg = CommandsCfg()
    rewards: RewardsCfg = RewardsCfg()
    terminations: TerminationsCfg = TerminationsCfg()
    events: EventsCfg = EventsCfg()
    decimation: int = 4
    episode_length_s: float = 20.0

    def play_mode(self) -> None:
        """Configure for Isaac Lab's play scripts as for measuring, see :func:`configure_for_measuring`."""
        configure_for_measuring(self)


add_task(TASK, G1AmpEnvCfg)
