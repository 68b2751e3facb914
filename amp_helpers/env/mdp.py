"""Terms of the task that Isaac Lab does not have."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from isaaclab.envs import ManagerBasedEnv
from isaaclab.managers import EventTermCfg, ManagerTermBase
from isaaclab.utils.math import quat_apply

from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.amp_state.state import weighted_rows
from amp_helpers.dataset import MotionDataset
from amp_helpers.motion.motion import Motion


class reset_robot(ManagerTermBase):
    """Reset the robot to a reference state or to its randomized default state.

    Reference state initialization (Peng et al. 2018, DeepMimic): a policy that always starts upright reaches the middle
    of a stride only once it can walk. A reference state is a frame of the dataset: root height, orientation and
    velocity, joint positions and velocities. The horizontal position is the environment's origin. One term resets
    everything, because each write to the simulator costs as much as a reward term, and with thousands of environments
    some are reset in every step.

    Params:
        dataset: reference states; ``None`` disables them.
        share: probability of starting in a reference state, in [0, 1].
        yaw: half the range of the default state's heading, rad.
        forward, sideways: (low, high) velocity of the default state in the root frame, m/s.
        joint_noise: half the range of the joints' offsets from the default pose, rad.
    """

    def __init__(self, cfg: EventTermCfg, env: ManagerBasedEnv) -> None:
        super().__init__(cfg, env)
        self._robot = scene_robot(env)
        dataset: Any = cfg.params["dataset"]
        self._states: dict[str, torch.Tensor] = {}
        self.from_reference = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)
        """Environments whose latest start was a reference state, (E,) bool."""
        self.commands: torch.Tensor | None = None
        """The command that the clip of each latest start is a reference for, (E, 2) m/s and rad/s; 0 after a default
        start, and ``None`` without a dataset."""
        self.clips: list[Motion] = []
        """The clips of the dataset, with the joints in the simulator's order."""
        if dataset is None:
            return
        robot_names = tuple(self._robot.joint_names)
        dataset = dataset.for_environment(joint_names=robot_names, control_dt=env.step_dt)
        self.clips = [clip.select(robot_names) for clip in dataset.clips()]

        def gather(part: Callable[[Motion], np.ndarray]) -> torch.Tensor:
            return torch.cat([torch.tensor(part(clip), dtype=torch.float32) for clip in self.clips]).to(env.device)

        self._states = {
            "joint_pos": gather(lambda clip: clip.joint_pos),
            "joint_vel": gather(lambda clip: clip.joint_vel),
            "height": gather(lambda clip: clip.root_pos[:, 2:3]),
            "quat": gather(lambda clip: clip.root_quat),
            "lin_vel": gather(lambda clip: clip.root_lin_vel),
            "ang_vel": gather(lambda clip: clip.root_ang_vel),
        }
        self._clip_commands = gather(lambda clip: np.tile(clip.reference_command, (clip.num_frames, 1)))
        self.commands = torch.zeros(env.num_envs, 2, device=env.device)
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

        def uniform(low: float, high: float, width: int = 1) -> torch.Tensor:
            return torch.empty(count, width, device=env.device).uniform_(low, high)

        zero, half_yaw = torch.zeros(count, 1, device=env.device), uniform(-yaw / 2, yaw / 2)
        default_pos = data.default_joint_pos.torch[ids]
        state = {
            "joint_pos": default_pos + uniform(-joint_noise, joint_noise, default_pos.shape[1]),
            "joint_vel": torch.zeros_like(default_pos),
            "height": data.default_root_pose.torch[ids, 2:3],
            "quat": torch.cat((zero, zero, half_yaw.sin(), half_yaw.cos()), dim=-1),
            "lin_vel": torch.cat((uniform(*forward), uniform(*sideways), zero), dim=-1),
            "ang_vel": torch.zeros(count, 3, device=env.device),
        }
        if self.commands is not None and share > 0:
            from_reference = torch.rand(count, 1, device=env.device) < share
            rows = self._draw(count)
            self.from_reference[ids] = from_reference.squeeze(1)
            self.commands[ids] = self._clip_commands[rows] * from_reference
            state = {
                name: torch.where(from_reference, self._states[name][rows], value) for name, value in state.items()
            }
        write_state(env, ids, **state)


def reference_states(env: ManagerBasedEnv) -> reset_robot | None:
    """Return the event that resets the robot to reference states; ``None`` for a task without it."""
    events = env.event_manager
    terms = (events.get_term_cfg(name).func for name in events.active_terms.get("reset", ()))
    return next((term for term in terms if isinstance(term, reset_robot)), None)


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
    """Write root and joint states into the simulator.

    Args:
        env: environment.
        env_ids: (n,) environments to write.
        joint_pos: (n, J) rad, in the **simulator's** joint order.
        joint_vel: (n, J) rad/s, in the same order.
        height: (n, 1) height of the root link above the environment's origin, m.
        quat: (n, 4) xyzw, orientation of the root link in the world frame.
        lin_vel: (n, 3) velocity of the root link in the root frame, m/s.
        ang_vel: (n, 3) angular velocity of the root link in the root frame, rad/s.
    """
    robot = scene_robot(env)
    position = env.scene.env_origins[env_ids]
    position[:, 2:3] += height
    velocity = quat_apply(quat.unsqueeze(1), torch.stack((lin_vel, ang_vel), dim=1)).flatten(1)
    ids, pose = env_ids.int(), torch.cat((position, quat), dim=-1)
    # The last write alone marks the derived quantities as stale: once is enough.
    robot.write_root_link_pose_to_sim_index(root_pose=pose, env_ids=ids, skip_forward=True)
    robot.write_root_link_velocity_to_sim_index(root_velocity=velocity, env_ids=ids, skip_forward=True)
    robot.write_joint_state_to_sim_index(position=joint_pos, velocity=joint_vel, env_ids=ids)
