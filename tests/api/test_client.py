"""The client against the real server over a real ledger."""

import pytest

from grootboek import receipts, wire
from grootboek.errors import ApiError, BadAnswer, NotFound, Rejected, Unavailable
from tests.api.backend import START_MS, Put, Row, rows
from tests.api.conftest import Served, fill, transaction


async def test_submit_query_prove(served: Served) -> None:
    async with served.client() as client:
        prepared = transaction(served.backend, Put("k", b"v"))
        [result] = await client.send_prepared([prepared])
        assert result.require().events[0][0].name == "Written"
        assert await client.query_as(Row, "shelf", "row", key="k") == Row(b"v", 1)
        proven = await client.get_state("shelf", rows.key("k"))
        assert proven.value == wire.encode(Row(b"v", 1))
        receipt = await client.receipt(prepared.id)
        assert receipts.encode(receipt) == receipts.encode(result.receipt())


async def test_reads_as_of_an_earlier_height_and_time(served: Served) -> None:
    fill(served.backend, 3)
    async with served.client() as client:
        assert (await client.get_state("shelf", rows.key("key/0"), as_of=2)).height == 2
        by_time = await client.get_state("shelf", rows.key("key/0"), as_of="2026-01-01T00:00:01+00:00")
        assert (by_time.height, by_time.time) == (1, START_MS + 1_000)
        assert (await client.query("shelf", "row", as_of=2, key="key/0")).result["height"] == 2


async def test_arguments_of_every_kind(served: Served) -> None:
    fill(served.backend, 1)
    async with served.client() as client:
        answer = await client.query(
            "shelf", "search", keys=["a b", "ü&="], raw=b"\x0a", limit=2, exact=True, row=Row(b"\xff", 3)
        )
    assert answer.result == {
        "keys": ["a b", "ü&="],
        "raw": "0a",
        "limit": 2,
        "exact": True,
        "row": {"value": "ff", "height": 3},
    }


async def test_errors_arrive_as_they_were_raised(served: Served) -> None:
    fill(served.backend, 1)
    async with served.client() as client:
        with pytest.raises(NotFound):
            await client.receipt(bytes(32))
        with pytest.raises(NotFound):
            await client.get_state("shelf", b"", as_of=9)
        with pytest.raises(ApiError) as wrong:
            await client.query("shelf", "row", kye="a")
        assert "kye" in str(wrong.value)
        with pytest.raises(Rejected) as refused:
            await client.query("shelf", "private", key="a")
        assert refused.value.reason == "not-yours"
        with pytest.raises(BadAnswer):
            await client.query_as(int, "shelf", "row", key="key/0")


async def test_a_node_that_is_gone_is_unavailable(served: Served) -> None:
    served.backend.fail = Unavailable("stopping")
    async with served.client() as client:
        client._timeout = 0.3
        with pytest.raises(Unavailable):
            await client.send_prepared([transaction(served.backend, Put("k", b"v"))])
