"""Events: pulled from the log by cursor, each exactly once."""

import asyncio
import itertools

import msgspec
import pytest

from grootboek import wire
from grootboek.webapi import LedgerEvent
from tests.api.backend import Put, Written
from tests.api.conftest import Served, fill, transaction, until


async def take(served: Served, count: int, cursor: str = "") -> list[LedgerEvent]:
    found = []
    async with served.client() as client:
        async for event in client.events(cursor):
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_every_event_comes_once_and_in_order(served: Served) -> None:
    fill(served.backend, 4)
    events = await take(served, 24)
    assert [event.cursor for event in events] == [f"{h}/{n}" for h in range(1, 5) for n in range(6)]
    first = events[0]
    assert (first.module, first.name, first.height, first.index, first.command) == (
        "shelf",
        "Written",
        1,
        1,
        0,
    )
    assert wire.decode(msgspec.msgpack.Decoder(Written), first.body) == Written("key/0", 2)
    assert first.fields == ["key/0", 2]


@pytest.mark.parametrize(("cursor", "expected"), [("1/5", "2/0"), ("2/2", "2/3"), ("3/99", "4/0")])
async def test_a_stream_resumes_after_its_cursor(served: Served, cursor: str, expected: str) -> None:
    fill(served.backend, 4)
    [event] = await take(served, 1, cursor)
    assert event.cursor == expected


async def test_new_blocks_arrive_while_the_stream_is_open(served: Served) -> None:
    fill(served.backend, 1)
    async with served.client() as client:
        events = client.events("1/5")
        waiting = asyncio.create_task(anext(events))
        await until(lambda: bool(served.backend.registry.get_sample_value("grootboek_api_connections")))
        fill(served.backend, 1)
        assert (await waiting).cursor == "2/0"
        await events.aclose()


async def test_what_is_not_certified_does_not_arrive(served: Served) -> None:
    fill(served.backend, 1)
    served.backend.certifies = False
    fill(served.backend, 1)
    async with served.client() as client:
        events = client.events("1/4")
        assert (await anext(events)).cursor == "1/5"
        waiting = asyncio.create_task(anext(events))
        assert not (await asyncio.wait([waiting], timeout=0.2))[0]
        served.backend.certify()
        assert (await waiting).cursor == "2/0"
        await events.aclose()


async def test_a_slow_reader_loses_nothing(served: Served) -> None:
    """Two thousand events in blocks of a hundred, read long after they happened."""
    puts = itertools.count()
    for _ in range(20):
        batch = [transaction(served.backend, Put(f"k{next(puts)}", bytes(90))) for _ in range(100)]
        served.backend.order(b"".join(one.frame for one in batch))
    events = await take(served, 2_000)
    assert [event.fields[0] for event in events] == [f"k{i}" for i in range(2_000)]


async def test_only_one_modules_events(served: Served) -> None:
    fill(served.backend, 1)
    async with served.client() as client:
        assert (await anext(client.events(module="shelf"))).module == "shelf"
        nothing = asyncio.create_task(anext(client.events(module="other")))
        assert not (await asyncio.wait([nothing], timeout=0.2))[0]
        nothing.cancel()


@pytest.mark.parametrize("cursor", ["x", "1", "1/", "/1", "-1/0", "01/0", "1/1/1"])
async def test_a_wrong_cursor_is_refused(served: Served, cursor: str) -> None:
    status, data, _ = await served.get(f"/v1/events?cursor={cursor}")
    assert (status, msgspec.json.decode(data)["where"]) == (400, "cursor")


async def test_the_last_event_id_of_a_browser_resumes(served: Served) -> None:
    fill(served.backend, 2)
    headers = {"Last-Event-ID": "1/5"}
    async with served.session.get(served.url + "/v1/events", headers=headers) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        lines = [await answer.content.readline() for _ in range(4)]
    assert lines[0] == b"id: 2/0\n"
    assert lines[1] == b"event: shelf.Written\n"
    assert lines[3] == b"\n"


@pytest.mark.parametrize("served", [{"streams": 1}], indirect=True)
async def test_streams_are_bounded(served: Served) -> None:
    fill(served.backend, 1)
    async with served.session.get(served.url + "/v1/events") as answer:
        assert await answer.content.readline() == b"id: 1/0\n"
        assert (await served.get("/v1/events"))[0] == 429


@pytest.mark.parametrize("served", [{"streams": 1}], indirect=True)
async def test_who_has_left_holds_no_stream(served: Served) -> None:
    """Though no new block shows it."""
    fill(served.backend, 1)
    for _ in range(3):
        async with asyncio.timeout(5):
            while True:
                answer = await served.session.get(served.url + "/v1/events")
                if answer.status == 200:
                    break
                answer.close()
                await asyncio.sleep(0.01)
        assert await answer.content.readline() == b"id: 1/0\n"
        answer.close()
