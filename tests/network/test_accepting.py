"""No connection is left open where whoever accepts is cancelled, at whatever moment."""

import asyncio
import contextlib
import socket

import pytest

from grootboek.network.accepting import accept, tend


@pytest.fixture
def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


async def test_what_was_accepted_is_closed_by_its_owner_or_never_accepted(listening: socket.socket) -> None:
    listening.setblocking(False)  # noqa: FBT003  # the name is Python's
    for turns in range(8):
        with socket.create_connection(listening.getsockname()) as client:
            accepting = asyncio.create_task(accept(listening))
            for _ in range(turns):
                await asyncio.sleep(0)
            accepting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                sock, _ = await accepting
                sock.close()
            client.close()
    listening.close()


async def test_a_task_that_never_ran_closes_its_socket() -> None:
    one, other = socket.socketpair()

    async def work() -> None:
        raise AssertionError("it must not run")

    task = tend(one, work(), asyncio.get_running_loop().create_task)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert one.fileno() == -1
    assert other.recv(1) == b""
    other.close()


async def test_a_task_that_ran_keeps_its_socket() -> None:
    one, other = socket.socketpair()

    async def work() -> None:
        one.sendall(b"x")

    await tend(one, work(), asyncio.get_running_loop().create_task)
    assert other.recv(1) == b"x"
    assert one.fileno() != -1
    one.close()
    other.close()
