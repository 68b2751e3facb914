"""Does a run survive what may happen to it? ``python benchmarks/faults.py --output FILE``.

Two processes train together (``benchmarks/fault_run.py``) and are disturbed at a random moment, ``--faults`` times in
each of these ways. Then the run goes on, and is compared with one that nothing disturbed:

``kill one``
    SIGKILL to one of the processes, drawn at random.
``kill all``
    SIGKILL to both.
``full disk``
    no file can grow beyond a random size, as with ``ulimit -f``; or, with ``--disk DIR`` on a small file system of its
    own (``mount -t tmpfs -o size=8m tmpfs DIR``), another file fills it up. The run goes on once there is space again.
``cut checkpoint``
    SIGKILL to both; then a file of the newest checkpoint is cut at a random byte.
``zeros in a checkpoint``
    the same, but from a random byte on the file holds zeros, as after a loss of power.

Writes JSON::

    command, commit, hardware, seed, updates, interval   updates of a run, and between two checkpoints
    faults: [{
        kind, at_update             the last update before the fault
        resumed_at                  update of the checkpoint that the run went on from
        lost                        updates that had to be made again
        torn                        checkpoints that were passed over
        said                        the sentences of the processes that were not killed
        identical                   whether every update before and after is that of the undisturbed run, to the bit
    }]
    kinds: {KIND: {faults, identical, most_lost}}
"""

import argparse
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fault_run import INTERVAL, rank_process
from provenance import provenance, report

from amp_helpers.errors import InputError, run_cli

SIZE = 2
"""Processes of a run."""
PATIENCE_S = 120.0
"""Time after which a run that should go on, or end, is called hanging, s."""
FORK = multiprocessing.get_context("fork")
"""Loading torch once, not for each of a hundred processes."""


class Run:
    """A training in a folder, at most once at a time."""

    def __init__(self, folder: Path, updates: int) -> None:
        self.folder, self.updates = folder, updates
        self.processes: list[Any] = []

    def start(self) -> None:
        """Start it, or go on with it."""
        meet = tempfile.mktemp(prefix="meet-")  # gloo makes the file
        self._printed = [Path(f"{meet}-{rank}.txt") for rank in range(SIZE)]
        self.processes = [
            FORK.Process(target=rank_process, args=(rank, SIZE, meet, self.folder, self.updates, printed))
            for rank, printed in enumerate(self._printed)
        ]
        for process in self.processes:
            process.start()

    def end(self) -> list[str]:
        """Wait until all have ended, and return what each printed."""
        for process in self.processes:
            process.join(PATIENCE_S)
            if process.exitcode is None:
                raise InputError(f"{self.folder}: a process still runs {PATIENCE_S:g} s later; see where it waits")
        printed = [file.read_text() for file in self._printed]
        for file in self._printed:
            file.unlink()
        return printed

    @property
    def trace(self) -> list[str]:
        """The lines of all updates so far; one that a killed process left unfinished is removed."""
        file = self.folder / "trace.txt"
        text = file.read_text() if file.exists() else ""
        return text[: text.rfind("\n") + 1].splitlines()

    def repair_trace(self) -> None:
        """Remove an unfinished line, as training does with its own record."""
        (self.folder / "trace.txt").write_text("".join(f"{line}\n" for line in self.trace))

    def wait(self, updates: int) -> None:
        """Wait until so many updates have been made."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.trace) < updates:
            if time.monotonic() > deadline or any(process.exitcode for process in self.processes):
                raise InputError(f"{self.folder}: the run made {len(self.trace)} of {updates} updates; see its errors")
            time.sleep(0.002)


def kill_one(run: Run, draw: random.Random) -> list[str]:
    draw.choice(run.processes).kill()
    return run.end()


def kill_all(run: Run, draw: random.Random) -> list[str]:
    for process in run.processes:
        process.kill()
    return run.end()


def limit_files(run: Run, draw: random.Random) -> list[str]:
    """Let no file of a process, drawn at random, grow beyond a size below that of a checkpoint."""
    sizes = [file.stat().st_size for file in (run.folder / "checkpoints").glob("*.pt")] or [10_000]
    limit = draw.randrange(min(sizes))
    resource.prlimit(draw.choice(run.processes).pid, resource.RLIMIT_FSIZE, (limit, limit))
    return run.end()


def damage(change: Callable[[bytes, int], bytes]) -> Callable[[Run, random.Random], list[str]]:
    def kill_and_damage(run: Run, draw: random.Random) -> list[str]:
        printed = kill_all(run, draw)
        files = list((run.folder / "checkpoints").glob("agent_*.pt"))
        newest = max(files, key=lambda file: (file.stat().st_mtime, file.name == "agent_last.pt"))
        content = newest.read_bytes()
        newest.write_bytes(change(content, draw.randrange(len(content))))
        return printed

    return kill_and_damage


KINDS: dict[str, Callable[[Run, random.Random], list[str]]] = {
    "kill one": kill_one,
    "kill all": kill_all,
    "full disk": limit_files,
    "cut checkpoint": damage(lambda content, at: content[:at]),
    "zeros in a checkpoint": damage(lambda content, at: content[:at] + bytes(len(content) - at)),
}


def disturb(run: Run, kind: str, draw: random.Random, disk: Path | None) -> dict[str, Any]:
    """Start a run, disturb it, go on with it, and return an element of the JSON's ``faults`` without ``identical``."""
    run.start()
    run.wait(draw.randrange(2 * INTERVAL + 1, run.updates - 5))
    time.sleep(draw.uniform(0, 0.05))  # also within an update, and while a checkpoint is written
    if kind == "full disk" and disk:
        with filled(disk):
            printed = run.end()
    else:
        printed = KINDS[kind](run, draw)
    run.repair_trace()
    at = int(run.trace[-1].split()[0])
    run.start()
    going_on = run.end()
    if codes := [process.exitcode for process in run.processes if process.exitcode]:
        raise InputError(f"{kind}: the run did not go on ({codes}): {' '.join(going_on)}")
    resumed, torn = map(int, going_on[0].split()[1:3])
    lines = [line.replace(str(run.folder), "RUN") for text in printed for line in text.splitlines()]
    said = sorted({line for line in lines if line.startswith("error")})
    return {"kind": kind, "at_update": at, "resumed_at": resumed, "lost": at - resumed, "torn": torn, "said": said}


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Let a file take all the space that a disk has left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


def main() -> int:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=10, help="of each kind (default: %(default)s)")
    parser.add_argument("--updates", type=int, default=60, help="of a run, at least 12 (default: %(default)s)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="default: all")
    parser.add_argument("--disk", type=Path, help="folder on a small file system that may be filled")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    origin = provenance()
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Run(Path(folder), arguments.updates)
        undisturbed.start()
        undisturbed.end()
        expected = set(undisturbed.trace)
    if len(expected) != arguments.updates:
        raise InputError(f"the undisturbed run made {len(expected)} of {arguments.updates} updates; see its errors")
    faults = []
    for kind in arguments.kinds:
        for number in range(arguments.faults):
            place = arguments.disk if kind == "full disk" else None
            with tempfile.TemporaryDirectory(dir=place) as folder:
                run = Run(Path(folder), arguments.updates)
                fault = disturb(run, kind, random.Random(f"{arguments.seed} {kind} {number}"), place)
                fault["identical"] = set(run.trace) == expected
            faults.append(fault)
            print(fault, flush=True)
    kinds = {}
    for kind in arguments.kinds:
        of = [fault for fault in faults if fault["kind"] == kind]
        kinds[kind] = {
            "faults": len(of),
            "identical": sum(fault["identical"] for fault in of),
            "most_lost": max(fault["lost"] for fault in of),
        }
    settings = {"seed": arguments.seed, "updates": arguments.updates, "interval": INTERVAL}
    report(origin | settings | {"kinds": kinds, "faults": faults}, arguments.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
