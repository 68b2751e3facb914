"""What a recorded step cannot contain: operations whose result the host waits for, and what it takes from outside."""

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from types import FrameType, ModuleType
from typing import Any

import torch
import warp as wp
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from amp_helpers.env.kept import own, users

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
_FILE = "opens or reads a file, which a recording does not do again"
_SYSTEM = "draws random numbers of the system, as np.random.default_rng() without a seed does"
_OUTSIDE = {os.urandom: _SYSTEM, open: _FILE, os.open: _FILE, os.read: _FILE}
"""Functions in C, and what they take from outside of the program."""
_SEED = random.Random.seed.__code__
_WARP_NUMPY, _WARP_LIST = wp.array.numpy.__code__, wp.array.list.__code__
_BETWEEN = sys.stdlib_module_names | {"numpy"}
"""Packages that take what the code that calls them asks for."""
_LAZY = ("importlib", "linecache")
"""Those that read a file when it is first needed: modules, and lines of code for messages."""
_INDEXING = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_)


class HostWork(RuntimeError):
    """An operation that the host waits for."""


@contextmanager
def no_host_work() -> Iterator[None]:
    """Raise :class:`HostWork` where an operation would make the host wait for a GPU; works on a CPU too.

    Also where a user's code reads a clock or a file, or draws a seed: a recording would show the same for ever.
    """
    with _NoCopies(), _NoReads(), _nothing_from_outside():
        yield


@contextmanager
def _nothing_from_outside() -> Iterator[None]:
    """Refuse what a function takes from outside of the program, under any name, to code that is of no library."""

    def watch(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            reason = _calling(called, frame)
        elif event == "call":
            reason = _entering(frame)
        else:
            return
        if reason:
            raise HostWork(reason)

    other = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(other)


def _calling(called: Any, frame: FrameType) -> str | None:
    """Say what is wrong with calling a function in C from a frame."""
    if clock := _clock(called):  # directly: a message that is logged has a time
        return f"calls {clock}(), which a recording does not call again" if users(_module(frame)) else None
    taken = _OUTSIDE.get(called)
    return taken if taken and _for_users(frame) else None


def _entering(frame: FrameType) -> str | None:
    """Say what is wrong with the call of a function in Python, whose frame it is."""
    code = frame.f_code
    if code is _SEED and frame.f_locals["a"] is None and _for_users(frame):
        return _SYSTEM
    if (code is _WARP_NUMPY or code is _WARP_LIST) and _for_users(frame.f_back):
        return f"reads a Warp array with .{code.co_name}()"
    return None


def _for_users(frame: FrameType | None) -> bool:
    """Whether a frame is of a user's code, or of Python's own modules or NumPy on its behalf."""
    while frame and (package := _module(frame).partition(".")[0]) in _BETWEEN:
        if package in _LAZY:
            return False
        frame = frame.f_back
    return frame is not None and own(_module(frame))


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


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
        read = func in (torch.Tensor.tolist, torch.Tensor.cpu)
        if read or (func is torch.Tensor.numpy and _for_users(sys._getframe(1))):  # libraries convert their own
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
