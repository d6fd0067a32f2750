"""The load client: what waits for what, and where it goes when a replica is gone."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from grootboek.bench.load import PORTION_BYTES, LoadClient, _portions, set_up
from grootboek.bench.order import Order
from grootboek.bench.report import Load
from grootboek.bench.setting import Setting
from grootboek.bench.signing import expiry_of, requests_of, sign
from grootboek.bench.workloads.anchor import AnchorWorkload
from grootboek.bench.workloads.bulk import BulkWorkload
from grootboek.bench.workloads.transfer import TransferWorkload
from grootboek.bench.workloads.workload import Workload
from grootboek.client.nodes import Nodes
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.modules.tax import Tax
from grootboek.node.localnet import free_ports
from grootboek.testing import Network, network
from tests.bench.reports import SETTING

SMALL = msgspec.structs.replace(
    SETTING, seconds=0.5, warm_up=0.2, window=64, connections=16, keys=20, ceiling=600
)


@pytest.fixture
async def net() -> AsyncIterator[Network]:
    async with network(4, modules=[Parties, Records, Tax]) as running:
        yield running


async def loaded(net: Network, setting: Setting, workload: Workload, *, dead: bool = False) -> Load:
    """What a run saw; ``dead``: nobody listens where the first replica should be."""
    said: list[str] = []
    await set_up(net.genesis, workload, net.keys, setting.prepared)
    signed = sign(net.genesis, workload.transactions(setting.prepared), expiry_of(net.genesis))
    client = LoadClient(net.genesis, setting, workload.distance, said.append)
    if dead:
        first, *others = net.genesis.replicas
        gone = msgspec.structs.replace(first, api=f"127.0.0.1:{free_ports(1)[0]}")
        epoch = msgspec.structs.replace(net.genesis.founding, replicas=(gone, *others))
        client._nodes = Nodes(epoch, connections=setting.connections)
    await client.run(iter(requests_of(signed, setting.in_request)))
    assert said == ["measure", "end"]
    return client.load(workload, setting.keys)


async def test_a_closed_loop_counts_what_it_has_verified(net: Network) -> None:
    load = await loaded(net, SMALL, AnchorWorkload(SMALL.keys))
    assert set(load.errors) <= {"ran out of signed transactions: give a higher --ceiling"}
    assert load.acknowledged == sum(sample.acknowledged for sample in load.samples) == load.records
    assert load.total >= load.acknowledged
    assert load.total > 0
    assert load.moved == 0


async def test_documents_are_superseded_in_order_under_a_full_window(net: Network) -> None:
    """Each turn of the window writes over what the turn before it wrote."""
    load = await loaded(net, SMALL, AnchorWorkload(SMALL.keys, documents=8))
    assert "version-mismatch" not in load.errors
    assert load.total > 8
    assert load.distinct_keys == 8


async def test_an_open_loop_of_set_up_accounts(net: Network) -> None:
    setting = msgspec.structs.replace(SMALL, window=0, rate=60.0)
    load = await loaded(net, setting, TransferWorkload(SMALL.keys))
    assert load.errors == {}
    assert load.acknowledged == load.records == 30


async def test_connections_of_a_replica_that_is_gone_move_on(net: Network) -> None:
    load = await loaded(net, SMALL, AnchorWorkload(SMALL.keys), dead=True)
    assert load.moved == 4  # its connections, once each: they stay where they are well served
    assert set(load.errors) <= {"ran out of signed transactions: give a higher --ceiling"}


def test_a_large_set_up_comes_in_portions() -> None:
    drafts = list(BulkWorkload(keys=3).transactions(200))
    portions = list(_portions(drafts))
    assert [draft for portion in portions for draft in portion] == drafts
    sizes = [sum(len(command) for draft in portion for command in draft.commands) for portion in portions]
    assert all(PORTION_BYTES <= size < PORTION_BYTES + 20_000 for size in sizes[:-1])
    assert len(sizes) > 1
    assert list(_portions([])) == []


async def test_a_request_waits_for_those_it_relies_on() -> None:
    order = Order(2)
    for number in (0, 1):
        await order.enter(number)
    held = [asyncio.create_task(order.enter(number)) for number in (2, 3)]
    await asyncio.sleep(0)
    order.leave(1)
    await asyncio.sleep(0)
    assert not any(task.done() for task in held)
    order.leave(0)
    await asyncio.gather(*held)


async def test_without_a_distance_nothing_waits() -> None:
    order = Order(0)
    for number in range(1_000):
        await order.enter(number)
