"""The gradients of policy, value and discriminator.

Each is a function of tensors alone, so that :class:`.cuda_graphs.Recorded` can record it. None depends on another,
so they run side by side on a GPU.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.cuda_graphs import side_by_side
from amp_helpers.agent.losses import clipped_policy_loss, clipped_value_loss, discriminator_loss
from amp_helpers.agent.networks import Discriminator, Policy, Value

Gradients = tuple[tuple[torch.Tensor | None, ...], dict[str, torch.Tensor]]
"""One gradient for each parameter, of its shape, and figures of the step: detached scalars."""


def step_gradients(
    policy: Policy, value: Value, discriminator: Discriminator, cfg: AmpAgentCfg
) -> Callable[..., list[Gradients]]:
    """Return a function that computes the gradients of a step: of policy, value and, given windows, discriminator.

    Its arguments are normalized rows of a rollout, (n, ...): ``actions``, ``log_prob``, ``values``, ``returns``,
    ``advantages``, ``observations`` and, where the task has them, ``states``. Normalized windows are
    ``reference_windows`` (m, dim) and ``policy_windows`` (k, dim).
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


def in_one_buffer(
    gradients: Callable[..., list[Gradients]], ranks: int
) -> Callable[..., tuple[torch.Tensor, list[Gradients]]]:
    """Return a function whose gradients and figures are parts of one tensor, each divided by the number of ranks.

    The tensor (B,) comes first. Once it has been summed over the ranks, in place, gradients and figures are the means
    over all: one transfer, and nothing to launch for each of them. With one rank there is nothing to transfer: the
    tensor is empty, and nothing is copied.
    """
    if ranks == 1:
        return lambda **inputs: (torch.empty(0), gradients(**inputs))

    def joined(**inputs: torch.Tensor) -> tuple[torch.Tensor, list[Gradients]]:
        steps = gradients(**inputs)
        present = [value for own, figures in steps for value in (*own, *figures.values()) if value is not None]
        buffer = torch.cat([value.flatten() for value in present]) / ranks
        parts = iter(buffer.split([value.numel() for value in present]))

        def part(value: torch.Tensor) -> torch.Tensor:
            return next(parts).view_as(value)

        return buffer, [
            (
                tuple(None if gradient is None else part(gradient) for gradient in own),
                {n: part(f) for n, f in figures.items()},
            )
            for own, figures in steps
        ]

    return joined


def policy_gradients(
    policy: Policy,
    cfg: AmpAgentCfg,
    inputs: dict[str, torch.Tensor],
    actions: torch.Tensor,
    log_prob: torch.Tensor,
    advantages: torch.Tensor,
) -> Gradients:
    """Differentiate PPO's clipped loss and the entropy bonus; the figures are ``policy_loss`` and ``kl``."""
    _, outputs = policy.act({**inputs, "taken_actions": actions}, role="policy")
    log_ratio = outputs["log_prob"] - log_prob
    policy_loss = clipped_policy_loss(log_ratio, advantages, cfg.ratio_clip)
    loss = policy_loss - cfg.entropy * policy.get_entropy(role="policy").mean()
    kl = (log_ratio.exp() - 1 - log_ratio).mean()
    figures = {"policy_loss": policy_loss.detach(), "kl": kl.detach()}
    return torch.autograd.grad(loss, list(policy.parameters()), allow_unused=True), figures


def value_gradients(
    value: Value, cfg: AmpAgentCfg, inputs: dict[str, torch.Tensor], values: torch.Tensor, returns: torch.Tensor
) -> Gradients:
    """Differentiate the clipped squared error; the figure is ``value_loss``."""
    predicted, _ = value.act(inputs, role="value")
    value_loss = clipped_value_loss(predicted, values, returns, cfg.value_clip)
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
