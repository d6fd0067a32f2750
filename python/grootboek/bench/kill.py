"""A replica that is killed while the cluster is measured."""

import asyncio
import threading
import time
from typing import Self

from grootboek.bench.setting import Victim
from grootboek.client import AsyncClient
from grootboek.errors import BenchFailed
from grootboek.node.localnet import Localnet
from grootboek.webapi import NodeStatus

__all__ = ["Kill"]

END_SECONDS = 30.0


class Kill:
    """SIGKILL for the primary, or for the replica after it, some seconds after the block is entered."""

    def __init__(self, network: Localnet, victim: Victim | None, at: float) -> None:
        """``victim`` None: nobody is killed."""
        self.replica = ""
        """Who was killed."""
        self.seconds = 0.0
        """When, after the block was entered."""
        self._network = network
        self._victim = victim
        self._timer = threading.Timer(at, self._kill) if victim else None
        self._entered = 0.0

    def __enter__(self) -> Self:
        self._entered = time.perf_counter()
        if self._timer is not None:
            self._timer.start()
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer.join(END_SECONDS)
        if not self.replica and failure is None:
            raise BenchFailed(f"the {self._victim} could not be killed")

    def _kill(self) -> None:
        primary = asyncio.run(_primary(self._network))
        count = len(self._network.genesis.replicas)
        number = primary if self._victim == "primary" else (primary + 1) % count
        self.seconds = time.perf_counter() - self._entered
        self._network.kill(number)
        self.replica = self._network.genesis.replicas[number].name


async def _primary(network: Localnet) -> int:
    """The number of the primary of the highest view that a replica is in."""
    async with AsyncClient(network.genesis) as client:
        answers = [one for one in (await client.status()).values() if isinstance(one, NodeStatus)]
    return network.genesis.replica_index(max(answers, key=lambda one: one.view).primary)
