"""The origin of a measurement: command, commit and hardware, recorded by every benchmark."""

import os
import platform
import shlex
import sys
from pathlib import Path

from amp_helpers.utils.resources import present_commit, short_commit


def provenance(device: str = "cpu") -> dict[str, str]:
    """Return ``command`` (without its ``--output``), ``commit`` and ``hardware`` of the running script."""
    arguments = sys.argv[1:]
    if "--output" in arguments:
        at = arguments.index("--output")
        arguments = arguments[:at] + arguments[at + 2 :]
    return {
        "command": shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *arguments]),
        "commit": short_commit(present_commit()),
        "hardware": hardware(device),
    }


def hardware(device: str = "cpu") -> str:
    """Describe ``device``."""
    if device.startswith("cuda"):
        import torch

        return f"one {torch.cuda.get_device_name(device)}"
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, platform.processor())}, {os.cpu_count()} cores"
