"""The processes that train one agent together, each with environments of its own.

Each process, a rank, steps as many environments, draws its own mini-batches, and takes the same step: along the mean of
all gradients, with normalizers and a learning rate that know what all ranks saw.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import distributed, nn

from amp_helpers.errors import InputError

_LONGEST_TEXT = 4096
"""Bytes of a text that ranks share, such as a path."""


def process_ended() -> InputError:
    """Return the error of a process that waits for one that has ended."""
    return InputError("another process of this run has ended; go on with --checkpoint and the run's folder")


@dataclass(frozen=True)
class Ranks:
    """This process among those of a run; by default the only one.

    Every method is a collective operation: all ranks call it, in the same order. With one rank, nothing is computed.
    Flags and text are exchanged on the CPU, so that no rank waits for its GPU.
    """

    rank: int = 0
    size: int = 1
    group: distributed.ProcessGroup | None = None
    """Process group of the ranks, with the process of rank 0 among them; by default torch's default group."""

    @property
    def first(self) -> bool:
        """Whether this rank writes the run's files and prints."""
        return self.rank == 0

    def mean(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return the means over all ranks, each of its tensor's shape, as one transfer.

        Raises:
            InputError: another rank has ended.
        """
        if self.size == 1:
            return list(tensors)
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        parts = (self._reduce(flat) / self.size).split([tensor.numel() for tensor in tensors])
        return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]

    def sum_in_place(self, values: torch.Tensor) -> None:
        """Replace values by their sums over all ranks.

        Raises:
            InputError: another rank has ended.
        """
        if self.size > 1:
            self._reduce(values)

    def moments(self, mean: torch.Tensor, variance: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Return mean, unbiased variance and number of the rows of all ranks.

        From those of this rank's rows (Chan, Golub and LeVeque 1983, https://doi.org/10.2307/2683386, equation 2.1).

        Args:
            mean: of this rank's rows.
            variance: of this rank's rows, unbiased.
            count: number of them, the same on every rank.
        """
        if self.size == 1:
            return mean, variance, count
        total = self.size * count
        mean, variance = mean.double(), variance.double()
        means, squares, variances = self._reduce(torch.stack((mean, mean.square(), variance)))
        common = means / self.size
        between = (squares - self.size * common.square()).clamp(min=0)
        return common, ((count - 1) * variances + count * between) / (total - 1), total

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        return self._agree(flag, distributed.ReduceOp.MAX)

    def all(self, flag: bool) -> bool:
        """Whether the flag is set on every rank."""
        return self._agree(flag, distributed.ReduceOp.MIN)

    def text(self, text: str) -> str:
        """Return the text that the first rank gives, after every rank has called."""
        return self.texts(text)[0]

    def texts(self, text: str) -> list[str]:
        """Return the texts that all ranks give, each cut to its first ``_LONGEST_TEXT`` bytes."""
        if self.size == 1:
            return [text]
        encoded = torch.zeros(self.size, _LONGEST_TEXT, dtype=torch.uint8)
        raw = text.encode()[:_LONGEST_TEXT]
        encoded[self.rank, : len(raw)] = torch.tensor(list(raw), dtype=torch.uint8)
        return [bytes(row).rstrip(b"\0").decode(errors="ignore") for row in self._reduce(encoded).tolist()]

    def copy_first(self, modules: Iterable[nn.Module]) -> None:
        """Give parameters and buffers the values that they have on the first rank."""
        if self.size == 1:
            return
        with torch.no_grad():
            for module in modules:
                for tensor in (*module.parameters(), *module.buffers()):
                    contiguous = tensor.contiguous()
                    distributed.broadcast(contiguous, src=0, group=self.group)
                    tensor.copy_(contiguous)

    def _agree(self, flag: bool, operation: distributed.ReduceOp.RedOpType) -> bool:
        if self.size == 1:
            return flag
        return bool(self._reduce(torch.tensor(float(flag)), operation))

    def _reduce(
        self, values: torch.Tensor, operation: distributed.ReduceOp.RedOpType = distributed.ReduceOp.SUM
    ) -> torch.Tensor:
        """Reduce over all ranks, in place."""
        try:
            distributed.all_reduce(values, operation, group=self.group)
        except RuntimeError as error:  # gloo's and NCCL's errors have it as their only common class
            group = self.group or distributed.group.WORLD
            with contextlib.suppress(RuntimeError):  # not each backend can be aborted
                # Otherwise a GPU would wait for the process that has ended, and closing the simulator for the GPU.
                assert group is not None, "it has just been used"
                group.abort()
            raise process_ended() from error
        return values


ALONE = Ranks()
"""The only process of a run."""
