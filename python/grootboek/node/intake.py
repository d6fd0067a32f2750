"""Client requests from their arrival to their answer.

A request is a buffer of framed transactions that was parsed and judged at the gate. Each of its
transactions ends as a result: refused at once, or final in the log. The request is answered when
every result is there and a certificate covers them all.
"""

from collections.abc import Callable

from grootboek._core import Pool, TransactionBatch
from grootboek.errors import CATALOGUE, Expired, ExpiryTooFar, GrootboekError, PoolFull
from grootboek.ledger import Block, Ledger
from grootboek.node.expiries import Expiries
from grootboek.proofs import Final, Refused
from grootboek.types import Limits

__all__ = ["Intake", "Request"]


class Request:
    """One client request on its way."""

    __slots__ = ("done", "needed_size", "results", "waiting")

    def __init__(self, count: int, done: Callable[["Request"], None]) -> None:
        """``done`` is called once, when the request can be answered."""
        self.results: list[Final | Refused | None] = [None] * count
        self.waiting = count
        self.needed_size = 0
        """The log size that the certificate of the answer must reach."""
        self.done = done

    def settle(self, position: int, result: Final | Refused) -> None:
        """Record the result of one transaction."""
        if self.results[position] is None:
            self.results[position] = result
            self.waiting -= 1
            if isinstance(result, Final):
                end = result.index + 1 + len(result.records)
                self.needed_size = max(self.needed_size, end)

    @property
    def settled(self) -> tuple[Final | Refused, ...]:
        """All results, in the order of the transactions."""
        return tuple(result for result in self.results if result is not None)


class Intake:
    """Pool, waiting requests and the cutting of batches."""

    def __init__(self, ledger: Ledger, pool: Pool, limits: Limits) -> None:
        """One for each replica."""
        self._ledger = ledger
        self.pool = pool
        self._limits = limits
        self._waiters: dict[bytes, tuple[tuple[Request, int], ...]] = {}
        """By id, the requests that wait for it, and at which position of each."""
        self._expiries = Expiries()
        """Of what waits: a block that came by transfer does not say what it left out."""
        self._uncertified: list[Request] = []
        self._certified = ledger.certificate.size if ledger.certificate else 0

    def submit(self, batch: TransactionBatch, now: int, done: Callable[[Request], None]) -> None:
        """Take a request; ``done`` may be called before this returns."""
        request = Request(len(batch), done)
        self._pool(batch, self._new(batch, now, request), request)
        self._finish(request)

    def _new(self, batch: TransactionBatch, now: int, request: Request) -> list[int]:
        """The positions of what is to be ordered; all else is settled, or waited for already."""
        ids, latest = batch.ids, now + self._limits.validity_ms + self._limits.clock_bound_ms
        known = self._ledger.known(batch)
        new = []
        for i, (verdict, expiry, final) in enumerate(zip(batch.verdicts, batch.expiries, known, strict=True)):
            if verdict:
                request.settle(i, refusal(CATALOGUE[f"GB-100{verdict}"]))
            elif final is not None:
                request.settle(i, final)
            elif ids[i] in self._waiters:
                self._waiters[ids[i]] += ((request, i),)
            elif expiry <= now:
                request.settle(i, refusal(Expired))
            elif expiry > latest:
                request.settle(i, refusal(ExpiryTooFar))
            else:
                new.append(i)
        return new

    def _pool(self, batch: TransactionBatch, new: list[int], request: Request) -> None:
        refused = {i for i, _ in self.pool.add(batch, new)}
        for i in refused:
            request.settle(i, refusal(PoolFull))
        ids, expiries = batch.ids, batch.expiries
        taken = [i for i in new if i not in refused] if refused else new
        for i in taken:
            identity = ids[i]
            self._waiters[identity] = (*self._waiters.get(identity, ()), (request, i))
        self._expiries.add([ids[i] for i in taken], [expiries[i] for i in taken], self._waiters)

    def executed(self, block: Block) -> None:
        """Settle the waiting transactions of an executed block and of the time it brought."""
        for identity, result in block.results:
            if identity in self._waiters:
                self._settle(identity, result)
        self.pool.remove([identity for identity, _ in block.results])
        self._passed(block.entry.time)

    def skipped(self) -> None:
        """Blocks came without being executed here: settle what they hold, and what their time outlived."""
        waiting = list(self._waiters)
        logged = [
            (identity, final)
            for identity, final in zip(waiting, self._ledger.finals(waiting), strict=True)
            if final is not None
        ]
        for identity, final in logged:
            self._settle(identity, final)
        self.pool.remove([identity for identity, _ in logged])
        self._passed(self._ledger.time)

    def _passed(self, time: int) -> None:
        """What has expired by the agreed time and has no entry never will."""
        self.pool.expire(time)
        for identity in self._expiries.due(time):
            self._settle(identity, None)

    def _settle(self, identity: bytes, result: Final | Refused | None) -> None:
        for request, position in self._waiters.pop(identity, ()):
            final = result if result is not None else self._ledger.finals([identity])[0]
            request.settle(position, final or refusal(Expired))
            self._finish(request)

    def certified(self, size: int) -> None:
        """Answer what the certificate of ``size`` covers."""
        self._certified = max(self._certified, size)
        waiting, self._uncertified = self._uncertified, []
        for request in waiting:
            self._finish(request)

    def _finish(self, request: Request) -> None:
        if request.waiting:
            return
        if request.needed_size > self._certified:
            self._uncertified.append(request)
        else:
            request.done(request)

    def cut(self, *, prompt: bool) -> TransactionBatch | None:
        """The next batch to disseminate: whatever waits where ``prompt``, else only a full one."""
        full = self.pool.size >= self._limits.batch_bytes or len(self.pool) >= self._limits.batch_transactions
        if not full and not (prompt and self.pool):
            return None
        return self.pool.take(self._limits.batch_transactions, self._limits.batch_bytes)


def refusal(error: type[GrootboekError]) -> Refused:
    """The result that names ``error``."""
    return Refused(code=error.code, detail=error.title)
