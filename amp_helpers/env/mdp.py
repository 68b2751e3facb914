"""The task's own terms; everything else is Isaac Lab's."""

import numpy as np
import torch
from isaaclab.envs import ManagerBasedEnv
from isaaclab.managers import EventTermCfg, ManagerTermBase
from isaaclab.utils.math import quat_apply

from amp_helpers.amp_state.state import weighted_rows
from amp_helpers.dataset import MotionDataset
from amp_helpers.joints import JointOrder


class reset_robot(ManagerTermBase):
    """Put the robot at its start, a share of the times in the middle of a reference motion.

    A policy that always starts upright sees the middle of a stride only once it can already walk (Peng et al. 2018,
    "reference state initialisation"). Such a state is a frame of the dataset: root height, orientation and velocity,
    joint positions and velocities. Otherwise it is the default pose, with some randomness. The place is the
    environment's own. One term does it all, because each write to the simulator costs as much as a reward term, and
    with thousands of environments some are reset in every step.

    Params:
        dataset: reference states; ``None`` leaves them out.
        share: share of the episodes that start in one, in [0, 1].
        yaw: largest turn of a default start, rad.
        forward, sideways: (low, high) velocity of a default start, m/s.
        joint_noise: largest distance of its joints from the default pose, rad.
    """

    def __init__(self, cfg: EventTermCfg, env: ManagerBasedEnv) -> None:
        super().__init__(cfg, env)
        self._robot = env.scene["robot"]
        dataset: MotionDataset | None = cfg.params["dataset"]
        self._states: dict[str, torch.Tensor] = {}
        if dataset is None:
            return
        robot_names = tuple(self._robot.joint_names)
        clips = dataset.for_environment("the dataset", joint_names=robot_names, control_dt=env.step_dt).clips()
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
        self._draw = weighted_rows(gather(lambda clip: np.full(clip.num_frames, clip.weight)))

    def __call__(
        self,
        env: ManagerBasedEnv,
        env_ids: torch.Tensor | slice,
        dataset: MotionDataset | None,
        share: float,
        yaw: float,
        forward: tuple[float, float],
        sideways: tuple[float, float],
        joint_noise: float,
    ) -> None:
        ids = torch.arange(env.num_envs, device=env.device)[env_ids]
        data, count = self._robot.data, len(ids)

        def within(low: float, high: float, width: int = 1) -> torch.Tensor:
            return torch.empty(count, width, device=env.device).uniform_(low, high)

        zero, half_turn = torch.zeros(count, 1, device=env.device), within(-yaw / 2, yaw / 2)
        default_pos = data.default_joint_pos.torch[ids]
        state = {
            "joint_pos": default_pos + within(-joint_noise, joint_noise, default_pos.shape[1]),
            "joint_vel": torch.zeros_like(default_pos),
            "height": data.default_root_pose.torch[ids, 2:3],
            "quat": torch.cat((zero, zero, half_turn.sin(), half_turn.cos()), dim=-1),
            "lin_vel": torch.cat((within(*forward), within(*sideways), zero), dim=-1),
            "ang_vel": torch.zeros(count, 3, device=env.device),
        }
        if self._states and share > 0:
            chosen = torch.rand(count, 1, device=env.device) < share
            frame = self._draw(count)
            state = {name: torch.where(chosen, self._states[name][frame], value) for name, value in state.items()}
        write_state(env, ids, **state)


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
    position = env.scene.env_origins[env_ids]
    position[:, 2:3] += height
    velocity = quat_apply(quat.unsqueeze(1), torch.stack((lin_vel, ang_vel), dim=1)).flatten(1)
    ids, pose = env_ids.int(), torch.cat((position, quat), dim=-1)
    # The last write tells the simulator that all it had derived from the state is stale; saying so once is enough.
    robot.write_root_link_pose_to_sim_index(root_pose=pose, env_ids=ids, skip_forward=True)
    robot.write_root_link_velocity_to_sim_index(root_velocity=velocity, env_ids=ids, skip_forward=True)
    robot.write_joint_state_to_sim_index(position=joint_pos, velocity=joint_vel, env_ids=ids)
