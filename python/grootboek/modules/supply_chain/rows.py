# ruff: noqa: N815  # the fields have the names that EPCIS 2.0 gives them
"""What the supply chain module keeps in its state."""

from msgspec import Struct

from grootboek.ledger.module import Table
from grootboek.modules.trace import Trace

__all__ = ["DeclarationRow", "EventRow", "PrefixRow", "declarations", "events", "prefixes", "trace"]


class PrefixRow(Struct, frozen=True, array_like=True):
    """Who may commission under a prefix."""

    prefix: str
    owner: bytes | None


class EventRow(Struct, frozen=True, array_like=True, kw_only=True):
    """One event, or one part of a large one; all of it is in the log, at transaction and index."""

    eventID: str
    part: int
    type: str
    action: str | None
    eventTime: int
    bizStep: str | None
    readPoint: str | None
    bizLocation: str | None
    reporter: bytes
    content: bytes
    """Digest of its clear fields: the same eventID never stands for another content (S6)."""
    private: bytes
    """Digest of its commitments, which two parties salt differently."""
    transaction: bytes
    index: int
    height: int
    items: tuple[str, ...]
    """The items that it names, in canonical form."""


class DeclarationRow(Struct, frozen=True, array_like=True, kw_only=True):
    """An event, or one part of a large one, that a party declared wrong."""

    eventID: str
    declarationTime: int
    reason: str | None
    correctiveEventIDs: tuple[str, ...]
    reporter: bytes
    known: bool
    """Whether the event was on the ledger when it was declared wrong; else it never takes effect."""


prefixes = Table("prefix", PrefixRow)
events = Table("event", EventRow)
declarations = Table("declaration", DeclarationRow)
trace = Trace()
