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
    these are two, because the ranks exchange the gradients in between. Once the optimizer has loaded another state, all
    is recorded anew: a recording would go on with the tensors of the old one.
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
        self._gradients, self._joint = gradients, Joint()
        self._whole, self._own = Recorded(self._step_alone), Recorded(self._own_gradients)
        self._common = Recorded(self._step_together)
        optimizer.register_load_state_dict_post_hook(lambda _: self._forget())

    def step(self, **batch: torch.Tensor) -> dict[str, torch.Tensor]:
        """Take a step along the gradients of a batch, and return its figures by name, scalars."""
        if self._ranks.size == 1:
            names, values = self._whole(**batch)
        else:
            buffer = self._own(**batch)
            self._ranks.sum_in_place(buffer)
            names, values = self._common(buffer=buffer)
        return dict(zip(names, values.clone().unbind(), strict=True))

    def _forget(self) -> None:
        for recorded in (self._whole, self._own, self._common):
            recorded.forget()

    def _step_alone(self, **batch: torch.Tensor) -> tuple[list[str], torch.Tensor]:
        return self._apply(self._gradients(**batch))

    def _own_gradients(self, **batch: torch.Tensor) -> torch.Tensor:
        return self._joint.join(self._gradients(**batch)) / self._ranks.size

    def _step_together(self, *, buffer: torch.Tensor) -> tuple[list[str], torch.Tensor]:
        return self._apply(self._joint.split(buffer))

    def _apply(self, steps: list[Gradients]) -> tuple[list[str], torch.Tensor]:
        gradients = [gradient for own, _ in steps for gradient in own]
        apply_gradients(self._optimizer, self._parameters, gradients, self._clip)
        figures = {name: figure for _, own in steps for name, figure in own.items()}
        return list(figures), torch.stack(list(figures.values()))


class Joint:
    """Gradients and figures as parts of one tensor: one transfer, and nothing to launch for each of them."""

    ALIGNMENT = 4
    """Each part starts at a multiple of 16 bytes; the optimizer's kernels are slower otherwise."""

    def __init__(self) -> None:
        self._layout: list[tuple[list[torch.Size | None], list[str]]] = []

    def join(self, steps: list[Gradients]) -> torch.Tensor:
        """Return all in one tensor (B,)."""
        self._layout = [([None if g is None else g.shape for g in own], list(figures)) for own, figures in steps]
        parts = []
        for own, figures in steps:
            parts += [gradient.flatten() for gradient in own if gradient is not None]
            parts.append(torch.stack(list(figures.values())))
        return torch.cat([x for part in parts for x in (part, part.new_zeros(-len(part) % self.ALIGNMENT))])

    def split(self, buffer: torch.Tensor) -> list[Gradients]:
        """Return gradients and figures as parts of a tensor like the one that was joined last."""
        at = 0

        def part(shape: torch.Size) -> torch.Tensor:
            nonlocal at
            start, count = at, shape.numel()
            at += count + -count % self.ALIGNMENT
            return buffer[start : start + count].view(shape)

        return [
            (
                tuple(None if shape is None else part(shape) for shape in shapes),
                dict(zip(names, part(torch.Size([len(names)])).unbind(), strict=True)),
            )
            for shapes, names in self._layout
        ]
