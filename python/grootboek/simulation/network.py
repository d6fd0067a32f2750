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
        self.later: set[int] = set()
        """Replicas that speak a later version of the protocol."""
        self._last: tuple[Frame, _Letter] | None = None

    def path(self, sender: int, to: int) -> Path:
        """The way from ``sender`` to ``to``; what is changed in it holds until ``heal``."""
        return self._paths.setdefault((sender, to), Path())

    def partition(self, group: list[int], others: list[int]) -> None:
        """Stop all frames between the groups."""
        for a in group:
            for b in others:
                self.path(a, b).cut = self.path(b, a).cut = True

    def heal(self) -> None:
        """Mend every path; all speak the same version again."""
        self._paths.clear()
        self.later.clear()

    def reachable(self, sender: int, to: int) -> bool:
        """Whether frames pass at all; those that are under way where a path is cut are lost, too."""
        path = self._paths.get((sender, to))
        return path is None or not path.cut

    def send(self, sender: int, to: int, frame: Frame) -> None:
        """One frame on its way."""
        self.sent += 1
        weather = self.weather
        path = self._paths.get((sender, to))
        if (path is not None and path.cut) or (weather.loss and self._chance(weather.loss)):
            self.lost += 1
            return
        letter = self._sealed(frame, later=sender in self.later)
        for _ in range(2 if weather.duplicate and self._chance(weather.duplicate) else 1):
            delay = self._delay(weather)
            if path is not None and (path.extra_us or path.bytes_per_second):
                delay += self._held_up(path, len(letter.data))
            carried = self._garbled(letter) if weather.garbled else letter
            self._heap.after(delay, partial(self._arrive, to, sender, carried))

    def _chance(self, thousandths: int) -> bool:
        return self._rng.random() * 1_000 < thousandths

    def _delay(self, weather: Weather) -> int:
        spread = weather.delay_max - weather.delay_min
        delay = weather.delay_min + int(self._rng.random() * spread)
        if weather.late and self._chance(weather.late):
            delay += self._rng.randrange(100 * weather.delay_max)
        return delay

    def _sealed(self, frame: Frame, *, later: bool) -> "_Letter":
        """Encoded once, to however many it goes."""
        if later:
            return _Letter(_later_version(encode(frame), self._rng))
        if self._last is None or self._last[0] is not frame:
            self._last = (frame, _Letter(encode(frame)))
        return self._last[1]

    def _garbled(self, letter: "_Letter") -> "_Letter":
        return _Letter(_garble(letter.data, self._rng)) if self._chance(self.weather.garbled) else letter

    def _held_up(self, path: Path, size: int) -> int:
        if not path.bytes_per_second:
            return path.extra_us
        now = self._heap.now_us
        path.free_at_us = max(path.free_at_us, now) + size * _SECOND_US // path.bytes_per_second
        return path.extra_us + path.free_at_us - now

    def _arrive(self, to: int, sender: int, letter: "_Letter") -> None:
        frame = letter.opened() if self.reachable(sender, to) else None
        if frame is None:
            self.lost += 1
        else:
            self._receive(to, sender, frame)


class _Letter:
    """Bytes on their way. All who get the same bytes share one decoding, since values do not change."""

    __slots__ = ("_frame", "_opened", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._opened = False
        self._frame: Frame | None = None

    def opened(self) -> Frame | None:
        """The frame in it; None where there is none."""
        if not self._opened:
            self._opened = True
            self._frame = _frame_in(self.data)
        return self._frame


def _frame_in(data: bytes) -> Frame | None:
    try:
        frame: Frame = decode(frames, data)
    except BadFrame:
        return None
    return frame


def _later_version(data: bytes, rng: random.Random) -> bytes:
    """The frame as a later version of the protocol has it: with a field more, or of an unknown kind."""
    if rng.randrange(2):
        return bytes([data[0] + 1]) + data[1:] + b"\xc0"
    return data[:1] + b"\x7f" + data[2:]


def _garble(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)
