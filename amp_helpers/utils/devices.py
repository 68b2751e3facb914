"""The device that torch computes on."""

import torch

from amp_helpers.errors import InputError


def check_device(device: str | None) -> str:
    """Resolve a device name.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``; None is the first GPU, or the CPU if there is no GPU.

    Returns:
        ``cpu`` or ``cuda:N``.

    Raises:
        InputError: torch has no such device; the message lists the devices.
    """
    if device is None:
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"device '{device}' not found; available: {', '.join(_devices())}") from error
    missing_gpu = wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count()
    if wanted.type not in ("cpu", "cuda") or missing_gpu:
        raise InputError(f"device '{device}' not found; available: {', '.join(_devices())}")
    return f"cuda:{wanted.index or 0}" if wanted.type == "cuda" else "cpu"


def _devices() -> list[str]:
    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
