"""Many crashes for the price of one story: before each the process forks, and the child goes through it."""

import gc
import os
from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct, msgpack

from tests.crash.run import CrashRun, Stop, small_files

__all__ = ["Case", "Outcome", "live_through"]


class Case(Struct, frozen=True):
    """One run: who crashes, where, how."""

    victim: int
    stops: tuple[Stop, ...]
    kind: str
    """Of the operation at the first stop."""


class Outcome(Struct, frozen=True):
    """How a run ended."""

    case: Case
    what: str
    """What went wrong, empty where nothing did."""
    events: int = 0
    """How many the run had."""


_outcomes = msgpack.Decoder(list[Outcome])


def live_through(cases: Sequence[Case]) -> list[Outcome]:
    """The outcome of each of the cases, which have one victim. The process must have no other threads."""
    story = _Forking(cases)
    what = ""
    try:
        with small_files():
            story.story()
    except Exception as error:  # noqa: BLE001  # whatever it is, a child must end below
        what = f"{type(error).__name__}: {error}"
    return story.over(what)


class _Forking(CrashRun):
    """The story without a crash. Each child has one, and forks in turn where a second one is to follow."""

    def __init__(self, cases: Sequence[Case]) -> None:
        super().__init__(cases[0].victim)
        self._mine: list[Case] = []
        """What this process lives through itself: nothing in the first one."""
        self._parent: int | None = None
        """Where a child tells its outcomes."""
        self._await(cases, 0)
        self.members[self.victim].points.before = self._fork

    def over(self, what: str) -> list[Outcome]:
        """The story has ended: a child tells its parent, and is gone."""
        missed = [case for stops in self._due.values() for cases in stops.values() for case in cases]
        found = [
            *self._outcomes,
            *(Outcome(case, what, self.heap.handled) for case in self._mine),
            *(Outcome(case, "a crash did not happen") for case in missed),
        ]
        if self._parent is not None:
            with os.fdopen(self._parent, "wb") as pipe:
                pipe.write(msgpack.encode(found))
            os._exit(0)
        if what:
            raise AssertionError(f"without any crash: {what}")
        return found

    def _await(self, cases: Sequence[Case], crashes: int) -> None:
        """Fork where the crash that follows so many is due in any of the cases."""
        self._outcomes: list[Outcome] = []
        self._due: dict[int, dict[Stop, list[Case]]] = defaultdict(lambda: defaultdict(list))
        for case in cases:
            stop = case.stops[crashes]
            self._due[stop.at][stop].append(case)

    def _fork(self) -> None:
        at = len(self.members[self.victim].points.seen) - self.since
        for stop, cases in self._due.pop(at, {}).items():
            gc.freeze()  # what no collection touches stays shared
            source, sink = os.pipe()
            child = os.fork()
            if not child:
                os.close(source)
                self._parent = sink
                self._crash(stop, cases)
                return
            os.close(sink)
            with os.fdopen(source, "rb") as pipe:
                told = pipe.read()
            os.waitpid(child, 0)
            died = [Outcome(case, "the process died") for case in cases]
            self._outcomes += _outcomes.decode(told) if told else died

    def _crash(self, stop: Stop, cases: Sequence[Case]) -> None:
        """Have the crash at the operation that is about to be done."""
        crashes = self.crashes + 1
        self._mine = [case for case in cases if len(case.stops) == crashes]
        self._await([case for case in cases if len(case.stops) > crashes], crashes)
        self.stops = [stop]
        self.arm()
