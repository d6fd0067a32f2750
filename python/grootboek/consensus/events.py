"""What can happen to a replica. The driver has authenticated and checked everything before."""

from typing import final

from msgspec import Struct

from grootboek.consensus.effects import Timer
from grootboek.wire import (
    Certificate,
    Checkpoint,
    Cosignature,
    Path,
    ProtocolMessage,
    Signed,
    Status,
    Suspect,
)

__all__ = [
    "CaughtUp",
    "Event",
    "Executed",
    "Heard",
    "Listed",
    "Received",
    "Stored",
    "Submitted",
    "TimerFired",
]


@final
class Submitted(Struct, frozen=True, gc=False):
    """An admissible batch body is held locally and journalled."""

    digest: bytes
    transactions: int
    size: int
    """Bytes."""
    own: bool
    """Whether this replica admitted it from clients."""
    logged: bool = False
    """Whether all its transactions are in the log already: it is at hand, but not to be ordered."""
    origin: int = 0
    """The replica that it came from."""


@final
class Received(Struct, frozen=True, gc=False):
    """A message whose signatures, nested ones included, have been checked (``checks``)."""

    sender: int
    message: ProtocolMessage
    signed: Signed
    """Its signed form."""


@final
class Heard(Struct, frozen=True, gc=False):
    """A message that needs no signature of its own, since it comes from ``sender`` itself; as checked."""

    sender: int
    message: Checkpoint | Status | Suspect


@final
class TimerFired(Struct, frozen=True, gc=False):
    """A timer that was started and not stopped has run out."""

    timer: Timer


@final
class Executed(Struct, frozen=True, gc=False):
    """The ledger executed the value of ``seq`` and appended its block."""

    seq: int
    size: int
    root: bytes
    block: bytes
    """The raw block entry."""
    path: Path
    """Its inclusion path to ``root``."""
    cosignature: Cosignature | None
    """This replica's own; None below what it cosigned before a restart."""
    closes: bool = False
    """Whether the block closes the epoch: nothing is ordered after it."""


@final
class CaughtUp(Struct, frozen=True, gc=False):
    """The ledger reached this certificate by transfer."""

    certificate: Certificate
    closes: bool = False
    """Whether its block closes the epoch."""


@final
class Listed(Struct, frozen=True, gc=False):
    """The replicas that the executed log says are passed over as primaries, at most f of them."""

    replicas: tuple[int, ...]


@final
class Stored(Struct, frozen=True, gc=False):
    """The log is synced through the block of ``seq``."""

    seq: int


Event = Submitted | Received | Heard | TimerFired | Executed | CaughtUp | Listed | Stored
