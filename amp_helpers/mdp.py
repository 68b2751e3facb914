"""The task's own terms; everything else is Isaac Lab's."""

from pathlib import Path

import torch
from isaaclab.envs import ManagerBasedEnv
from isaaclab.managers import EventTermCfg, ManagerTermBase, SceneEntityCfg
from isaaclab.utils.math import quat_apply

from .dataset import MotionDataset
from .joints import JointOrder


class reset_to_reference(ManagerTermBase):
    """Start a share of the episodes in the middle of a reference motion (Peng et al. 2018, "reference state init").

    A policy that always starts upright sees the middle of a stride only once it can already walk. The state is a frame
    of the dataset: root height, orientation and velocity, joint positions and velocities; the place stays the
    environment's own. Runs after the ordinary reset terms and overwrites what they set.

    Params:
        dataset: path of the dataset; an empty path switches the term off.
        share: share of the episodes, in [0, 1].
    """

    def __init__(self, cfg: EventTermCfg, env: ManagerBasedEnv) -> None:
        super().__init__(cfg, env)
        self._robot = env.scene[SceneEntityCfg("robot").name]
        path = cfg.params["dataset"]
        self._states: dict[str, torch.Tensor] = {}
        if not path:
            return
        robot_names = tuple(self._robot.joint_names)
        clips = MotionDataset.load(Path(path), joint_names=robot_names, control_dt=env.step_dt).clips()
        order = JointOrder(robot_names)

        def gather(part) -> torch.Tensor:
            return torch.cat([torch.tensor(part(clip), dtype=torch.float32) for clip in clips]).to(env.device)

        self._states = {
            "joint_pos": gather(lambda clip: order.reorder(clip.joint_pos, clip.joint_names)),
            "joint_vel": gather(lambda clip: order.reorder(clip.joint_vel, clip.joint_names)),
            "height": gather(lambda clip: clip.root_pos[:, 2:3]),
            "quat": gather(lambda clip: clip.root_quat),
            "lin_vel": gather(lambda clip: clip.root_lin_vel),
            "ang_vel": gather(lambda clip: clip.root_ang_vel),
        }

    def __call__(self, env: ManagerBasedEnv, env_ids: torch.Tensor | slice, dataset: str, share: float) -> None:
        if not self._states or share <= 0:
            return
        everyone = torch.arange(env.num_envs, device=env.device)[env_ids]
        chosen = everyone[torch.rand(len(everyone), device=env.device) < share]
        if not len(chosen):
            return
        frame = torch.randint(len(self._states["height"]), (len(chosen),), device=env.device)
        write_state(env, chosen, **{name: values[frame] for name, values in self._states.items()})


def write_state(
    env: ManagerBasedEnv,
    env_ids: torch.Tensor,
    *,
    joint_pos: torch.Tensor,
    joint_vel: torch.Tensor,
    height: torch.Tensor,
    quat: torch.Tensor,
    lin_vel: torch.Tensor,
    ang_vel: torch.Tensor,
) -> None:
    """Write a whole robot state into the simulator.

    Args:
        env: environment with an articulation called ``robot``.
        env_ids: (n,) environments to write.
        joint_pos: (n, J) rad, in the **simulator's** joint order; ``joint_vel`` likewise, rad/s.
        height: (n, 1) m above the environment's origin.
        quat: (n, 4) xyzw root orientation in the world.
        lin_vel: (n, 3) m/s of the root link, in the root frame; ``ang_vel`` likewise, rad/s.
    """
    robot = env.scene["robot"]
    position = env.scene.env_origins[env_ids].clone()
    position[:, 2:3] += height
    velocity = torch.cat((quat_apply(quat, lin_vel), quat_apply(quat, ang_vel)), dim=-1)
    ids = env_ids.int()
    robot.write_root_link_pose_to_sim_index(root_pose=torch.cat((position, quat), dim=-1), env_ids=ids)
    robot.write_root_link_velocity_to_sim_index(root_velocity=velocity, env_ids=ids)
    robot.write_joint_position_to_sim_index(position=joint_pos, env_ids=ids)
    robot.write_joint_velocity_to_sim_index(velocity=joint_vel, env_ids=ids)
