"""PBFT as a pure state machine: events in, effects out; no I/O, clock or randomness.

``Replica(config, sign)``, then ``start`` once and ``handle`` for every event. The driver performs the
effects in their order and syncs the records of all ``Persist`` effects before anything that follows
them. What arrives from a peer goes through ``Checks`` first.
"""

from grootboek.consensus.checks import Checks, Obligation, OtherEpoch
from grootboek.consensus.config import Config
from grootboek.consensus.contract import CheckedReplica
from grootboek.consensus.core import Position
from grootboek.consensus.effects import (
    Accuse,
    Broadcast,
    CatchUp,
    Certified,
    Complain,
    Effect,
    Execute,
    FetchBodies,
    Persist,
    Relay,
    Release,
    Remember,
    Send,
    StartTimer,
    StopTimer,
    Timer,
)
from grootboek.consensus.events import (
    CaughtUp,
    Event,
    Executed,
    Heard,
    Listed,
    Received,
    Stored,
    Submitted,
    TimerFired,
)
from grootboek.consensus.records import (
    Accepted,
    Amnesia,
    Cosigned,
    EnteredView,
    LeftView,
    OpenedEpoch,
    Record,
    StableCheckpoint,
    Voted,
    decode_record,
)
from grootboek.consensus.replica import Replica

__all__ = [
    "Accepted",
    "Accuse",
    "Amnesia",
    "Broadcast",
    "CatchUp",
    "CaughtUp",
    "Certified",
    "CheckedReplica",
    "Checks",
    "Complain",
    "Config",
    "Cosigned",
    "Effect",
    "EnteredView",
    "Event",
    "Execute",
    "Executed",
    "FetchBodies",
    "Heard",
    "LeftView",
    "Listed",
    "Obligation",
    "OpenedEpoch",
    "OtherEpoch",
    "Persist",
    "Position",
    "Received",
    "Record",
    "Relay",
    "Release",
    "Remember",
    "Replica",
    "Send",
    "StableCheckpoint",
    "StartTimer",
    "StopTimer",
    "Stored",
    "Submitted",
    "Timer",
    "TimerFired",
    "Voted",
    "decode_record",
]
