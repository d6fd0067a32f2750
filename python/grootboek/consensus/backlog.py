"""The batches that wait to be proposed: a queue for each origin, served in turn.

An origin that floods the others with batches so delays none but its own: the first batch of every origin
is in one of the next ceil(origins / k) proposals of k batches, whatever lies behind the others.
"""

from collections import OrderedDict
from itertools import chain, islice, zip_longest

__all__ = ["Backlog"]


class Backlog:
    """Digests by origin, each in the order they came."""

    def __init__(self) -> None:
        self._queues: OrderedDict[int, OrderedDict[bytes, None]] = OrderedDict()
        """Of those origins that have something waiting; the first one's turn is next."""
        self._origins: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._origins

    def add(self, digest: bytes, origin: int) -> None:
        """It waits, behind what else its origin has waiting."""
        if digest not in self._origins:
            self._origins[digest] = origin
            self._queues.setdefault(origin, OrderedDict())[digest] = None

    def remove(self, digest: bytes) -> None:
        """It is proposed, or done: its origin has had its turn."""
        origin = self._origins.pop(digest, None)
        if origin is None:
            return
        queue = self._queues[origin]
        del queue[digest]
        if queue:
            self._queues.move_to_end(origin)
        else:
            del self._queues[origin]

    def next(self, count: int) -> tuple[bytes, ...]:
        """The next ``count`` in turn, or as many as there are."""
        rounds = zip_longest(*(islice(queue, count) for queue in self._queues.values()))
        return tuple(islice((d for d in chain.from_iterable(rounds) if d is not None), count))

    def heads(self) -> dict[int, bytes]:
        """The first of each origin."""
        return {origin: next(iter(queue)) for origin, queue in self._queues.items()}
