"""A policy's commanded speeds, replaced by those at which its robot goes as fast as it is commanded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from amp_helpers.errors import InputError


class SpeedCalibration(nn.Module):
    """Piecewise linear map of the commanded forward speed in a policy's observations.

    A policy that hardly senses its speed obeys on the average of what it was trained in, so undisturbed it may go
    2.17 m/s where it is told 2.0. If it goes 2.0 where it is told 1.85, it is to observe 1.85 at the command 2.0.
    Between commands, the correction is interpolated; beyond the first and the last, it stays what it is there.
    """

    commanded: torch.Tensor
    asked: torch.Tensor
    told: torch.Tensor

    def __init__(self, commanded: torch.Tensor, asked: torch.Tensor, told: torch.Tensor) -> None:
        """Set the map.

        Args:
            commanded: columns of the observations that are the commanded forward speed, (O,) bool.
            asked: commanded speeds, increasing, as the task computes its observation of them, (K,).
            told: what the policy observes at each, never decreasing, (K,).
        """
        super().__init__()
        self.register_buffer("commanded", commanded.clone())
        self.register_buffer("asked", asked.float().clone())
        self.register_buffer("told", told.float().clone())
        correction = (told - asked).double()
        slopes = correction.diff() / asked.double().diff()
        self._first = correction[0].item()
        """Correction at the first command and below."""
        self._pieces = list(zip(slopes.tolist(), asked[:-1].tolist(), asked[1:].tolist(), strict=True))
        """Slope of the correction between two commands, and the two. Numbers, which an exporter takes as constants."""

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the observations (E, O) of the ``policy`` group with calibrated speeds."""
        speeds = observations + self._first
        for slope, low, high in self._pieces:
            speeds = speeds + slope * (observations.clamp(low, high) - low)
        return torch.where(self.commanded, speeds, observations)


def saved_calibration(path: str | Path, state: Any, num_observations: int) -> SpeedCalibration:
    """Build the calibration that a file of a policy holds.

    Args:
        path: the file, for the message.
        state: a ``state_dict`` of :class:`SpeedCalibration`, from anywhere.
        num_observations: of the policy.

    Raises:
        InputError: it is none, or is for other observations.
    """
    names = ("commanded", "asked", "told")
    if not isinstance(state, Mapping) or not all(isinstance(state.get(name), torch.Tensor) for name in names):
        raise InputError(f"{path}: its speed calibration lacks one of {', '.join(names)}; calibrate the policy again")
    commanded, asked, told = (state[name] for name in names)
    if commanded.dtype != torch.bool or commanded.shape != (num_observations,):
        raise InputError(f"{path}: its speed calibration is for other observations; calibrate the policy again")
    numbers = all(part.is_floating_point() and part.ndim == 1 and len(part) > 1 for part in (asked, told))
    if not (
        numbers
        and asked.shape == told.shape
        and bool(torch.isfinite(torch.cat((asked, told))).all())
        and bool((asked.diff() > 0).all() and (told.diff() >= 0).all())
    ):
        raise InputError(f"{path}: its speed calibration is no increasing list of speeds; calibrate the policy again")
    return SpeedCalibration(commanded, asked, told)


def speed_knots(asked: Sequence[float], told: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Sort measured speeds into a map that leaves the command 0 as it is, and never falls.

    Args:
        asked: commanded speeds, m/s.
        told: what the policy is to observe at each, m/s.
    """
    pairs = {0.0: 0.0} | dict(zip(asked, told, strict=True))
    speeds = np.array(sorted(pairs))
    values = rising(speeds, np.array([pairs[speed] for speed in sorted(pairs)]))
    return torch.tensor(speeds).float(), torch.tensor(values).float()


def rising(asked: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Return what a policy is to observe at increasing commands: never falling, and not beyond 0 from its command."""
    return np.maximum.accumulate(np.where(asked < 0, np.minimum(told, 0.0), np.maximum(told, 0.0)))
