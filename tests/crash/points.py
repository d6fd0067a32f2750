"""Where a replica's process can end: before each thing it does that its disk or the world can see."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from grootboek._core import State
from grootboek.node.intake import Request
from grootboek.node.journal import MARKER, Journal
from grootboek.node.outbox import Outbox
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.replica import SimulatedReplica


class Crash(BaseException):
    """The process is gone: nothing after this happens."""


def of_journal(name: str) -> bool:
    """Whether the file is the journal's: a segment, or the marker."""
    return name.startswith("journal/") or name == MARKER


class Points:
    """Counts a process's operations by kind, and ends the process before a chosen one."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.unsynced: list[tuple[bool, bool]] = []
        """For each operation: whether a loss of power before it takes anything from the journal, and
        whether it takes anything from other files.
        """
        self.stop_at: int | None = None
        self.halved = False
        """Whether the operation at which the process ends is half done, where it can be."""
        self.disk = CountedDisk(self)
        self.before: Callable[[], None] = lambda: None
        """Called before each operation: it may yet choose it as the one."""

    def reach(self, kind: str, half: Callable[[], None] | None = None) -> None:
        self.before()
        if len(self.seen) == self.stop_at:
            self.stop_at = None
            if self.halved and half is not None:
                half()
            raise Crash
        self.seen.append(kind)
        journal = [of_journal(name) for name in self.disk.unsynced]
        self.unsynced.append((any(journal), not all(journal)))


class CountedDisk(SimulatedDisk):
    """Each change is a point. One that is atomic has nothing in between: it is done, or it is not."""

    def __init__(self, points: Points) -> None:
        super().__init__()
        self._points = points

    def append(self, name: str, data: bytes) -> None:
        append = super().append
        self._points.reach("append", lambda: append(name, data[: len(data) // 2]))
        append(name, data)

    def overwrite(self, name: str, offset: int, data: bytes) -> None:
        overwrite = super().overwrite
        # The fields of a slot of the marker are in its first 119 bytes: the tear is among them.
        self._points.reach("overwrite", lambda: overwrite(name, offset, data[:60]))
        overwrite(name, offset, data)

    def sync(self, name: str) -> None:
        self._points.reach("sync")
        super().sync(name)

    def write(self, name: str, data: bytes) -> None:
        self._points.reach("replace")
        super().write(name, data)

    def truncate(self, name: str, size: int) -> None:
        self._points.reach("truncate")
        super().truncate(name, size)

    def remove(self, name: str) -> None:
        self._points.reach("remove")
        super().remove(name)


class CountedState:
    """The state's store: its flush is a point. It falls back to the last flush by itself."""

    def __init__(self, points: Points) -> None:
        self._points = points
        self._state = State()

    def __getattr__(self, name: str) -> object:
        return getattr(self._state, name)

    def flush(self, height: int, keep: int) -> None:
        self._points.reach("flush")
        self._state.flush(height, keep)


class CountedReplica(SimulatedReplica):
    """Ends where its points say. ``crashed`` decides what becomes of its disk, and when it is back."""

    crashed: Callable[["CountedReplica"], None]
    points: Points

    def count(self, crashed: Callable[["CountedReplica"], None]) -> None:
        self.crashed = crashed
        self.points = Points()
        self.disk = self.points.disk
        Journal.found(self.disk)
        self.points.seen, self.points.unsynced = [], []
        self._state = cast("State", CountedState(self.points))

    def boot(self) -> None:
        with self._ending():
            super().boot()

    def turn(self, action: Callable[[int], Outbox]) -> None:
        with self._ending():
            super().turn(action)

    def submit(self, body: bytes, done: Callable[[Request], None]) -> None:
        def answer(request: Request) -> None:
            self.points.reach("answer")
            done(request)

        super().submit(body, answer)

    def _sync(self, boot: int, *, flush: bool) -> None:
        with self._ending():
            super()._sync(boot, flush=flush)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except Crash:
            self.kill()
            self.crashed(self)
