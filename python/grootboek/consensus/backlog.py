"""The batches that wait to be proposed: a queue for each origin, served in turn.

An origin that floods the others with batches so delays none but its own: the first batch of every origin
is in one of the next ceil(origins / k) proposals of k batches, whatever lies behind the others.
"""

from itertools import chain, islice, zip_longest

__all__ = ["Backlog"]


class Backlog:
    """Digests by origin, each in the order they came."""

    def __init__(self) -> None:
        self._queues: dict[int, dict[bytes, None]] = {}
        """Of those origins that have something waiting; the first one's turn is next."""
        self.origins: dict[bytes, int] = {}
        """Of all that waits."""

    def __len__(self) -> int:
        return len(self.origins)

    def add(self, digest: bytes, origin: int) -> None:
        """It waits, behind what else its origin has waiting."""
        if digest not in self.origins:
            self.origins[digest] = origin
            self._queues.setdefault(origin, {})[digest] = None

    def remove(self, digest: bytes) -> None:
        """It is proposed, or done: its origin has had its turn."""
        origin = self.origins.pop(digest, None)
        if origin is None:
            return
        queue = self._queues.pop(origin)
        del queue[digest]
        if queue:
            self._queues[origin] = queue

    def next(self, count: int) -> tuple[bytes, ...]:
        """The next ``count`` in turn, or as many as there are."""
        if len(self._queues) == 1:  # the rule below, for the most frequent case
            (queue,) = self._queues.values()
            return tuple(queue if len(queue) <= count else islice(queue, count))
        rounds = zip_longest(*(islice(queue, count) for queue in self._queues.values()))
        return tuple(islice((d for d in chain.from_iterable(rounds) if d is not None), count))

    def heads(self) -> dict[int, bytes]:
        """The first of each origin."""
        return {origin: next(iter(queue)) for origin, queue in self._queues.items()}
