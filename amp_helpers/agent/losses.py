"""The formulas of AMP: style reward, discriminator loss, clipped policy loss, advantages. Pure functions of tensors."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

STYLE_REWARD_LIMIT = {"lsgan": 1.0, "bce": 9.2103}
"""Maximum of the style reward of each loss."""


def style_reward(logits: torch.Tensor, loss: str) -> torch.Tensor:
    """Compute the style reward, 1/s, from the discriminator's logits, same shape.

    ``lsgan``: ``max(0, 1 - (d - 1)^2 / 4)`` (Peng et al. 2021, equation 7).
    ``bce``: ``-log(max(1 - sigmoid(d), 1e-4))`` (Ho and Ermon 2016, with the clamp that skrl uses).
    """
    if loss == "lsgan":
        return (1 - 0.25 * (logits - 1).square()).clamp(min=0)
    return -(1 - logits.sigmoid()).clamp(min=1e-4).log()


def discriminator_loss(
    discriminator: Callable[[torch.Tensor], torch.Tensor],
    reference: torch.Tensor,
    policy: torch.Tensor,
    loss: str,
    gradient_penalty: float,
    condition_dim: int = 0,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Compute the discriminator's loss, with a penalty on its gradient at the reference.

    Args:
        discriminator: maps normalized windows (n, dim) to logits (n, 1).
        reference: normalized reference windows (n, dim).
        policy: normalized policy windows (m, dim).
        loss: ``lsgan`` (logits to +1 and -1) or ``bce``.
        gradient_penalty: weight of half the squared norm of the logit's gradient (Peng et al. 2021, equation 8).
        condition_dim: number of last columns, the command, that the penalty leaves out. With them, the logit of a robot
            that stands could hardly differ between the commands 0 and 0.3 m/s.

    Returns:
        The loss, and detached means: ``discriminator_loss``, ``gradient_penalty`` (the squared norm), ``expert_logit``,
        ``policy_logit``, and ``accuracy`` (share on the right side of zero, mean of both kinds).
    """
    reference = reference.detach().requires_grad_(True)
    expert_logits, policy_logits = discriminator(reference), discriminator(policy)
    if loss == "lsgan":
        prediction = 0.5 * ((expert_logits - 1).square().mean() + (policy_logits + 1).square().mean())
    else:
        prediction = 0.5 * (F.softplus(-expert_logits).mean() + F.softplus(policy_logits).mean())
    (slope,) = torch.autograd.grad(expert_logits.sum(), reference, create_graph=True)
    penalty = slope[:, : slope.shape[1] - condition_dim].square().sum(-1).mean()
    total = prediction + 0.5 * gradient_penalty * penalty
    with torch.no_grad():
        accuracy = 0.5 * ((expert_logits > 0).float().mean() + (policy_logits < 0).float().mean())
    return total, {
        "discriminator_loss": total.detach(),
        "gradient_penalty": penalty.detach(),
        "expert_logit": expert_logits.detach().mean(),
        "policy_logit": policy_logits.detach().mean(),
        "accuracy": accuracy,
    }


def clipped_policy_loss(log_ratio: torch.Tensor, advantages: torch.Tensor, clip: float) -> torch.Tensor:
    """Compute PPO's clipped surrogate loss (Schulman et al. 2017, https://arxiv.org/abs/1707.06347, equation 7).

    Args:
        log_ratio: log likelihood of each action now, less that when it was drawn, (n, 1).
        advantages: (n, 1).
        clip: largest distance of the likelihood ratio from 1 that earns more.
    """
    ratio = log_ratio.exp()
    return -torch.min(advantages * ratio, advantages * ratio.clamp(1 - clip, 1 + clip)).mean()


def clipped_value_loss(
    predicted: torch.Tensor, before: torch.Tensor, returns: torch.Tensor, clip: float
) -> torch.Tensor:
    """Compute the mean squared error of the value, or of the value clipped around the old one where that is larger.

    Args:
        predicted: values now, (n, 1).
        before: values when the actions were drawn, (n, 1).
        returns: (n, 1).
        clip: largest distance from the old value; 0 turns clipping off.
    """
    error = (predicted - returns).square()
    if clip > 0:
        near = before + (predicted - before).clamp(-clip, clip)
        error = torch.max(error, (near - returns).square())
    return error.mean()


def generalized_advantages(
    rewards: torch.Tensor,
    done: torch.Tensor,
    values: torch.Tensor,
    last_values: torch.Tensor,
    discount: float,
    gae_lambda: float,
) -> torch.Tensor:
    """Compute generalized advantage estimates (Schulman et al. 2016, https://arxiv.org/abs/1506.02438), (T, E, 1).

    No reward is propagated across the end of an episode, whatever ended it. Where a time limit did, the caller adds the
    discounted value of the truncated state to the reward.

    Args:
        rewards: (T, E, 1).
        done: (T, E, 1) bool, terminated or truncated.
        values: (T, E, 1) of the states that the actions were drawn in.
        last_values: (E, 1) of the states after the last step.
        discount: per step.
        gae_lambda: per step.
    """
    advantages, running = torch.zeros_like(rewards), torch.zeros_like(last_values)
    following = last_values
    for i in reversed(range(len(rewards))):
        carry = discount * ~done[i]
        running = rewards[i] + carry * following - values[i] + gae_lambda * carry * running
        advantages[i], following = running, values[i]
    return advantages
