"""Nodes that would keep a client busy, waiting or fooled for ever."""

import asyncio
import datetime as dt
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from grootboek import plain, wire
from grootboek.client import AsyncClient, Client
from grootboek.errors import (
    ApiError,
    BadProof,
    BadSignature,
    ConfigError,
    Expired,
    GrootboekError,
    InternalError,
    Malformed,
    Unavailable,
)
from grootboek.types import Genesis
from grootboek.webapi import LedgerEvent
from tests.client.fake_nodes import FakeNode, fake_nodes, fault, octets, refuse
from tests.client.small_ledger import EPOCH_MS, key
from tests.client.test_submitting import Note, Records, drop, long_ago

Setting = tuple[AsyncClient, list[FakeNode]]


def client_of(genesis: Genesis, nodes: tuple[str, ...] = (), *, timeout: float | None = 20.0) -> AsyncClient:
    return AsyncClient(genesis, nodes, key=key("sender"), modules=[Records], timeout=timeout)


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    async with fake_nodes() as (genesis, nodes), client_of(genesis) as client:
        yield client, nodes


def error_after_error(depth: int = 100_000) -> web.Response:
    """An error body whose unknown field is nested too deep to be skipped."""
    return web.Response(status=400, body=b'{"x":' + b"[" * depth, content_type="application/json")


async def nested(_: FakeNode, __: bytes) -> web.StreamResponse:
    return error_after_error()


async def hang(_: FakeNode, __: bytes) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits that long")


# --- submitting ----------------------------------------------------------------------------------


async def test_an_error_that_cannot_be_decoded_is_one_nodes_fault(setting: Setting) -> None:
    client, nodes = setting
    for node in nodes:
        node.tricks.append(nested)
    result = await client.submit(Note("a"))
    assert result.applied


async def test_a_defect_is_told_to_those_who_wait(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("grootboek.client.sender.verify_answer", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        await setting[0].submit(Note("a"))


async def test_nodes_that_are_down_are_asked_with_pauses_also_where_another_one_refuses() -> None:
    async with fake_nodes() as (genesis, nodes):
        nodes[0].tricks.extend([refuse(BadSignature.code)] * 5)
        for node in nodes[1:]:
            node.tricks.extend([drop] * 1_000)
        async with client_of(genesis, timeout=1.0) as client:
            with pytest.raises(Unavailable):
                await client.submit(Note("a"))
        assert sum(len(node.requests) for node in nodes[1:]) < 12


async def test_a_node_that_only_says_it_has_an_expired_transaction_is_not_believed(setting: Setting) -> None:
    client, nodes = setting
    await client.submit(Note("a"))
    nodes[0].lies = lambda: octets(b"surely")
    for node in nodes:
        node.tricks.extend([refuse(Expired.code)] * 50)
    [result] = await client.send_prepared([long_ago(client)])
    assert result.status == "expired"


async def test_a_node_that_is_named_twice_is_one_node() -> None:
    async with fake_nodes() as (genesis, nodes):
        nodes[0].tricks.extend([refuse(BadSignature.code)] * 1_000)
        names = ("replica-0", genesis.replicas[0].api)
        async with client_of(genesis, names, timeout=2) as client:
            with pytest.raises(BadSignature):
                await client.submit(Note("a"))


async def test_closing_tells_those_who_wait(setting: Setting) -> None:
    client, nodes = setting
    for node in nodes:
        node.tricks.extend([hang] * 100)
    # What was refused once goes alone: more transactions than flights, so that some still wait.
    waiting = [asyncio.create_task(client.submit(Note("x" * 1_000 * i))) for i in range(1, 40)]
    waiting += [asyncio.create_task(client.submit(Note("x" * 45_000))) for _ in range(400)]
    async with asyncio.timeout(20):
        while not any(node.requests for node in nodes):  # noqa: ASYNC110  # several nodes
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    asked = sum(len(node.requests) for node in nodes)
    await client.close()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    await asyncio.sleep(0.2)
    assert sum(len(node.requests) for node in nodes) == asked


# --- many ----------------------------------------------------------------------------------------


async def test_what_cannot_be_made_yields_its_error_and_the_others_go_on(setting: Setting) -> None:
    items = [[Note("a")], [], [Note("b")], [Note("x" * 60_000)], [Note("c")]]
    outcomes = [outcome async for outcome in setting[0].submit_many(items)]
    kinds = ["GB" if isinstance(outcome, GrootboekError) else outcome.status for outcome in outcomes]
    assert kinds == ["applied", "GB", "applied", "GB", "applied"]
    assert isinstance(outcomes[1], Malformed)


async def test_each_of_many_ends_in_time() -> None:
    async with fake_nodes() as (genesis, nodes):
        for node in nodes:
            node.tricks.extend([hang] * 100)
        async with client_of(genesis, timeout=0.3) as client:
            outcomes = client.submit_many(Note(str(i)) for i in range(20))
            async with asyncio.timeout(5):
                assert {type(outcome) async for outcome in outcomes} == {Unavailable}


async def test_who_stops_asking_stops_sending(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    client, nodes = setting
    monkeypatch.setattr("grootboek.client.sender.FLIGHTS", 1)
    outcomes = client.submit_many(Note("x" * 45_000) for _ in range(200))
    await anext(outcomes)
    await outcomes.aclose()
    await asyncio.sleep(0.3)
    assert sum(sum(node.requests) for node in nodes) < 100


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lie",
    [
        error_after_error,
        lambda: fault(InternalError("broken"), 500),
        lambda: fault(ApiError("no such id"), 400),
        lambda: octets(b"\x91" * 100_000),
        lambda: octets(b"\xff"),
        lambda: web.Response(status=302, headers={"Location": "https://127.0.0.1:1/"}),
    ],
)
async def test_a_read_goes_on_at_another_node(setting: Setting, lie: Callable[[], web.Response]) -> None:
    client, nodes = setting
    result = await client.submit(Note("a"))
    for node in nodes[:3]:
        node.lies = lie
    assert (await client.receipt(result.id)).index == result.index


@pytest.mark.parametrize("body", [b'"\xff"', b"[" * 100_000, b'{"result": ' + b"[" * 100_000, b"{}"])
async def test_a_query_with_a_senseless_answer_is_an_error(setting: Setting, body: bytes) -> None:
    client, nodes = setting
    for node in nodes:
        node.lies = lambda: web.Response(body=body, content_type="application/json")
    with pytest.raises(GrootboekError):
        await client.query("records", "document")


async def test_a_receipt_of_some_commands_is_not_the_transactions(setting: Setting) -> None:
    client, nodes = setting
    result = await client.submit(Note("a"), Note("b"))
    for node in nodes:
        node.records = (1,)
    with pytest.raises(BadProof, match="every command"):
        await client.receipt(result.id)


async def test_a_state_after_the_time_that_was_asked_is_refused(setting: Setting) -> None:
    client, nodes = setting
    prepared = client.prepare([Note("a")])
    nodes[0].ledger.append(prepared)
    nodes[0].ledger.append()
    for node in nodes:
        node.lies = lambda: octets(wire.encode(nodes[0].ledger.state_proof(prepared.id, 2)))
    second = dt.datetime.fromtimestamp(EPOCH_MS / 1_000 + 2, dt.UTC)
    for good in (2, "2", second.isoformat()):
        proven = await client.get_state("records", prepared.id, as_of=good)
        assert proven.height == 2
    for bad in (1, "1", (second - dt.timedelta(milliseconds=1)).isoformat()):
        with pytest.raises(BadProof):
            await client.get_state("records", prepared.id, as_of=bad)


# --- following -----------------------------------------------------------------------------------

EVENT = LedgerEvent(
    cursor="7/0", height=7, time=1, index=9, transaction=bytes(32), command=0, module="m", name="N",
    body=b"", fields=[],
)  # fmt: skip


def good_event() -> web.Response:
    return web.Response(body=b"data: " + plain.to_json(EVENT) + b"\n\n", content_type="text/event-stream")


@pytest.mark.parametrize(
    "lie",
    [
        lambda: web.Response(body=b"data: " + b"x" * (1 << 20)),
        lambda: web.Response(body=b"data: " + b"[" * 60_000 + b"\n"),
        lambda: web.Response(body=b'data: "\xff"\n'),
        lambda: fault(ApiError("a wrong cursor, it says"), 400),
        lambda: fault(InternalError("broken"), 500),
        error_after_error,
    ],
)
async def test_events_go_on_at_another_node(setting: Setting, lie: Callable[[], web.Response]) -> None:
    client, nodes = setting
    for node in nodes:
        node.lies = good_event
    nodes[0].lies = lie
    async with asyncio.timeout(10):
        async for event in client.events():
            assert event == EVENT
            break


async def test_a_wrong_cursor_is_an_error_when_two_nodes_say_so(setting: Setting) -> None:
    client, nodes = setting
    for node in nodes:
        node.lies = lambda: fault(ApiError("a wrong cursor"), 400)
    with pytest.raises(ApiError):
        await anext(client.events("x"))


async def test_a_silent_node_is_not_waited_for_beyond_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"127.0.0.1:{silent.getsockname()[1]}"
        async with (
            fake_nodes() as (genesis, _),
            client_of(genesis, (name,), timeout=0.3) as client,
            asyncio.timeout(5),
        ):
            assert isinstance((await client.status())[name], Unavailable)


# --- the synchronous twin ------------------------------------------------------------------------


async def test_a_closed_client_says_so() -> None:
    async with fake_nodes() as (genesis, _):
        client = Client(genesis)
        client.close()
        with pytest.raises(ConfigError, match="closed"):
            client.status()
