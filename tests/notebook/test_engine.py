"""The papermill engine: a cell ends when its kernel has replied."""

import asyncio
import time
from queue import Empty

import pytest
import zmq
import zmq.asyncio
from jupyter_client.session import Session

from amp_helpers.notebook.engine import PollingChannel

pytestmark = pytest.mark.slow


@pytest.fixture
def kernel():
    """A kernel's end of the shell channel."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.linger = 0
        yield socket


def shell_channel(kernel: zmq.Socket, session: Session) -> PollingChannel:
    socket = zmq.asyncio.Context.instance().socket(zmq.DEALER)
    socket.linger, socket.identity = 0, b"client"
    socket.connect(f"tcp://127.0.0.1:{kernel.bind_to_random_port('tcp://127.0.0.1')}")
    return PollingChannel(socket, session)


def test_a_reply_that_arrives_while_a_widget_sends_its_state_is_read(kernel):
    session = Session(key=b"key")

    async def reply() -> str:
        channel = shell_channel(kernel, session)
        try:
            channel.send(session.msg("execute_request"))
            waiting = asyncio.ensure_future(channel.get_msg())
            while not await asyncio.to_thread(kernel.poll, 100):
                pass
            kernel.recv_multipart()
            session.send(kernel, "execute_reply", ident=b"client")
            time.sleep(0.2)
            channel.send(session.msg("comm_msg"))
            return (await asyncio.wait_for(waiting, timeout=10))["msg_type"]
        finally:
            channel.close()

    assert asyncio.run(reply()) == "execute_reply"


def test_a_wait_with_a_limit_ends_without_a_message(kernel):
    async def wait() -> None:
        channel = shell_channel(kernel, Session(key=b"key"))
        try:
            await channel.get_msg(timeout=0.05)
        finally:
            channel.close()

    with pytest.raises(Empty):
        asyncio.run(wait())
