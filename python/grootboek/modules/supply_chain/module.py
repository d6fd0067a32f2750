"""The supply chain module: invariants S1, S2, S3 and S6."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from msgspec import Meta, Struct

from grootboek.ledger.module import Context, Module, Rejected, View, command, query
from grootboek.modules.supply_chain import events as records
from grootboek.modules.supply_chain import invariants, rules
from grootboek.modules.supply_chain.identifiers import canonical
from grootboek.modules.supply_chain.rows import (
    DeclarationRow,
    EventRow,
    PrefixRow,
    events,
    trace,
)
from grootboek.modules.supply_chain.terms import (
    AcceptCustody,
    AggregationEvent,
    AssociationEvent,
    Event,
    ExtendedEvent,
    ObjectEvent,
    OfferCustody,
    Part,
    RegisterPrefix,
    TransactionEvent,
    TransformationEvent,
    Uri,
)
from grootboek.modules.trace import CustodyRow, HeldRow, ItemRow, Mark, item_key

__all__ = ["REGISTRAR", "REPORTER", "SupplyChain"]

REGISTRAR: Final = "supply_chain.registrar"
REPORTER: Final = "supply_chain.reporter"

_NODES_MAX: Final = 1_000


class ItemKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Names an item, in any of its forms."""

    id: Uri


class TraceKey(Struct, frozen=True, forbid_unknown_fields=True):
    """Names an item or class, and how far to follow it."""

    id: Uri
    limit: Annotated[int, Meta(ge=1, le=_NODES_MAX)] = 200
    """How many items and classes at most."""


class EventID(Struct, frozen=True, forbid_unknown_fields=True):
    """Names an event."""

    eventID: Uri  # noqa: N815  # the standard's name
    part: Part = 1


class Seen(Struct, frozen=True):
    """One event of an item."""

    eventID: str  # noqa: N815  # the standard's name
    part: int
    eventTime: int  # noqa: N815  # the standard's name
    what: str
    """What the item was to it: ``commission``, ``observe``, ``into``, ``out-of``, ``input``..."""
    bizStep: str | None  # noqa: N815  # the standard's name


class Gap(Struct, frozen=True):
    """Something that must have happened and was not reported."""

    kind: str
    eventID: str  # noqa: N815  # the standard's name
    """The event that showed it."""
    eventTime: int  # noqa: N815  # the standard's name
    about: str
    """A party's id (hex) or an item's name."""


class ItemStatus(Struct, frozen=True):
    """All that the ledger knows of an item."""

    item: ItemRow
    parents: tuple[str, ...]
    """Its parent, that one's parent, and so on to the root."""
    place: str | None
    """Where it, or its root, was seen last."""
    contents: tuple[str, ...]
    quantities: tuple[HeldRow, ...]
    custody: tuple[CustodyRow, ...]
    gaps: tuple[Gap, ...]
    history: tuple[Seen, ...]
    """In the order in which the ledger took the events; each has its own time."""


class Node(Struct, frozen=True):
    """One item or class that another one was made from or into."""

    id: str
    via: str
    """The one that it was reached from."""
    transformation: bytes
    depth: int
    """How many transformations away."""


class SupplyChain(Module):
    """EPCIS 2.0 events and the items that they are about."""

    name: ClassVar[str] = "supply_chain"
    version: ClassVar[int] = 1
    roles: ClassVar[dict[str, str]] = {
        REGISTRAR: "registers who owns which prefix",
        REPORTER: "reports events, commissions under its party's prefixes, offers and accepts custody",
    }
    reasons: ClassVar[dict[str, str]] = {
        "role-missing": "no signer holds the role that the command needs",
        "prefix-form": "S1: a prefix is 4 to 12 digits, or a URI that ends with a separator",
        "prefix-exists": "S1: the prefix belongs to another party",
        "not-key-owner": "S1: the name's prefix belongs to another party, which alone commissions under it",
        "item-exists": "S1: the name is in use or was used before",
        "item-ended": "S1: the item was decommissioned before the time of the event",
        "before-commission": "S1: the item was commissioned after the time of the event",
        "seen-later": "S1: the item takes part in a later event, so it did not end then",
        "item-unknown": "the item takes part in no event",
        "has-parent": "S2: the item is in another parent and was not taken out of it",
        "other-parent": "S2: the item is in another parent than the one that it is taken out of",
        "containment-cycle": "S2: the item would contain itself",
        "contained": "S2: a contained item is where its parent is until it is taken out",
        "too-deep": "S2: containment is at most 32 deep",
        "too-many": "more than 500 contained items at once",
        "not-custodian": "S3: only the custodian's reports put items in or out, use or end them",
        "not-offered": "S3: the custodian has not offered the item to this party",
        "event-id-taken": "S6: the eventID stands for another content",
        "event-unknown": "S6: no such event is recorded",
        "not-reporter": "S6: only the reporter of an event declares it wrong",
        "part-number": "S6: a part's number is above the number of parts",
    }
    importers: ClassVar[dict[str, str]] = {
        "epcis": "grootboek.modules.supply_chain.importer:EpcisImporter",
        "prefixes": "grootboek.modules.supply_chain.importer:PrefixTableImporter",
    }

    # --- commands ---------------------------------------------------------------------------------

    @command
    def object_event(self, ctx: Context, state: View, cmd: ObjectEvent) -> None:
        """Commission items (ADD), end them (DELETE) or see them (OBSERVE)."""
        _take(ctx, state, cmd)

    @command
    def aggregation_event(self, ctx: Context, state: View, cmd: AggregationEvent) -> None:
        """Put items into a parent (ADD), take them out (DELETE) or see them in it (OBSERVE)."""
        _take(ctx, state, cmd)

    @command
    def association_event(self, ctx: Context, state: View, cmd: AssociationEvent) -> None:
        """As AggregationEvent, for what stays together."""
        _take(ctx, state, cmd)

    @command
    def transaction_event(self, ctx: Context, state: View, cmd: TransactionEvent) -> None:
        """Tie items to business transactions."""
        _take(ctx, state, cmd)

    @command
    def transformation_event(self, ctx: Context, state: View, cmd: TransformationEvent) -> None:
        """Make outputs from inputs."""
        _take(ctx, state, cmd)

    @command
    def extended_event(self, ctx: Context, state: View, cmd: ExtendedEvent) -> None:
        """Record an event of a type of the user's own."""
        _take(ctx, state, cmd)

    @command
    def register_prefix(self, ctx: Context, state: View, cmd: RegisterPrefix) -> None:
        """Say who may commission under a prefix (S1)."""
        ctx.require(REGISTRAR)
        rules.register(state, cmd.prefix, cmd.owner)

    @command
    def offer_custody(self, ctx: Context, state: View, cmd: OfferCustody) -> None:
        """Offer items to another party (S3)."""
        giver = ctx.require(REPORTER)
        for uri in cmd.items:
            trace.offer(state, trace.require(state, canonical(uri)), giver, cmd.taker)

    @command
    def accept_custody(self, ctx: Context, state: View, cmd: AcceptCustody) -> None:
        """Accept items that were offered (S3)."""
        taker = ctx.require(REPORTER)
        for uri in cmd.items:
            trace.accept(state, trace.require(state, canonical(uri)), taker, ctx.time)

    # --- queries ----------------------------------------------------------------------------------

    @query
    def item(self, state: View, args: ItemKey) -> ItemStatus | None:
        """An item's state, place, parents, contents, custody, gaps and history."""
        row = trace.get(state, canonical(args.id))
        if row is None:
            return None
        path = trace.path(state, row)
        return ItemStatus(
            item=row,
            parents=tuple(outer.id for outer in path[1:]),
            place=path[-1].place,
            contents=tuple(link.id for link in trace.children.every(state, item_key(row.id))),
            quantities=tuple(trace.quantities(state, row.id)),
            custody=tuple(trace.chain(state, row.id)),
            gaps=tuple(_gaps(state, row.id)),
            history=tuple(_history(state, row.id)),
        )

    @query
    def event(self, state: View, args: EventID) -> EventRow | None:
        """An event's record, with the transaction that its receipt is for."""
        return events.get(state, records.event_key(args.eventID, args.part))

    @query
    def declaration(self, state: View, args: EventID) -> DeclarationRow | None:
        """Whether an event was declared wrong by its reporter, or by the first party before it came."""
        return records.declaration(state, args.eventID, args.part)

    @query
    def trace_back(self, state: View, args: TraceKey) -> list[Node]:
        """What an item or class was made from, nearest first."""
        return _follow(state, args, forward=False)

    @query
    def trace_forward(self, state: View, args: TraceKey) -> list[Node]:
        """What an item or class was made into, nearest first."""
        return _follow(state, args, forward=True)

    @query
    def prefix(self, state: View, args: ItemKey) -> PrefixRow | None:
        """The registered prefix that a name falls under."""
        return rules.registered(state, canonical(args.id))

    def invariants(self, state: View) -> Iterator[tuple[str, bool]]:
        """S1, S2, S3 and S6, from the rows alone."""
        return invariants.check(state)


def _take(ctx: Context, state: View, cmd: Event) -> None:
    """One event: once (S6), with its effects, unless it is or was declared wrong."""
    reporter = ctx.require(REPORTER)
    if cmd.part > cmd.parts:
        raise Rejected("part-number")
    if cmd.errorDeclaration is not None:
        records.declare(state, cmd, reporter)
        return
    if records.is_known(state, cmd, reporter):
        return
    items = rules.touched(state, cmd)
    void = records.is_void(state, cmd, reporter)
    records.record(ctx, state, cmd, reporter, items if not void else ())
    if not void:
        mark = Mark(records.event_key(cmd.eventID, cmd.part), cmd.eventTime, reporter)
        rules.apply(state, mark, cmd)


def _gaps(state: View, name: str) -> Iterator[Gap]:
    for row in trace.gaps_of(state, name):
        event = events.require(state, "event-unknown", row.event)
        yield Gap(row.kind, event.eventID, row.time, row.about)


def _history(state: View, name: str) -> Iterator[Seen]:
    for row in trace.history(state, name):
        event = events.require(state, "event-unknown", row.event)
        yield Seen(event.eventID, event.part, row.time, row.what, event.bizStep)


def _follow(state: View, args: TraceKey, *, forward: bool) -> list[Node]:
    """Breadth first, each name once."""
    start = canonical(args.id)
    seen, found, edge, depth = {start}, list[Node](), [start], 0
    while edge and len(found) < args.limit:
        depth += 1
        reached = []
        for via in edge:
            for link in trace.steps(state, via, forward=forward):
                if link.id not in seen and len(found) < args.limit:
                    seen.add(link.id)
                    reached.append(link.id)
                    found.append(Node(link.id, via, link.transformation, depth))
        edge = reached
    return found
