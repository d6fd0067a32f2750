"""Accepting connections so that none is lost where whoever accepts is cancelled."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine

__all__ = ["accept", "tend"]


async def accept(listening: socket.socket) -> tuple[socket.socket, str]:
    """The next connection to a socket that does not block, and the address it comes from. Raises OSError.

    ``loop.sock_accept`` may have one already when it is cancelled, and nobody would close that.
    """
    while True:
        await _readable(listening)
        with contextlib.suppress(BlockingIOError):  # whoever knocked is gone
            sock, address = listening.accept()
            sock.setblocking(False)  # noqa: FBT003  # the name is Python's
            return sock, str(address[0])


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock)


def tend(
    sock: socket.socket,
    work: Coroutine[None, None, None],
    spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
) -> asyncio.Task[None]:
    """A task for ``work``, which takes care of ``sock`` once it runs; one that is cancelled before that
    closes it.
    """
    running = False

    async def run() -> None:
        nonlocal running
        running = True
        await work

    def ended(_: asyncio.Task[None]) -> None:
        if not running:
            work.close()
            sock.close()

    task = spawn(run())
    task.add_done_callback(ended)
    return task
