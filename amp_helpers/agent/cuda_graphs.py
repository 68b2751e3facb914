"""Keeping a GPU busy, and its host: computations recorded as CUDA graphs and replayed, side by side; figures fetched
together and later; work kept for when the host would wait.

An update of AMP is some thousands of kernels of a few microseconds each, and launching them from Python takes several
times as long as running them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch


class Recorded:
    """A function of tensors, recorded for each set of shapes where they are on a GPU, and simply called elsewhere.

    The function has to be one that can be recorded (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs):
    it asks the host nothing, such as a value to branch on, and what differs from call to call reaches it through its
    arguments, or through tensors that are changed in place, such as a network's parameters. Random numbers differ from
    call to call as usual.
    """

    WARM_UP = 3
    """Plain calls before recording, in which libraries choose their kernels."""
    MOST = 8
    """Sets of shapes that are recorded, each of which holds memory; further ones are called plainly."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._recordings: dict[tuple, tuple[torch.cuda.CUDAGraph, dict[str, torch.Tensor], Any]] = {}

    def __call__(self, **arguments: torch.Tensor) -> Any:
        """What the function returns; on a GPU those very tensors are overwritten by the next call."""
        if not all(tensor.is_cuda for tensor in arguments.values()):
            return self._function(**arguments)
        key = tuple((name, tensor.shape) for name, tensor in arguments.items())
        if key not in self._recordings:
            if len(self._recordings) == self.MOST:
                return self._function(**arguments)
            self._recordings[key] = self._record(arguments)
        graph, inputs, outputs = self._recordings[key]
        for name, tensor in arguments.items():
            inputs[name].copy_(tensor)
        graph.replay()
        return outputs

    def _record(self, arguments: dict[str, torch.Tensor]) -> tuple[torch.cuda.CUDAGraph, dict[str, torch.Tensor], Any]:
        inputs = {name: tensor.detach().clone() for name, tensor in arguments.items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(self.WARM_UP):
                self._function(**inputs)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self._function(**inputs)
        return graph, inputs, outputs


def side_by_side[T](tasks: Sequence[Callable[[], T]], device: torch.device) -> list[T]:
    """The results of computations that do not need each other, each on a stream of its own where they are on a GPU.

    One alone seldom fills the GPU: another's kernels run in the gaps between its own, and where its are small.
    """
    if device.type != "cuda":
        return [task() for task in tasks]
    here, results = torch.cuda.current_stream(device), []
    streams = [_stream(device, number) for number in range(len(tasks))]
    for stream, task in zip(streams, tasks, strict=True):
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            results.append(task())
    for stream in streams:
        here.wait_stream(stream)
    return results


@cache
def _stream(device: torch.device, number: int) -> torch.cuda.Stream:
    """The same stream each time: matrix products keep a workspace of tens of MiB for every one that they have seen."""
    return torch.cuda.Stream(device)


def aligned(rows: torch.Tensor) -> torch.Tensor:
    """Rows (N, C) on a GPU with zero columns added until each starts at a multiple of 16 bytes; others as they are.

    Where rows do not, matrix products fall back to kernels that take up to three times as long: with 24,576 rows of 405
    columns and 512 outputs, 112 us on an H200 instead of 41.
    """
    missing = -rows.shape[-1] % (16 // rows.itemsize)
    return torch.nn.functional.pad(rows, (0, missing)) if rows.is_cuda and missing else rows


def fetch_figures(figures: Mapping[str, Any]) -> Callable[[], dict[str, float]]:
    """Send for figures, some of them tensors; the function that comes back waits for them and gives them as numbers.

    They come together, because each fetch has a wait of its own, and as they are now: what is given to the device
    between the two calls is not waited for.
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
