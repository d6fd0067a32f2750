"""The simulated network: frames are really encoded and decoded, and may be lost, late, doubled or cut off."""

import random
from collections.abc import Callable

from msgspec import Struct

from grootboek.simulation.heap import Heap
from grootboek.wire import Frame, decode, encode, frames

__all__ = ["Network", "Weather"]


class Weather(Struct, frozen=True):
    """How bad the network is. Probabilities are in thousandths, times in microseconds."""

    loss: int = 0
    duplicate: int = 0
    delay_min: int = 200
    delay_max: int = 2_000
    late: int = 0
    """How many frames in a thousand take up to a hundred times the longest delay."""


class Network:
    """Carries frames between replicas; ``receive(to, sender, frame)`` takes them in."""

    def __init__(self, heap: Heap, rng: random.Random, receive: Callable[[int, int, Frame], None]) -> None:
        self.weather = Weather()
        self.sent = 0
        self.lost = 0
        self._heap = heap
        self._rng = rng
        self._receive = receive
        self._cut: set[tuple[int, int]] = set()

    def cut(self, first: int, second: int) -> None:
        """Stop all frames from ``first`` to ``second`` (one way)."""
        self._cut.add((first, second))

    def partition(self, group: list[int], others: list[int]) -> None:
        """Stop all frames between the groups."""
        for a in group:
            for b in others:
                self.cut(a, b)
                self.cut(b, a)

    def heal(self) -> None:
        """Join everybody again, in fair weather."""
        self._cut.clear()
        self.weather = Weather()

    def reachable(self, sender: int, to: int) -> bool:
        """Whether frames pass at all."""
        return (sender, to) not in self._cut

    def send(self, sender: int, to: int, frame: Frame) -> None:
        """One frame on its way."""
        self.sent += 1
        weather, rng = self.weather, self._rng
        if not self.reachable(sender, to) or rng.randrange(1_000) < weather.loss:
            self.lost += 1
            return
        data = encode(frame)
        for _ in range(2 if rng.randrange(1_000) < weather.duplicate else 1):
            delay = rng.randint(weather.delay_min, weather.delay_max)
            if rng.randrange(1_000) < weather.late:
                delay += rng.randrange(100 * weather.delay_max)
            self._heap.after(delay, lambda: self._receive(to, sender, decode(frames, data)))
