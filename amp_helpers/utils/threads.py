"""How the threads that torch computes with wait for each other on a CPU."""

import os

_SPINS = 3000
"""Turns of libgomp's waiting loop, 0.05 to 0.2 ms: longer than most gaps between two parallel regions of an update, so
that a machine with nothing else to do loses no speed, and shorter than a time slice of the operating system."""


def spin_briefly() -> None:
    """Let OpenMP threads that wait for each other sleep after a fraction of a millisecond.

    By default, libgomp's threads spin for more than ten milliseconds. Beside another busy process, they then hold the
    cores that the threads they wait for need, and training slows several times (``benchmarks/contention.py``). The
    number of threads stays as it is.

    It takes effect only before torch is loaded. ``GOMP_SPINCOUNT`` and ``OMP_WAIT_POLICY``, where set, are kept.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(_SPINS))
