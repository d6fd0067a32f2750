"""Four replicas in one process, over real TLS: what a test that uses them waits for."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count

import pytest

from benches.ledgers import BATCH
from benches.measuring import Measure
from grootboek.client import AsyncClient
from grootboek.modules.records import Anchor, Records
from grootboek.testing import network

pytestmark = pytest.mark.benchmark(group="cluster", timer=time.perf_counter)

NUMBERS = count()


@asynccontextmanager
async def client_of_four() -> AsyncIterator[AsyncClient]:
    async with network(4, modules=[Records]) as ledger, ledger.client() as client:
        yield client


@pytest.fixture
def client(runner: asyncio.Runner) -> Iterator[AsyncClient]:
    """A client of a network that runs while the benchmark's loop does."""
    context = client_of_four()
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


def document() -> Anchor:
    return Anchor(key=f"bench/{next(NUMBERS)}", digest=bytes(32))


def test_start_and_stop_of_four_replicas(measure: Measure) -> None:
    async def once() -> None:
        async with client_of_four():
            pass

    measure(once)


def test_one_transaction_to_its_verified_receipt(measure: Measure, client: AsyncClient) -> None:
    async def once() -> None:
        (await client.submit(document())).require()

    measure(once, of="transactions")


def test_a_thousand_transactions_to_their_verified_receipts(measure: Measure, client: AsyncClient) -> None:
    async def once() -> None:
        results = client.submit_many(document() for _ in range(BATCH))
        assert all([not isinstance(result, Exception) and result.applied async for result in results])

    measure(once, items=BATCH, of="transactions")
