"""What one client address may take of the node at once, decided before any work is done."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from grootboek.api.settings import ApiSettings
from grootboek.errors import TooManyRequests

__all__ = ["Budget"]

REMEMBERED: Final = 10_000
"""Client addresses whose rate is remembered; the longest unseen is forgotten first."""


class _Client:
    """The use that one address makes of the API."""

    __slots__ = ("bytes", "requests", "seen", "tokens")

    def __init__(self, tokens: float, now: float) -> None:
        self.requests = 0
        self.bytes = 0
        self.tokens = tokens
        self.seen = now


class Budget:
    """Counts requests and bytes under way, and requests a second, for each address and in all."""

    def __init__(self, settings: ApiSettings) -> None:
        """One for each server."""
        self._settings = settings
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self.requests = 0

    @contextmanager
    def request(self, address: str, now: float) -> Iterator[None]:
        """One request under way; ``now`` in seconds. Raises TooManyRequests."""
        client = self._client(address, now)
        self._refill(client, now)
        if self.requests >= self._settings.requests:
            raise TooManyRequests("the node has too many requests under way")
        if client.requests >= self._settings.client_requests:
            raise TooManyRequests(f"{client.requests} requests of yours are under way")
        if client.tokens < 1:
            raise TooManyRequests(f"more than {self._settings.client_rate} requests a second")
        client.tokens -= 1
        client.requests += 1
        self.requests += 1
        try:
            yield
        finally:
            client.requests -= 1
            self.requests -= 1

    @contextmanager
    def body(self, address: str, size: int, now: float) -> Iterator[None]:
        """``size`` bytes of a submission under way. Raises TooManyRequests."""
        client = self._client(address, now)
        if client.bytes + size > self._settings.client_bytes:
            raise TooManyRequests(f"{client.bytes} bytes of yours are under way")
        client.bytes += size
        try:
            yield
        finally:
            client.bytes -= size

    def _client(self, address: str, now: float) -> _Client:
        client = self._clients.get(address)
        if client is None:
            client = self._clients[address] = _Client(2.0 * self._settings.client_rate, now)
            self._forget()
        self._clients.move_to_end(address)
        return client

    def _refill(self, client: _Client, now: float) -> None:
        rate = self._settings.client_rate
        client.tokens = min(2.0 * rate, client.tokens + rate * max(0.0, now - client.seen))
        client.seen = now

    def _forget(self) -> None:
        """Drop the address that was unseen longest and has nothing under way."""
        if len(self._clients) > REMEMBERED:
            idle = (name for name, one in self._clients.items() if not one.requests and not one.bytes)
            self._clients.pop(next(idle, ""), None)
