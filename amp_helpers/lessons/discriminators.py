"""The small experiments that the notebooks show: what goes in and what comes out is arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from amp_helpers.agent.losses import discriminator_loss, style_reward
from amp_helpers.agent.networks import mlp
from amp_helpers.amp_state.state import AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.lessons.gaits import half_steps, level_feet, stumble
from amp_helpers.motion.motion import Motion

if TYPE_CHECKING:
    pass

Discriminator = Callable[[torch.Tensor], torch.Tensor]


def windows(motion: Motion, state: AmpState, default_pose: Mapping[str, float]) -> torch.Tensor:
    """What a discriminator sees of a motion, (n, dim)."""
    data = MotionDataset.from_motions([motion], joint_names=motion.joint_names, control_dt=motion.dt)
    return state.from_dataset(data, default_pose)


def small_discriminator(
    reference: torch.Tensor,
    policy: torch.Tensor,
    steps: int = 400,
    gradient_penalty: float = 10.0,
    seed: int = 0,
    loss: str = "lsgan",
    input_noise: float = 0.0,
    on_step: Callable[[dict[str, torch.Tensor]], None] | None = None,
) -> Discriminator:
    """A discriminator of 128 and 64 units, trained to tell windows (n, dim) from windows (m, dim) in seconds on a CPU.

    The loss is the project's own, :func:`amp_helpers.agent.losses.discriminator_loss`, whose figures go to ``on_step``;
    inputs are normalised by the mean and standard deviation of both kinds together, and while it learns they carry
    ``input_noise`` (standard deviation).
    """
    both = torch.cat((reference, policy))
    mean, std = both.mean(0), both.std(0).clamp(min=1e-3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = mlp(reference.shape[-1], (128, 64), 1, "relu")
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
        for _ in range(steps):
            batches = [kind[torch.randint(len(kind), (256,))] for kind in (reference, policy)]
            reference_batch, policy_batch = (
                (batch - mean) / std + input_noise * torch.randn_like(batch) for batch in batches
            )
            total, figures = discriminator_loss(net, reference_batch, policy_batch, loss, gradient_penalty)
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
            if on_step:
                on_step(figures)
    return lambda windows: net((windows - mean) / std).detach()


def joint_influence(
    discriminator: Discriminator, reference: torch.Tensor, policy: torch.Tensor, joints: Sequence[str]
) -> dict[str, float]:
    """How much each joint alone gives a motion away.

    The joint's columns in the policy's windows are replaced by the reference's of the same instants; the logit then
    rises by a share of the gap between the two, which is the joint's influence. Shares need not add up to one.

    Args:
        discriminator: windows (n, dim) -> logits (n, 1).
        reference: windows (n, dim) of joint positions, frames oldest first.
        policy: windows of the same instants.
        joints: names of the columns of one frame.
    """
    below, above = discriminator(policy).mean(), discriminator(reference).mean()
    shares = {}
    for column, name in enumerate(joints):
        patched = policy.clone()
        patched[:, column :: len(joints)] = reference[:, column :: len(joints)]
        shares[name] = float((discriminator(patched).mean() - below) / (above - below))
    return shares


@dataclass(frozen=True)
class StyleOutcome:
    """What a small discriminator pays two stand-ins for a policy, and what it looks at."""

    joint_names: tuple[str, ...]
    """Joints that it sees."""
    right_gait: float
    """Mean style reward, 0 to 1, of the right gait."""
    wrong_gait: float
    """The same of the wrong one."""
    influence: dict[str, float]
    """Share of the gap between reference and right gait that each joint explains."""


def style_experiment(
    clip: Motion,
    default_pose: Mapping[str, float],
    drop: Sequence[str] = (),
    gaits: tuple[Motion, Motion] | None = None,
    input_noise: float = 0.0,
) -> StyleOutcome:
    """Train :func:`small_discriminator` on a clip against a right and a wrong gait.

    Args:
        clip: the reference, at the control rate.
        default_pose: rad by joint name.
        drop: regular expressions of joints that the discriminator does not see.
        gaits: the right and the wrong one, at the clip's instants and with its joints; by default the clip and
            :func:`half_steps` of it, both with :func:`level_feet`.
        input_noise: of the discriminator while it learns.
    """
    gaits = gaits or (level_feet(clip), level_feet(half_steps(clip), seed=1))
    state = AmpState(joint_names=clip.joint_names)
    state = state.without(tuple(drop))

    def windows(motion: Motion) -> torch.Tensor:
        data = MotionDataset.from_motions([motion], joint_names=clip.joint_names, control_dt=clip.dt)
        return state.from_dataset(data, default_pose)

    reference, right, wrong = (windows(motion) for motion in (clip, *gaits))
    discriminator = small_discriminator(reference, torch.cat((right, wrong)), input_noise=input_noise)
    paid = [float(style_reward(discriminator(kind), "lsgan").mean()) for kind in (right, wrong)]
    return StyleOutcome(state.joint_names, *paid, joint_influence(discriminator, reference, right, state.joint_names))


@dataclass(frozen=True)
class Lesson:
    """How a small discriminator fared, and what PPO would get from it."""

    expert_logit: np.ndarray
    """(S,) after each step."""
    policy_logit: np.ndarray
    """(S,)."""
    way: np.ndarray
    """(W,) from 0, the policy as it is, to 0.5, half way to the reference."""
    paid: np.ndarray
    """(W,) mean style reward of windows that far on the way."""

    @property
    def gain(self) -> float:
        """What getting three tenths of the way nearer to the reference earns."""
        return float(np.interp(0.3, self.way, self.paid) - self.paid[0])


def discriminator_lesson(
    reference: torch.Tensor, policy: torch.Tensor, loss: str, gradient_penalty: float, steps: int = 600
) -> Lesson:
    """Train :func:`small_discriminator`, then pay windows on the straight way from policy to reference.

    A policy improves by small steps, so what counts is whether the reward rises at the beginning of that way.
    """
    logits: list[tuple[float, float]] = []
    discriminator = small_discriminator(
        reference,
        policy,
        steps,
        gradient_penalty,
        loss=loss,
        on_step=lambda figures: logits.append((float(figures["expert_logit"]), float(figures["policy_logit"]))),
    )
    pairs = min(len(reference), len(policy))
    way = np.linspace(0.0, 0.5, 11)
    blends = (torch.lerp(policy[:pairs], reference[:pairs], float(share)) for share in way)
    paid = np.array([float(style_reward(discriminator(blend), loss).mean()) for blend in blends])
    return Lesson(*np.array(logits).T, way, paid)


def paid_for(motions: Mapping[str, Motion], clip: Motion, state: AmpState, default_pose: Mapping[str, float]) -> dict:
    """Style reward, 0 to 1, that a discriminator trained on ``clip`` against its :func:`stumble` pays other motions."""
    reference = windows(clip, state, default_pose)
    discriminator = small_discriminator(reference, windows(stumble(clip), state, default_pose))
    return {
        label: float(style_reward(discriminator(windows(motion, state, default_pose)), "lsgan").mean())
        for label, motion in motions.items()
    }
