"""What a replica wants done. The order of the list is the durability contract: nothing that follows
a ``Persist`` happens before its record is synced. Effects, records and events are made by the dozen for
each decision and hold no cycles, so they are not tracked for garbage collection (``gc=False``).
"""

from enum import StrEnum

from msgspec import Struct

from grootboek.consensus.records import Record
from grootboek.wire import Certificate, Evidence, Frame

__all__ = [
    "Accuse",
    "Broadcast",
    "CatchUp",
    "Certified",
    "Complain",
    "Effect",
    "Execute",
    "FetchBodies",
    "Persist",
    "Relay",
    "Release",
    "Remember",
    "Send",
    "StartTimer",
    "StopTimer",
    "Timer",
]


class Timer(StrEnum):
    """The timers of the protocol."""

    PROGRESS = "progress"
    """Known batches wait: without an execution in time, the view changes."""
    NEW_VIEW = "new-view"
    """A quorum wants a view: without its NEW-VIEW in time, the next one is tried."""
    STATUS = "status"
    """Something is missing here or at a peer: ask and tell again."""

    __hash__ = str.__hash__  # that of an Enum is a Python function, and timers are looked up all the time


class Persist(Struct, frozen=True, gc=False):
    """Journal this record."""

    record: Record


class Remember(Struct, frozen=True, gc=False):
    """Journal this record before any later one; it needs no sync of its own."""

    record: Record


class Broadcast(Struct, frozen=True, gc=False):
    """To all other replicas."""

    frame: Frame


class Send(Struct, frozen=True, gc=False):
    """To one replica."""

    to: int
    frame: Frame


class StartTimer(Struct, frozen=True, gc=False):
    """Start the timer, or restart it if it runs."""

    timer: Timer
    delay_ms: int


class StopTimer(Struct, frozen=True, gc=False):
    """Stop the timer; no harm if it does not run."""

    timer: Timer


class Execute(Struct, frozen=True, gc=False):
    """The value of ``seq`` is committed and everything below is executed; answered by Executed."""

    seq: int
    time: int
    batches: tuple[bytes, ...]


class Certified(Struct, frozen=True, gc=False):
    """A checkpoint of this replica's own log became stable."""

    certificate: Certificate


class FetchBodies(Struct, frozen=True, gc=False):
    """Ask peers for these batch bodies; comes again while they are missing."""

    digests: tuple[bytes, ...]


class Relay(Struct, frozen=True, gc=False):
    """Send these batch bodies to a replica that may lack them."""

    to: int
    digests: tuple[bytes, ...]


class CatchUp(Struct, frozen=True, gc=False):
    """The log is behind this certificate: transfer what is missing; answered by CaughtUp."""

    certificate: Certificate
    source: int


class Release(Struct, frozen=True, gc=False):
    """Nothing at or below ``seq`` is needed from the journal any more."""

    seq: int


class Accuse(Struct, frozen=True, gc=False):
    """Two signatures that no correct replica gives."""

    evidence: Evidence


class Complain(Struct, frozen=True, gc=False):
    """This replica leaves ``view`` because it found its primary slow: to be said in the log."""

    view: int


Effect = (
    Persist
    | Remember
    | Broadcast
    | Send
    | StartTimer
    | StopTimer
    | Execute
    | Certified
    | FetchBodies
    | Relay
    | CatchUp
    | Release
    | Accuse
    | Complain
)
