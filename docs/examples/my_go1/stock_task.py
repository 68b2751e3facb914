"""Isaac Lab's own velocity task with the robot of this folder, on flat ground: what a subclass has to change."""

import gymnasium
from isaaclab.utils import configclass
from isaaclab_tasks.core.velocity.velocity_env_cfg import LocomotionVelocityRoughEnvCfg

from .robot import ROBOT
from .task import Scene, Terminations


@configclass
class FlatCfg(LocomotionVelocityRoughEnvCfg):
    def __post_init__(self):
        super().__post_init__()
        self.scene.robot = Scene().robot
        # Links of a converted robot lie within each other: on Newton, Isaac Lab's [^/]* finds those of one level alone.
        self.scene.contact_forces.prim_path = "{ENV_REGEX_NS}/Robot/.*"
        # Isaac Lab's plane is a file on a server.
        self.scene.terrain.terrain_type = "usd"
        self.scene.terrain.usd_path = str(ROBOT.ground_usd_path)
        self.scene.terrain.terrain_generator = None
        self.curriculum.terrain_levels = None
        self.scene.height_scanner = None
        self.observations.policy.height_scan = None
        # Links that terms name: the Go1's in place of ANYmal's.
        self.rewards.feet_air_time.params["sensor_cfg"].body_names = ".*_calf"
        self.rewards.undesired_contacts.params["sensor_cfg"].body_names = ".*_thigh"
        self.terminations.base_contact.params["sensor_cfg"].body_names = "trunk"
        # A contact of the trunk ends an episode there, which a robot on its side may not have.
        self.terminations.fell = Terminations().fell
        for event in (self.events.add_base_mass, self.events.base_com, self.events.base_external_force_torque):
            event.params["asset_cfg"].body_names = "trunk"


gymnasium.register(
    id="My-Go1-Stock",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={"env_cfg_entry_point": FlatCfg},
)
