"""Clients that submit one transaction after the other with a pause between, each with a key of its own."""

import asyncio
import contextlib
import random
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

    def __init__(self, field: Field, nodes: Sequence[int], *, clients: int, think: float) -> None:
        """Each client uses one of ``nodes``, and waits ``think`` seconds after each answer: so many that the
        machine is far from busy, and so few that slow answers show.
        """
        self.acknowledged = 0
        self._field = field
        self._nodes = [nodes[number % len(nodes)] for number in range(clients)]
        self._think = think
        self._running = True

    @contextlib.asynccontextmanager
    async def under_way(self) -> AsyncIterator["Steady"]:
        """While the block runs; it begins when all clients are at work."""
        clients = [asyncio.create_task(self._client(node)) for node in self._nodes]

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

    async def _client(self, node: int) -> None:
        key = SigningKey(secrets.token_bytes(32))
        name = self._field.net.genesis.replicas[node].name
        async with AsyncClient(self._field.net.genesis, (name,), key) as client:
            await asyncio.sleep(random.random() * self._think)
            while self._running:
                result = await client.submit(Anchor(f"{self.acknowledged}/{secrets.token_hex(4)}", bytes(32)))
                self.acknowledged += result.require().applied
                await asyncio.sleep(self._think)
