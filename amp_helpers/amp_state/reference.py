"""Reference windows to compare a policy's windows with."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from amp_helpers.amp_state.state import COMMAND_BLUR, AmpState, blur_commands, weighted_rows
from amp_helpers.dataset import MotionDataset

Draw = Callable[[torch.Tensor], torch.Tensor]
"""Draws a reference window for each of n policy windows (n, dim)."""


@dataclass(frozen=True, eq=False)
class ReferenceWindows:
    """All windows of a dataset, and the clips that they come from."""

    state: AmpState
    windows: torch.Tensor
    """(K, dim), clip by clip."""
    weights: torch.Tensor
    """How often each is drawn where every clip counts, (K,)."""
    counts: torch.Tensor
    """Windows of each clip, (C,) int64; 0 for one that is too short."""
    commands: torch.Tensor
    """Command of each clip, (C, 2) m/s and rad/s."""

    @classmethod
    def of(cls, dataset: MotionDataset, state: AmpState, windows: torch.Tensor) -> "ReferenceWindows":
        """Number the windows that :meth:`AmpState.from_dataset` computed, on their device."""
        device = windows.device
        return cls(
            state,
            windows,
            state.window_weights(dataset).to(device),
            state.window_counts(dataset).to(device),
            torch.tensor(dataset.command, dtype=torch.float32, device=device),
        )

    def draw(self, matched: bool = True) -> Draw:
        """Return how windows are drawn for a discriminator.

        One that sees the command gets windows of the clip nearest to each policy window's command, under that same
        command: commands are then distributed alike on both sides and tell nothing by themselves. (Drawn by the clips'
        weights, rare commands would mark a reference, and common ones a policy, whatever it does.)

        Args:
            matched: ``False`` draws clips by their weights in this case too, with blurred commands.
        """
        draw = weighted_rows(self.weights)
        if not self.state.command:
            return lambda policy: self.windows[draw(len(policy))]
        return self._for_commands() if matched else lambda policy: self._blurred(draw(len(policy)))

    def _blurred(self, rows: torch.Tensor) -> torch.Tensor:
        windows, command = self.windows[rows], slice(-self.state.condition_dim, None)
        windows[:, command] = blur_commands(windows[:, command])
        return windows

    def _for_commands(self) -> Draw:
        usable = self.counts > 0
        counts, commands = self.counts[usable], self.commands[usable]
        first = counts.cumsum(0) - counts
        spacing = commands.new_tensor(COMMAND_BLUR)
        still = (commands == 0).all(dim=1)

        def matched(policy: torch.Tensor) -> torch.Tensor:
            wanted = policy[:, -self.state.condition_dim :]
            distance = torch.cdist(blur_commands(wanted) / spacing, commands / spacing)
            # A robot that is told to move is never compared with one that stands.
            moves = wanted.abs().sum(dim=1, keepdim=True) > 0
            distance = distance + 1e6 * (moves & still)
            clip = distance.argmin(dim=1)
            within = (torch.rand(len(clip), device=clip.device) * counts[clip]).long().clamp(max=counts[clip] - 1)
            windows = self.windows[first[clip] + within]
            windows[:, -self.state.condition_dim :] = wanted
            return windows

        return matched
