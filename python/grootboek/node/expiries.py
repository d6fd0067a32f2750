"""Which transactions end when: ids by expiry, with those forgotten that have ended otherwise."""

from collections.abc import Collection, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

__all__ = ["SLACK", "Expiries"]

SLACK: Final = 1_024
"""So many ids may be left over that have ended otherwise, besides as many as have not."""


class Expiries:
    """Ids in one bucket for each expiry: those of a request mostly have the same."""

    def __init__(self) -> None:
        """Empty."""
        self._buckets: dict[int, list[bytes]] = {}
        self._order: list[int] = []
        """A heap of the buckets' expiries."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ids: Sequence[bytes], expiries: Sequence[int], alive: Collection[bytes]) -> None:
        """Note when these end. ``alive``: all that have not ended, these included."""
        for identity, expiry in zip(ids, expiries, strict=True):
            bucket = self._buckets.get(expiry)
            if bucket is None:
                bucket = self._buckets[expiry] = []
                heappush(self._order, expiry)
            bucket.append(identity)
        self._count += len(ids)
        if self._count > 2 * len(alive) + SLACK:
            self._forget(alive)

    def due(self, time: int) -> list[bytes]:
        """Remove and return all whose expiry is not after ``time``."""
        ended: list[bytes] = []
        while self._order and self._order[0] <= time:
            ended += self._buckets.pop(heappop(self._order))
        self._count -= len(ended)
        return ended

    def _forget(self, alive: Collection[bytes]) -> None:
        kept = {expiry: [i for i in ids if i in alive] for expiry, ids in self._buckets.items()}
        self._buckets = {expiry: ids for expiry, ids in kept.items() if ids}
        self._order = list(self._buckets)
        heapify(self._order)
        self._count = sum(map(len, self._buckets.values()))
