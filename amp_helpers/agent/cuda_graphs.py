"""CUDA graphs, streams and asynchronous copies: less time spent launching kernels and waiting for them.

An update of AMP consists of some thousands of kernels of a few microseconds each, and launching them from Python takes
several times as long as running them.
"""

import contextlib
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch


class Recorded:
    """A function of tensors that is recorded as a CUDA graph for each set of shapes; on a CPU it is called plainly.

    The function must be capturable (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs): it does not
    synchronize, for instance to branch on a value, and whatever differs between calls is an argument or a tensor that
    is changed in place, such as a network's parameters. Random numbers differ between calls as usual. It may have side
    effects, such as an optimizer's step: each call runs it exactly once.
    """

    WARM_UP = 3
    """Plain calls of each set of shapes before it is recorded, in which libraries choose their kernels."""
    MAX_GRAPHS = 8
    """Sets of shapes that are recorded, because each graph holds memory; others are called plainly."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._calls: Counter[tuple] = Counter()
        self._recordings: dict[tuple, tuple[torch.cuda.CUDAGraph, dict[str, torch.Tensor], Any]] = {}

    def forget(self) -> None:
        """Discard all recordings, which would go on using the tensors that they were recorded with."""
        self._calls.clear()
        self._recordings.clear()

    def __call__(self, **arguments: torch.Tensor) -> Any:
        """Call the function; on a GPU the next call overwrites the returned tensors."""
        if not all(tensor.is_cuda for tensor in arguments.values()):
            return self._function(**arguments)
        key = tuple((name, tensor.shape) for name, tensor in arguments.items())
        if key not in self._recordings:
            if self._calls[key] < self.WARM_UP or len(self._recordings) == self.MAX_GRAPHS:
                self._calls[key] += 1
                return self._plain(arguments)
            self._recordings[key] = self._record(arguments)
        graph, inputs, outputs = self._recordings[key]
        for name, tensor in arguments.items():
            inputs[name].copy_(tensor)
        graph.replay()
        return outputs

    def _plain(self, arguments: dict[str, torch.Tensor]) -> Any:
        """Call the function on the stream that it will be recorded on."""
        with _on(_recording_stream()):
            return self._function(**arguments)

    def _record(self, arguments: dict[str, torch.Tensor]) -> tuple[torch.cuda.CUDAGraph, dict[str, torch.Tensor], Any]:
        inputs = {name: tensor.detach().clone() for name, tensor in arguments.items()}
        graph = torch.cuda.CUDAGraph()
        with without_garbage_collection(), torch.cuda.graph(graph, stream=_recording_stream()):
            outputs = self._function(**inputs)
        return graph, inputs, outputs


def side_by_side[T](tasks: Sequence[Callable[[], T]], device: torch.device) -> list[T]:
    """Run independent computations, on a GPU each on a stream of its own, and return their results.

    One alone seldom fills the GPU; the kernels of another run in the gaps and beside small kernels.
    """
    if device.type != "cuda":
        return [task() for task in tasks]
    here, results = torch.cuda.current_stream(device), []
    streams = [_stream(device, f"task {number}") for number in range(len(tasks))]
    try:
        for stream, task in zip(streams, tasks, strict=True):
            stream.wait_stream(here)
            with torch.cuda.stream(stream):
                results.append(task())
    finally:
        for stream in streams:
            here.wait_stream(stream)
    return results


class SideStream:
    """A stream for work that runs beside that of the current one; on a CPU the two take turns.

    Within the block neither may use what the other changes, and at most one may draw random numbers in recordings. At
    its end, also after an error or Ctrl-C, the current stream waits for the work, because checkpoints are saved and
    memory is freed next.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = _stream(device, "side") if device.type == "cuda" else None

    def __enter__(self) -> "SideStream":
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)

    def work(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context whose kernels run beside those of the current stream."""
        return contextlib.nullcontext() if self._stream is None else torch.cuda.stream(self._stream)


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Keep Python from collecting garbage: memory that is freed while recording would become part of the graph."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextlib.contextmanager
def _on(stream: torch.cuda.Stream) -> Iterator[None]:
    """Run a block on another stream, in order with the work of the current one, also where an error ends the block."""
    here = torch.cuda.current_stream(stream.device)
    stream.wait_stream(here)
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        here.wait_stream(stream)


def _recording_stream() -> torch.cuda.Stream:
    """Return the stream for recordings that are replayed on the current one.

    Matrix products use the workspace of the stream that they were recorded on. Recordings that are replayed on one
    stream take turns and can share it; beside one another they could not.
    """
    here = torch.cuda.current_stream()
    return _stream(here.device, f"recordings for {here.cuda_stream}")


@cache
def _stream(device: torch.device, purpose: str) -> torch.cuda.Stream:
    """Return the same stream each time.

    cuBLAS keeps a workspace of tens of MiB for every stream it was used on. And torch has 32 streams, which it hands
    out in turn: a further request returns one that is in use, and what should run on two then runs one after the other.
    """
    return torch.cuda.Stream(device)


def aligned(rows: torch.Tensor) -> torch.Tensor:
    """Pad the last dimension of (..., C) on a GPU with zeros until each row starts at a multiple of 16 bytes.

    Without alignment, matrix products fall back to kernels that take up to three times as long: with 24,576 rows of 405
    columns and 512 outputs, 112 us on an H200 instead of 41. Rows on a CPU are returned unchanged.
    """
    missing = -rows.shape[-1] % (16 // rows.itemsize)
    return torch.nn.functional.pad(rows, (0, missing)) if rows.is_cuda and missing else rows


def fetch_figures(figures: Mapping[str, Any]) -> Callable[[], dict[str, float]]:
    """Start copying figures, tensors among them, to the host; the returned function waits and gives them as numbers.

    One copy fetches all of them, because each has a latency of its own. The values are those at the time of this call,
    and later work on the device is not waited for.
    """
    tensors = {name: value for name, value in figures.items() if isinstance(value, torch.Tensor)}
    others = {name: float(value) for name, value in figures.items() if name not in tensors}
    if not tensors:
        return lambda: others
    stacked = torch.stack([value.detach().float().reshape(()) for value in tensors.values()])
    values = stacked.to("cpu", non_blocking=True)
    arrived = torch.cuda.Event() if stacked.is_cuda else None
    if arrived:
        arrived.record(torch.cuda.current_stream(stacked.device))

    def read() -> dict[str, float]:
        if arrived:
            arrived.synchronize()
        numbers = others | dict(zip(tensors, values.tolist(), strict=True))
        return {name: numbers[name] for name in figures}

    return read
