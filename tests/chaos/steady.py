"""Clients that submit at a steady pace, each with a key of its own and one transaction at a time.

Each has moments of its own, one in every so many seconds, spread evenly over all clients. A client that still
waits for an answer lets a moment pass. So how busy the machine is changes no rate; answers that come later
than the next moment show, as do those that never come.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence

from grootboek._core import SigningKey
from grootboek.client import AsyncClient
from grootboek.modules.records import Anchor
from tests.chaos.field import Field, say, until

__all__ = ["Steady"]


class Steady:
    """What they got."""

    def __init__(self, field: Field, nodes: Sequence[int], *, clients: int, every: float) -> None:
        """Each client uses one of ``nodes`` and has a moment ``every`` so many seconds."""
        self.acknowledged = 0
        self._field = field
        self._nodes = [nodes[number % len(nodes)] for number in range(clients)]
        self._every = every
        self._running = True

    @contextlib.asynccontextmanager
    async def under_way(self) -> AsyncIterator["Steady"]:
        """While the block runs; it begins when all clients are at work."""
        clients = [asyncio.create_task(self._client(number)) for number in range(len(self._nodes))]

        async def warm() -> bool:
            return self.acknowledged > len(clients)

        try:
            await until("the clients get answers", warm)
            yield self
            self._running = False
            await asyncio.gather(*clients)
        finally:
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)

    async def rate(self, seconds: float, when: str) -> float:
        """What is acknowledged in a second, measured from now on."""
        before, began = self.acknowledged, time.monotonic()
        await asyncio.sleep(seconds)
        rate = (self.acknowledged - before) / (time.monotonic() - began)
        say(f"{when}: {rate:.1f} transactions a second")
        return rate

    async def _client(self, number: int) -> None:
        now = asyncio.get_running_loop().time
        phase = now() + number / len(self._nodes) * self._every
        name = self._field.net.genesis.replicas[self._nodes[number]].name
        async with AsyncClient(
            self._field.net.genesis, (name,), SigningKey(secrets.token_bytes(32))
        ) as client:
            while self._running:
                await asyncio.sleep((phase - now()) % self._every)
                result = await client.submit(Anchor(secrets.token_hex(8), bytes(32)))
                self.acknowledged += result.require().applied
