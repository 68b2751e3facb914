"""This project's tasks with every random draw fixed, so that two environments can be compared step by step.

Ranges have one value each: a draw gives it whatever the random number. Episodes end by time and by falls, commands
change and robots are pushed at fixed times.
"""

import torch
from isaaclab.managers import RewardTermCfg
from isaaclab.utils import configclass

from amp_helpers.env.locomotion import G1LocomotionEnvCfg
from amp_helpers.env.registration import add_task
from amp_helpers.env.task import G1AmpEnvCfg

WALK, LOCOMOTION, ON_THE_HOST = "Test-Steady-Walk", "Test-Steady-Locomotion", "Test-On-The-Host"


def steady(cfg) -> None:
    cfg.observations.policy.enable_corruption = False
    cfg.events.reference.params |= {"yaw": 0.0, "forward": (0.4, 0.4), "sideways": (0.1, 0.1), "joint_noise": 0.0}
    cfg.events.push.interval_range_s = (0.3, 0.3)
    cfg.events.push.params = {"velocity_range": {"x": (0.8, 0.8), "y": (-0.5, -0.5), "roll": (2.0, 2.0)}}
    cfg.commands.base_velocity.resampling_time_range = (0.25, 0.25)
    cfg.commands.base_velocity.rel_standing_envs = -1.0
    cfg.episode_length_s = 0.8


@configclass
class SteadyWalkCfg(G1AmpEnvCfg):
    def __post_init__(self):
        steady(self)
        ranges = self.commands.base_velocity.ranges
        ranges.lin_vel_x, ranges.ang_vel_z = (0.6, 0.6), (0.1, 0.1)  # the latter until the heading sets it


@configclass
class SteadyLocomotionCfg(G1LocomotionEnvCfg):
    def __post_init__(self):
        steady(self)
        self.randomize(("push", "latency"))
        self.actions.joint_pos.delayed_share = 1.0
        actuators = self.scene.robot.actuators  # implicit alone: Newton then takes each substep by itself
        self.scene.robot.actuators = actuators | {
            "wrist": actuators["arm"].replace(joint_names_expr=[".*_wrist_roll_joint"])
        }
        command = self.commands.base_velocity
        command.ranges.lin_vel_x, command.ranges.ang_vel_z = (0.7, 0.7), (0.3, 0.3)
        command.rel_straight_envs = -1.0
        command.rel_in_place_envs = -1.0
        command.reference_jitter = (0.0, 0.0)


def on_the_host(env) -> torch.Tensor:
    """A term that waits for a GPU, to branch on a number."""
    height = env.scene["robot"].data.root_link_pos_w.torch[:, 2]
    return height * 0 if height.max() > 2 else height


@configclass
class OnTheHostCfg(G1AmpEnvCfg):
    def __post_init__(self):
        setattr(self.rewards, "on_the_host", RewardTermCfg(func=on_the_host, weight=1.0))  # noqa: B010 - a new field


add_task(WALK, SteadyWalkCfg)
add_task(LOCOMOTION, SteadyLocomotionCfg)
add_task(ON_THE_HOST, OnTheHostCfg)
