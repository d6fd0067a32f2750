"""Events as records: idempotent by eventID (S6), and declarations of error."""

from typing import Final

from msgspec import structs

from grootboek._core import digest
from grootboek.ledger.module import Context, Rejected, View
from grootboek.modules.supply_chain.rows import DeclarationRow, EventRow, declarations, events, trace
from grootboek.modules.supply_chain.terms import Event, ExtendedEvent
from grootboek.modules.trace import Mark
from grootboek.wire import encode

__all__ = ["declaration", "declare", "event_key", "is_known", "is_void", "record", "transformation_key"]

_EVENT: Final = b"grootboek/1 epcis event\n"
_TRANSFORMATION: Final = b"grootboek/1 epcis transformation\n"
_CONTENT: Final = b"grootboek/1 epcis content\n"


def event_key(event_id: str, part: int = 1) -> bytes:
    """The key of an event, or of one part of it, in the tables."""
    return digest(_EVENT + part.to_bytes(4, "big") + event_id.encode())


def transformation_key(name: str) -> bytes:
    """The key of a transformation: by its transformationID, else by its eventID."""
    return digest(_TRANSFORMATION + name.encode())


def is_known(state: View, cmd: Event, reporter: bytes) -> bool:
    """Whether the event is on the ledger already; raises Rejected("event-id-taken") for another content.

    Two parties may report one event; their commitments to the same values differ by their salts, so
    these are compared only for the same reporter.
    """
    row = events.get(state, event_key(cmd.eventID, cmd.part))
    if row is None:
        return False
    content, private = _digests(cmd)
    if row.content != content or (row.reporter == reporter and row.private != private):
        raise Rejected("event-id-taken", cmd.eventID)
    return True


def is_void(state: View, cmd: Event, reporter: bytes) -> bool:
    """Whether its reporter declared the event wrong: nobody else can keep it from taking effect."""
    return declarations.get(state, event_key(cmd.eventID, cmd.part), reporter) is not None


def declaration(state: View, event_id: str, part: int) -> DeclarationRow | None:
    """By the event's reporter; by any party while the event is not known."""
    key = event_key(event_id, part)
    row = events.get(state, key)
    if row is None:
        return next(declarations.scan(state, key, limit=1), None)
    return declarations.get(state, key, row.reporter)


def record(ctx: Context, state: View, cmd: Event, reporter: bytes, items: tuple[str, ...]) -> None:
    """Add the event to the records."""
    content, private = _digests(cmd)
    row = EventRow(
        eventID=cmd.eventID,
        part=cmd.part,
        type=cmd.type if isinstance(cmd, ExtendedEvent) else type(cmd).__name__,
        action=getattr(cmd, "action", None),
        eventTime=cmd.eventTime,
        bizStep=cmd.bizStep,
        readPoint=cmd.readPoint,
        bizLocation=cmd.bizLocation,
        reporter=reporter,
        content=content,
        private=private,
        transaction=ctx.transaction,
        index=ctx.index,
        height=ctx.height,
        items=items,
    )
    events.put(state, row, event_key(cmd.eventID, cmd.part))


def declare(state: View, cmd: Event, reporter: bytes) -> None:
    """Record that an event is wrong. What followed from it stands, marked by a gap at each item; an
    event that comes after its reporter declared it wrong never takes effect.
    """
    error, key = cmd.errorDeclaration, event_key(cmd.eventID, cmd.part)
    if error is None or is_void(state, cmd, reporter):
        return
    known = is_known(state, cmd, reporter)
    row = DeclarationRow(
        eventID=cmd.eventID,
        declarationTime=error.declarationTime,
        reason=error.reason,
        correctiveEventIDs=error.correctiveEventIDs,
        reporter=reporter,
        known=known,
    )
    if known:
        _mark_items(state, cmd, reporter)
    declarations.put(state, row, key, reporter)


def _mark_items(state: View, cmd: Event, reporter: bytes) -> None:
    key = event_key(cmd.eventID, cmd.part)
    row = events.require(state, "event-unknown", key)
    if row.reporter != reporter:
        raise Rejected("not-reporter", "only the reporter of an event declares it wrong")
    for name in row.items:
        item = trace.get(state, name)
        if item is not None:
            trace.gap(state, Mark(key, cmd.eventTime, reporter), item, "declared-wrong")


def _digests(cmd: Event) -> tuple[bytes, bytes]:
    """Of the clear fields, and of the commitments. When it was recorded elsewhere is no part of it."""
    private = (cmd.sensorElementList, getattr(cmd, "ilmd", None), cmd.extensions)
    hidden = {"ilmd": None} if hasattr(cmd, "ilmd") else {}
    clear = structs.replace(
        cmd, recordTime=None, errorDeclaration=None, sensorElementList=None, extensions=None, **hidden
    )
    name = type(cmd).__name__.encode()
    return digest(_CONTENT + name + b"\n" + encode(clear)), digest(_CONTENT + encode(private))
