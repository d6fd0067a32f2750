"""Simulated time: one heap of events, ordered by time and then by the order of their making."""

import heapq
from collections.abc import Callable

__all__ = ["EPOCH_MS", "Heap"]

EPOCH_MS = 1_800_000_000_000
"""Where every simulated clock starts, in milliseconds since 1970."""


class Heap:
    """Events in microseconds of simulated time."""

    def __init__(self) -> None:
        self.now_us = 0
        self.handled = 0
        self._events: list[tuple[int, int, Callable[[], object]]] = []
        self._made = 0

    @property
    def now_ms(self) -> int:
        """The simulated wall clock, in milliseconds since 1970."""
        return EPOCH_MS + self.now_us // 1_000

    def after(self, delay_us: int, action: Callable[[], object]) -> None:
        """Do ``action`` so many microseconds from now."""
        self._made += 1
        heapq.heappush(self._events, (self.now_us + delay_us, self._made, action))

    def step(self, until_us: int) -> bool:
        """Handle the next event that is due by ``until_us``; False where there is none."""
        if not self._events or self._events[0][0] > until_us:
            self.now_us = max(self.now_us, until_us)
            return False
        self.now_us, _, action = heapq.heappop(self._events)
        self.handled += 1
        action()
        return True
