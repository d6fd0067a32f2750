"""The pool: client transactions that were admitted here and are not yet in a batch.

Fairness by three rules. Each sender has a queue of its own, and batches take one transaction of each
sender in turn. A sender may hold at most as much as is still free, so however many senders fill the
pool, a new one finds room: k greedy senders get 1/(k+1) of it each and leave as much over. (The rule
is the dynamic threshold of Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory
packet switches", 1998.) And a transaction leaves when its time is over.

The pool holds places in the batches that came in, never parsed transactions: what it gives out is
selected and joined by the Rust core without looking at the bytes again. It knows no clock.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final

from grootboek._core import TransactionBatch
from grootboek.errors import PoolFull
from grootboek.types import Limits

__all__ = ["SENDER_SHARE", "Pool"]

SENDER_SHARE: Final = 1
"""A sender may hold this many times what is free, in transactions and in bytes."""
SLACK: Final = 64
"""How many left transactions a queue may name beyond as many as wait, before it is written anew."""


class _Source:
    """The waiting transactions of one ``add``: nothing else of what came in is kept in memory."""

    __slots__ = ("batch",)

    def __init__(self, batch: TransactionBatch) -> None:
        self.batch = batch


class _Sender:
    """One sender's waiting transactions."""

    __slots__ = ("bytes", "count", "key", "queue")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.queue: deque[bytes] = deque()
        """Their ids, oldest first; ids of some that have left may be among them."""
        self.count = 0
        self.bytes = 0


_Place = tuple[_Sender, _Source, int, int]
"""Where a waiting transaction lies: sender, source, its index there, its size in bytes."""


class Pool:
    """Bounded by ``Limits.pool_transactions`` and ``Limits.pool_bytes``."""

    def __init__(self, limits: Limits) -> None:
        """An empty pool."""
        self.bytes = 0
        """Bytes of the waiting transactions, their frames' lengths included."""
        self._limits = limits
        self._places: dict[bytes, _Place] = {}
        self._senders: OrderedDict[bytes, _Sender] = OrderedDict()
        """Those with waiting transactions; the first one's turn is next."""
        self._expiries: list[tuple[int, bytes]] = []
        """A heap of (expiry, id); some may have left."""

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, identity: bytes) -> bool:
        return identity in self._places

    def add(self, batch: TransactionBatch) -> list[tuple[int, PoolFull]]:
        """Take a batch whose verdicts are all good; the index and reason of each that is refused.

        One that waits here already is taken as done.
        """
        refused: list[tuple[int, PoolFull]] = []
        taken: list[int] = []
        source = _Source(batch)
        places, senders, expiries = self._places, self._senders, self._expiries
        rows = zip(batch.ids, batch.senders, batch.expiries, batch.frames, strict=True)
        for index, (identity, key, expiry, (start, end)) in enumerate(rows):
            if identity in places:
                continue
            size = end - start
            sender = senders.get(key)
            if sender is None:
                sender = _Sender(key)
            reason = self._refusal(sender, size)
            if reason is not None:
                refused.append((index, PoolFull(reason)))
                continue
            senders[key] = sender
            sender.queue.append(identity)
            sender.count += 1
            sender.bytes += size
            self.bytes += size
            places[identity] = (sender, source, len(taken), size)
            heappush(expiries, (expiry, identity))
            taken.append(index)
        source.batch = _selected(batch, taken)
        self._forget_expiries()
        return refused

    def _refusal(self, sender: _Sender, size: int) -> str | None:
        free = self._limits.pool_transactions - len(self._places)
        free_bytes = self._limits.pool_bytes - self.bytes
        if free <= 0 or size > free_bytes:
            return "the pool is full"
        if sender.count >= SENDER_SHARE * free:
            return "the sender's share of the pool is full"
        if sender.count and sender.bytes + size > SENDER_SHARE * free_bytes:
            return "the sender's share of the pool's bytes is full"
        return None

    def take(self, max_transactions: int, max_bytes: int) -> TransactionBatch | None:
        """Remove and return the next batch, one transaction of each sender in turn; None where empty.

        The first one is taken even where it alone is above ``max_bytes``, so that nothing waits for
        ever; the batch ends at the first that does not fit beside those before it.
        """
        picked: dict[_Source, list[int]] = {}
        count = total = 0
        while self._senders and count < max_transactions:
            sender = next(iter(self._senders.values()))
            identity = sender.queue[0]
            place = self._places.get(identity)
            if place is None:
                sender.queue.popleft()
                continue
            _, source, index, size = place
            if count and total + size > max_bytes:
                break
            sender.queue.popleft()
            self._senders.move_to_end(sender.key)
            self._leave(identity, sender, size)
            picked.setdefault(source, []).append(index)
            count += 1
            total += size
        parts = [_selected(source.batch, indexes) for source, indexes in picked.items()]
        return TransactionBatch.join(parts) if len(parts) > 1 else next(iter(parts), None)

    def remove(self, ids: Iterable[bytes]) -> None:
        """Drop those of ``ids`` that wait here: they are in the log, or refused for good."""
        for identity in ids:
            self._drop(identity)
        self._forget_expiries()

    def expire(self, time: int) -> list[bytes]:
        """Drop and return the ids of all whose expiry is not after ``time``, the agreed time (ms)."""
        gone = []
        while self._expiries and self._expiries[0][0] <= time:
            identity = heappop(self._expiries)[1]
            if self._drop(identity):
                gone.append(identity)
        return gone

    def _drop(self, identity: bytes) -> bool:
        place = self._places.get(identity)
        if place is None:
            return False
        sender, _, _, size = place
        self._leave(identity, sender, size)
        if len(sender.queue) > 2 * sender.count + SLACK:
            sender.queue = deque(waiting for waiting in sender.queue if waiting in self._places)
        return True

    def _leave(self, identity: bytes, sender: _Sender, size: int) -> None:
        del self._places[identity]
        self.bytes -= size
        sender.count -= 1
        sender.bytes -= size
        if not sender.count:
            del self._senders[sender.key]

    def _forget_expiries(self) -> None:
        if len(self._expiries) > 2 * len(self._places) + SLACK:
            self._expiries = [item for item in self._expiries if item[1] in self._places]
            heapify(self._expiries)


def _selected(batch: TransactionBatch, indexes: list[int]) -> TransactionBatch:
    """Those transactions in the order of the batch; itself where they are all."""
    return batch if len(indexes) == len(batch) else batch.select(sorted(indexes))
