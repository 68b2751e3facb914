"""The optimizers of policy and discriminator, the KL-adaptive learning rate, and what is annealed.

The two have optimizers of their own because they need different rates: the policy's follows its KL divergence, which
would let the discriminator learn too fast.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from amp_helpers.agent.cfg import AmpAgentCfg


class TensorRateAdam(torch.optim.Adam):
    """Adam whose learning rate is a tensor on a GPU, so that changing it there needs no synchronization."""

    def __init__(self, parameters: list[nn.Parameter], rate: float) -> None:
        on_gpu = _fused(parameters)
        super().__init__(
            parameters, lr=torch.tensor(rate, device=parameters[0].device) if on_gpu else rate, fused=on_gpu
        )
        self.register_load_state_dict_pre_hook(_keep_fused)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state, also one that was saved on another kind of device."""
        rates = [group["lr"] for group in self.param_groups]
        # First: a rate that is no number is refused before anything changes.
        loaded = [float(group["lr"]) for group in state_dict["param_groups"]]
        super().load_state_dict(state_dict)
        for group, rate, value in zip(self.param_groups, rates, loaded, strict=True):
            group["lr"] = rate.fill_(value) if isinstance(rate, torch.Tensor) else value


def _keep_fused(optimizer: torch.optim.Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    """Return the state with this optimizer's ``fused``, which torch would otherwise take from the file."""
    groups = zip(state_dict["param_groups"], optimizer.param_groups, strict=True)
    return state_dict | {"param_groups": [saved | {"fused": own["fused"]} for saved, own in groups]}


def policy_optimizer(parameters: Iterable[nn.Parameter], cfg: AmpAgentCfg) -> TensorRateAdam:
    """Create Adam for policy and value, at the initial rate of :func:`step_learning_rate`."""
    return TensorRateAdam(list(parameters), cfg.learning_rate)


def discriminator_optimizer(discriminator: nn.Module, cfg: AmpAgentCfg) -> torch.optim.Optimizer:
    """Create AdamW at a fixed rate, with decay of the weights and none of the biases."""
    parameters = list(discriminator.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": cfg.discriminator_weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=cfg.discriminator_learning_rate, fused=_fused(parameters))
    optimizer.register_load_state_dict_pre_hook(_keep_fused)
    return optimizer


def annealed_kl_threshold(updates: int, cfg: AmpAgentCfg) -> float:
    """Return the KL divergence to aim for after ``updates``, geometrically between the two of ``cfg``."""
    if not (cfg.kl_threshold and cfg.final_kl_threshold):
        return cfg.kl_threshold
    first, last = cfg.final_kl_updates
    share = min(max((updates - first) / (last - first), 0.0), 1.0)
    return cfg.kl_threshold ** (1 - share) * cfg.final_kl_threshold**share


def step_learning_rate(optimizer: torch.optim.Optimizer, kl: torch.Tensor, threshold: float, cfg: AmpAgentCfg) -> None:
    """Adapt the policy's learning rate to its KL divergence (Schulman et al. 2017, arXiv:1707.06347, section 4).

    The rate is divided by 1.5 above twice ``threshold`` and multiplied by 1.5 below half of it.

    Args:
        optimizer: of the policy; a rate that is a tensor is changed in place, on its device.
        kl: the divergence, a scalar.
        threshold: divergence to aim for; 0 leaves the rate.
        cfg: bounds of the rate.
    """
    if threshold <= 0:
        return
    one = torch.ones_like(kl)
    factor = torch.where(kl > 2 * threshold, one / 1.5, torch.where(kl < 0.5 * threshold, 1.5 * one, one))
    for group in optimizer.param_groups:
        rate = group["lr"]
        if isinstance(rate, torch.Tensor):
            rate.mul_(factor).clamp_(cfg.min_learning_rate, cfg.max_learning_rate)
        else:
            group["lr"] = min(max(rate * factor.item(), cfg.min_learning_rate), cfg.max_learning_rate)


@torch.no_grad()
def anneal_action_std(log_std: torch.Tensor, initial: float, updates: int, cfg: AmpAgentCfg) -> None:
    """Limit the standard deviation of the actions to the geometric schedule of ``cfg``.

    Args:
        log_std: logarithms of the standard deviations, (A,), changed in place.
        initial: the largest of them before training.
        updates: made so far.
        cfg: final standard deviation, and the updates until then.
    """
    share = min(updates / cfg.final_std_updates, 1.0)
    log_std.clamp_(max=(1 - share) * initial + share * math.log(cfg.final_std))


def apply_gradients(
    optimizer: torch.optim.Optimizer,
    parameters: Sequence[nn.Parameter],
    gradients: Sequence[torch.Tensor | None],
    clip: float,
) -> None:
    """Take one step along ``gradients``, scaled down to a common norm of ``clip`` (0 turns that off)."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    if clip > 0:
        nn.utils.clip_grad_norm_(parameters, clip)
    recording = parameters[0].is_cuda and torch.cuda.is_current_stream_capturing()
    for group in optimizer.param_groups:
        group["capturable"] = recording  # torch requires it while recording, and warns of it otherwise
    optimizer.step()
    for group in optimizer.param_groups:
        group["capturable"] = False


def _fused(parameters: list[nn.Parameter]) -> bool:
    # One kernel on a GPU instead of dozens a step; the plain form on a CPU, whose sums a resumed run repeats exactly.
    return parameters[0].is_cuda
