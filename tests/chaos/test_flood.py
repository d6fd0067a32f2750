"""A client that sends far more than the ledger takes leaves the others what they had (PL6)."""

import asyncio
import itertools
from collections import Counter
from pathlib import Path

import pytest

from grootboek import proofs, webapi, wire
from grootboek.bench.signing import Request, expiry_of, requests_of, sign
from grootboek.bench.workloads.anchor import AnchorWorkload
from grootboek.client import Result, Verifier
from grootboek.client.answers import verify_answer
from grootboek.client.nodes import Node, Nodes
from grootboek.errors import PoolFull
from grootboek.types import Genesis, Limits
from tests.bad_input.preloading import NEEDS_PRELOADING
from tests.chaos.field import REPLICAS, field, say
from tests.chaos.steady import Steady

pytestmark = [*NEEDS_PRELOADING, pytest.mark.timeout(600)]

LIMITS = Limits(window=16, batch_transactions=10, block_batches=4, pool_transactions=200)
"""So small that one client can fill everything; the paths are slow, so that the machine does not limit."""
DELAY_SECONDS = 0.04
CLIENTS = 60
IN_REQUEST = 100
EVERY_SECONDS = 0.1
TIMES_ITS_QUOTA = 10


class Flood:
    """One client that sends at a steady pace, whatever it is told. ``seen`` counts outcomes."""

    def __init__(self, genesis: Genesis, seconds: float) -> None:
        self.seen: Counter[str] = Counter()
        self._nodes = Nodes(genesis.founding)
        self._verifier = Verifier(genesis)
        count = round(seconds / EVERY_SECONDS)
        drafts = AnchorWorkload(keys=1).transactions(count * IN_REQUEST)
        self._requests = requests_of(sign(genesis, drafts, expiry_of(genesis)), IN_REQUEST)

    async def run(self) -> None:
        """Send all, signed before, to all nodes in turn, and wait for the answers."""
        try:
            async with asyncio.TaskGroup() as group:
                for request, node in zip(self._requests, itertools.cycle(self._nodes.all), strict=False):
                    group.create_task(self._send(node, request))
                    await asyncio.sleep(EVERY_SECONDS)
        finally:
            await self._nodes.close()

    async def _send(self, node: Node, request: Request) -> None:
        body, kind = request.body, webapi.MSGPACK
        data = await self._nodes.request(node, "POST", "/v1/transactions", body=body, accept=kind, seconds=60)
        for result in verify_answer(self._verifier, wire.decode(proofs.answers, data), request.sent):
            self.seen[result.status if isinstance(result, Result) else result.code] += 1


@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=pytest.mark.long)])
async def test_a_flood_leaves_the_others_their_share(
    tmp_path: Path, libraries: list[Path], seconds: int
) -> None:
    async with field(tmp_path / "net", libraries, LIMITS) as here:
        flood = Flood(here.net.genesis, seconds)
        async with (
            here.proxy.changed(here.proxy.paths, delay=DELAY_SECONDS),
            Steady(here, REPLICAS, clients=CLIENTS, every=2.0).under_way() as others,
        ):
            calm = await others.rate(seconds, "without a flood")
            flooding = asyncio.create_task(flood.run())
            flooded = await others.rate(seconds, "with a flood")
            await flooding
    say(f"the flood: {dict(flood.seen)}")
    assert set(flood.seen) == {"applied", PoolFull.code}
    quota = (flood.seen["applied"] / seconds + flooded) / (CLIENTS + 1)
    assert flood.seen.total() / seconds > TIMES_ITS_QUOTA * quota
    assert flooded >= 0.8 * calm
