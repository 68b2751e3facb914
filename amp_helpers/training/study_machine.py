"""The machine that a study is made on: its GPUs, and the folder that one study has to itself."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from amp_helpers.errors import InputError
from amp_helpers.training.run_folder import try_lock

MPS = "nvidia-cuda-mps-control"
"""Lets the kernels of several processes run side by side on a GPU."""


def places(device: str | None = None, *, gpus: int | None = None, parallel: int = 1) -> list[int | None]:
    """Return the GPU of each training that is made at a time; ``None`` for the CPU.

    Args:
        device: ``cuda`` or ``cpu``; by default the GPUs, or the CPU where there is none.
        gpus: GPUs to use; by default all.
        parallel: trainings side by side on each.

    Raises:
        InputError: there are not as many GPUs.
    """
    import torch  # takes seconds to load

    count = torch.cuda.device_count()
    if device == "cuda" and not count:
        raise InputError("this machine has no GPU; leave --device out, or give cpu")
    if device == "cpu" or not count:
        return [None] * parallel
    if gpus and gpus > count:
        raise InputError(f"this machine has {count} GPUs; give --gpus {count} or fewer")
    return [gpu for gpu in range(gpus or count) for _ in range(parallel)]


def visible(gpu: int) -> str:
    """Return what another process's ``CUDA_VISIBLE_DEVICES`` calls the GPU that this one counts as number ``gpu``."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES", "").replace(" ", "")
    return listed.split(",")[gpu] if listed else str(gpu)


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Have a study's folder for one process, and for the trainings that it starts, which may outlive it.

    Yields:
        The file that holds the lock, for the trainings to keep open.

    Raises:
        InputError: another study, or one of its trainings, is being made there.
    """
    lock = os.open(folder, os.O_RDONLY)
    try:
        if not try_lock(lock):
            raise InputError(
                f"{folder}: a study, or a training of one that was killed, is still running there; wait until it has "
                "ended, or give another --output"
            )
        yield lock
    finally:
        os.close(lock)


@contextmanager
def side_by_side_on_gpus(wanted: bool) -> Iterator[None]:
    """Run NVIDIA's MPS during the block, if it is installed and not running yet.

    It serves all GPUs of the machine, not the visible ones alone: those it would number anew, and the processes that it
    serves name theirs by the machine's numbers.
    """
    mps = shutil.which(MPS) if wanted else None
    every_gpu = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    started = mps is not None and not _run_mps([mps, "-d"], every_gpu)
    try:
        yield
    finally:
        if started:
            _run_mps([MPS], every_gpu, b"quit\n")


def _run_mps(line: Sequence[str], environment: Mapping[str, str], typed: bytes = b"") -> int:
    return subprocess.run(line, input=typed, env=environment, capture_output=True, check=False).returncode
