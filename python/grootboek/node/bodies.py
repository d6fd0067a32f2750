"""The batch bodies that a replica holds: until their block is certified, and within each origin's quota."""

from collections.abc import Iterable, Sequence
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


class Bodies:
    """Batches by digest. A body is counted against its origin until it is executed."""

    def __init__(self, quota: int) -> None:
        """``quota``: the bytes that one origin may have waiting here."""
        self._quota = quota
        self._held: dict[bytes, Body] = {}
        self._waiting: dict[int, dict[bytes, int]] = {}
        self._executed: list[tuple[int, bytes]] = []

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._held

    def __len__(self) -> int:
        return len(self._held)

    def within_quota(self, origin: int, size: int) -> bool:
        """Whether ``origin`` may have ``size`` more bytes waiting."""
        waiting = self._waiting.get(origin, {})
        return len(waiting) < ORIGIN_BATCHES and sum(waiting.values()) + size <= self._quota

    def add(self, batch: TransactionBatch, origin: int) -> bool:
        """Hold a batch; False where it is held already."""
        if batch.digest in self._held:
            return False
        self._held[batch.digest] = Body(batch, origin)
        self._waiting.setdefault(origin, {})[batch.digest] = len(batch.buffer)
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
        return len(self._waiting.get(origin, ()))

    def executed(self, digests: Sequence[bytes], seq: int) -> None:
        """``seq`` executed these batches: they no longer count against their origins."""
        for digest in digests:
            body = self._held.get(digest)
            if body is None or body.seq is not None:
                continue
            body.seq = seq
            del self._waiting[body.origin][digest]
            self._executed.append((seq, digest))

    def drop(self, seq: int, named: AbstractSet[bytes] = frozenset()) -> list[bytes]:
        """Forget the bodies that were executed at ``seq`` or below, but for ``named`` ones: their digests."""
        due = list(takewhile(lambda item: item[0] <= seq, self._executed))
        self._executed[: len(due)] = [item for item in due if item[1] in named]
        gone = [digest for _, digest in due if digest not in named]
        for digest in gone:
            del self._held[digest]
        return gone

    def waiting(self, origin: int) -> list[TransactionBatch]:
        """The batches of ``origin`` that wait, in the order they came."""
        return [self._held[digest].batch for digest in self._waiting.get(origin, ())]

    def held(self) -> list[Body]:
        """All bodies, in the order they came."""
        return list(self._held.values())

    def needed(self, seq: int) -> list[Body]:
        """The bodies that wait or were executed above ``seq``, in the order they came."""
        return [body for body in self._held.values() if body.seq is None or body.seq > seq]
