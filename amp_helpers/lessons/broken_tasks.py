"""Find the bug: five tasks, each with one mistake that raises no error.

``python -m amp_helpers.check --dataset datasets/g1_walk.npz --task amp_helpers.lessons.broken_tasks:Task-A`` judges
one.
"""

# Users write configurations without regard to the annotations of the class that they change.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import isaaclab.envs.mdp as mdp
from isaaclab.managers import EventTermCfg
from isaaclab.utils import configclass

from amp_helpers.env.registration import add_task
from amp_helpers.env.task import G1AmpEnvCfg


@configclass
class TaskA(G1AmpEnvCfg):
    """Finer physics and longer episodes."""

    def __post_init__(self) -> None:
        self.sim.dt = 0.0025
        self.decimation = 4
        self.episode_length_s = 30.0


@configclass
class TaskB(G1AmpEnvCfg):
    """A start of our own, a little higher, with Isaac Lab's usual reset."""

    def __post_init__(self) -> None:
        self.scene.robot.init_state.pos = (0.0, 0.0, 0.82)
        self.scene.robot.init_state.rot = (1.0, 0.0, 0.0, 0.0)
        self.events.reference = None
        ranges = {"pose_range": {"yaw": (-0.3, 0.3)}, "velocity_range": {"x": (-0.2, 0.8)}}
        self.events.reset_root = EventTermCfg(func=mdp.reset_root_state_uniform, mode="reset", params=ranges)


@configclass
class TaskC(G1AmpEnvCfg):
    """The joints that walking takes, with smaller actions."""

    def __post_init__(self) -> None:
        self.actions.joint_pos.joint_names = [".*_hip_.*", ".*_knee_.*", ".*_ankle_.*", "waist_yaw_joint"]
        self.actions.joint_pos.preserve_order = False
        self.actions.joint_pos.scale = 0.4


@configclass
class TaskD(G1AmpEnvCfg):
    """The default pose, written out side by side."""

    def __post_init__(self) -> None:
        self.scene.robot.init_state.joint_pos = {
            ".*_hip_pitch_joint": -0.2,
            ".*_knee_joint": 0.42,
            ".*_ankle_pitch_joint": -0.23,
            "left_shoulder_pitch_joint": 0.35,
            "right_shoulder_pitch_joint": -0.35,
            "left_shoulder_roll_joint": 0.16,
            "right_shoulder_roll_joint": -0.16,
        }


@configclass
class TaskE(G1AmpEnvCfg):
    """Episodes that start like the clip, and no pushes yet."""

    def __post_init__(self) -> None:
        self.events.reference = EventTermCfg(func=mdp.reset_scene_to_default, mode="reset")
        self.events.push = None


for _cfg in (TaskA, TaskB, TaskC, TaskD, TaskE):
    add_task(f"Task-{_cfg.__name__[-1]}", _cfg)
