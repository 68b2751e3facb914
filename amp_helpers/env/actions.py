"""Joint position targets that may arrive one control step late."""

from collections.abc import Sequence
from typing import Any

import torch
from isaaclab.envs import ManagerBasedEnv
from isaaclab.envs.mdp import JointPositionAction, JointPositionActionCfg
from isaaclab.utils import configclass


class DelayedJointPositionAction(JointPositionAction):
    """Isaac Lab's joint position action, one control step late in a share of the episodes.

    Isaac Lab's own delays belong to explicit actuators, which would change the physics of the task.
    """

    cfg: "DelayedJointPositionActionCfg"

    def __init__(self, cfg: "DelayedJointPositionActionCfg", env: ManagerBasedEnv) -> None:
        super().__init__(cfg, env)
        self._rest = self._raw_actions * self._scale + self._offset
        self._targets, self._previous = self._rest, self._rest.clone()
        self._late = torch.zeros(self.num_envs, 1, dtype=torch.bool, device=self.device)

    def process_actions(self, actions: torch.Tensor) -> None:
        super().process_actions(actions)
        self._targets = torch.where(self._late, self._previous, self.processed_actions)
        self._previous[:] = self.processed_actions  # in place: a new tensor of inference mode could not be reset

    def apply_actions(self) -> None:
        joints: Any = self._joint_ids  # a slice too, as in Isaac Lab's own terms
        self._asset.set_joint_position_target_index(target=self._targets, joint_ids=joints)

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        super().reset(env_ids)
        rows: Any = slice(None) if env_ids is None else env_ids
        late = torch.rand_like(self._rest[rows][:, :1]) < self.cfg.delayed_share
        self._late[rows] = late
        self._previous[rows] = self._rest[rows]


@configclass
class DelayedJointPositionActionCfg(JointPositionActionCfg):
    """Configuration of :class:`DelayedJointPositionAction`."""

    class_type: type = DelayedJointPositionAction
    delayed_share: float = 0.5
    """Share of the episodes in which actions take effect one control step late, in [0, 1]."""
