"""Real daemons through epochs under load: a fifth joins, keys are rotated, replicas leave, one is killed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from grootboek import receipts
from grootboek.cli.app import run
from grootboek.cli.exits import Exit
from grootboek.cli.reseating import Reseating
from grootboek.client import AsyncClient, Verifier
from grootboek.modules.records import Anchor
from grootboek.node.keystore import Identity, ReplicaKeys, unlock
from grootboek.node.localnet import Localnet, create
from grootboek.proofs import Receipt
from grootboek.types import Genesis

LOADERS = 4


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Localnet]:
    create(tmp_path / "net", modules=["parties", "records", "replicas"])
    network = Localnet(tmp_path / "net")
    try:
        network.start()
        yield network
    finally:
        network.stop()


class Load:
    """Clients that anchor one document after the other; each result is proven."""

    def __init__(self, net: Localnet) -> None:
        self.receipts: dict[bytes, Receipt] = {}
        self.first = asyncio.Event()
        self._net = net
        self._running = True

    @contextlib.asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        key = unlock(self._net.folder / "keys/client", None, Identity).key
        async with AsyncClient(self._net.genesis, key=key) as client:
            loaders = [asyncio.create_task(self._loader(client, i)) for i in range(LOADERS)]
            yield
            self._running = False
            await asyncio.gather(*loaders)

    async def _loader(self, client: AsyncClient, loader: int) -> None:
        number = 0
        while self._running:
            number += 1
            anchor = Anchor(key=f"{loader}/{number}", digest=number.to_bytes(32, "big"))
            result = await client.submit(anchor)
            self.receipts[result.id] = result.require().receipt()
            assert await client.latest_height() >= result.height
            self.first.set()


def keys_of(net: Localnet, k: int) -> ReplicaKeys:
    return unlock(net.replica_folder(k) / "keys", None, ReplicaKeys)


async def change(net: Localnet) -> None:
    """Epochs 1 to 4; when the third is about to be opened, one of its replicas dies and comes back."""
    opening = asyncio.Event()

    def say(text: str) -> None:
        if text.startswith("opening epoch 3"):
            opening.set()

    async with Reseating.over(net, say) as reseating:
        assert (await reseating.add()).added == ("replica-4",)
        assert (await reseating.rotate(2)).rekeyed == ("replica-2",)
        removing = asyncio.create_task(reseating.remove(0))
        await opening.wait()
        await asyncio.to_thread(net.kill, 3)
        await asyncio.to_thread(net.launch, [3])
        assert (await removing).removed == ("replica-0",)
        assert (await reseating.rotate(4)).rekeyed == ("replica-4",)


@pytest.mark.timeout(240)
async def test_nothing_acknowledged_is_lost_from_epoch_to_epoch(
    net: Localnet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    founding = {k: keys_of(net, k) for k in range(4)}
    old_receipt = tmp_path / "receipt"
    load = Load(net)
    async with load.under_way():
        await load.first.wait()
        old_receipt.write_bytes(receipts.encode(next(iter(load.receipts.values()))))
        await change(net)
    assert len(load.receipts) > 4 * LOADERS
    assert_proven(net, load)
    assert net.members == [1, 2, 3, 4]
    assert {verified_epoch(net, old_receipt.read_bytes())} == {0}
    await assert_all_are_kept(net, load)
    net.stop()
    for k in (0, 1, 4):
        assert run(["verify", str(net.replica_folder(k)), "--json"]) == Exit.OK, capsys.readouterr()
    for k, old in founding.items():
        assert_erased(net, k, old)


def verified_epoch(net: Localnet, receipt: bytes) -> int:
    """With nothing but the genesis file."""
    genesis = Genesis.load(net.folder / "genesis.json")
    return Verifier(genesis).verify_receipt(receipt).epoch


def assert_proven(net: Localnet, load: Load) -> None:
    epochs = {verified_epoch(net, receipts.encode(receipt)) for receipt in load.receipts.values()}
    assert epochs == {0, 1, 2, 3, 4}


async def assert_all_are_kept(net: Localnet, load: Load) -> None:
    """By the replica that joined and has other keys, which the genesis file does not know."""
    async with AsyncClient(net.genesis, ["replica-4"], connections=16) as client:
        for identity, receipt in load.receipts.items():
            assert (await client.receipt(identity)).index == receipt.index


def assert_erased(net: Localnet, k: int, old: ReplicaKeys) -> None:
    """No file of the replica holds a cosigning key of an epoch that is over."""
    kept = keys_of(net, k)
    assert kept.epoch == (3 if k == 0 else 4)
    assert kept.cosigning not in {old.at(epoch).cosigning for epoch in range(kept.epoch)}
    assert not (net.replica_folder(k) / "keys.next").exists()


async def test_a_change_of_a_network_that_was_interrupted_goes_on(net: Localnet) -> None:
    """The folder is there, and the replica admitted; keys that wait are taken again."""
    assert net.join() == net.join() == 4
    async with Reseating.over(net, print) as reseating:
        assert (await reseating.add()).replicas == tuple(f"replica-{k}" for k in range(5))
    assert net.join() == 5
    async with Reseating.over(net, print) as reseating:
        assert (await reseating.remove(0)).epoch == 2
    net.stop()
    await asyncio.to_thread(net.start)
    assert [process.name for process in net.status()] == [f"replica-{k}" for k in range(1, 5)]
