"""Training in several processes that torchrun started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from amp_helpers.errors import InputError

if TYPE_CHECKING:
    from amp_helpers.agent.ranks import Ranks

TIMEOUT = timedelta(minutes=30)
"""Longest time that a rank waits for another: kernels may be compiled in the first step."""


@dataclass(frozen=True)
class Launch:
    """The place of this process among those that a launcher such as torchrun started."""

    rank: int = 0
    local_rank: int = 0
    """Rank among those on this machine."""
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    @classmethod
    def take(cls) -> "Launch":
        """Read the launcher's environment variables and remove ``WORLD_SIZE``.

        With it, importing skrl would open an NCCL group, also where there is no GPU.

        Raises:
            InputError: a variable is no number.
        """
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE")
        try:
            rank, local_rank, size = (
                int(os.environ.get(name) or usual) for name, usual in zip(names, "001", strict=True)
            )
        except ValueError:
            found = ", ".join(f"{name}={os.environ.get(name)}" for name in names)
            raise InputError(
                f"the launcher's variables are no numbers ({found}); start training with torchrun"
            ) from None
        os.environ.pop("WORLD_SIZE", None)
        return cls(rank, local_rank, size)

    def check(self, wanted: bool) -> None:
        """Raise :class:`InputError` when ``--distributed`` and the number of processes do not fit together."""
        example = "torchrun --nproc_per_node 2 -m amp_helpers.train --distributed"
        if self.size > 1 and not wanted:
            raise InputError(f"{self.size} processes were started (WORLD_SIZE) to train one policy; add --distributed")
        if wanted and "MASTER_ADDR" not in os.environ:
            raise InputError(f"--distributed: no launcher started this process; use '{example}', or leave it out")

    def device(self, device: str | None) -> str | None:
        """Return the device of this process: a GPU for each on its machine, or the CPU for all.

        Raises:
            InputError: one GPU is named for several processes.
        """
        import torch  # takes seconds to load

        if self.size == 1 or device == "cpu" or not (device or torch.cuda.is_available()):
            return device
        if device not in (None, "cuda"):
            raise InputError(f"--device {device}: names one GPU for {self.size} processes; leave it out, or give cuda")
        if self.local_rank >= (count := torch.cuda.device_count()):
            raise InputError(f"this machine has {count} GPUs for more processes; start torchrun with {count} a machine")
        return f"cuda:{self.local_rank}"


SINGLE = Launch()
"""A process that no launcher started."""


@contextmanager
def joined(launch: Launch, device: str | None) -> "Iterator[Ranks]":
    """Join the other processes: NCCL where each has a GPU, else Gloo."""
    from amp_helpers.agent.ranks import Ranks

    if launch.size == 1:
        yield Ranks()
        return
    import torch

    on_gpu = bool(device) and torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(
        "nccl" if on_gpu else "gloo", rank=launch.rank, world_size=launch.size, timeout=TIMEOUT
    )
    try:
        yield Ranks(launch.rank, launch.size)
    finally:
        torch.distributed.destroy_process_group()
