"""The load client, in a process of its own: signs first, then submits and verifies.

``python -m grootboek.bench.load`` talks with its parent by lines: it reads a Plan, says ``ready``
when everything is signed, starts at ``go``, says ``measure`` when the warm-up is over, ``end`` when
the measured time is, and then its Load as JSON.

Closed loop (``window``): so many transactions are under way at any time, shared by the connections.
Open loop (``rate``): each transaction goes alone, at its time, however the ledger is doing; its
latency counts from that time, so a stall shows in all that it delayed.
"""

import asyncio
import contextlib
import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import msgspec
from msgspec import Struct

from grootboek import proofs, webapi, wire
from grootboek._core import SigningKey, digest
from grootboek.bench.report import Load
from grootboek.client.answers import Result, verify_answer
from grootboek.client.nodes import Node, Nodes, Overloaded
from grootboek.client.transactions import Prepared, encode_command, prepare_many
from grootboek.client.verifier import Verifier
from grootboek.errors import GrootboekError
from grootboek.modules.records import Anchor
from grootboek.types import Genesis

__all__ = ["Plan", "main", "transactions"]

REQUEST_SECONDS = 30.0
FRAME_BYTES = 4
"""The length in front of each transaction."""
EXPIRY_MARGIN_MS = 30_000
"""Expiries stay this far below the limit: the ledger's time may be behind this clock."""


class Plan(Struct, frozen=True, kw_only=True):
    """What the load client is to do."""

    genesis: str
    seconds: float
    warm_up: float
    window: int
    """Transactions under way (closed loop); 0 for the open loop."""
    rate: float
    """Transactions a second (open loop); 0 for the closed loop."""
    connections: int
    keys: int
    prepared: int
    """How many transactions to sign before the clock starts."""

    @property
    def in_request(self) -> int:
        """Transactions in one request."""
        return 1 if self.rate else max(1, min(webapi.REQUEST_TRANSACTIONS, self.window // self.connections))


def transactions(genesis: Genesis, count: int, keys: int, expiry: int) -> list[Prepared]:
    """``count`` anchors of documents from ``keys`` signers, who take turns."""
    by_key = []
    for number in range(keys):
        signer = SigningKey(digest(b"grootboek/1 bench key\n" + number.to_bytes(4, "big")))
        commands = [_anchor(name, turn) for turn, name in enumerate(range(number, count, keys))]
        by_key.append(prepare_many(genesis.chain, signer, commands, expiry=expiry))
    return [item for turn in zip_longest(*by_key) for item in turn if item is not None]


def _anchor(name: int, turn: int) -> bytes:
    """A command that makes a transaction of 250 bytes; ``turn`` is unique for its signer."""
    document = Anchor(key=f"{turn:x}", digest=name.to_bytes(32, "big"))
    return encode_command("records", 1, document)


class Request(Struct, frozen=True):
    """Some prepared transactions, as they are sent."""

    sent: list[Prepared]
    body: bytes


class LoadClient:
    """Sends requests, verifies what comes back, and counts what falls into the measured time."""

    def __init__(self, genesis: Genesis, plan: Plan, say: Callable[[str], None]) -> None:
        self.plan = plan
        self._say = say
        self._nodes = Nodes(genesis.founding, connections=plan.connections)
        self._verifier = Verifier(genesis)
        self._from = self._until = 0.0
        self._acknowledged = self._total = 0
        self._bytes = self._sent = 0
        self._latencies: list[float] = []
        self._errors: Counter[str] = Counter()

    async def run(self, requests: Iterator[Request]) -> Load:
        """The whole run: warm-up, measured time, and waiting for what is still under way."""
        loop = asyncio.get_running_loop()
        start = time.perf_counter()
        self._from = start + self.plan.warm_up
        self._until = self._from + self.plan.seconds
        loop.call_later(self.plan.warm_up, self._say, "measure")
        loop.call_later(self.plan.warm_up + self.plan.seconds, self._say, "end")
        work = self._open_loop if self.plan.rate else self._closed_loop
        try:
            await work(requests, start)
        finally:
            await self._nodes.close()
        return Load(
            acknowledged=self._acknowledged,
            total=self._total,
            transaction_bytes=self._bytes / max(1, self._sent),
            seconds=self.plan.seconds,
            latencies_ms=self._latencies,
            errors=dict(sorted(self._errors.items())),
        )

    async def _closed_loop(self, requests: Iterator[Request], _start: float) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self.plan.connections):
                group.create_task(self._worker(self._node(number), requests))

    async def _worker(self, node: Node, requests: Iterator[Request]) -> None:
        """One connection: the next request goes when the one before it is answered."""
        while time.perf_counter() < self._until:
            request = next(requests, None)
            if request is None:
                self._errors["ran out of signed transactions: give a higher --ceiling"] += 1
                return
            await self._send(node, request, time.perf_counter())

    async def _open_loop(self, requests: Iterator[Request], start: float) -> None:
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()

        def fire(number: int, due: float) -> None:
            request = next(requests, None)
            if request is not None:
                tasks.add(loop.create_task(self._send(self._node(number), request, due)))

        clock = asyncio.to_thread(_keep_time, loop, fire, start, self._until, 1 / self.plan.rate)
        await clock
        await asyncio.gather(*tasks)

    def _node(self, number: int) -> Node:
        return self._nodes.all[number % len(self._nodes.all)]

    async def _send(self, node: Node, request: Request, due: float) -> None:
        """Submit one request until it has an outcome; the same bytes may go again."""
        self._bytes += len(request.body) - FRAME_BYTES * len(request.sent)
        self._sent += len(request.sent)
        while True:
            try:
                results = await self._ask(node, request)
            except Overloaded as busy:
                await asyncio.sleep(busy.after)
                if time.perf_counter() > self._until:
                    self._errors[busy.error.code] += len(request.sent)
                    return
            except GrootboekError as error:
                self._errors[error.code] += len(request.sent)
                return
            else:
                self._count(results, due, time.perf_counter())
                return

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

    def _count(self, results: Sequence[Result | proofs.Refused], due: float, now: float) -> None:
        applied = 0
        for result in results:
            if isinstance(result, Result) and result.applied:
                applied += 1
            else:
                self._errors[result.code if isinstance(result, proofs.Refused) else result.status] += 1
        self._total += applied
        if self._from <= (due if self.plan.rate else now) < self._until:
            self._acknowledged += applied
            self._latencies.append((now - due) * 1_000)


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


def requests_of(prepared: Sequence[Prepared], in_request: int) -> list[Request]:
    """The prepared transactions in requests of so many."""
    return [
        Request(group, b"".join(item.frame for item in group))
        for at in range(0, len(prepared), in_request)
        if (group := list(prepared[at : at + in_request]))
    ]


def main() -> None:
    """Follow the parent's lines."""

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    genesis = Genesis.load(Path(plan.genesis))
    expiry = time.time_ns() // 1_000_000 + genesis.limits.validity_ms - EXPIRY_MARGIN_MS
    requests = requests_of(transactions(genesis, plan.prepared, plan.keys, expiry), plan.in_request)
    # What was signed lives until the end: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    say("ready")
    sys.stdin.readline()
    load = asyncio.run(LoadClient(genesis, plan, say).run(iter(requests)))
    say(msgspec.json.encode(load).decode())


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
