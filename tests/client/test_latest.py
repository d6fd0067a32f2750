"""The height of a linearizable read: a quorum's word for how far the ledger is, whatever f of them say."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from msgspec import Struct

from grootboek.client import AsyncClient, latest
from grootboek.client.transactions import Prepared
from grootboek.errors import ConfigError, Unavailable
from grootboek.types import Genesis, Quorum
from tests.client.conftest import transaction
from tests.client.fake_nodes import FakeNode, fake_nodes, fault
from tests.client.small_ledger import SmallLedger

FAR = 1 << 40


class Setting(Struct):
    """Four nodes, and a client of all of them."""

    genesis: Genesis
    nodes: list[FakeNode]
    client: AsyncClient

    @property
    def ledger(self) -> SmallLedger:
        return self.nodes[0].ledger

    def append(self) -> Prepared:
        """A block more."""
        made = transaction(self.ledger, 1, str(len(self.ledger.blocks)))
        self.ledger.append(made)
        return made


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    async with fake_nodes() as (genesis, nodes), AsyncClient(genesis, modules=(), timeout=20) as client:
        yield Setting(genesis, nodes, client)


@pytest.mark.parametrize("n", range(1, 41))
def test_what_a_quorum_says_is_neither_less_than_was_certified_nor_a_liars_word(n: int) -> None:
    rng, quorum = random.Random(n), Quorum.of(n)
    for _ in range(50):
        certified = rng.randrange(1, 100)
        correct = rng.sample(range(n), n - quorum.faults)
        sizes = {i: rng.choice((0, FAR, rng.randrange(200))) for i in range(n)}
        sizes |= {i: rng.randrange(certified + 1) for i in correct}
        for i in rng.sample(correct, quorum.quorum - quorum.faults):
            sizes[i] = certified + rng.randrange(9)
        asked = rng.sample(sorted(sizes), rng.randrange(quorum.quorum, n + 1))
        reached = quorum.reached(sizes[i] for i in asked)
        assert reached is not None
        assert reached >= certified
        everybody = quorum.reached(sizes.values())
        assert everybody is not None
        assert everybody <= max(sizes[i] for i in correct)
    assert quorum.reached([FAR] * (quorum.quorum - 1)) is None


async def test_before_the_first_block(setting: Setting) -> None:
    assert await setting.client.latest_height() == 0


async def test_the_newest_block_is_found_though_a_node_is_behind(setting: Setting) -> None:
    setting.append()
    old = setting.nodes[2]
    old.old, old.says = setting.ledger.certificate(), {"size": setting.ledger.log.size}
    setting.append()
    for _ in setting.nodes:
        assert await setting.client.latest_height() == 2


async def test_it_waits_until_what_a_quorum_has_executed_is_certified(setting: Setting) -> None:
    setting.append()
    for node in setting.nodes:
        node.old = setting.ledger.certificate()
    setting.append()
    finding = asyncio.create_task(setting.client.latest_height())
    for node in setting.nodes:
        await node.asked.wait()
    assert not finding.done()
    for node in setting.nodes:
        node.old = None
    assert await finding == 2


@pytest.mark.parametrize("size", [0, FAR])
async def test_a_liar_makes_it_neither_earlier_nor_later(setting: Setting, size: int) -> None:
    setting.append()
    setting.nodes[1].says = {"size": size}
    assert await setting.client.latest_height() == 1


async def test_a_later_epoch_that_is_not_proven_does_not_count(setting: Setting) -> None:
    setting.append()
    setting.nodes[3].says = {"epoch": 7}
    assert await setting.client.latest_height() == 1


async def test_one_node_may_be_broken(setting: Setting) -> None:
    setting.append()
    setting.nodes[0].lies = lambda: fault(Unavailable("stopping"), 503)
    assert await setting.client.latest_height() == 1


async def test_two_that_hold_less_than_they_have_signed_leave_no_quorum(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latest, "PATIENCE_SECONDS", 0.3)
    setting.append()
    for node in setting.nodes[:2]:
        node.says = {"complete": False}
    with pytest.raises(Unavailable, match="no quorum"):
        await setting.client.latest_height()
    setting.nodes[0].says = {}
    assert await setting.client.latest_height() == 1


async def test_fewer_replicas_than_a_quorum_are_not_enough_to_ask(setting: Setting) -> None:
    async with AsyncClient(setting.genesis, ["replica-0", "replica-1"], modules=()) as client:
        with pytest.raises(ConfigError, match="needs 3"):
            await client.latest_height()
