"""A buffer of earlier policy windows, so that the discriminator does not forget what it learned to recognize."""

from typing import Any

import gymnasium
import torch
from skrl.memories.torch import Memory


class ReplayBuffer:
    """Earlier policy windows in a skrl memory of one environment.

    skrl's memory loses its full mark when a batch wraps around its end; here no batch reaches past the end.
    """

    def __init__(self, memory: Memory, window_space: gymnasium.Space, share: float) -> None:
        """Allocate the buffer.

        Args:
            memory: an empty memory of one environment.
            window_space: of one window, (dim,).
            share: share of the buffer that one call of :meth:`add` may replace, in (0, 1].
        """
        memory.create_tensor(name="observations", size=window_space, dtype=torch.float32)
        self._memory = memory
        self._limit = max(1, int(share * memory.memory_size))

    def __len__(self) -> int:
        return len(self._memory)

    @property
    def _windows(self) -> torch.Tensor:
        """All rows of the memory, (size, dim), also those not filled yet."""
        return self._memory.get_tensor_by_name("observations").view(self._memory.memory_size, -1)

    def add(self, windows: torch.Tensor, rows: torch.Tensor) -> None:
        """Store a random part of the ``rows`` (K,) of ``windows`` (N, dim) in place of the oldest."""
        rest = windows[rows[torch.randperm(len(rows), device=rows.device)[: self._limit]]]
        while len(rest):
            room = self._memory.memory_size - self._memory.memory_index
            batch: dict[str, Any] = {"observations": rest[:room]}
            self._memory.add_samples(**batch)
            rest = rest[room:]

    def sample(self, count: int) -> torch.Tensor:
        """Draw ``count`` windows (count, dim) with replacement, on the device of the memory."""
        return self._windows[torch.randint(len(self), (count,), device=self._windows.device)]

    def state_dict(self) -> dict[str, Any]:
        """Return the filled rows and the position of the next one."""
        return {
            "windows": self._windows[: len(self)].clone(),
            "index": self._memory.memory_index,
            "filled": self._memory.filled,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state, also of a buffer of another size: of a larger one, the newest windows.

        Raises:
            ValueError: the windows have another width or are not finite, or the position is outside of them.
        """
        windows, index, size, view = state["windows"], state["index"], self._memory.memory_size, self._windows
        if windows.shape[1:] != view.shape[1:]:
            raise ValueError(f"windows of {tuple(windows.shape[1:])} columns for a buffer of {tuple(view.shape[1:])}")
        if not torch.isfinite(windows).all() or not 0 <= index <= len(windows):
            raise ValueError("windows that are NaN or infinite, or a position outside of them")
        # In a buffer of the same size rows keep their place, so that a resumed agent draws the same ones.
        if not (state["filled"] and len(windows) == size):
            windows = (windows.roll(-index, dims=0) if state["filled"] else windows)[-size:]
            index = len(windows) % size
        view[: len(windows)] = windows.to(view.device)
        self._memory.memory_index, self._memory.filled = index, len(windows) == size
