"""Connections: how many there may be, in all and for each address, and how long one may say nothing.

A connection takes its place when it is accepted, before TLS: each costs a file descriptor, and a
process that has no more of them cannot write its log.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Final

from grootboek.api.health import ApiMetrics
from grootboek.api.settings import ApiSettings
from grootboek.network.accepting import accept, tend

__all__ = ["Connections", "until"]

PAUSE_SECONDS: Final = 0.005
OUT_OF_DESCRIPTORS_SECONDS: Final = 0.1


class Connections:
    """The open connections of one server."""

    def __init__(self, settings: ApiSettings, metrics: ApiMetrics) -> None:
        """Empty."""
        self._settings = settings
        self._metrics = metrics
        self._open: Counter[str] = Counter()
        self._transports: set[asyncio.BaseTransport] = set()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._silent: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}

    async def accept(
        self, listening: socket.socket, make: Callable[[], asyncio.Protocol], tls: ssl.SSLContext
    ) -> None:
        """Take connections, until cancelled, and give each a protocol once its TLS handshake is done."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await accept(listening)
            except OSError:  # out of descriptors, most likely: some will be closed soon
                await asyncio.sleep(OUT_OF_DESCRIPTORS_SECONDS)
                continue
            if not self._admit(address):
                sock.close()
                continue
            task = tend(sock, self._handshake(_Guarded(self, make(), address), sock, tls), loop.create_task)
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    def _admit(self, address: str) -> bool:
        """Count one more, unless that is too many."""
        total, settings = self._open.total(), self._settings
        if total >= settings.connections or self._open[address] >= settings.client_connections:
            self._metrics.refused.inc()
            return False
        self._open[address] += 1
        self._metrics.connections.set(total + 1)
        return True

    async def _handshake(self, guarded: "_Guarded", sock: socket.socket, tls: ssl.SSLContext) -> None:
        settings = self._settings
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: guarded,
                sock,
                ssl=tls,
                ssl_handshake_timeout=settings.handshake_seconds,
                ssl_shutdown_timeout=settings.linger_seconds,
            )
        except BaseException as error:
            guarded.leave()
            if not isinstance(error, OSError):
                raise

    def opened(self, transport: asyncio.BaseTransport) -> None:
        """TLS is up; the first request must come soon."""
        self._transports.add(transport)
        loop = asyncio.get_running_loop()
        seconds = self._settings.first_request_seconds
        self._silent[transport] = loop.call_later(seconds, _abort, transport)

    def spoke(self, transport: asyncio.BaseTransport | None) -> None:
        """A whole request has arrived on it."""
        timer = self._silent.pop(transport, None) if transport is not None else None
        if timer is not None:
            timer.cancel()

    def leave(self, address: str, transport: asyncio.BaseTransport | None) -> None:
        """One less."""
        self.spoke(transport)
        if transport is not None:
            self._transports.discard(transport)
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
        self._metrics.connections.set(self._open.total())

    async def end(self, seconds: float) -> None:
        """End all: what was answered is sent first, and TLS is closed, for ``seconds`` at most."""
        for task in self._handshakes:
            task.cancel()
        await until(lambda: not any(map(_unsent, self._transports)), seconds)
        for transport in list(self._transports):
            _abort(transport)
        # One that was closing already ends when its time for that is over (ssl_shutdown_timeout).
        await until(lambda: not self._transports, 2 * seconds)


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until ``condition`` holds, for ``seconds`` at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110  # counters and buffers tell nobody when they change
                await asyncio.sleep(PAUSE_SECONDS)


class _Guarded(asyncio.Protocol):
    """Passes everything on to the protocol inside, and frees its place once."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol, address: str) -> None:
        self._connections = connections
        self._inner = inner
        self._address = address
        self._transport: asyncio.BaseTransport | None = None
        self._left = False

    def leave(self) -> None:
        """Free its place."""
        if not self._left:
            self._left = True
            self._connections.leave(self._address, self._transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        self._transport = transport
        self._connections.opened(transport)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free its place."""
        self.leave()
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on."""
        self._inner.resume_writing()


def _abort(transport: asyncio.BaseTransport) -> None:
    if isinstance(transport, asyncio.Transport):
        transport.abort()
    else:
        transport.close()


def _unsent(transport: asyncio.BaseTransport) -> bool:
    return isinstance(transport, asyncio.WriteTransport) and transport.get_write_buffer_size() > 0
