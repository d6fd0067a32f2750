"""Four real daemons over TLS: killed at random moments under load, nothing acknowledged is lost."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from grootboek.client import AsyncClient
from grootboek.errors import GrootboekError
from grootboek.modules.records import Anchor
from grootboek.node import keystore
from grootboek.node.keystore import Identity
from grootboek.node.localnet import Localnet, create
from grootboek.webapi import NodeStatus

KILLS = 50
LOADERS = 16


@pytest.fixture
def localnet(tmp_path: Path) -> Iterator[Localnet]:
    create(tmp_path / "net", modules=["parties", "records"])
    net = Localnet(tmp_path / "net")
    try:
        net.start()
        yield net
    finally:
        net.stop()


def client_of(net: Localnet, nodes: tuple[str, ...] = ()) -> AsyncClient:
    keys = net.folder / "keys"
    identity = keystore.unlock(keys / "client", None, Identity)
    return AsyncClient(net.genesis, nodes=nodes, key=identity.key)


class Load:
    """Clients that submit one record after the other, and remember what was acknowledged."""

    def __init__(self, net: Localnet) -> None:
        self.acknowledged: dict[bytes, int] = {}
        self._net = net
        self._running = True

    async def run(self) -> None:
        async with client_of(self._net) as client:
            await asyncio.gather(*(self._loader(client, i) for i in range(LOADERS)))

    def stop(self) -> None:
        self._running = False

    async def _loader(self, client: AsyncClient, loader: int) -> None:
        number = 0
        while self._running:
            number += 1
            record = Anchor(key=f"{loader}/{number}", digest=number.to_bytes(32, "big"))
            prepared = client.prepare([record])
            (result,) = await client.send_prepared([prepared])
            assert result.outcomes == ("applied",)
            self.acknowledged[result.id] = result.index


@pytest.mark.timeout(600)
async def test_fifty_kills_under_load_lose_nothing(localnet: Localnet) -> None:
    rng = random.Random(3)
    load = Load(localnet)
    running = asyncio.create_task(load.run())
    for _ in range(KILLS):
        victim = rng.randrange(4)
        await asyncio.sleep(rng.random() * 0.3)
        localnet.kill(victim)
        await asyncio.sleep(rng.random() * 0.2)
        await asyncio.to_thread(localnet.start, [victim])
        assert not running.done()
    load.stop()
    await running
    assert len(load.acknowledged) > KILLS
    await assert_equal_logs(localnet)
    for replica in localnet.genesis.replicas:
        async with client_of(localnet, (replica.name,)) as client:
            for identity, index in rng.sample(sorted(load.acknowledged.items()), 40):
                assert (await client.receipt(identity)).index == index


async def assert_equal_logs(net: Localnet) -> None:
    """All replicas come to the same size, root and state."""
    async with client_of(net) as client:
        for _ in range(100):
            status = list((await client.status()).values())
            heads = {(s.size, s.root, s.certified_size) for s in status if isinstance(s, NodeStatus)}
            if len(heads) == 1 and all(isinstance(s, NodeStatus) for s in status):
                return
            await asyncio.sleep(0.2)
    pytest.fail(f"replicas differ: {[s if isinstance(s, GrootboekError) else s.size for s in status]}")


async def test_a_restart_of_all_continues_where_they_were(localnet: Localnet) -> None:
    async with client_of(localnet) as client:
        before = await client.submit(Anchor(key="a", digest=bytes(32)))
    for k in range(4):
        localnet.kill(k)
    await asyncio.to_thread(localnet.start)
    async with client_of(localnet) as client:
        assert (await client.receipt(before.id)).index == before.index
        after = await client.submit(Anchor(key="b", digest=bytes(32)))
        assert after.index > before.index
