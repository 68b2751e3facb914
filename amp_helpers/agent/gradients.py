"""The gradients of policy, value and discriminator.

Each is a function of tensors alone, so that :class:`.cuda_graphs.Recorded` can record it.
"""

import torch
from torch import nn

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.losses import clipped_policy_loss, clipped_value_loss, discriminator_loss
from amp_helpers.agent.networks import Discriminator, Policy, Value

Gradients = tuple[tuple[torch.Tensor | None, ...], dict[str, torch.Tensor]]
"""One gradient for each parameter, of its shape, and figures of the step: detached scalars."""


def policy_gradients(policy: Policy, cfg: AmpAgentCfg, rows: dict[str, torch.Tensor]) -> Gradients:
    """Differentiate PPO's clipped loss and the entropy bonus; the figures are ``policy_loss`` and ``kl``.

    Args:
        policy: of the observations.
        cfg: the knobs.
        rows: of a rollout, (n, ...): ``actions``, ``log_prob``, ``advantages`` and normalized ``observations``.
    """
    inputs = {"observations": rows["observations"], "taken_actions": rows["actions"]}
    _, outputs = policy.act(inputs, role="policy")
    log_ratio = outputs["log_prob"] - rows["log_prob"]
    policy_loss = clipped_policy_loss(log_ratio, rows["advantages"], cfg.ratio_clip)
    loss = policy_loss - cfg.entropy * policy.get_entropy(role="policy").mean()
    kl = (log_ratio.exp() - 1 - log_ratio).mean()
    figures = {"policy_loss": policy_loss.detach(), "kl": kl.detach()}
    return torch.autograd.grad(loss, list(policy.parameters()), allow_unused=True), figures


def value_gradients(value: Value, cfg: AmpAgentCfg, rows: dict[str, torch.Tensor]) -> Gradients:
    """Differentiate the clipped squared error; the figure is ``value_loss``.

    Args:
        value: of the states, or of the observations.
        cfg: the knobs.
        rows: of a rollout, (n, ...): ``values``, ``returns`` and normalized ``states`` or ``observations``.
    """
    predicted, _ = value.act(rows, role="value")
    value_loss = clipped_value_loss(predicted, rows["values"], rows["returns"], cfg.value_clip)
    loss = cfg.value_loss_scale * value_loss
    return torch.autograd.grad(loss, list(value.parameters()), allow_unused=True), {"value_loss": value_loss.detach()}


def discriminator_gradients(
    discriminator: Discriminator, cfg: AmpAgentCfg, reference: torch.Tensor, policy: torch.Tensor
) -> Gradients:
    """Differentiate the discriminator's loss; the figures are those of :func:`.losses.discriminator_loss`."""
    if cfg.discriminator_noise:
        reference, policy = (_with_noise(w, cfg.discriminator_noise, discriminator) for w in (reference, policy))
    loss, figures = discriminator_loss(
        lambda windows: discriminator.act({"observations": windows}, role="discriminator")[0],
        reference,
        policy,
        cfg.discriminator_loss,
        cfg.gradient_penalty,
        discriminator.condition_dim,
    )
    last = [module for module in discriminator.modules() if isinstance(module, nn.Linear)][-1:]
    for layer in last if cfg.discriminator_logit_regularization else ():
        loss = loss + cfg.discriminator_logit_regularization * layer.weight.square().sum()
    return torch.autograd.grad(loss, list(discriminator.parameters()), allow_unused=True), figures


def _with_noise(windows: torch.Tensor, std: float, discriminator: Discriminator) -> torch.Tensor:
    noise = std * torch.randn_like(windows)
    if discriminator.condition_dim:
        noise[:, -discriminator.condition_dim :] = 0  # the command is exact
    return windows + noise
