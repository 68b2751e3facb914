"""Two optimisers, because policy and discriminator want different rates: the one follows the policy's steps, the other
must not, or it would run ahead of what it judges. And the schedule of the actions' noise."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from amp_helpers.agent.cfg import AmpAgentCfg


class SteeredAdam(torch.optim.Adam):
    """Adam whose rate is kept where its parameters are, so that steering it on a GPU asks the host nothing."""

    def __init__(self, parameters: list[nn.Parameter], rate: float) -> None:
        on_gpu = _fused(parameters)
        super().__init__(
            parameters, lr=torch.tensor(rate, device=parameters[0].device) if on_gpu else rate, fused=on_gpu
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, also one that was written on another kind of device."""
        rates = [group["lr"] for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, rate in zip(self.param_groups, rates, strict=True):
            loaded = float(group["lr"])
            group["lr"] = rate.fill_(loaded) if isinstance(rate, torch.Tensor) else loaded


def policy_optimizer(parameters: Iterable[nn.Parameter], cfg: AmpAgentCfg) -> SteeredAdam:
    """Adam for policy and value, at the rate that :func:`steer_learning_rate` starts from."""
    return SteeredAdam(list(parameters), cfg.learning_rate[0])


def discriminator_optimizer(discriminator: nn.Module, cfg: AmpAgentCfg) -> torch.optim.Optimizer:
    """AdamW at a fixed rate; weights decay, biases do not."""
    parameters = list(discriminator.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": cfg.discriminator_weight_decay_scale},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0},
    ]
    return torch.optim.AdamW(groups, lr=cfg.discriminator_learning_rate, fused=_fused(parameters))


def steer_learning_rate(optimizer: torch.optim.Optimizer, kl: torch.Tensor, cfg: AmpAgentCfg) -> None:
    """Lengthen or shorten the policy's steps to keep their KL divergence near ``cfg.kl_threshold``; 0 leaves them.

    Args:
        optimizer: of the policy; a rate that is a tensor is changed in place, on its device.
        kl: the divergence, a scalar.
        cfg: says what to keep near, and between which rates.
    """
    if cfg.kl_threshold <= 0:
        return
    one = torch.ones_like(kl)
    factor = torch.where(kl > 2 * cfg.kl_threshold, one / 1.5, torch.where(kl < 0.5 * cfg.kl_threshold, 1.5 * one, one))
    for group in optimizer.param_groups:
        rate = group["lr"]
        if isinstance(rate, torch.Tensor):
            rate.mul_(factor).clamp_(cfg.min_learning_rate, cfg.max_learning_rate)
        else:
            group["lr"] = min(max(rate * factor.item(), cfg.min_learning_rate), cfg.max_learning_rate)


@torch.no_grad()
def quieten(log_std: torch.Tensor, loudest: float, updates: int, cfg: AmpAgentCfg) -> None:
    """Bring the noise of the actions down to what the schedule allows after ``updates``.

    Args:
        log_std: logarithms of the standard deviations, changed in place.
        loudest: the largest of them at the start.
        updates: made so far.
        cfg: says what they come down to, and in how many updates.
    """
    share = min(updates / cfg.final_action_std_updates, 1.0)
    log_std.clamp_(max=(1 - share) * loudest + share * math.log(cfg.final_action_std))


def apply_gradients(
    optimizer: torch.optim.Optimizer,
    parameters: Sequence[nn.Parameter],
    gradients: Sequence[torch.Tensor | None],
    clip: float,
) -> None:
    """One step along ``gradients``, their common norm cut to ``clip`` (0 leaves it)."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    if clip > 0:
        nn.utils.clip_grad_norm_(parameters, clip)
    optimizer.step()


def _fused(parameters: list[nn.Parameter]) -> bool:
    # On a GPU one kernel instead of dozens a step; on a CPU the plain form, whose sums a resumed run repeats exactly.
    return parameters[0].is_cuda
