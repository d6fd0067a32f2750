"""The shape of the table of hostile input: a row for each inbound frame, a column for each abuse."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

W = TypeVar("W")

ABUSES = (
    "truncated",
    "oversize",
    "wrong epoch",
    "wrong chain",
    "wrong sender",
    "duplicate",
    "reordered",
    "stale view",
    "future view",
    "bad signature",
    "non-canonical",
)

BAD_FRAME = "GB-2001"
TOO_LARGE = "GB-2002"
BAD_HELLO = "GB-2003"
BAD_MESSAGE = "GB-2004"
BAD_MESSAGE_SIGNATURE = "GB-2005"
BAD_BATCH = "GB-2006"


@dataclass(frozen=True)
class Cell(Generic[W]):
    """What arrives, and the codes of the refusals that follow; none: it is ignored, or harmless."""

    make: Callable[[W], list[bytes]]
    """The payloads of the frames, in the order in which they arrive."""
    codes: tuple[str, ...] = ()
    world: str = "plain"
    votes: int = 0
    """How many PREPAREs and COMMITs of the victim follow at once."""
    instead: str = ""
    """Why the abuse has no meaning for this frame; the nearest one is then tried in its place."""


@dataclass(frozen=True)
class Row(Generic[W]):
    """A type of frame, or of signed message, by its name in the protocol."""

    kind: type
    good: Callable[[W], bytes]
    """A frame of this type with nothing wrong in it: truncating and stretching start from it."""
    cells: dict[str, Cell[W]] = field(default_factory=dict)
    """By abuse; all but ``truncated``, which is the same for all."""


def stretched(payload: bytes) -> bytes:
    """The same value with its tag in a longer form."""
    return payload[:1] + b"\xcc" + payload[1:]


def prefixes(payload: bytes) -> list[bytes]:
    """The payload cut off at each of some 50 places."""
    step = max(1, len(payload) // 50)
    return [payload[:length] for length in range(0, len(payload), step)]
