"""The simulated network: frames are really encoded and decoded, and may be lost, late, doubled,
garbled or cut off.
"""

import random
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from grootboek.errors import BadFrame
from grootboek.simulation.heap import Heap
from grootboek.wire import Frame, decode, encode, frames

__all__ = ["Network", "Path", "Weather"]

_SECOND_US = 1_000_000


class Weather(Struct, frozen=True):
    """How bad the network is. Probabilities are in thousandths, times in microseconds."""

    loss: int = 0
    duplicate: int = 0
    delay_min: int = 200
    delay_max: int = 2_000
    late: int = 0
    """How many frames in a thousand take up to a hundred times the longest delay."""
    garbled: int = 0
    """How many frames in a thousand arrive with one byte changed."""


class Path(Struct):
    """What is wrong with the way from one replica to another."""

    cut: bool = False
    extra_us: int = 0
    """How much longer every frame takes."""
    bytes_per_second: int = 0
    """How much passes at the most; 0 for no bound."""
    free_at_us: int = 0


class Network:
    """Carries frames between replicas; ``receive(to, sender, frame)`` takes them in."""

    def __init__(self, heap: Heap, rng: random.Random, receive: Callable[[int, int, Frame], None]) -> None:
        self.weather = Weather()
        self.sent = 0
        self.lost = 0
        self._heap = heap
        self._rng = rng
        self._receive = receive
        self._paths: dict[tuple[int, int], Path] = {}

    def path(self, sender: int, to: int) -> Path:
        """The way from ``sender`` to ``to``; what is changed in it holds until ``heal``."""
        return self._paths.setdefault((sender, to), Path())

    def partition(self, group: list[int], others: list[int]) -> None:
        """Stop all frames between the groups."""
        for a in group:
            for b in others:
                self.path(a, b).cut = self.path(b, a).cut = True

    def heal(self) -> None:
        """Mend every path."""
        self._paths.clear()

    def reachable(self, sender: int, to: int) -> bool:
        """Whether frames pass at all."""
        path = self._paths.get((sender, to))
        return path is None or not path.cut

    def send(self, sender: int, to: int, frame: Frame) -> None:
        """One frame on its way."""
        self.sent += 1
        weather, rng = self.weather, self._rng
        if not self.reachable(sender, to) or rng.randrange(1_000) < weather.loss:
            self.lost += 1
            return
        data = encode(frame)
        for _ in range(2 if rng.randrange(1_000) < weather.duplicate else 1):
            delay = rng.randint(weather.delay_min, weather.delay_max) + self._held_up(sender, to, len(data))
            if rng.randrange(1_000) < weather.late:
                delay += rng.randrange(100 * weather.delay_max)
            arriving = _garble(data, rng) if rng.randrange(1_000) < weather.garbled else data
            self._heap.after(delay, partial(self._arrive, to, sender, arriving))

    def _held_up(self, sender: int, to: int, size: int) -> int:
        path = self._paths.get((sender, to))
        if path is None:
            return 0
        if not path.bytes_per_second:
            return path.extra_us
        now = self._heap.now_us
        path.free_at_us = max(path.free_at_us, now) + size * _SECOND_US // path.bytes_per_second
        return path.extra_us + path.free_at_us - now

    def _arrive(self, to: int, sender: int, data: bytes) -> None:
        try:
            frame = decode(frames, data)
        except BadFrame:
            self.lost += 1
        else:
            self._receive(to, sender, frame)


def _garble(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)
