"""Isaac Lab's environment, for terms that take environments by their indices alone."""

from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv


class IndexedEnv(ManagerBasedRLEnv):
    """A manager-based environment that hands its terms indices also where all environments are reset.

    Isaac Lab 3 hands them ``slice(None)`` then and indices in every step, Isaac Lab 2 always indices: a term that was
    written for the latter and takes ``len(env_ids)`` would fail in the first reset.
    """

    def reset(self, env_ids: Any = None, **options: Any) -> Any:
        """Reset environments, by default all, see :meth:`isaaclab.envs.ManagerBasedRLEnv.reset`."""
        every = torch.arange(self.num_envs, dtype=torch.int32, device=self.device)
        return super().reset(every if env_ids is None else every[env_ids], **options)
