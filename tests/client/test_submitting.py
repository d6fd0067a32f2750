"""Getting transactions to their end, through nodes that break, lie, refuse and vanish."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from msgspec import Struct, structs

from grootboek import proofs, wire
from grootboek.client import AsyncClient, Client
from grootboek.client.client import now_ms
from grootboek.client.transactions import Prepared, encode_command, prepare
from grootboek.errors import (
    BadSignature,
    ConfigError,
    Expired,
    GrootboekError,
    PoolFull,
    Unavailable,
)
from grootboek.ledger.module import Context, Module, View, command
from grootboek.proofs import Final
from grootboek.types import Genesis
from tests.client.fake_nodes import FakeNode, Trick, fake_nodes, fault, octets, refuse, split
from tests.client.small_ledger import EPOCH_MS, key


class Note(Struct, frozen=True, array_like=True):
    """A command of the tests' own."""

    text: str


class Records(Module):
    """Stands in for the module that the genesis file names."""

    name = "records"
    version = 1

    @command
    def note(self, ctx: Context, state: View, cmd: Note) -> None:
        """Never run here."""


class Setting(Struct):
    """A client and the nodes it talks to."""

    client: AsyncClient
    nodes: list[FakeNode]
    genesis: Genesis

    def play(self, *tricks: Trick) -> None:
        """All nodes play these from now on."""
        for node in self.nodes:
            node.tricks.extend(tricks)

    @property
    def requests(self) -> list[int]:
        """Transactions in each request, whichever node got it."""
        return [count for node in self.nodes for count in node.requests]


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    async with fake_nodes() as (genesis, nodes):
        client = AsyncClient(genesis, key=key("sender"), modules=[Records], timeout=20)
        async with client:
            yield Setting(client, nodes, genesis)


async def test_a_command_is_submitted_and_proven(setting: Setting) -> None:
    result = await setting.client.submit(Note("a"), Note("b"))
    assert result.require().outcomes == ("applied", "applied")
    proven = setting.client.verifier.verify_receipt(result.receipt())
    assert [record.body for record in proven.records] == [wire.encode(Note("a")), wire.encode(Note("b"))]


async def test_the_same_bytes_again_give_the_first_receipt(setting: Setting) -> None:
    prepared = setting.client.prepare([Note("once")])
    first, again = [(await setting.client.send_prepared([prepared]))[0] for _ in range(2)]
    assert first.index == again.index
    assert len(setting.nodes[0].ledger.finals) == 1


async def test_what_waits_together_goes_together(setting: Setting) -> None:
    prepared = [setting.client.prepare([Note(str(i))]) for i in range(2_500)]
    results = await setting.client.send_prepared(prepared)
    assert [result.id for result in results] == [one.id for one in prepared]
    assert setting.requests == [1_000, 1_000, 500]


async def test_many_are_yielded_in_their_order(setting: Setting) -> None:
    outcomes = [outcome async for outcome in setting.client.submit_many(Note(str(i)) for i in range(300))]
    indexes = [outcome.index for outcome in outcomes if not isinstance(outcome, GrootboekError)]
    assert len(indexes) == 300
    assert indexes == sorted(indexes)


async def test_a_window_bounds_what_is_under_way(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grootboek.client.client.WINDOW", 10)
    drawn = 0

    def rows() -> Iterator[Note]:
        nonlocal drawn
        for i in range(50):
            drawn = i
            yield Note(str(i))

    outcomes = setting.client.submit_many(rows())
    await anext(outcomes)
    assert drawn == 10
    assert len([outcome async for outcome in outcomes]) == 49


# --- nodes that break ----------------------------------------------------------------------------


async def drop(node: FakeNode, _: bytes) -> web.StreamResponse:
    """Take the request and cut the connection."""
    return node.hang_up()


async def order_and_drop(node: FakeNode, body: bytes) -> web.StreamResponse:
    """Order the transactions, and cut the connection before the answer."""
    node.good(body)
    return node.hang_up()


async def busy(_: FakeNode, __: bytes) -> web.StreamResponse:
    return fault(PoolFull(), 429, **{"Retry-After": "0"})


async def garbage(_: FakeNode, __: bytes) -> web.StreamResponse:
    return octets(b"\x93\x01\x02")


async def html(_: FakeNode, __: bytes) -> web.StreamResponse:
    return web.Response(status=502, body=b"<html>Bad Gateway</html>", content_type="text/html")


async def another_outcome(node: FakeNode, body: bytes) -> web.StreamResponse:
    """Say that it was refused, where it was applied."""
    node.good(body)
    for identity, final in node.ledger.finals.items():
        node.ledger.finals[identity] = Final(final.index, (("refused-by-a-liar", ()),))
    answer = node.good(body)
    for identity, final in node.ledger.finals.items():
        node.ledger.finals[identity] = Final(final.index, (("applied", ()),))
    return answer


@pytest.mark.parametrize("trick", [drop, order_and_drop, busy, garbage, html, another_outcome])
async def test_the_same_bytes_go_to_another_node(setting: Setting, trick: Trick) -> None:
    setting.play(trick)
    result = await setting.client.submit(Note("a"))
    assert result.applied
    assert len(setting.nodes[0].ledger.finals) == 1, "nothing may happen twice"


async def test_every_node_may_be_busy_for_a_while(setting: Setting) -> None:
    setting.play(busy, busy)
    results = await asyncio.gather(*(setting.client.submit(Note(str(i))) for i in range(5)))
    assert all(result.applied for result in results)


async def test_a_full_pool_for_some_is_tried_again(setting: Setting) -> None:
    async def half(node: FakeNode, body: bytes) -> web.StreamResponse:
        first, *rest = split(body)
        node.good(first)
        answer = wire.decode(proofs.answers, bytes(node.good(first).body))  # type: ignore[arg-type]  # bytes, as octets made it
        refused = [proofs.Refused(PoolFull.code, PoolFull.title) for _ in rest]
        return octets(
            wire.encode(
                proofs.Answer((*answer.results, *refused), answer.ranges, answer.certificate, answer.log)
            )
        )

    setting.nodes[0].tricks.append(half)
    setting.nodes[1].tricks.append(half)
    prepared = [setting.client.prepare([Note(str(i))]) for i in range(4)]
    results = await setting.client.send_prepared(prepared)
    assert all(result.applied for result in results)


async def test_no_node_answers_and_the_outcome_is_unknown(setting: Setting) -> None:
    impatient = AsyncClient(setting.genesis, key=key("x"), modules=[Records], timeout=0.3)
    setting.play(*[drop] * 50)
    async with impatient:
        with pytest.raises(Unavailable):
            await impatient.submit(Note("a"))


# --- refusals ------------------------------------------------------------------------------------


async def test_a_refusal_counts_when_two_nodes_agree(setting: Setting) -> None:
    setting.play(refuse(BadSignature.code))
    with pytest.raises(BadSignature):
        await setting.client.submit(Note("a"))
    assert len(setting.requests) == 2


async def test_one_liar_cannot_refuse(setting: Setting) -> None:
    for node in setting.nodes[:1]:
        node.tricks.extend([refuse(BadSignature.code)] * 10)
    results = await asyncio.gather(*(setting.client.submit(Note(str(i))) for i in range(8)))
    assert all(result.applied for result in results)


async def test_a_single_known_node_is_believed(setting: Setting) -> None:
    async with AsyncClient(setting.genesis, ["replica-2"], key=key("x"), modules=[Records]) as alone:
        setting.nodes[2].tricks.append(refuse(BadSignature.code))
        with pytest.raises(BadSignature):
            await alone.submit(Note("a"))


def long_ago(client: AsyncClient) -> Prepared:
    """A transaction that expired before the ledger's first block."""
    encoded = encode_command("records", 1, Note("late"))
    return prepare(client.genesis.chain, [key("sender")], [encoded], expiry=EPOCH_MS + 500)


async def test_expired_is_definite_once_the_ledgers_time_has_passed(setting: Setting) -> None:
    await setting.client.submit(Note("a"))
    setting.play(refuse(Expired.code), refuse(Expired.code))
    [result] = await setting.client.send_prepared([long_ago(setting.client)])
    assert result.status == "expired"
    with pytest.raises(Expired):
        result.require()


async def test_expired_by_clocks_alone_is_unknown(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle ledger's time stands still: a faulty node could still bring the transaction in."""
    monkeypatch.setattr("grootboek.client.sender.GRACE_SECONDS", 0.3)
    setting.nodes[0].ledger.append()
    prepared = setting.client.prepare([Note("a")])
    setting.play(*[refuse(Expired.code)] * 9)
    with pytest.raises(Unavailable):
        await setting.client.send_prepared([prepared])


async def test_refused_as_expired_but_in_the_log(setting: Setting) -> None:
    """Liars say expired; the receipt is found all the same."""
    prepared = long_ago(setting.client)
    setting.nodes[0].ledger.append(prepared)
    setting.play(refuse(Expired.code))
    [result] = await setting.client.send_prepared([prepared])
    assert result.applied


# --- the client's own checks ---------------------------------------------------------------------


async def test_an_expiry_in_the_past_is_refused_before_it_is_sent(setting: Setting) -> None:
    with pytest.raises(Expired):
        await setting.client.submit(Note("a"), expiry=now_ms() - 1)
    assert setting.requests == []


async def test_a_client_without_a_key_cannot_sign(setting: Setting) -> None:
    async with AsyncClient(setting.genesis, modules=[Records]) as reader:
        with pytest.raises(ConfigError):
            await reader.submit(Note("a"))


async def test_a_command_of_no_active_module_is_refused(setting: Setting) -> None:
    class Stranger(Struct, array_like=True):
        x: int

    with pytest.raises(ConfigError):
        await setting.client.submit(Stranger(1))


@pytest.mark.parametrize("name", ["replica-9", "nowhere", "host:port", ":80"])
async def test_an_unknown_node_is_refused(setting: Setting, name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        async with AsyncClient(setting.genesis, ["replica-0", name]):
            pass
    unopened = AsyncClient(setting.genesis, [name])
    with pytest.raises(ConfigError, match=name):
        await unopened.checkpoint()


async def test_only_the_nodes_own_certificate_is_trusted(setting: Setting) -> None:
    """replica-0's address with replica-1's certificate in the genesis file is somebody in between."""
    first, second, *rest = setting.genesis.replicas
    swapped = structs.replace(first, api_certificate=second.api_certificate)
    genesis = structs.replace(setting.genesis, replicas=(swapped, second, *rest))
    async with AsyncClient(genesis, ["replica-0"], timeout=5) as client:
        with pytest.raises(Unavailable):
            await client.checkpoint()


async def test_the_checkpoint_is_verified(setting: Setting) -> None:
    await setting.client.submit(Note("a"))
    proven = await setting.client.checkpoint()
    assert proven.size == setting.nodes[0].ledger.log.size
    _, block = await setting.client.certificate()
    assert block.height == 1


# --- the synchronous twin ------------------------------------------------------------------------


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_both_clients_have_the_same_names() -> None:
    asynchronous = public(AsyncClient) | {"genesis", "verifier"}
    assert asynchronous == public(Client)


async def test_the_synchronous_client_does_the_same(setting: Setting) -> None:
    def work() -> list[str]:
        with Client(setting.genesis, key=key("sender"), modules=[Records], timeout=20) as client:
            one = client.submit(Note("a"))
            many = list(client.submit_many(Note(str(i)) for i in range(20)))
            client.close()
            return [outcome.status for outcome in [one, *many] if not isinstance(outcome, GrootboekError)]

    assert await asyncio.to_thread(work) == ["applied"] * 21


async def test_the_synchronous_client_refuses_an_unknown_node(setting: Setting) -> None:
    def work() -> None:
        with Client(setting.genesis, ["replica-9"]):
            pass

    with pytest.raises(ConfigError, match="replica-9"):
        await asyncio.to_thread(work)
