"""Steps of an optimizer along the mean gradient of all ranks."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from amp_helpers.agent.cuda_graphs import Recorded
from amp_helpers.agent.gradients import Gradients
from amp_helpers.agent.optimizers import apply_gradients
from amp_helpers.agent.ranks import Ranks


class Learner:
    """Takes the steps of one optimizer.

    On a GPU a step is a recording (:class:`.cuda_graphs.Recorded`) of gradients and optimizer alike. With several ranks
    these are two, because the ranks exchange the gradients in between. Numbers of the optimizer, such as AdamW's rate,
    are constants of a recording, and its tensors are those of that time: once the optimizer has loaded a state, its
    step is recorded anew.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        parameters: Sequence[nn.Parameter],
        gradients: Callable[..., Gradients],
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
        self._gradients, self._buffer = gradients, GradientBuffer()
        self._packed = Recorded(self._pack)
        self._step = Recorded(self._step_alone if ranks.size == 1 else self._step_together)
        optimizer.register_load_state_dict_post_hook(lambda _: self._step.forget())

    def step(self, **batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Take a step along the gradients of a batch, and return its figures by name, scalars."""
        if self._ranks.size == 1:
            names, values = self._step(**batch)
        else:
            buffer = self._packed(**batch)
            self._ranks.sum_in_place(buffer)
            names, values = self._step(buffer=buffer)
        return dict(zip(names, values.clone().unbind(), strict=True))

    def _step_alone(self, **batch: torch.Tensor) -> tuple[list[str], torch.Tensor]:
        return self._apply(*self._gradients(**batch))

    def _pack(self, **batch: torch.Tensor) -> torch.Tensor:
        return self._buffer.pack(*self._gradients(**batch)) / self._ranks.size

    def _step_together(self, *, buffer: torch.Tensor) -> tuple[list[str], torch.Tensor]:
        return self._apply(*self._buffer.unpack(buffer))

    def _apply(
        self, gradients: Sequence[torch.Tensor | None], figures: dict[str, torch.Tensor]
    ) -> tuple[list[str], torch.Tensor]:
        apply_gradients(self._optimizer, self._parameters, gradients, self._clip)
        return list(figures), torch.stack(list(figures.values()))


class GradientBuffer:
    """Gradients and figures as parts of one tensor, so that ranks exchange them at once."""

    ALIGNMENT = 4
    """Each part starts at a multiple of 16 bytes; the optimizer's kernels are slower otherwise."""

    def __init__(self) -> None:
        self._shapes: list[torch.Size | None] = []
        self._names: list[str] = []

    def pack(self, gradients: Sequence[torch.Tensor | None], figures: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return all in one tensor (B,)."""
        self._shapes = [None if gradient is None else gradient.shape for gradient in gradients]
        self._names = list(figures)
        parts = [gradient.flatten() for gradient in gradients if gradient is not None]
        parts.append(torch.stack(list(figures.values())))
        return torch.cat([x for part in parts for x in (part, part.new_zeros(-len(part) % self.ALIGNMENT))])

    def unpack(self, buffer: torch.Tensor) -> Gradients:
        """Return gradients and figures as parts of a tensor like the one that was packed last."""
        at = 0

        def part(shape: torch.Size) -> torch.Tensor:
            nonlocal at
            start, count = at, shape.numel()
            at += count + -count % self.ALIGNMENT
            return buffer[start : start + count].view(shape)

        gradients = tuple(None if shape is None else part(shape) for shape in self._shapes)
        return gradients, dict(zip(self._names, part(torch.Size([len(self._names)])).unbind(), strict=True))
