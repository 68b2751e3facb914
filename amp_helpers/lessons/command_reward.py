"""Experiment: what a discriminator pays for a gait under a command, with the command among its inputs and without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from amp_helpers.agent.losses import style_reward
from amp_helpers.amp_state.state import AmpState
from amp_helpers.lessons.discriminators import small_discriminator, windows
from amp_helpers.lessons.gaits import level_feet
from amp_helpers.motion.motion import Motion


@dataclass(frozen=True)
class CommandReward:
    """Result of :func:`command_experiment`."""

    speeds: tuple[float, ...]
    """(K,) forward speeds of the clips, m/s: the gaits, and the commands."""
    style_reward: np.ndarray
    """(K, K) mean style reward, 0 to 1, of each gait (row) under each command (column)."""

    @property
    def fitting(self) -> float:
        """Mean style reward of the gaits whose speed is commanded."""
        return float(np.diag(self.style_reward).mean())

    @property
    def other(self) -> float:
        """Mean style reward of the gaits that have another speed than is commanded."""
        return float(self.style_reward[~np.eye(len(self.speeds), dtype=bool)].mean())


def command_experiment(
    clips: Sequence[Motion],
    state: AmpState,
    default_pose: Mapping[str, float],
    penalize_command: bool = False,
    steps: int = 400,
) -> CommandReward:
    """Train :func:`small_discriminator` on clips of several speeds against a policy that ignores its command.

    The policy walks each clip with :func:`level_feet`, under every command equally often. Its rewards are computed for
    the same gaits with other tracking errors.

    Args:
        clips: straight clips at the control rate, each with its command.
        state: what the discriminator sees, with the command or without.
        default_pose: rad by joint name.
        penalize_command: apply the gradient penalty to the command too.
        steps: optimizer steps.
    """
    speeds = [clip.command[0] if clip.command else clip.forward_speed for clip in clips]
    reference = torch.cat([windows(clip, state, default_pose) for clip in clips])

    def walk(clip: Motion, speed: float, seed: int) -> torch.Tensor:
        return windows(replace(level_feet(clip, seed=seed), command=(speed, 0.0)), state, default_pose)

    policy = torch.cat([walk(clip, speed, 0) for clip in clips for speed in speeds])
    condition_dim = 0 if penalize_command else state.condition_dim
    discriminator = small_discriminator(reference, policy, steps, condition_dim=condition_dim)
    rewards = [
        [float(style_reward(discriminator(walk(clip, speed, 1)), "lsgan").mean()) for speed in speeds] for clip in clips
    ]
    return CommandReward(tuple(speeds), np.array(rewards))
