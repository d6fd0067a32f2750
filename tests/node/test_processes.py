"""Four real daemons over TLS: killed at random moments under load, nothing acknowledged is lost."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from grootboek._core import SigningKey
from grootboek.bench.host import usage
from grootboek.client import AsyncClient
from grootboek.errors import GrootboekError
from grootboek.modules import records
from grootboek.modules.records import Anchor, Document
from grootboek.node import keystore
from grootboek.node.keystore import Identity
from grootboek.node.localnet import Localnet, create
from grootboek.types import Limits
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
    return AsyncClient(net.genesis, nodes=nodes, key=key_of(net))


def key_of(net: Localnet) -> SigningKey:
    return keystore.unlock(net.folder / "keys/client", None, Identity).key


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
            if not loader:
                assert await client.latest_height() >= result.height


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


# --- a lost disk, and an old one -----------------------------------------------------------------

WINDOW = 8
VICTIM = 3
PATIENCE = 1_000


@pytest.fixture
def small_window(tmp_path: Path) -> Iterator[Localnet]:
    """So that what may have been forgotten is soon passed. The victim's guard lies outside its directory."""
    create(tmp_path / "net", modules=["parties", "records"], limits=Limits(window=WINDOW))
    net = Localnet(tmp_path / "net")
    with (net.replica_folder(VICTIM) / "config.toml").open("a", encoding="utf-8") as file:
        file.write('guard = "../elsewhere"\n')
    (tmp_path / "net" / "elsewhere").mkdir()
    (net.replica_folder(VICTIM) / "guard").rename(tmp_path / "net" / "elsewhere" / "guard")
    try:
        net.start()
        yield net
    finally:
        net.stop()


async def grow(net: Localnet, blocks: int) -> None:
    """Wait until the load has made so many blocks."""
    async with client_of(net, (net.genesis.replicas[0].name,)) as client:
        start = await height(client)
        for _ in range(PATIENCE):
            if await height(client) >= start + blocks:
                return
            await asyncio.sleep(0.1)
    pytest.fail(f"fewer than {blocks} blocks")


async def height(client: AsyncClient) -> int:
    (status,) = (await client.status()).values()
    return status.height if isinstance(status, NodeStatus) else 0


async def assert_votes(net: Localnet) -> None:
    """With one of the others down, a quorum needs the victim's votes."""
    net.kill(2)
    async with client_of(net, tuple(net.genesis.replicas[k].name for k in (0, 1, VICTIM))) as client:
        result = await client.submit(Anchor(key="with its vote", digest=bytes(32)))
    assert result.outcomes == ("applied",)
    await asyncio.to_thread(net.start, [2])
    await assert_equal_logs(net)


async def test_a_wiped_replica_rejoins_under_load_and_votes_again(small_window: Localnet) -> None:
    net = small_window
    load = Load(net)
    running = asyncio.create_task(load.run())
    await grow(net, 2 * WINDOW)
    net.kill(VICTIM)
    for path in net.replica_folder(VICTIM).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    shutil.rmtree(net.folder / "elsewhere")
    await asyncio.to_thread(net.start, [VICTIM])
    await grow(net, 6 * WINDOW)
    load.stop()
    await running
    await assert_votes(net)
    async with client_of(net, (net.genesis.replicas[VICTIM].name,)) as client:
        for identity, index in load.acknowledged.items():
            assert (await client.receipt(identity)).index == index


@pytest.mark.long
async def test_an_old_copy_of_a_directory_is_noticed_and_learns(small_window: Localnet) -> None:
    net = small_window
    folder, image = net.replica_folder(VICTIM), net.folder / "image"
    load = Load(net)
    running = asyncio.create_task(load.run())
    await grow(net, WINDOW)
    net.kill(VICTIM)
    shutil.copytree(folder, image)
    await asyncio.to_thread(net.start, [VICTIM])
    await grow(net, WINDOW)
    net.kill(VICTIM)
    shutil.rmtree(folder)
    image.rename(folder)
    await asyncio.to_thread(net.start, [VICTIM])
    assert "the journal is given up" in (folder / "log.txt").read_text(encoding="utf-8")
    await grow(net, 6 * WINDOW)
    load.stop()
    await running
    await assert_votes(net)


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


async def test_whoever_reads_at_the_latest_height_sees_what_another_client_was_just_told(
    localnet: Localnet,
) -> None:
    async with client_of(localnet, ("replica-0",)) as writer, client_of(localnet) as reader:
        public = key_of(localnet).public
        (owner,) = (party.id for party in localnet.genesis.parties if public.hex() in party.keys)
        key = records.latest.key(bytes.fromhex(owner), "k")
        for version in range(1, 13):
            if version == 7:
                localnet.kill(3)
            digest = version.to_bytes(32, "big")
            result = await writer.submit(Anchor(key="k", digest=digest, supersedes=version - 1))
            height = await reader.latest_height()
            assert height >= result.require().height
            proven = await reader.get_state("records", key, as_of=height)
            assert proven.value is not None
            assert msgspec.msgpack.decode(proven.value, type=Document).digest == digest


async def test_the_others_say_that_they_leave_a_primary_and_who_is_the_next(localnet: Localnet) -> None:
    localnet.kill(0)
    async with client_of(localnet, ("replica-2",)) as client:
        (await client.submit(Anchor(key="a", digest=bytes(32)))).require()
    told = [
        (line["event"], line["view"], line["primary"])
        for text in (localnet.folder / "replica-2/log.txt").read_text(encoding="utf-8").splitlines()
        if (line := msgspec.json.decode(text)).get("event", "").startswith("view ")
    ]
    assert told == [("view wanted", 1, "replica-1"), ("view open", 1, "replica-1")]


async def test_an_idle_ledger_comes_to_rest_and_writes_nothing(localnet: Localnet) -> None:
    async with client_of(localnet) as client:
        (await client.submit(Anchor(key="a", digest=bytes(32)))).require()
    pids = [pid for k in range(4) if (pid := localnet.pid(k)) is not None]
    before: list[int] = []
    async with asyncio.timeout(60):
        while (written := [usage(pid).written_bytes for pid in pids]) != before:
            before = written
            await asyncio.sleep(3)  # longer than any timer by which a replica syncs or flushes
    assert len(written) == 4
    assert all(written)
