"""What waits to be sent to one peer: three queues with budgets of their own.

Votes go first, always. Batches and transfer take turns with each other, so that neither a replica
that catches up nor the ordering of new transactions waits for ever. A full queue loses its oldest
frame: the protocol sends again what still matters.
"""

from collections import deque
from enum import IntEnum
from typing import Final

from msgspec import Struct

__all__ = ["GATHER_BYTES", "Lane", "LaneBudgets", "Lanes"]

GATHER_BYTES: Final = 64 << 10
"""Up to so many bytes of small frames are joined into one write."""

Data = bytes | bytearray


class Lane(IntEnum):
    """Which budget a frame is charged to."""

    VOTE = 0
    """Consensus messages, status and small requests."""
    BATCH = 1
    """Bodies of batches."""
    TRANSFER = 2
    """Log entries for a replica that catches up."""


class LaneBudgets(Struct, frozen=True, kw_only=True):
    """Bytes that may wait for one peer, by lane. A single frame always fits."""

    vote_bytes: int = 8 << 20
    batch_bytes: int = 16 << 20
    transfer_bytes: int = 8 << 20


class Lanes:
    """The queues of one connection."""

    def __init__(self, budgets: LaneBudgets) -> None:
        """Empty queues."""
        self._budgets = (budgets.vote_bytes, budgets.batch_bytes, budgets.transfer_bytes)
        self._queues: tuple[deque[Data], ...] = (deque(), deque(), deque())
        self._bytes = [0, 0, 0]
        self._next_bulk = Lane.BATCH

    def __len__(self) -> int:
        return sum(map(len, self._queues))

    @property
    def bytes(self) -> int:
        """Bytes that wait in all lanes."""
        return sum(self._bytes)

    def put(self, lane: Lane, data: Data) -> int:
        """Queue an encoded frame; how many older ones of its lane had to be dropped for it."""
        queue = self._queues[lane]
        queue.append(data)
        self._bytes[lane] += len(data)
        dropped = 0
        while self._bytes[lane] > self._budgets[lane] and len(queue) > 1:
            self._bytes[lane] -= len(queue.popleft())
            dropped += 1
        return dropped

    def clear(self, lane: Lane) -> int:
        """Drop all of a lane; how many frames that were."""
        count = len(self._queues[lane])
        self._queues[lane].clear()
        self._bytes[lane] = 0
        return count

    def take(self) -> tuple[Data, int]:
        """The next bytes to write and the number of frames in them; no bytes where all is empty.

        Never more than GATHER_BYTES, or one larger frame: what is in one write cannot be overtaken.
        """
        picked: list[Data] = []
        total = 0
        while (lane := self._next_lane()) is not None:
            size = len(self._queues[lane][0])
            if picked and total + size > GATHER_BYTES:
                break
            picked.append(self._queues[lane].popleft())
            self._bytes[lane] -= size
            total += size
            if lane is not Lane.VOTE:
                self._next_bulk = Lane.TRANSFER if lane is Lane.BATCH else Lane.BATCH
        return (picked[0] if len(picked) == 1 else b"".join(picked)), len(picked)

    def _next_lane(self) -> Lane | None:
        other = Lane.TRANSFER if self._next_bulk is Lane.BATCH else Lane.BATCH
        for lane in (Lane.VOTE, self._next_bulk, other):
            if self._queues[lane]:
                return lane
        return None
