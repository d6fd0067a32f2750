"""The load client, in a process of its own: sets up and signs first, then submits and verifies.

``python -m grootboek.bench.load`` talks with its parent by lines: it reads a Plan, says ``ready``
when everything is set up and signed, starts at ``go``, says ``measure`` when the warm-up is over,
``end`` when the measured time is, and then its Load as JSON.

Closed loop (``window``): so many transactions are under way at any time, shared by the connections.
Open loop (``rate``): each transaction goes alone, at its time, however the ledger is doing; its
latency counts from that time, so a stall shows in all that it delayed.
"""

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct

from grootboek import garbage, proofs, webapi, wire
from grootboek.bench.order import Order
from grootboek.bench.report import Load, Sample
from grootboek.bench.setting import Setting
from grootboek.bench.signing import Request, expiry_of, requests_of, sign, sign_ahead
from grootboek.bench.workloads import WORKLOADS, Draft, Roles, Workload
from grootboek.client import AsyncClient
from grootboek.client.answers import Result, verify_answer
from grootboek.client.nodes import Node, Nodes, Overloaded
from grootboek.client.verifier import Verifier
from grootboek.errors import GrootboekError, Unavailable
from grootboek.node.keystore import Identity, unlock
from grootboek.node.localnet import identity_name
from grootboek.types import Genesis

__all__ = ["Plan", "main", "set_up"]

REQUEST_SECONDS = 30.0
ROUND_SECONDS = 0.1
"""Before a request that no replica has taken goes round all of them again."""
PORTION_BYTES = 512 << 10
"""Commands of the set-up that are under way at a time."""
FRAME_BYTES = 4
"""The length in front of each transaction."""


class Plan(Struct, frozen=True, kw_only=True):
    """What the load client is to do."""

    genesis: str
    """The path of a local network's genesis file; the keys of its roles lie in ``keys`` beside it."""
    setting: Setting


class LoadClient:
    """Sends requests, verifies what comes back, and counts what falls into the measured time."""

    def __init__(self, genesis: Genesis, setting: Setting, distance: int, say: Callable[[str], None]) -> None:
        self._setting = setting
        self._say = say
        self._nodes = Nodes(genesis.founding, connections=setting.connections)
        self._places = list(range(setting.connections))
        """The replica that each connection is with, modulo their number."""
        self._verifier = Verifier(genesis)
        self._order = Order(distance // setting.in_request)
        self._from = self._until = 0.0
        self._total = self._records = self._moved = 0
        self._bytes = self._sent = 0
        self._samples: list[Sample] = []
        self._by_connection = [0] * setting.connections
        self._errors: Counter[str] = Counter()

    async def run(self, requests: Iterator[Request]) -> None:
        """The whole run: warm-up, measured time, and waiting for what is still under way."""
        start = time.perf_counter()
        self._from = start + self._setting.warm_up
        self._until = self._from + self._setting.seconds
        work = self._open_loop if self._setting.rate else self._closed_loop
        try:
            await asyncio.gather(work(requests, start), self._announce())
        finally:
            await self._nodes.close()

    async def _announce(self) -> None:
        """Tell the parent when the measured time begins and ends."""
        for line, moment in (("measure", self._from), ("end", self._until)):
            await asyncio.sleep(moment - time.perf_counter())
            self._say(line)

    def load(self, workload: Workload, keys: int) -> Load:
        """What was seen; ``keys`` have signed."""
        return Load(
            acknowledged=sum(self._by_connection),
            records=self._records,
            total=self._total,
            transaction_bytes=self._bytes / max(1, self._sent),
            seconds=self._setting.seconds,
            samples=self._samples,
            by_connection=self._by_connection,
            moved=self._moved,
            keys=keys,
            distinct_keys=workload.distinct(self._sent),
            errors=dict(sorted(self._errors.items())),
        )

    async def _closed_loop(self, requests: Iterator[Request], _start: float) -> None:
        async with asyncio.TaskGroup() as group:
            for connection in range(self._setting.connections):
                group.create_task(self._worker(connection, requests))

    async def _worker(self, connection: int, requests: Iterator[Request]) -> None:
        """One connection: the next request goes when the one before it is answered."""
        while time.perf_counter() < self._until:
            request = next(requests, None)
            if request is None:
                self._errors["ran out of signed transactions: give a higher --ceiling"] += 1
                return
            await self._send(connection, request)

    async def _open_loop(self, requests: Iterator[Request], start: float) -> None:
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()

        def fire(number: int, due: float) -> None:
            request = next(requests, None)
            if request is not None:
                connection = number % self._setting.connections
                tasks.add(loop.create_task(self._send(connection, request, due)))

        clock = asyncio.to_thread(_keep_time, loop, fire, start, self._until, 1 / self._setting.rate)
        await clock
        await asyncio.gather(*tasks)

    async def _send(self, connection: int, request: Request, due: float | None = None) -> None:
        """Submit one request until it has an outcome; its latency counts from ``due``, or from now on."""
        await self._order.enter(request.number)
        self._bytes += len(request.body) - FRAME_BYTES * len(request.sent)
        self._sent += len(request.sent)
        start = time.perf_counter() if due is None else due
        try:
            results = await self._settled(connection, request)
        except GrootboekError as error:
            self._errors[error.code] += len(request.sent)
        else:
            self._count(connection, results, start, time.perf_counter())
        finally:
            self._order.leave(request.number)

    async def _settled(self, connection: int, request: Request) -> list[Result | proofs.Refused]:
        """The outcomes. The same bytes go again where a replica is busy, to the next one where it is gone.

        Raises what the replica says, or the last reason when there is no more time.
        """
        last = time.perf_counter() + REQUEST_SECONDS
        asked = 0
        while True:
            nodes = self._nodes.all
            try:
                return await self._ask(nodes[self._places[connection] % len(nodes)], request)
            except Overloaded as busy:
                await asyncio.sleep(busy.after)
                if time.perf_counter() > self._until:
                    raise busy.error from None
            except Unavailable:
                if time.perf_counter() > last:
                    raise
                self._places[connection] += 1
                self._moved += 1
                asked += 1
                await asyncio.sleep(0.0 if asked % len(nodes) else ROUND_SECONDS)

    async def _ask(self, node: Node, request: Request) -> list[Result | proofs.Refused]:
        answer = await self._nodes.request(
            node,
            "POST",
            "/v1/transactions",
            body=request.body,
            accept=webapi.MSGPACK,
            seconds=REQUEST_SECONDS,
        )
        return verify_answer(self._verifier, wire.decode(proofs.answers, answer), request.sent)

    def _count(
        self, connection: int, results: Sequence[Result | proofs.Refused], start: float, now: float
    ) -> None:
        applied = []
        for result in results:
            if isinstance(result, proofs.Refused):
                self._errors[result.code] += 1
            elif result.applied:
                applied.append(result)
            else:
                self._errors[_reason(result)] += 1
        self._total += len(applied)
        if self._from <= (start if self._setting.rate else now) < self._until:
            self._records += sum(len(result.outcomes) for result in applied)
            self._by_connection[connection] += len(applied)
            self._samples.append(Sample(now - self._from, (now - start) * 1_000, len(applied)))


def _reason(result: Result) -> str:
    """Why a transaction was not applied."""
    return next((outcome for outcome in result.outcomes if outcome != wire.APPLIED), result.status)


def _keep_time(
    loop: asyncio.AbstractEventLoop,
    fire: Callable[[int, float], object],
    start: float,
    until: float,
    period: float,
) -> None:
    """Call ``fire`` on the loop each ``period`` seconds. In a thread: a loop's own timers are a
    millisecond coarse, which would count as latency.
    """
    number = 0
    while (due := start + number * period) < until:
        time.sleep(max(0.0, due - time.perf_counter()))
        loop.call_soon_threadsafe(fire, number, due)
        number += 1


async def set_up(genesis: Genesis, workload: Workload, roles: Roles, count: int) -> None:
    """Submit what ``count`` transactions of the workload need; raises Rejected where any is refused."""
    async with AsyncClient(genesis) as client:
        for drafts in workload.prepare(roles, count):
            for portion in _portions(drafts):
                for result in await client.send_prepared(sign(genesis, portion, expiry_of(genesis))):
                    result.require()


def _portions(drafts: Sequence[Draft]) -> Iterator[Sequence[Draft]]:
    """The drafts in portions of about ``PORTION_BYTES``.

    A set-up of megabytes would make one block that takes seconds, and cost the primary its view.
    """
    start = size = 0
    for place, draft in enumerate(drafts, 1):
        size += sum(map(len, draft.commands))
        if size >= PORTION_BYTES or place == len(drafts):
            yield drafts[start:place]
            start, size = place, 0


def _roles(folder: Path, genesis: Genesis) -> Roles:
    """The keys of a local network's identities, by role."""
    files = {role: folder / identity_name(role) for party in genesis.parties for role in party.roles}
    return {role: unlock(file, None, Identity).key for role, file in files.items()}


def main() -> None:
    """Follow the parent's lines."""

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    setting, path = plan.setting, Path(plan.genesis)
    genesis = Genesis.load(path)
    workload = WORKLOADS[setting.workload](setting.keys)
    uvloop.run(set_up(genesis, workload, _roles(path.parent / "keys", genesis), setting.prepared))
    drafts = list(workload.transactions(setting.prepared))
    requests = requests_of(sign_ahead(genesis, drafts, setting.pace), setting.in_request)
    keys = len({draft.signer.public for draft in drafts})
    del drafts
    client = LoadClient(genesis, setting, workload.distance, say)
    garbage.settle()  # what was signed lives until the end
    say("ready")
    sys.stdin.readline()
    uvloop.run(client.run(iter(requests)))
    say(msgspec.json.encode(client.load(workload, keys)).decode())


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
