"""The batch bodies that a replica holds: until their block is certified, and within each origin's quota."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import takewhile

from msgspec import Struct

from grootboek._core import TransactionBatch

__all__ = ["ORIGIN_BATCHES", "Bodies", "Body"]

ORIGIN_BATCHES = 256
"""How many batches one origin may have waiting, however small: many times what a correct one has."""


class Body(Struct):
    """One held batch."""

    batch: TransactionBatch
    origin: int
    """The replica that disseminated it."""
    seq: int | None = None
    """The sequence number that executed it, once one did."""


class _Waiting:
    """What one origin has waiting, in the order it came."""

    __slots__ = ("digests", "size", "transactions")

    def __init__(self) -> None:
        self.digests: dict[bytes, None] = {}
        self.size = 0
        self.transactions = 0

    def add(self, batch: TransactionBatch) -> None:
        self.digests[batch.digest] = None
        self.size += len(batch.buffer)
        self.transactions += len(batch)

    def remove(self, batch: TransactionBatch) -> None:
        del self.digests[batch.digest]
        self.size -= len(batch.buffer)
        self.transactions -= len(batch)


class Bodies:
    """Batches by digest. A body is counted against its origin until it is executed."""

    def __init__(self, quota: int, transactions: int) -> None:
        """``quota``: the bytes that one origin may have waiting here, and how many transactions."""
        self._quota = quota
        self._transactions = transactions
        self._held: dict[bytes, Body] = {}
        self._waiting: dict[int, _Waiting] = defaultdict(_Waiting)
        self._executed: list[tuple[int, bytes]] = []

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._held

    def __len__(self) -> int:
        return len(self._held)

    def within_quota(self, origin: int, size: int, transactions: int) -> bool:
        """Whether ``origin`` may have so many more bytes and transactions waiting."""
        waiting = self._waiting[origin]
        return (
            len(waiting.digests) < ORIGIN_BATCHES
            and waiting.size + size <= self._quota
            and waiting.transactions + transactions <= self._transactions
        )

    def add(self, batch: TransactionBatch, origin: int) -> bool:
        """Hold a batch; False where it is held already."""
        if batch.digest in self._held:
            return False
        self._held[batch.digest] = Body(batch, origin)
        self._waiting[origin].add(batch)
        return True

    def get(self, digest: bytes) -> TransactionBatch | None:
        """The batch, or None."""
        body = self._held.get(digest)
        return None if body is None else body.batch

    def all_of(self, digests: Iterable[bytes]) -> list[TransactionBatch]:
        """The batches that a value names; they are held, since a replica prepares nothing else."""
        return [self._held[digest].batch for digest in digests]

    def outstanding(self, origin: int) -> int:
        """How many batches of ``origin`` wait for their execution."""
        return len(self._waiting[origin].digests)

    def executed(self, digests: Sequence[bytes], seq: int) -> None:
        """``seq`` executed these batches: they no longer count against their origins."""
        for digest in digests:
            body = self._held.get(digest)
            if body is None or body.seq is not None:
                continue
            body.seq = seq
            self._waiting[body.origin].remove(body.batch)
            self._executed.append((seq, digest))

    def drop(self, seq: int, named: AbstractSet[bytes] = frozenset()) -> list[bytes]:
        """Forget the bodies that were executed at ``seq`` or below, but for ``named`` ones: their digests."""
        due = list(takewhile(lambda item: item[0] <= seq, self._executed))
        self._executed[: len(due)] = [item for item in due if item[1] in named]
        gone = [digest for _, digest in due if digest not in named]
        for digest in gone:
            del self._held[digest]
        return gone

    def renumber(self, index: Mapping[int, int], me: int) -> None:
        """Replicas have other indexes in the next epoch; ``me`` takes over the batches of those that left."""
        self._waiting.clear()
        for body in self._held.values():
            body.origin = index.get(body.origin, me)
            if body.seq is None:
                self._waiting[body.origin].add(body.batch)

    def waiting(self, origin: int) -> list[TransactionBatch]:
        """The batches of ``origin`` that wait, in the order they came."""
        return [self._held[digest].batch for digest in self._waiting[origin].digests]

    def held(self) -> list[Body]:
        """All bodies, in the order they came."""
        return list(self._held.values())

    def needed(self, seq: int) -> list[Body]:
        """The bodies that wait or were executed above ``seq``, in the order they came."""
        return [body for body in self._held.values() if body.seq is None or body.seq > seq]
