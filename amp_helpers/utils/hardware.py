"""The machine that this runs on."""

import os
import platform
from pathlib import Path

CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Files in which Linux states a container's limit of memory, bytes, for versions 2 and 1 of control groups."""


def memory_gib() -> float:
    """Return the memory of this machine, or of the container that this runs in, GiB."""
    stated = [file.read_text().strip() for file in CONTAINER_LIMITS if file.is_file()]
    present = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([present, *(int(limit) for limit in stated if limit.isdigit())]) / 1024**3


def describe_device(device: str = "cpu") -> str:
    """Return the model of a device, such as "one NVIDIA H200", for a record of what was measured on it."""
    if device.startswith("cuda"):
        import torch  # takes seconds to load and 300 MiB

        return f"one {torch.cuda.get_device_name(device)}"
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, platform.processor())}, {os.cpu_count()} cores"
