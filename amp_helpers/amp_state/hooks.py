"""Callbacks inside a step of an Isaac Lab environment, through its recorder manager.

``ManagerBasedRLEnv.step`` calls its recorder manager at two points that AMP needs and that no other public hook
covers: after the physics, before terminations are computed; and before episodes are reset. A recorder *term* would
serve as well, but with one, Isaac Lab 3.0.0 computes all observations twice in every step. Therefore the manager is
replaced by a subclass that adds listeners and no term.
"""

from collections.abc import Callable
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import RecorderManager

EnvIds = torch.Tensor | slice
"""Environments, by index (n,) or as a slice."""


class StepHooks(RecorderManager):
    """An environment's recorder manager with listeners; recorder terms of the task work as before."""

    def __init__(self, recorder: RecorderManager) -> None:
        """Take over the terms of ``recorder``, the environment's manager until now."""
        # Not RecorderManager.__init__, which would create the terms and open their files once more.
        vars(self).update(vars(recorder))
        self._recorder = recorder
        self.after_physics: list[Callable[[], None]] = []
        """Called in every step after the physics and before terminations are computed, while a GPU is still busy with
        the physics."""
        self.before_reset: list[Callable[[EnvIds], None]] = []
        """Called with the environments whose episodes end, while the simulator still holds their last state."""

    def __del__(self) -> None:
        """Leave closing the terms to the manager that created them, which is deleted next."""

    @classmethod
    def of(cls, env: ManagerBasedRLEnv) -> "StepHooks":
        """Return the hooks of an open environment, installing them on the first call.

        Do not keep a reference: Isaac Lab closes the files of recorder terms when it deletes the manager.
        """
        if not isinstance(env.recorder_manager, cls):
            env.recorder_manager = cls(env.recorder_manager)
        return env.recorder_manager

    def record_post_physics_decimation_step(self) -> None:
        super().record_post_physics_decimation_step()
        for listener in self.after_physics:
            listener()

    def record_pre_reset(self, env_ids: Any, force_export_or_skip: bool | None = None) -> None:
        super().record_pre_reset(env_ids, force_export_or_skip)
        for listener in self.before_reset:
            listener(env_ids)
