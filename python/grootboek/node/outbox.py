"""What one turn of the engine leaves for its driver to do."""

from collections.abc import Hashable

from grootboek.wire import Frame

__all__ = ["Outbox"]


class Outbox:
    """Frames and timers, in order. Everything that had to be durable first is durable already."""

    __slots__ = ("flush", "frames", "opens", "sync", "timers")

    def __init__(self) -> None:
        self.frames: list[tuple[int | None, Frame]] = []
        """(receiver, frame); None is every other replica."""
        self.timers: list[tuple[Hashable, int | None]] = []
        """(timer, delay in milliseconds); None stops it. Starting a running timer restarts it."""
        self.sync = False
        """Whether the log should be synced now, off the loop; then ``Engine.stored``."""
        self.flush = False
        """Whether what follows from it should be durable after that."""
        self.opens = False
        """Whether the epoch is over: do all this, then call ``Engine.open_epoch``."""

    def send(self, to: int | None, frame: Frame) -> None:
        """Send to one replica, or to all others."""
        self.frames.append((to, frame))

    def start(self, timer: Hashable, delay_ms: int) -> None:
        """Start or restart a timer."""
        self.timers.append((timer, delay_ms))

    def stop(self, timer: Hashable) -> None:
        """Stop a timer."""
        self.timers.append((timer, None))
