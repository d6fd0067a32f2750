"""Epochs on real nodes: TLS, sockets and key files; disks in memory."""

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from msgspec import Struct

from grootboek._core import SigningKey, State
from grootboek.ledger import Registry
from grootboek.ledger.members import GOVERNOR
from grootboek.modules.parties import Parties
from grootboek.modules.records import Anchor, Records
from grootboek.modules.replicas import Admit, OpenEpoch, Replicas
from grootboek.node.journal import Journal
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.localnet import free_ports
from grootboek.node.node import Node
from grootboek.node.seating import seat_of
from grootboek.node.seats import Seats
from grootboek.proofs import Answer, Final
from grootboek.simulation.clients import transaction
from grootboek.simulation.disk import SimulatedDisk
from grootboek.types import Genesis, Party
from grootboek.wire import Command, Member, encode

REGISTRY = Registry.of(Parties, Records, Replicas)
GOVERNOR_KEY = SigningKey(secrets.token_bytes(32))
SECONDS = 30.0


class Net:
    """Nodes by their place; what they are asked is submitted to the first."""

    def __init__(self, replicas: int, spares: int = 1) -> None:
        count = replicas + spares
        ports = free_ports(2 * count)
        self.keys = [[ReplicaKeys.generate(f"replica-{i}")] for i in range(count)]
        self.infos = [
            keys[0].public(f"127.0.0.1:{ports[2 * i]}", f"127.0.0.1:{ports[2 * i + 1]}")
            for i, keys in enumerate(self.keys)
        ]
        self.genesis = Genesis(
            name="epochs.invalid/ledger",
            time=time.time_ns() // 1_000_000,
            modules={name: REGISTRY.load(name).version for name in REGISTRY.names},
            replicas=tuple(self.infos[:replicas]),
            parties=(Party(id="00" * 16, keys=(GOVERNOR_KEY.public.hex(),), roles=(GOVERNOR,)),),
        )
        self.nodes: list[Node] = []
        self.disks = [SimulatedDisk() for _ in range(count)]
        for disk in self.disks:
            Journal.found(disk)
        self._nonce = 0

    async def start(self, place: int) -> Node:
        seats = Seats(self.keys[place], self.infos[place])
        node = Node(self.genesis, seats, self.disks[place], State(), REGISTRY, fresh=State, failed=_fail)
        await node.start()
        self.nodes.append(node)
        return node

    async def submit(self, module: str, value: Struct, key: SigningKey = GOVERNOR_KEY) -> Final:
        """Submit a command, again where the answer is lost with an epoch; it must be applied."""
        self._nonce += 1
        command = Command(module, type(value).__name__, 1, encode(value), secrets.token_bytes(16))
        expiry = time.time_ns() // 1_000_000 + 300_000
        _, body = transaction(self.genesis.chain, key, self._nonce, command, expiry)
        answer: Answer = await asyncio.wait_for(self.nodes[0].submit(body, "test"), SECONDS)
        result = answer.results[0]
        assert isinstance(result, Final), result
        assert [outcome for outcome, _ in result.records] == ["applied"], result
        return result

    def new_keys(self, place: int) -> ReplicaKeys:
        """The next epoch that names this replica names it with these."""
        fresh = ReplicaKeys.generate(self.infos[place].name)
        self.keys[place].append(fresh)
        self.infos[place] = fresh.public(self.infos[place].address, self.infos[place].api)
        return fresh

    async def open_epoch(self, places: Sequence[int]) -> None:
        """Hand the ledger over to the replicas at these places, and wait until they have it."""
        epoch = self.nodes[0].engine.epoch.number + 1
        height = min(node.ledger.height for node in self.nodes)
        seats = tuple(
            seat_of(self.genesis.chain, self.keys[i][-1].at(epoch), self.infos[i], height) for i in places
        )
        await self.submit("replicas", OpenEpoch(epoch, 1, seats))
        chosen = [node for node in self.nodes if node.info.name in {self.infos[i].name for i in places}]
        await self.until(lambda: all(n.engine.epoch.number == epoch for n in self.nodes))
        await self.until(lambda: not any(node.ready() for node in chosen))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not holds():  # noqa: ASYNC110  # what is waited for is in several nodes
                await asyncio.sleep(0.02)

    async def anchors(self, stop: asyncio.Event) -> int:
        """A document after the other, until told to stop: how many, each of them final."""
        count = 0
        while not stop.is_set():
            await self.submit("records", Anchor(key=f"doc-{count}", digest=secrets.token_bytes(32)))
            count += 1
        return count


def _fail(error: BaseException) -> None:
    raise error


@asynccontextmanager
async def running(replicas: int) -> AsyncIterator[Net]:
    net = Net(replicas)
    try:
        for place in range(replicas):
            await net.start(place)
        await net.until(lambda: not any(node.ready() for node in net.nodes))
        yield net
    finally:
        for node in net.nodes:
            await node.stop()


async def test_a_replica_joins_a_key_is_rotated_and_a_replica_leaves_under_load() -> None:
    async with running(4) as net:
        stop = asyncio.Event()
        load = asyncio.create_task(net.anchors(stop))
        await net.submit("replicas", Admit(Member.of(net.infos[4])))
        fifth = await net.start(4)
        await net.until(lambda: fifth.ledger.height > 2)
        assert fifth.ready() == ["this replica observes: epoch 0 does not name it"]
        await net.open_epoch(range(5))
        fresh = net.new_keys(2)
        await net.open_epoch(range(5))
        assert net.nodes[2].keys.voting == fresh.voting
        await net.open_epoch((0, 2, 3, 4))
        stop.set()
        assert await load > 3
        members = [node for node in net.nodes if node.me < 4]
        await net.until(lambda: len({(n.ledger.size, n.ledger.root) for n in members}) == 1)
        assert [node.me for node in net.nodes] == [0, 4, 1, 2, 3]
        assert net.nodes[1].ready()[0] == "this replica has left: epoch 3 does not name it"
        certificate = net.nodes[4].ledger.certificate
        assert certificate is not None
        assert net.nodes[4].ledger.epochs.check(certificate).epoch == 3


async def test_a_replica_that_missed_two_epochs_follows_them() -> None:
    async with running(4) as net:
        missed = net.nodes.pop()
        await net.submit("records", Anchor(key="before", digest=bytes(32)))
        await missed.stop()
        for _ in range(2):
            await net.open_epoch(range(4))
        await net.submit("records", Anchor(key="after", digest=bytes(32)))
        back = await net.start(3)
        await net.until(lambda: back.engine.epoch.number == 2 and not back.ready())
        await net.submit("records", Anchor(key="again", digest=bytes(32)))
        await net.until(lambda: len({(n.ledger.size, n.ledger.root) for n in net.nodes}) == 1)


async def missing(net: Net, place: int) -> None:
    """From now on this replica is down."""
    node = net.nodes.pop(place)
    await net.submit("records", Anchor(key="before", digest=bytes(32)))
    await node.stop()


async def test_a_replica_that_left_while_it_was_down_learns_it() -> None:
    """Nobody dials it any more; and as the first of its own epoch it is to dial nobody."""
    async with running(5) as net:
        await missing(net, 0)
        await net.open_epoch((1, 2, 3, 4))
        left = await net.start(0)
        await net.until(lambda: left.ready()[:1] == ["this replica has left: epoch 1 does not name it"])
        assert left.ledger.root == net.nodes[0].ledger.root


async def test_a_replica_that_missed_its_own_new_keys_takes_them_up() -> None:
    async with running(4) as net:
        await missing(net, 2)
        fresh = net.new_keys(2)
        await net.open_epoch(range(4))
        back = await net.start(2)
        await net.until(lambda: back.engine.epoch.number == 1 and not back.ready())
        assert back.keys.voting == fresh.voting


async def test_a_replica_that_missed_that_it_comes_last_now_is_found() -> None:
    """In its epoch it is to be dialled by the others, in theirs it is to dial them."""
    async with running(4) as net:
        await missing(net, 0)
        await net.open_epoch((1, 2, 3, 0))
        back = await net.start(0)
        await net.until(lambda: back.engine.epoch.number == 1 and not back.ready())


async def test_erased_keys_do_not_come_back() -> None:
    keys = ReplicaKeys.generate("replica-0")
    later = keys.at(3)
    assert later == keys.at(1).at(3)
    assert later.cosigning not in {keys.cosigning, keys.at(1).cosigning, keys.at(2).cosigning}
    with pytest.raises(Exception, match="erased"):
        later.at(2)
    assert base64.b64decode(keys.public("a:1", "b:2").api_certificate)
