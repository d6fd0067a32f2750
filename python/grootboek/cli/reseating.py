"""Changing the replicas of a running localnet: what the operators of a real ledger do between them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final, Self

from grootboek.cli.seats import Changes, Present, open_epoch, present, take
from grootboek.client import AsyncClient
from grootboek.errors import ConfigError, GrootboekError, Unavailable
from grootboek.ledger.members import GOVERNOR
from grootboek.modules.replicas import Admit, Replicas
from grootboek.node.keyfiles import KeyFiles
from grootboek.node.keystore import Identity, unlock
from grootboek.node.localnet import Localnet, identity_name
from grootboek.webapi import NodeStatus
from grootboek.wire import Member

__all__ = ["Reseating"]

SECONDS: Final = 60.0
"""How long one step may take."""
POLL_SECONDS: Final = 0.05


class Reseating:
    """One change of a network's replicas; whatever ends it half way, the same call goes on with it."""

    def __init__(self, network: Localnet, client: AsyncClient, say: Callable[[str], None]) -> None:
        """``client`` signs as a governor; ``say`` tells a person what happens."""
        self._network = network
        self._client = client
        self._say = say

    @classmethod
    @contextlib.asynccontextmanager
    async def over(cls, network: Localnet, say: Callable[[str], None]) -> AsyncIterator[Self]:
        """With a client of the network's governor. Raises KeyFileError, where there is none ConfigError."""
        path = network.folder / "keys" / identity_name(GOVERNOR)
        if not path.exists():
            raise ConfigError("the network was founded without the module `replicas`", where=str(path))
        key = unlock(path, None, Identity).key
        handovers = network.epochs.handovers
        async with AsyncClient(
            network.genesis, key=key, timeout=SECONDS, modules=[Replicas], handovers=handovers
        ) as client:
            yield cls(network, client, say)

    async def add(self) -> Changes:
        """One more replica."""
        now = await present(self._client)
        k = self._network.join()
        info = self._network.info(k)
        if now.info(info.name) is None:
            self._say(f"admitting {info.name} as an observer")
            (await self._client.submit(Admit(Member.of(info)))).require()
        self._network.launch([k])
        await self._until([k], lambda status: status.height >= now.height)
        return await self._open([*self._members(now), k])

    async def rotate(self, k: int) -> Changes:
        """New keys for a replica; the others keep theirs."""
        now = await present(self._client)
        self._require(now, k)
        return await self._open(self._members(now), rotated=k)

    async def remove(self, k: int) -> Changes:
        """One replica less."""
        now = await present(self._client)
        self._require(now, k)
        others = [one for one in self._members(now) if one != k]
        if not others:
            raise ConfigError("it is the last replica: without it there is no ledger", where="NUMBER")
        changes = await self._open(others, without=[self._network.info(k).name])
        await asyncio.to_thread(self._network.stop, [k])
        return changes

    def _members(self, now: Present) -> list[int]:
        names = {member.name for member in now.row.members}
        return [k for k in range(self._network.count) if self._network.info(k).name in names]

    def _require(self, now: Present, k: int) -> None:
        members = self._members(now)
        if k not in members:
            numbers = ", ".join(map(str, members))
            raise ConfigError(f"the present epoch has no replica {k}: it has {numbers}", where="NUMBER")

    async def _open(
        self, numbers: Sequence[int], *, rotated: int | None = None, without: Sequence[str] = ()
    ) -> Changes:
        """Collect the seats, open the epoch and wait until its replicas run it."""
        now = await present(self._client)
        now.require_governors()
        files = []
        for k in numbers:
            folder = self._network.replica_folder(k)
            keys = KeyFiles(folder / "keys", None)
            files.append((str(folder), await take(self._client, now, folder, keys, rotate=k == rotated)))
        self._say(f"opening epoch {now.row.number + 1} with {len(files)} replicas")
        changes = await open_epoch(self._client, now, files, without=without)
        await self._until(numbers, lambda status: status.epoch >= changes.epoch and not status.reasons)
        return changes

    async def _until(self, numbers: Iterable[int], holds: Callable[[NodeStatus], bool]) -> None:
        """Wait for replicas, each in turn; raises Unavailable."""
        deadline = time.monotonic() + SECONDS
        for k in numbers:
            while not await self._holds(k, holds):
                self._network.require_running(k)
                if time.monotonic() > deadline:
                    raise Unavailable(f"not so far after {SECONDS:.0f} s", where=self._network.info(k).name)
                await asyncio.sleep(POLL_SECONDS)

    async def _holds(self, k: int, holds: Callable[[NodeStatus], bool]) -> bool:
        try:
            return holds(await self._client.status_of(self._network.info(k)))
        except GrootboekError:
            return False
