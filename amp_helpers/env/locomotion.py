"""The task ``Isaac-AMP-Locomotion-Flat-G1``: the 23-dof G1 stands, walks, runs and turns as commanded.

It differs from :mod:`amp_helpers.env.task` in four ways: the commands cover standing, 0 to 2.6 m/s and turns; the
policy observes only what the robot's own sensors measure, so not the base's velocity, with less noise; it observes a
gait clock, and is rewarded for following it, with its feet and with the poses of the clip nearest to the command; and
the physics is randomized.
"""

from collections.abc import Collection

import isaaclab.envs.mdp as lab
import isaaclab_tasks.core.velocity.mdp as velocity
from isaaclab.managers import EventTermCfg, RewardTermCfg, SceneEntityCfg
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from isaaclab.utils.noise import NoiseModelWithAdditiveBiasCfg, UniformNoiseCfg

from amp_helpers.env import locomotion_terms as terms
from amp_helpers.env.actions import DelayedJointPositionActionCfg
from amp_helpers.env.commands import LocomotionCommandCfg
from amp_helpers.env.registration import add_task
from amp_helpers.env.task import (
    CriticObservationsCfg,
    EventsCfg,
    G1AmpEnvCfg,
    PhysicsCfg,
    PolicyObservationsCfg,
    RewardsCfg,
    feet_sensor,
    in_dataset_order,
    newton,
    simulation,
)
from amp_helpers.errors import InputError
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.utils.task_ids import LOCOMOTION_TASK

RANDOMIZATIONS = ("friction", "mass", "center_of_mass", "gains", "joint_offsets", "push", "latency")
"""What the task randomizes; :meth:`G1LocomotionEnvCfg.randomize` selects some."""

_COMMAND = {"command_name": "base_velocity"}


@configclass
class LocomotionCommandsCfg:
    """Standing, straight ahead and turning; a new command every few seconds."""

    base_velocity = LocomotionCommandCfg(
        asset_name="robot",
        resampling_time_range=(3.0, 8.0),
        rel_standing_envs=0.1,
        rel_straight_envs=0.45,
        rel_in_place_envs=0.35,
        heading_command=False,
        speed_exponent=1.5,
        ranges=LocomotionCommandCfg.Ranges(
            lin_vel_x=(0.0, 2.6), lin_vel_y=(0.0, 0.0), ang_vel_z=(-1.0, 1.0), heading=None
        ),
    )


@configclass
class LocomotionActionsCfg:
    """Joint position targets relative to the default pose, in the dataset's order, in some episodes a step late."""

    joint_pos = DelayedJointPositionActionCfg(
        asset_name="robot",
        joint_names=list(G1_23DOF.joint_names),
        scale=0.5,
        use_default_offset=True,
        preserve_order=True,
    )


@configclass
class SensedObservationsCfg(PolicyObservationsCfg):
    """The policy's observations: gyroscope, accelerometer and joint encoders with noise and history, command, clock.

    The noise is a third to a half of that in Isaac Lab's velocity tasks. With theirs, a policy senses its speed so
    poorly that the undisturbed robot walks faster than it is told, to make up for the times when it is disturbed.
    """

    base_lin_vel: ObsTerm | None = None
    base_ang_vel = ObsTerm(func=lab.base_ang_vel, noise=UniformNoiseCfg(n_min=-0.1, n_max=0.1))
    projected_gravity = ObsTerm(func=lab.projected_gravity, noise=UniformNoiseCfg(n_min=-0.03, n_max=0.03))
    velocity_commands = ObsTerm(func=terms.steered_commands, params=_COMMAND)
    gait_clock = ObsTerm(func=terms.gait_clock, params=_COMMAND)
    joint_pos = ObsTerm(
        func=lab.joint_pos_rel,
        params={"asset_cfg": in_dataset_order()},
        noise=NoiseModelWithAdditiveBiasCfg(
            noise_cfg=UniformNoiseCfg(n_min=-0.01, n_max=0.01),
            bias_noise_cfg=UniformNoiseCfg(n_min=-0.02, n_max=0.02),
        ),
    )
    joint_vel = ObsTerm(
        func=lab.joint_vel_rel,
        params={"asset_cfg": in_dataset_order()},
        noise=UniformNoiseCfg(n_min=-0.5, n_max=0.5),
    )


@configclass
class LocomotionCriticCfg(CriticObservationsCfg):
    """The value function also observes the errors that the rewards are made of."""

    mean_velocity_error = ObsTerm(func=terms.mean_velocity_error, params=_COMMAND)
    heading_error = ObsTerm(func=terms.heading_error, params=_COMMAND)
    gait_clock = ObsTerm(func=terms.gait_clock, params=_COMMAND)


@configclass
class LocomotionObservationsCfg:
    """Groups ``policy`` and ``critic``."""

    policy: SensedObservationsCfg = SensedObservationsCfg()
    critic: LocomotionCriticCfg = LocomotionCriticCfg()


@configclass
class LocomotionRewardsCfg(RewardsCfg):
    """Track the command over a stride, the heading, the clock and its poses; stand still at command 0; save effort."""

    track_lin_vel_xy = RewardTermCfg(
        func=terms.track_speed_exp, weight=2.0, params=_COMMAND | {"std": 0.15, "relative": 0.25}
    )
    track_ang_vel_z = RewardTermCfg(func=terms.track_mean_turn_exp, weight=1.5, params=_COMMAND | {"std": 0.3})
    track_mean_velocity = RewardTermCfg(
        func=terms.track_mean_velocity_exp, weight=4.0, params=_COMMAND | {"std": 0.1, "relative": 0.05}
    )
    track_heading = RewardTermCfg(func=terms.track_heading_exp, weight=1.0, params=_COMMAND | {"std": 0.15})
    track_clock = RewardTermCfg(func=terms.track_clock, weight=2.0, params=_COMMAND | {"sensor_cfg": feet_sensor()})
    track_reference_pose = RewardTermCfg(
        func=terms.track_reference_pose,  # pyright: ignore[reportArgumentType]
        weight=12.0,
        params=_COMMAND | {"std": 0.2, "asset_cfg": SceneEntityCfg("robot", joint_names=["(?!.*ankle).*"])},
    )
    steps_while_standing = RewardTermCfg(
        func=terms.steps_while_standing, weight=-2.0, params=_COMMAND | {"sensor_cfg": feet_sensor()}
    )
    motion_while_standing = RewardTermCfg(
        func=terms.motion_while_standing, weight=-0.05, params=_COMMAND | {"asset_cfg": SceneEntityCfg("robot")}
    )
    fallen = RewardTermCfg(func=lab.is_terminated, weight=-200.0)
    action_rate = RewardTermCfg(func=lab.action_rate_l2, weight=-0.1)
    feet_slide = RewardTermCfg(func=velocity.feet_slide, weight=-2.5, params=RewardsCfg().feet_slide.params)
    cost_of_transport = RewardTermCfg(
        func=terms.cost_of_transport,
        weight=-0.02,
        params=_COMMAND | {"asset_cfg": SceneEntityCfg("robot"), "most": 250.0},
    )


@configclass
class LocomotionEventsCfg(EventsCfg):
    """Resets, pushes, and Isaac Lab's own randomization of the physics."""

    push: EventTermCfg | None = EventTermCfg(
        func=lab.push_by_setting_velocity,
        mode="interval",
        interval_range_s=(1.5, 4.0),
        params={"velocity_range": {"x": (-0.7, 0.7), "y": (-0.7, 0.7)}},
    )
    friction: EventTermCfg | None = EventTermCfg(
        func=lab.randomize_rigid_body_material,  # pyright: ignore[reportArgumentType]
        mode="startup",
        params={
            "asset_cfg": SceneEntityCfg("robot", body_names=list(G1_23DOF.foot_bodies)),
            "static_friction_range": (0.5, 1.25),
            "dynamic_friction_range": (0.5, 1.25),
            "restitution_range": (0.0, 0.0),
            "num_buckets": 64,
        },
    )
    mass: EventTermCfg | None = EventTermCfg(
        func=lab.randomize_rigid_body_mass,  # pyright: ignore[reportArgumentType]
        mode="startup",
        params={
            "asset_cfg": SceneEntityCfg("robot"),
            "mass_distribution_params": (0.9, 1.1),
            "operation": "scale",
        },
    )
    center_of_mass: EventTermCfg | None = EventTermCfg(
        func=lab.randomize_rigid_body_com,  # pyright: ignore[reportArgumentType]
        mode="startup",
        params={
            "asset_cfg": SceneEntityCfg("robot", body_names=["torso_link"]),
            "com_range": {"x": (-0.03, 0.03), "y": (-0.03, 0.03), "z": (-0.03, 0.03)},
        },
    )
    gains: EventTermCfg | None = EventTermCfg(
        func=lab.randomize_actuator_gains,  # pyright: ignore[reportArgumentType]
        mode="startup",
        params={
            "asset_cfg": SceneEntityCfg("robot"),
            "stiffness_distribution_params": (0.9, 1.1),
            "damping_distribution_params": (0.9, 1.1),
            "operation": "scale",
        },
    )


@configclass
class LocomotionPhysicsCfg(PhysicsCfg):
    """Physics presets; of 4096 robots that learn to run, one needed 244 constraint rows."""

    newton_mjwarp = newton(rows=400, iterations=20, line_search=50)
    default = newton_mjwarp


@configclass
class G1LocomotionEnvCfg(G1AmpEnvCfg):
    """The task: control at 50 Hz, physics at 200 Hz, episodes of 20 s."""

    sim: SimulationCfg = simulation(LocomotionPhysicsCfg())
    observations: LocomotionObservationsCfg = LocomotionObservationsCfg()  # pyright: ignore[reportIncompatibleVariableOverride]
    actions: LocomotionActionsCfg = LocomotionActionsCfg()  # pyright: ignore[reportIncompatibleVariableOverride]
    commands: LocomotionCommandsCfg = LocomotionCommandsCfg()  # pyright: ignore[reportIncompatibleVariableOverride]
    rewards: LocomotionRewardsCfg = LocomotionRewardsCfg()
    events: LocomotionEventsCfg = LocomotionEventsCfg()

    def randomize(self, names: Collection[str]) -> None:
        """Keep these of :data:`RANDOMIZATIONS` and turn the others off.

        Raises:
            InputError: a name is unknown.
        """
        unknown = [name for name in names if name not in RANDOMIZATIONS]
        if unknown:
            raise InputError(f"randomization {', '.join(unknown)} not found; available: {', '.join(RANDOMIZATIONS)}")
        for name in RANDOMIZATIONS:
            if name not in names and hasattr(self.events, name):
                setattr(self.events, name, None)
        if "joint_offsets" not in names:
            noise = self.observations.policy.joint_pos.noise
            self.observations.policy.joint_pos.noise = noise.noise_cfg  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        if "latency" not in names:
            self.actions.joint_pos.delayed_share = 0.0

    def play_mode(self) -> None:
        """Configure for evaluation: no noise, nothing randomized, no reference states."""
        self.randomize(())
        super().play_mode()


add_task(LOCOMOTION_TASK, G1LocomotionEnvCfg)
