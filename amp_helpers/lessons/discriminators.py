"""Experiments with small discriminators, which train in seconds on a CPU. Inputs and results are arrays and motions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from amp_helpers.agent.losses import discriminator_loss, style_reward
from amp_helpers.agent.networks import mlp
from amp_helpers.amp_state.state import AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.lessons.gaits import early_policy, half_steps, level_feet
from amp_helpers.motion.motion import Motion

Discriminator = Callable[[torch.Tensor], torch.Tensor]
"""Windows (n, dim) -> logits (n, 1)."""


def windows(motion: Motion, state: AmpState, default_pose: Mapping[str, float]) -> torch.Tensor:
    """Return the AMP states of a motion, (n, dim), in the units and frames of :class:`AmpState`.

    Args:
        motion: a clip at the control rate.
        state: features, joints, window and stride.
        default_pose: rad by joint name.
    """
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
    condition_dim: int = 0,
) -> Discriminator:
    """Train a discriminator with hidden layers of 128 and 64 units, and return it as a function.

    Inputs are normalized by the mean and standard deviation of both kinds of windows together. The loss is the one of
    training, :func:`amp_helpers.agent.losses.discriminator_loss`.

    Args:
        reference: windows (n, dim).
        policy: windows (m, dim).
        steps: optimizer steps, with batches of 256 windows of each kind.
        gradient_penalty: weight of the gradient penalty.
        seed: of batches and initial weights. The global generator is left as it was.
        loss: ``lsgan`` or ``bce``.
        input_noise: standard deviation of Gaussian noise on the normalized input during training.
        on_step: called after every step with the terms of the loss.
        condition_dim: number of last columns that the gradient penalty leaves out.
    """
    both = torch.cat((reference, policy))
    mean, std = both.mean(0), both.std(0).clamp(min=1e-3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = mlp(reference.shape[-1], (128, 64), 1, "relu")
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        for _ in range(steps):
            batches = [kind[torch.randint(len(kind), (256,))] for kind in (reference, policy)]
            reference_batch, policy_batch = (
                (batch - mean) / std + input_noise * torch.randn_like(batch) for batch in batches
            )
            total, terms = discriminator_loss(net, reference_batch, policy_batch, loss, gradient_penalty, condition_dim)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            if on_step:
                on_step(terms)
    return lambda windows: net((windows - mean) / std).detach()


def joint_influence(
    discriminator: Discriminator, reference: torch.Tensor, policy: torch.Tensor, joints: Sequence[str]
) -> dict[str, float]:
    """Compute each joint's influence on the discriminator's decision.

    A joint's columns in the policy's windows are replaced by the reference's of the same instants. The influence is the
    rise of the mean logit over the gap between the two mean logits. Influences need not add up to 1.

    Args:
        discriminator: windows (n, dim) -> logits (n, 1).
        reference: windows (n, dim) of joint positions, oldest frame first.
        policy: windows of the same instants.
        joints: names of the columns of one frame.
    """
    low, high = discriminator(policy).mean(), discriminator(reference).mean()
    influence = {}
    for column, name in enumerate(joints):
        patched = policy.clone()
        patched[:, column :: len(joints)] = reference[:, column :: len(joints)]
        influence[name] = float((discriminator(patched).mean() - low) / (high - low))
    return influence


@dataclass(frozen=True)
class StyleResult:
    """Result of :func:`style_experiment`."""

    joint_names: tuple[str, ...]
    """Joints that the discriminator sees."""
    right_gait: float
    """Mean style reward of the right gait, 0 to 1."""
    wrong_gait: float
    """Mean style reward of the wrong gait, 0 to 1."""
    influence: dict[str, float]
    """:func:`joint_influence` of the right gait."""


def style_experiment(
    clip: Motion,
    default_pose: Mapping[str, float],
    drop: Sequence[str] = (),
    gaits: tuple[Motion, Motion] | None = None,
    seed: int = 0,
) -> StyleResult:
    """Train :func:`small_discriminator` on a clip against a right and a wrong gait, and compute their style rewards.

    Args:
        clip: the reference, at the control rate.
        default_pose: rad by joint name.
        drop: regular expressions of joints hidden from the discriminator.
        gaits: the right and the wrong gait, at the clip's instants and with its joints. The default is the clip and
            :func:`half_steps` of it, both with :func:`level_feet`.
        seed: of the discriminator.
    """
    gaits = gaits or (level_feet(clip), level_feet(half_steps(clip), seed=1))
    state = AmpState(joint_names=clip.joint_names).without(tuple(drop))
    reference, right, wrong = (windows(motion, state, default_pose) for motion in (clip, *gaits))
    discriminator = small_discriminator(reference, torch.cat((right, wrong)), seed=seed)
    rewards = [float(style_reward(discriminator(kind), "lsgan").mean()) for kind in (right, wrong)]
    return StyleResult(
        joint_names=state.joint_names,
        right_gait=rewards[0],
        wrong_gait=rewards[1],
        influence=joint_influence(discriminator, reference, right, state.joint_names),
    )


@dataclass(frozen=True)
class SaturationResult:
    """Result of :func:`saturation_experiment`."""

    expert_logit: np.ndarray
    """(S,) mean logit of the reference after each step."""
    policy_logit: np.ndarray
    """(S,) mean logit of the policy."""
    blend: np.ndarray
    """(W,) from 0, the policy's windows, to 0.5, halfway to the reference's."""
    style_reward: np.ndarray
    """(W,) mean style reward of windows blended that far."""

    @property
    def reward_gain(self) -> float:
        """Rise of the style reward from a blend of 0 to a blend of 0.3."""
        return float(np.interp(0.3, self.blend, self.style_reward) - self.style_reward[0])


def saturation_experiment(
    reference: torch.Tensor, policy: torch.Tensor, loss: str, gradient_penalty: float, steps: int = 600
) -> SaturationResult:
    """Train :func:`small_discriminator`, and compute the style reward between the policy's windows and the reference's.

    A policy improves in small steps, so the slope of the reward at the policy's windows matters.
    """
    logits: list[tuple[float, float]] = []
    discriminator = small_discriminator(
        reference,
        policy,
        steps,
        gradient_penalty,
        loss=loss,
        on_step=lambda terms: logits.append((float(terms["expert_logit"]), float(terms["policy_logit"]))),
    )
    pairs = min(len(reference), len(policy))
    blend = np.linspace(0.0, 0.5, 11)
    blended = (torch.lerp(policy[:pairs], reference[:pairs], float(share)) for share in blend)
    rewards = np.array([float(style_reward(discriminator(kind), loss).mean()) for kind in blended])
    expert_logit, policy_logit = np.array(logits).T
    return SaturationResult(expert_logit, policy_logit, blend, rewards)


def style_rewards(
    motions: Mapping[str, Motion], clip: Motion, state: AmpState, default_pose: Mapping[str, float]
) -> dict[str, float]:
    """Train a discriminator on ``clip`` against its :func:`early_policy`; return the motions' style rewards, 0 to 1.

    Args:
        motions: label -> motion at the control rate.
        clip: the reference.
        state: what the discriminator sees.
        default_pose: rad by joint name.
    """
    reference = windows(clip, state, default_pose)
    discriminator = small_discriminator(reference, windows(early_policy(clip), state, default_pose))
    return {
        label: float(style_reward(discriminator(windows(motion, state, default_pose)), "lsgan").mean())
        for label, motion in motions.items()
    }
