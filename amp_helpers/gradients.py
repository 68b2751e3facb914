"""The two computations that an update repeats: gradients of policy and value, and of the discriminator.

Each is a function of tensors alone, so that :class:`amp_helpers.device.Recorded` can record it.
"""

from collections.abc import Callable, Sequence

import torch
from skrl.models.torch import Model
from torch import nn

from .agent_cfg import AmpAgentCfg
from .losses import clipped_policy_loss, clipped_value_loss, discriminator_loss

Gradients = tuple[tuple[torch.Tensor | None, ...], dict[str, torch.Tensor]]
"""One for each parameter, and what is told about the step: detached scalars."""


def actor_gradients(
    policy: Model, value: Model, parameters: Sequence[nn.Parameter], cfg: AmpAgentCfg
) -> Callable[..., Gradients]:
    """A function of normalised rows of a rollout, (n, ...): the gradients of PPO's loss.

    It takes ``actions``, ``log_prob``, ``values``, ``returns``, ``advantages`` and what policy and value are given,
    ``observations`` and, where there are some, ``states``. It tells ``policy_loss``, ``value_loss`` and ``kl``.
    """

    def gradients(
        *,
        actions: torch.Tensor,
        log_prob: torch.Tensor,
        values: torch.Tensor,
        returns: torch.Tensor,
        advantages: torch.Tensor,
        **inputs: torch.Tensor,
    ) -> Gradients:
        _, outputs = policy.act({**inputs, "taken_actions": actions}, role="policy")
        predicted, _ = value.act(inputs, role="value")
        log_ratio = outputs["log_prob"] - log_prob
        policy_loss = clipped_policy_loss(log_ratio, advantages, cfg.ratio_clip)
        value_loss = clipped_value_loss(predicted, values, returns, cfg.value_clip)
        entropy = policy.get_entropy(role="policy").mean()
        loss = policy_loss - cfg.entropy_loss_scale * entropy + cfg.value_loss_scale * value_loss
        kl = (log_ratio.exp() - 1 - log_ratio).mean()
        told = {"policy_loss": policy_loss.detach(), "value_loss": value_loss.detach(), "kl": kl.detach()}
        return torch.autograd.grad(loss, parameters, allow_unused=True), told

    return gradients


def discriminator_gradients(
    discriminator: Model, logits: Callable[[torch.Tensor], torch.Tensor], cfg: AmpAgentCfg
) -> Callable[..., Gradients]:
    """A function of normalised windows, ``reference`` (n, dim) and ``policy`` (m, dim).

    It tells what :func:`amp_helpers.losses.discriminator_loss` tells.
    """
    parameters = list(discriminator.parameters())
    last = [module for module in discriminator.modules() if isinstance(module, nn.Linear)][-1:]

    def gradients(*, reference: torch.Tensor, policy: torch.Tensor) -> Gradients:
        if cfg.discriminator_input_noise:
            reference, policy = (w + cfg.discriminator_input_noise * torch.randn_like(w) for w in (reference, policy))
        loss, told = discriminator_loss(
            logits, reference, policy, cfg.discriminator_loss, cfg.discriminator_gradient_penalty_scale
        )
        for layer in last if cfg.discriminator_logit_regularization_scale else ():
            loss = loss + cfg.discriminator_logit_regularization_scale * layer.weight.square().sum()
        loss = cfg.discriminator_loss_scale * loss
        return torch.autograd.grad(loss, parameters, allow_unused=True), told

    return gradients
