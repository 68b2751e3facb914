"""The machine that this runs on."""

import os
import platform
from pathlib import Path


def memory_gib() -> float:
    """Return the memory of this machine, GiB."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3


def describe_device(device: str = "cpu") -> str:
    """Return the model of a device, such as "one NVIDIA H200", for a record of what was measured on it."""
    if device.startswith("cuda"):
        import torch  # takes seconds to load and 300 MiB

        return f"one {torch.cuda.get_device_name(device)}"
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, platform.processor())}, {os.cpu_count()} cores"
