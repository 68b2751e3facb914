"""What a recorded step cannot contain: operations whose result the host waits for, and a clock."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from types import FrameType, ModuleType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from amp_helpers.env.kept import users

aten = torch.ops.aten
_READS = {
    aten._local_scalar_dense: "reads a number from a tensor, as .item() and if do",
    aten.is_nonzero: "branches on a tensor",
    aten.equal: "compares tensors with torch.equal",
    aten.nonzero: "uses nonzero",
    aten.masked_select: "selects with a mask",
    aten._unique2: "uses unique",
    aten.unique_dim: "uses unique",
}
_DATES = ("now", "today", "utcnow")
_INDEXING = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)


class HostWork(RuntimeError):
    """An operation that the host waits for."""


@contextmanager
def no_host_work() -> Iterator[None]:
    """Raise :class:`HostWork` where an operation would make the host wait for a GPU; works on a CPU too.

    Also where a user's code reads a clock: a recording would show the same time for ever.
    """
    with _NoCopies(), _NoReads(), _no_clock():
        yield


@contextmanager
def _no_clock() -> Iterator[None]:
    """Refuses :mod:`time` and the present date, under any name, to code that is of no library."""

    def watch(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and (clock := _clock(called)) and users(frame.f_globals.get("__name__", "")):
            raise HostWork(f"calls {clock}(), which a recording does not call again")

    other = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(other)


def _clock(called: Any) -> str | None:
    """Name a function in C if it is of :mod:`time`, or gives the present date."""
    owner = getattr(called, "__self__", None)
    if isinstance(owner, ModuleType) and owner.__name__ == "time":
        return f"time.{called.__name__}"
    if isinstance(owner, type) and issubclass(owner, date) and called.__name__ in _DATES:
        return f"{owner.__name__}.{called.__name__}"
    return None


class _NoCopies(TorchFunctionMode):
    """Refuses the methods of tensors that copy from a GPU, and that on a CPU are no operation to dispatch."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.Tensor.tolist, torch.Tensor.cpu):
            raise HostWork(f"reads a tensor with .{func.__name__}()")
        return func(*args, **(kwargs or {}))


class _NoReads(TorchDispatchMode):
    """Refuses operations whose result the host has to know."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func.overloadpacket
        if packet in _READS:
            raise HostWork(_READS[packet])
        if packet in _INDEXING and any(_is_mask(index) for index in args[1] or ()):
            raise HostWork("indexes with a mask, whose number of rows only the GPU knows")
        result = func(*args, **(kwargs or {}))
        if packet in (aten._to_copy, aten.copy_):
            source, target = (args[1], args[0]) if packet is aten.copy_ else (args[0], result)
            if source.device != target.device:
                raise HostWork(f"copies between {source.device} and {target.device}")
        if packet is aten.lift_fresh and result.is_cuda:
            raise HostWork("copies numbers to the GPU, as torch.tensor does")
        return result


def _is_mask(index: Any) -> bool:
    return isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)
