"""What an update repeats: the gradients of policy, value and discriminator.

Each is a function of tensors alone, so that :class:`.cuda_graphs.Recorded` can record it. None needs another's
result, so a GPU is given all three at once.
"""

from collections.abc import Callable
from functools import partial

import torch
from skrl.models.torch import Model
from torch import nn

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.cuda_graphs import side_by_side
from amp_helpers.agent.losses import clipped_policy_loss, clipped_value_loss, discriminator_loss

Gradients = tuple[tuple[torch.Tensor | None, ...], dict[str, torch.Tensor]]
"""One for each parameter, and what is told about the step: detached scalars."""


def step_gradients(
    policy: Model, value: Model, discriminator: Model, cfg: AmpAgentCfg
) -> Callable[..., list[Gradients]]:
    """A function that gives a step's gradients of policy and value and, given windows, of the discriminator.

    It takes normalised rows of a rollout, (n, ...): ``actions``, ``log_prob``, ``values``, ``returns``, ``advantages``
    and what policy and value are given, ``observations`` and, where there are some, ``states``. Windows, normalised
    too, are ``reference_windows`` (m, dim) and ``policy_windows`` (k, dim).
    """

    def gradients(
        *,
        reference_windows: torch.Tensor | None = None,
        policy_windows: torch.Tensor | None = None,
        actions: torch.Tensor,
        log_prob: torch.Tensor,
        values: torch.Tensor,
        returns: torch.Tensor,
        advantages: torch.Tensor,
        **inputs: torch.Tensor,
    ) -> list[Gradients]:
        steps = [
            partial(policy_gradients, policy, cfg, inputs, actions, log_prob, advantages),
            partial(value_gradients, value, cfg, inputs, values, returns),
        ]
        if reference_windows is not None and policy_windows is not None:
            steps.append(partial(discriminator_gradients, discriminator, cfg, reference_windows, policy_windows))
        return side_by_side(steps, actions.device)

    return gradients


def policy_gradients(
    policy: Model,
    cfg: AmpAgentCfg,
    inputs: dict[str, torch.Tensor],
    actions: torch.Tensor,
    log_prob: torch.Tensor,
    advantages: torch.Tensor,
) -> Gradients:
    """Of PPO's clipped loss and the entropy bonus; tells ``policy_loss`` and ``kl``."""
    _, outputs = policy.act({**inputs, "taken_actions": actions}, role="policy")
    log_ratio = outputs["log_prob"] - log_prob
    policy_loss = clipped_policy_loss(log_ratio, advantages, cfg.ratio_clip)
    loss = policy_loss - cfg.entropy_loss_scale * policy.get_entropy(role="policy").mean()
    kl = (log_ratio.exp() - 1 - log_ratio).mean()
    told = {"policy_loss": policy_loss.detach(), "kl": kl.detach()}
    return torch.autograd.grad(loss, list(policy.parameters()), allow_unused=True), told


def value_gradients(
    value: Model, cfg: AmpAgentCfg, inputs: dict[str, torch.Tensor], values: torch.Tensor, returns: torch.Tensor
) -> Gradients:
    """Of the clipped squared error; tells ``value_loss``."""
    predicted, _ = value.act(inputs, role="value")
    value_loss = clipped_value_loss(predicted, values, returns, cfg.value_clip)
    loss = cfg.value_loss_scale * value_loss
    return torch.autograd.grad(loss, list(value.parameters()), allow_unused=True), {"value_loss": value_loss.detach()}


def discriminator_gradients(
    discriminator: Model, cfg: AmpAgentCfg, reference: torch.Tensor, policy: torch.Tensor
) -> Gradients:
    """Of the discriminator's loss; tells what :func:`amp_helpers.agent.losses.discriminator_loss` tells."""
    if cfg.discriminator_input_noise:
        reference, policy = (w + cfg.discriminator_input_noise * torch.randn_like(w) for w in (reference, policy))
    loss, told = discriminator_loss(
        lambda windows: discriminator.act({"observations": windows}, role="discriminator")[0],
        reference,
        policy,
        cfg.discriminator_loss,
        cfg.discriminator_gradient_penalty_scale,
    )
    last = [module for module in discriminator.modules() if isinstance(module, nn.Linear)][-1:]
    for layer in last if cfg.discriminator_logit_regularization_scale else ():
        loss = loss + cfg.discriminator_logit_regularization_scale * layer.weight.square().sum()
    loss = cfg.discriminator_loss_scale * loss
    return torch.autograd.grad(loss, list(discriminator.parameters()), allow_unused=True), told
