"""Parts of a control step that are recorded as CUDA graphs, kernels of PyTorch and of Warp alike."""

import gc
import sys
import traceback
from collections.abc import Callable

import torch
import warp as wp

from amp_helpers.agent.cuda_graphs import without_garbage_collection


class Stage:
    """A function without arguments that is recorded as a CUDA graph; on a CPU it is called plainly.

    It has to do the same each time: what differs between calls is in tensors that are changed in place. Tensors that it
    returns or keeps are overwritten by the next call.
    """

    WARM_UP = 5
    """Plain calls before the recording, in which kernels are compiled and memory is allocated."""

    def __init__(
        self,
        name: str,
        function: Callable[[], None],
        device: str | torch.device,
        before_recording: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._before_recording = before_recording
        self.failure = ""
        """Traceback of a recording that failed; the stage is then called plainly."""
        self._function = function
        self._device = torch.device(device)
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._kernels: wp.Graph | None = None

    @property
    def recorded(self) -> bool:
        """Whether calls replay a recording."""
        return self._graph is not None

    def forget(self) -> None:
        """Record anew, after what a recording would not notice: attributes, numbers or callbacks that changed."""
        self._graph, self._kernels, self._calls, self.failure = None, None, 0, ""

    def __call__(self) -> None:
        if self._graph is None and self._device.type == "cuda" and self._calls >= self.WARM_UP and not self.failure:
            self._record()
        self._calls += 1
        if self._graph is None:
            self._function()
        else:
            self._graph.replay()

    def _record(self) -> None:
        graph = torch.cuda.CUDAGraph()
        self._before_recording()
        torch.cuda.synchronize(self._device)
        gc.collect()
        try:
            side = torch.cuda.Stream(self._device)
            same = wp.stream_from_torch(side)
            with (
                without_garbage_collection(),
                torch.cuda.device(self._device),
                torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"),
                wp.ScopedStream(same, sync_enter=False),
                wp.ScopedCapture(stream=same, external=True) as kernels,
                wp.ScopedDevice("cpu"),  # Isaac Lab refuses derived quantities while the current device records
            ):
                self._function()
            self._kernels = kernels.graph  # keeps the compiled kernels loaded
        except Exception as error:
            self.failure = traceback.format_exc()
            reason = " ".join(str(error).split())[:200]
            print(f"note: the stage '{self.name}' of a step is not recorded: {reason}", file=sys.stderr)
        else:
            self._graph = graph
