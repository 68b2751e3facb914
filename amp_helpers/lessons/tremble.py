"""Experiment: what noise on the discriminator's input does to the reward of a policy whose joints tremble."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from amp_helpers.agent.losses import style_reward
from amp_helpers.amp_state.state import AmpState
from amp_helpers.lessons.discriminators import small_discriminator, windows
from amp_helpers.lessons.gaits import add_jitter, half_steps
from amp_helpers.motion.motion import Motion

_JITTER_RAD = 0.05
"""Standard deviation of the jitter, rad."""


@dataclass(frozen=True)
class TrembleResult:
    """Style rewards, 0 to 1, from one discriminator."""

    trembling: float
    """Mean reward of the right gait with jitter."""
    half_steps: float
    """Mean reward of the half steps with jitter."""
    still: float
    """Mean reward of the right gait without jitter."""
    scatter: float
    """Standard deviation of the reward over the windows of a gait with jitter."""

    @property
    def for_steps(self) -> float:
        """Rise of the reward for right steps in place of half ones."""
        return self.trembling - self.half_steps

    @property
    def for_stillness(self) -> float:
        """Rise of the reward for losing the jitter."""
        return self.still - self.trembling

    @property
    def signal(self) -> float:
        """``for_steps`` over ``scatter``: how well a single window's reward tells right steps from half ones."""
        return self.for_steps / self.scatter


def tremble_experiment(
    clip: Motion,
    default_pose: Mapping[str, float],
    drop: Sequence[str] = (),
    input_noise: float = 0.0,
    seed: int = 0,
) -> TrembleResult:
    """Train a discriminator on a clip against two gaits with jitter, and try it on gaits with other jitter.

    Args:
        clip: the reference, at the control rate.
        default_pose: rad by joint name.
        drop: regular expressions of joints hidden from the discriminator.
        input_noise: see :func:`small_discriminator`.
        seed: of jitter and discriminator.
    """
    state = AmpState(joint_names=clip.joint_names).without(tuple(drop))

    def trembling(motion: Motion, number: int) -> torch.Tensor:
        return windows(add_jitter(motion, _JITTER_RAD, seed=4 * seed + number), state, default_pose)

    reference, short = windows(clip, state, default_pose), half_steps(clip)
    policy = torch.cat((trembling(clip, 0), trembling(short, 1)))
    discriminator = small_discriminator(reference, policy, seed=seed, input_noise=input_noise)

    def paid(shown: torch.Tensor) -> np.ndarray:
        return style_reward(discriminator(shown), "lsgan").numpy()

    right, wrong = paid(trembling(clip, 2)), paid(trembling(short, 3))
    return TrembleResult(
        trembling=float(right.mean()),
        half_steps=float(wrong.mean()),
        still=float(paid(reference).mean()),
        scatter=float(np.sqrt((right.var() + wrong.var()) / 2)),
    )
