"""Training in several processes that torchrun started."""

import hashlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from amp_helpers.errors import InputError, one_line
from amp_helpers.training.cfg import TrainCfg, file_digest, recorded_options

if TYPE_CHECKING:
    from amp_helpers.agent.ranks import Ranks

TIMEOUT = timedelta(minutes=30)
"""Longest time that a rank waits for another: kernels may be compiled in the first step."""

REACH_S = 60.0
"""Time that the name of the first machine has to become known, s, and then its process to listen: a cluster can go on
not knowing it for half a minute, and a process may start later."""

GRACE_S = 25.0
"""Time that a process has to end after SIGTERM, s; torchrun and SLURM kill it after 30."""


@dataclass(frozen=True)
class Launch:
    """The place of this process among those that a launcher such as torchrun started."""

    rank: int = 0
    local_rank: int = 0
    """Rank among those on this machine."""
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    @classmethod
    def take(cls) -> "Launch":
        """Read the launcher's environment variables and remove ``WORLD_SIZE``.

        With it, importing skrl would open an NCCL group, also where there is no GPU.

        Raises:
            InputError: a variable is no number, or they do not fit together.
        """
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE")
        try:
            rank, local_rank, size = (
                int(os.environ.get(name) or usual) for name, usual in zip(names, "001", strict=True)
            )
        except ValueError:
            found = ", ".join(f"{name}={os.environ.get(name)}" for name in names)
            raise InputError(
                f"the launcher's variables are no numbers ({found}); start training with torchrun"
            ) from None
        os.environ.pop("WORLD_SIZE", None)
        if size == 1:
            return cls()  # what else is set belongs to another launch
        if not 0 <= rank < size:
            raise InputError(
                f"the launcher's variables name process {rank} of {size} (RANK, WORLD_SIZE), and the first is 0; start "
                "training with torchrun"
            )
        return cls(rank, local_rank, size)

    def check(self, wanted: bool) -> None:
        """Raise :class:`InputError` when ``--distributed`` and the number of processes do not fit together."""
        example = "torchrun --nproc_per_node 2 -m amp_helpers.train --distributed"
        if self.size > 1 and not wanted:
            raise InputError(f"{self.size} processes were started (WORLD_SIZE) to train one policy; add --distributed")
        if wanted and not {"MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
            raise InputError(f"--distributed: no launcher started this process; use '{example}', or leave it out")

    def device(self, device: str | None) -> str | None:
        """Return the device of this process: a GPU for each on its machine, or the CPU for all.

        Raises:
            InputError: one GPU is named for several processes.
        """
        import torch  # takes seconds to load

        if self.size == 1 or device == "cpu" or not (device or torch.cuda.is_available()):
            return device
        if device not in (None, "cuda"):
            raise InputError(f"--device {device}: names one GPU for {self.size} processes; leave it out, or give cuda")
        if self.local_rank >= (count := torch.cuda.device_count()):
            raise InputError(f"this machine has {count} GPUs for more processes; start torchrun with {count} a machine")
        return f"cuda:{self.local_rank}"


SINGLE = Launch()
"""A process that no launcher started."""


@contextmanager
def joined(launch: Launch, device: str | None) -> "Iterator[Ranks]":
    """Join the other processes: Gloo between CPUs, and NCCL between GPUs where each has one.

    Raises:
        InputError: they cannot meet.
    """
    from amp_helpers.agent.ranks import Ranks

    if launch.size == 1:
        yield Ranks()
        return
    import torch

    on_gpu = bool(device) and torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    _meet(launch, "cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    try:
        yield Ranks(launch.rank, launch.size)
    except BaseException:
        if not on_gpu:  # NCCL could wait for a process that has ended; Gloo's threads abort the process if they remain
            torch.distributed.destroy_process_group()
        raise
    torch.distributed.destroy_process_group()


def check_agreement(cfg: TrainCfg, ranks: "Ranks") -> None:
    """Check that the processes train with the same settings, dataset and checkpoint; their devices may differ.

    Raises:
        InputError: they do not, in all processes.
    """
    if ranks.size == 1:
        return
    found = recorded_options(cfg) | {"dataset": file_digest(cfg.dataset), "checkpoint": cfg.checkpoint is not None}
    del found["device"]
    digests = {name: hashlib.sha256(repr(value).encode()).hexdigest()[:8] for name, value in found.items()}
    first, *others = [said.split() for said in ranks.texts(" ".join(digests.values()))]
    for rank, other in enumerate(others, 1):
        differing = [name for name, *pair in zip(digests, first, other, strict=False) if pair[0] != pair[1]]
        if differing:
            named = ", ".join(f"--{name}" for name in differing)
            raise InputError(f"process {rank} has another {named} than process 0; start all with the same options")


def _meet(launch: Launch, backend: str) -> None:
    """Wait for the other processes at the address that the launcher gave."""
    import torch

    address, port = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
    where = f"{address}:{port} (MASTER_ADDR, MASTER_PORT)"
    # torch would try each of these again for TIMEOUT.
    if fault := _lasting_fault(lambda: socket.getaddrinfo(address, None)):
        raise InputError(
            f"the processes cannot meet at {where}, which is no machine known here ({fault}); give the first machine's "
            "IP address, as torchrun's option master_addr does"
        )
    listens = launch.first and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"  # torchrun listens itself
    number = int(port) if port.isdecimal() else -1
    with _refusing(where):
        # torch listens with it, and so it stays until they have met.
        store = _store(number, launch.size) if listens and 0 < number < 2**16 else None
    if 0 <= number < 2**16 and (fault := _lasting_fault(lambda: _connect(address, number))):
        if store:
            raise InputError(
                f"the processes cannot meet at {where}, where process 0 does not reach itself ({fault}); give all of "
                "them the address of the machine that process 0 runs on, as torchrun does"
            )
        raise InputError(
            f"the processes cannot meet at {where}, where nobody listens ({fault}); start process 0 on the first "
            "machine within a minute of the others, and give its address and port, as torchrun does"
        )
    with _refusing(where):
        torch.distributed.init_process_group(backend, rank=launch.rank, world_size=launch.size, timeout=TIMEOUT)


def _store(port: int, size: int) -> object:
    """Listen for the other processes; torch, asked to listen at the same port later, goes on with this store."""
    from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - torch documents it

    return TCPStore("localhost", port, size, True, TIMEOUT, wait_for_workers=False, multi_tenant=True)


@contextmanager
def _refusing(where: str) -> Iterator[None]:
    """Raise :class:`InputError` for what torch raises where processes cannot meet."""
    try:
        yield
    except (RuntimeError, ValueError) as error:  # torch's errors of networks are of the first kind
        if "EADDRINUSE" in str(error):
            raise InputError(
                f"the processes cannot meet at {where}, where another program listens; give another "
                "MASTER_PORT, as torchrun's option master_port does"
            ) from error
        reason = one_line(str(error), 200)
        raise InputError(
            f"the processes did not meet at {where}: {reason}; start all of them, with torchrun and an address that "
            "each can reach"
        ) from error


def _connect(address: str, port: int) -> None:
    socket.create_connection((address, port), timeout=5.0).close()


def _lasting_fault(attempt: Callable[[], object]) -> str | None:
    """Why what a network is asked for fails, tried again for ``REACH_S``; ``None`` where it does not."""
    given_up = time.monotonic() + REACH_S
    while True:
        try:
            attempt()
            return None
        except UnicodeError as error:  # of what can be no name
            return one_line(str(error), 100)
        except OSError as error:
            if time.monotonic() >= given_up:
                return error.strerror or str(error)
        time.sleep(1.0)


def tell_torchrun(sentence: str) -> None:
    """Leave what this process ends with to torchrun, whose own traceback then repeats it as the root cause.

    The file is that of ``torch.distributed.elastic.multiprocessing.errors``, which would hold a traceback.
    """
    if file := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        content = {"message": sentence, "extraInfo": {"py_callstack": sentence, "timestamp": str(int(time.time()))}}
        with suppress(OSError):
            Path(file).write_text(json.dumps({"message": content}))


@contextmanager
def ending_in_time(launch: Launch) -> Iterator[None]:
    """End this process when it still waits for a process that has ended, long after it was told to end.

    A launcher sends SIGTERM to all processes once one has ended. Python handles no signal while a library waits for a
    GPU or a network, and after half a minute the launcher kills without a word. Signals are handled as before.
    """
    if launch.size == 1:
        yield
        return
    from amp_helpers.agent.ranks import process_ended

    received, wake = socket.socketpair()
    wake.setblocking(False)
    before = signal.set_wakeup_fd(wake.fileno())

    def watch() -> None:
        try:
            while number := received.recv(1):  # nothing once the block has ended
                if number[0] == signal.SIGTERM:
                    received.settimeout(GRACE_S)
        except TimeoutError:
            print(f"error: process {launch.rank}: {process_ended()}", file=sys.stderr, flush=True)
            os._exit(2)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        wake.close()
