"""Connections: how many there may be, in all and for each address, and how long one may say nothing."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Final

from grootboek.api.health import ApiMetrics
from grootboek.api.settings import ApiSettings

__all__ = ["Connections", "until"]

PAUSE_SECONDS: Final = 0.005


class Connections:
    """The open connections of one server."""

    def __init__(self, settings: ApiSettings, metrics: ApiMetrics) -> None:
        """Empty."""
        self._settings = settings
        self._metrics = metrics
        self._open: Counter[str] = Counter()
        self._transports: set[asyncio.BaseTransport] = set()
        self._silent: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}

    def guard(self, inner: asyncio.Protocol) -> asyncio.Protocol:
        """``inner`` with a place among the open connections."""
        return _Guarded(self, inner)

    def admit(self, address: str, transport: asyncio.BaseTransport) -> bool:
        """Count one more, unless that is too many; its first request must come soon."""
        total, settings = self._open.total(), self._settings
        if total >= settings.connections or self._open[address] >= settings.client_connections:
            self._metrics.refused.inc()
            return False
        self._open[address] += 1
        self._transports.add(transport)
        self._metrics.connections.set(total + 1)
        loop = asyncio.get_running_loop()
        self._silent[transport] = loop.call_later(settings.first_request_seconds, _abort, transport)
        return True

    def spoke(self, transport: asyncio.BaseTransport | None) -> None:
        """A whole request has arrived on it."""
        timer = self._silent.pop(transport, None) if transport is not None else None
        if timer is not None:
            timer.cancel()

    def leave(self, address: str, transport: asyncio.BaseTransport) -> None:
        """One less."""
        self.spoke(transport)
        self._transports.discard(transport)
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
        self._metrics.connections.set(self._open.total())

    async def end(self, seconds: float) -> None:
        """End all: what was answered is sent first, and TLS is closed, for ``seconds`` at most."""
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
    """Passes everything on to the protocol inside, once the connection is admitted."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self._connections = connections
        self._inner = inner
        self._address = ""
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse one too many."""
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        if self._connections.admit(self._address, transport):
            self._transport = transport
            self._inner.connection_made(transport)
        else:
            _abort(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free its place."""
        if self._transport is not None:
            self._connections.leave(self._address, self._transport)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        if self._transport is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on."""
        return self._inner.eof_received() if self._transport is not None else None

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
