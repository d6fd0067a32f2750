"""A replica's wall clock, which may be wrong: ahead, behind, drifting or stopped."""

from grootboek.simulation.heap import EPOCH_MS, Heap

__all__ = ["Clock"]

_MILLION = 1_000_000


class Clock:
    """Reads milliseconds since 1970 from simulated time. Timers do not use it: they are monotonic."""

    def __init__(self, heap: Heap) -> None:
        """A clock that is right."""
        self._heap = heap
        self.right()

    def right(self) -> None:
        """Show the true time again."""
        self._offset_us = 0
        self._drift_ppm = 0
        self._since_us = self._heap.now_us
        self._stopped_us: int | None = None

    def jump(self, ms: int) -> None:
        """Go ahead (or back, where negative) at once."""
        self._offset_us += 1_000 * ms

    def drift(self, ppm: int) -> None:
        """Gain so many microseconds in each second from now on."""
        self._offset_us = self._now_us - self._heap.now_us
        self._since_us = self._heap.now_us
        self._drift_ppm = ppm

    def stop(self) -> None:
        """Show the same time until ``right``."""
        self._stopped_us = self._now_us

    @property
    def _now_us(self) -> int:
        if self._stopped_us is not None:
            return self._stopped_us
        gained = (self._heap.now_us - self._since_us) * self._drift_ppm // _MILLION
        return self._heap.now_us + self._offset_us + gained

    @property
    def now_ms(self) -> int:
        """What this clock shows."""
        return EPOCH_MS + self._now_us // 1_000
