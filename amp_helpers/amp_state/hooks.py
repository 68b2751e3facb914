"""Callbacks inside a step of an Isaac Lab environment, through its recorder manager.

``ManagerBasedRLEnv.step`` calls its recorder manager at two instants that AMP needs and that no other official hook
marks: after the physics, before terminations are computed, and before episodes are reset. A recorder *term* would
serve, but as soon as there is one, the environment computes all observations twice in every step. So the manager is
exchanged for a subclass of it that adds listeners and no term.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import RecorderManager


class StepHooks(RecorderManager):
    """The recorder manager of an environment, with listeners."""

    def __init__(self, recorder: RecorderManager) -> None:
        """Take over the terms of ``recorder``, which the environment had until now."""
        vars(self).update(vars(recorder))
        self._recorder = recorder  # kept, because deleting it would close the files of its terms
        self.after_physics: list[Callable[[], None]] = []
        """Called in every step after the physics and before terminations are computed. A GPU has work then, and the
        host is about to wait for it."""
        self.before_reset: list[Callable[[torch.Tensor], None]] = []
        """Called with the environments (n,) whose episodes end, while the simulator still holds their last state."""

    @classmethod
    def of(cls, env: ManagerBasedRLEnv) -> "StepHooks":
        """The hooks of an open environment, which are installed at the first call."""
        if not isinstance(env.recorder_manager, cls):
            env.recorder_manager = cls(env.recorder_manager)
        return env.recorder_manager

    def record_post_physics_decimation_step(self) -> None:
        super().record_post_physics_decimation_step()
        for listener in self.after_physics:
            listener()

    def record_pre_reset(self, env_ids: Sequence[int] | slice | None, force_export_or_skip: Any = None) -> None:
        super().record_pre_reset(env_ids, force_export_or_skip)
        for listener in self.before_reset:
            listener(env_ids)
