"""Steps of an optimizer along the mean gradient of all ranks."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from amp_helpers.agent.cuda_graphs import Recorded
from amp_helpers.agent.gradients import Gradients
from amp_helpers.agent.optimizers import apply_gradients
from amp_helpers.agent.ranks import Ranks

Joined = tuple[torch.Tensor, list[Gradients]]
"""A buffer to sum over the ranks, and gradients and figures that are parts of it."""


class Learner:
    """Takes the steps of one optimizer.

    On a GPU a step is a recording (:class:`.cuda_graphs.Recorded`) of gradients and optimizer alike. With several ranks
    the gradients alone are recorded, because the ranks exchange them before the optimizer's turn. Once the optimizer
    has loaded another state, the step is recorded anew: the recording would go on with the tensors of the old one.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        parameters: Sequence[nn.Parameter],
        gradients: Callable[..., list[Gradients]],
        clip: float,
        ranks: Ranks,
    ) -> None:
        """Prepare to learn.

        Args:
            optimizer: of the parameters.
            parameters: in the order of their gradients.
            gradients: computes gradients and figures from the tensors that :meth:`step` gets.
            clip: common norm that the gradients are scaled down to; 0 turns that off.
            ranks: the processes that learn together.
        """
        self._optimizer, self._parameters, self._clip, self._ranks = optimizer, parameters, clip, ranks
        self._gradients: Callable[..., Joined] = in_one_buffer(gradients, ranks.size)
        self._take: Callable[..., tuple[list[str], torch.Tensor]] = self._plain_step
        if ranks.size == 1:
            self._take = self._recorded = Recorded(self._plain_step)
        else:
            self._gradients = self._recorded = Recorded(self._gradients)
        optimizer.register_load_state_dict_post_hook(lambda _: self._recorded.forget())

    def step(self, **batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Take a step along the gradients of a batch, and return its figures by name, scalars."""
        names, values = self._take(**batch)
        return dict(zip(names, values.clone().unbind(), strict=True))

    def _plain_step(self, **batch: torch.Tensor) -> tuple[list[str], torch.Tensor]:
        buffer, steps = self._gradients(**batch)
        self._ranks.sum_in_place(buffer)
        gradients = [gradient for own, _ in steps for gradient in own]
        apply_gradients(self._optimizer, self._parameters, gradients, self._clip)
        figures = {name: figure for _, own in steps for name, figure in own.items()}
        return list(figures), torch.stack(list(figures.values()))


def in_one_buffer(gradients: Callable[..., list[Gradients]], ranks: int) -> Callable[..., Joined]:
    """Return a function whose gradients and figures are parts of one tensor, each divided by the number of ranks.

    The tensor (B,) comes first. Once it has been summed over the ranks, in place, gradients and figures are the means
    over all: one transfer, and nothing to launch for each of them. With one rank there is nothing to transfer: the
    tensor is empty, and nothing is copied.
    """
    if ranks == 1:
        return lambda **inputs: (torch.empty(0), gradients(**inputs))

    def joined(**inputs: torch.Tensor) -> Joined:
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
