"""The machine that something was measured on."""

import os
import platform
from pathlib import Path


def describe_device(device: str = "cpu") -> str:
    """Return the model of a device, such as "one NVIDIA H200", for a record of what was measured on it."""
    if device.startswith("cuda"):
        import torch  # takes seconds to load and 300 MiB

        return f"one {torch.cuda.get_device_name(device)}"
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, platform.processor())}, {os.cpu_count()} cores"
