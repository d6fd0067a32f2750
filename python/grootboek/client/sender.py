"""Getting prepared transactions to their end: batching, pipelining, retries and who is believed.

Transactions that wait are sent together, as soon as a request may go out: alone when there is little
to do, up to a thousand at once under load. A request that fails says nothing about its transactions:
the same bytes go to another node, which is safe, because the ledger takes each id once.
A refusal is one node's word; it counts when f + 1 nodes (or all that the client knows) agree.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Final

from grootboek import proofs, webapi, wire
from grootboek.client.answers import Result, verify_answer, verify_certificate, verify_receipt
from grootboek.client.epochs import Follower
from grootboek.client.nodes import Node, Nodes, Overloaded
from grootboek.client.transactions import Prepared
from grootboek.client.verifier import Verifier
from grootboek.errors import (
    CATALOGUE,
    BadAnswer,
    BadFrame,
    Expired,
    GrootboekError,
    InternalError,
    NotFound,
    PoolFull,
    ProofError,
    Unavailable,
)
from grootboek.proofs import Refused

__all__ = ["Sender"]

FLIGHTS: Final = 16
"""How many requests are under way at once."""
ATTEMPT_SECONDS: Final = 15.0
"""How long one node may take; longer than a view change, shorter than a user's patience."""
GRACE_SECONDS: Final = 10.0
"""How long after its expiry a transaction's outcome is still sought."""
PAUSE_SECONDS: Final = 0.2
"""Between two attempts that can only differ by time."""
REQUEST_BYTES: Final = 1 << 20
"""A request is cut here; a single larger transaction goes alone."""


class _Item:
    """One transaction on its way."""

    __slots__ = ("done", "frame", "prepared", "refusals")

    def __init__(self, prepared: Prepared, done: "asyncio.Future[Result]") -> None:
        self.prepared = prepared
        self.frame = prepared.frame
        self.done = done
        self.refusals: dict[str, Refused] = {}


class Sender:
    """Brings transactions to their outcome through any of the nodes."""

    def __init__(
        self, nodes: Nodes, verifier: Verifier, follower: Follower, clock: Callable[[], int]
    ) -> None:
        """``clock`` gives the milliseconds since 1970, to judge expiry."""
        self._nodes = nodes
        self._verifier = verifier
        self._follower = follower
        self._clock = clock
        self._queue: deque[_Item] = deque()
        self._open: set[asyncio.Future[Result]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flights = 0
        self._woken = False

    def send(self, prepared: Prepared) -> "asyncio.Future[Result]":
        """The outcome, when it is proven.

        Fails with a TransactionError where the nodes refuse it, with Unavailable where the outcome
        is still unknown some time after the expiry.
        """
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._open.add(done)
        done.add_done_callback(self._open.discard)
        self._put(_Item(prepared, done))
        return done

    async def close(self) -> None:
        """Give up what is under way: it fails with Unavailable."""
        self._queue.clear()  # first, because each flight that ends starts the next one
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for done in [future for future in self._open if not future.done()]:
            done.set_exception(Unavailable("the client was closed; the outcome is unknown as yet"))
            done.exception()  # it may be that nobody waits for it any more

    # --- queue and flights -----------------------------------------------------------------------

    def _put(self, item: _Item) -> None:
        """Queue it; all that is queued in one turn of the loop goes together."""
        self._queue.append(item)
        if not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        self._woken = False
        while self._queue and self._flights < FLIGHTS:
            self._flights += 1
            self._start(self._flight(self._cut()))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cut(self) -> list[_Item]:
        """The transactions of the next request. What one node has refused goes alone."""
        batch = [self._queue.popleft()]
        size = len(batch[0].frame)
        while self._queue and not batch[0].refusals and not self._queue[0].refusals:
            size += len(self._queue[0].frame)
            if len(batch) == webapi.REQUEST_TRANSACTIONS or size > REQUEST_BYTES:
                break
            batch.append(self._queue.popleft())
        return batch

    async def _flight(self, batch: list[_Item]) -> None:
        """One request, and the next one when it has landed."""
        try:
            await self._fly([item for item in batch if not item.done.done()])
        except Exception as error:  # noqa: BLE001  # a defect is told to those who wait, who would wait for ever
            for item in batch:
                _fail(item, error)
        finally:
            self._flights -= 1
            self._wake()

    async def _fly(self, batch: list[_Item]) -> None:
        if not batch:
            return
        now = asyncio.get_running_loop().time
        node = self._nodes.pick(now(), batch[0].refusals)
        try:
            results = await self._ask(node, batch)
        except Overloaded as busy:
            await self._again(batch, busy.error, busy.after)
        except (Unavailable, BadAnswer, InternalError, ProofError) as error:
            node.failed(now())
            await self._again(batch, error, 0.0)
        except GrootboekError as error:
            self._settle(node, batch, [Refused(error.code, error.detail)] * len(batch))
        else:
            self._settle(node, batch, results)

    async def _ask(self, node: Node, batch: Sequence[_Item]) -> list[Result | Refused]:
        body = b"".join(item.frame for item in batch)
        data = await self._nodes.request(
            node, "POST", "/v1/transactions", body=body, accept=webapi.MSGPACK, seconds=ATTEMPT_SECONDS
        )
        sent = [item.prepared for item in batch]
        try:
            return await self._follower.judge(node, data, partial(self._judged, sent))
        except BadFrame as error:
            raise BadAnswer(error.detail, where=node.name) from error

    def _judged(self, sent: Sequence[Prepared], data: bytes) -> list[Result | Refused]:
        return verify_answer(self._verifier, wire.decode(proofs.answers, data), sent)

    async def _again(self, batch: Sequence[_Item], error: GrootboekError, seconds: float) -> None:
        """Queue again what may still find an outcome."""
        now = self._clock()
        waiting = []
        for item in batch:
            if now > item.prepared.expiry + GRACE_SECONDS * 1000:
                _fail(item, Unavailable(f"the outcome is unknown as yet ({error})"))
            else:
                waiting.append(item)
        if not self._nodes.any_well(asyncio.get_running_loop().time(), batch[0].refusals):
            await asyncio.sleep(max(PAUSE_SECONDS, seconds))
        for item in waiting:
            self._put(item)

    # --- outcomes --------------------------------------------------------------------------------

    def _settle(self, node: Node, batch: Sequence[_Item], results: Sequence[Result | Refused]) -> None:
        later = []
        for item, result in zip(batch, results, strict=True):
            if isinstance(result, Result):
                _finish(item, result)
            elif result.code in {PoolFull.code, Unavailable.code}:
                later.append(item)
            else:
                self._refused(node, item, result)
        if later:
            self._start(self._pause(later))

    async def _pause(self, items: Sequence[_Item]) -> None:
        await asyncio.sleep(PAUSE_SECONDS)
        await self._again(items, PoolFull(), 0.0)

    def _refused(self, node: Node, item: _Item, refused: Refused) -> None:
        item.refusals[node.name] = refused
        if len(item.refusals) < self._nodes.enough:
            self._put(item)
        elif all(refusal.code == Expired.code for refusal in item.refusals.values()):
            self._start(self._expired(item))
        else:
            known = CATALOGUE.get(refused.code, BadAnswer)
            _fail(item, known(refused.detail, where=item.prepared.id.hex()))

    async def _expired(self, item: _Item) -> None:
        """Past its expiry, by the ledger's own time, a transaction without an entry never gets one.

        Nodes that refuse it go by their clocks; only agreed time decides.
        """
        deadline = asyncio.get_running_loop().time() + GRACE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            height = await self._passed(item.prepared.expiry)
            absent = await self._absent(item, height) if height else 0
            if absent is None:
                item.refusals.clear()
                self._put(item)
                return
            if absent >= self._nodes.enough:
                _finish(item, Result(id=item.prepared.id, outcomes=()))
                return
            await asyncio.sleep(PAUSE_SECONDS)
        _fail(
            item, Unavailable("refused as expired, but the ledger's own time has not passed the expiry yet")
        )

    async def _passed(self, expiry: int) -> int:
        """The height of a certified block whose time is at or after ``expiry``, else 0."""
        node = self._nodes.pick(asyncio.get_running_loop().time())
        check = partial(verify_certificate, self._verifier)
        try:
            _, block = await self._follower.ask(node, "/v1/certificate", check, webapi.MSGPACK)
        except GrootboekError:
            return 0
        return block.height if block.time >= expiry else 0

    async def _absent(self, item: _Item, height: int) -> int | None:
        """How many nodes have executed ``height`` and know no entry; None where one proves that it has it."""
        path = f"/v1/transactions/{item.prepared.id.hex()}?after={height}"
        absent = 0
        for node in self._nodes.all:
            try:
                data = await self._nodes.request(
                    node, "GET", path, accept=webapi.MSGPACK, seconds=ATTEMPT_SECONDS
                )
                verify_receipt(self._verifier, item.prepared.id, data)
            except NotFound:
                absent += 1
            except (GrootboekError, Overloaded):
                continue
            else:
                return None
        return absent


def _finish(item: _Item, result: Result) -> None:
    if not item.done.done():
        item.done.set_result(result)


def _fail(item: _Item, error: Exception) -> None:
    if not item.done.done():
        item.done.set_exception(error)
