"""Earlier policy windows, so that the discriminator does not forget what it has already seen through."""

from typing import Any

import torch
from skrl.memories.torch import Memory


class Replay:
    """Earlier policy windows, on top of a skrl memory of one environment, in a way that never loses its fill.

    skrl's memory forgets that it is full when a batch wraps around its end; here no batch is let past the end.
    """

    def __init__(self, memory: Memory, share: float) -> None:
        self._memory = memory
        self._limit = max(1, int(share * memory.memory_size))

    def __len__(self) -> int:
        return len(self._memory)

    @property
    def _windows(self) -> torch.Tensor:
        """All rows of the memory, (size, dim), those not yet filled included."""
        return self._memory.get_tensor_by_name("observations").view(self._memory.memory_size, -1)

    def add(self, windows: torch.Tensor, rows: torch.Tensor) -> None:
        """Keep a random part of those ``rows`` (K,) of ``windows`` (N, dim), oldest ones out first."""
        rest = windows[rows[torch.randperm(len(rows), device=rows.device)[: self._limit]]]
        while len(rest):
            room = self._memory.memory_size - self._memory.memory_index
            self._memory.add_samples(observations=rest[:room])
            rest = rest[room:]

    def sample(self, count: int) -> torch.Tensor:
        """``count`` windows (count, dim), drawn with replacement on the memory's own device."""
        return self._windows[torch.randint(len(self), (count,), device=self._windows.device)]

    def state_dict(self) -> dict[str, Any]:
        return {
            "windows": self._windows[: len(self)].clone(),
            "index": self._memory.memory_index,
            "filled": self._memory.filled,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state, also one of a buffer of another size: of a larger one, the newest windows."""
        windows, index, size, view = state["windows"], state["index"], self._memory.memory_size, self._windows
        if windows.shape[1:] != view.shape[1:]:
            raise ValueError(f"windows of {tuple(windows.shape[1:])} columns for a buffer of {tuple(view.shape[1:])}")
        # Rows keep their place in a buffer of the same size, so that a resumed agent draws the same ones.
        if not (state["filled"] and len(windows) == size):
            windows = (windows.roll(-index, dims=0) if state["filled"] else windows)[-size:]
            index = len(windows) % size
        view[: len(windows)] = windows.to(view.device)
        self._memory.memory_index, self._memory.filled = index, len(windows) == size
