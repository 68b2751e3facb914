"""The papermill engine: this interpreter as the kernel, every error recorded, no reply missed."""

import sys
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from traitlets import Type

from amp_helpers.notebook.hidden_errors import ERRORS_SEEN, exception_line

ARGV = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


class PollingChannel(AsyncZMQSocketChannel):
    """A channel that polls its socket once a second while it waits for a message.

    ZeroMQ signals only that a socket has become readable. When nbclient sends a widget's state while it waits for a
    reply, jupyter_client 8.10 sends through a shadow of the same socket, which consumes the signal of a reply that
    arrives at that moment: the reply is there, and the wait never ends.
    """

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message; ``timeout`` in seconds, ``None`` waits for as long as it takes.

        Raises:
            Empty: no message within the timeout.
        """
        while timeout is None:
            try:
                return await super().get_msg(timeout=1.0)
            except Empty:
                pass
        return await super().get_msg(timeout=timeout)


class PollingClient(AsyncKernelClient):
    """A kernel client whose wait for a cell's reply ends when the reply is there."""

    shell_channel_class = Type(PollingChannel)


class ThisInterpreter(AsyncKernelManager):
    """Start the kernel in the running interpreter, whatever kernelspecs are installed."""

    client_factory = Type(PollingClient)

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernelspec, which is not read from a file."""
        return KernelSpec(argv=ARGV, display_name="Python 3", language="python")


class Client(PapermillNotebookClient):
    """Run a notebook and record in its metadata every error that its kernel reports."""

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "error":
            seen = self.nb.metadata.setdefault(ERRORS_SEEN, [])
            seen.append(exception_line(msg["content"]["ename"], msg["content"]["evalue"]))
        return super().process_message(msg, cell, cell_index)


class Engine(NBClientEngine):
    """papermill's engine with this module's client."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, start_timeout=60, *, log: Path, **ignored):
        """Run the notebook; the kernel's own output goes to the file ``log``."""
        client = Client(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=ThisInterpreter,
            startup_timeout=start_timeout,
            coalesce_streams=True,
            # On a busy machine, the last outputs of a cell may arrive long after its reply.
            iopub_timeout=60,
            # A cell may compute for minutes without printing.
            raise_on_iopub_timeout=False,
        )
        with log.open("wb") as stream:
            client.execute(stdout=stream, stderr=stream)


def register_engine() -> str:
    """Register the engine with papermill and return its name."""
    papermill_engines.register("amp_helpers", Engine)
    return "amp_helpers"
