"""What each event type does to items: S1, S2 and S3."""

from collections.abc import Iterable
from typing import Final

from grootboek.ledger.module import Rejected, View
from grootboek.modules.supply_chain.events import transformation_key
from grootboek.modules.supply_chain.identifiers import GS1, canonical, site
from grootboek.modules.supply_chain.identifiers import prefixes as prefixes_of
from grootboek.modules.supply_chain.rows import PrefixRow, prefixes, trace
from grootboek.modules.supply_chain.terms import (
    AggregationEvent,
    AssociationEvent,
    Event,
    ObjectEvent,
    QuantityElement,
    TransactionEvent,
    TransformationEvent,
)
from grootboek.modules.trace import Bond, ItemRow, Mark, Origin

__all__ = ["apply", "names", "register", "registered", "touched"]

_MICRO_DIGITS: Final = 6
_SEPARATORS: Final = tuple("/:#.=?")
_DIGITS: Final = range(4, 13)


def apply(state: View, mark: Mark, cmd: Event) -> None:
    """The event's effects; raises Rejected where it breaks S1, S2 or S3."""
    match cmd:
        case ObjectEvent():
            _object(state, mark, cmd)
        case AggregationEvent() | AssociationEvent():
            _containment(state, mark, cmd)
        case TransactionEvent():
            _observe(state, mark, cmd, list(names(cmd)), "transaction")
        case TransformationEvent():
            _transformation(state, mark, cmd)


def names(cmd: Event) -> tuple[str, ...]:
    """Every item that the event names, in canonical form, each once."""
    lists = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
    uris = [uri for field in lists for uri in getattr(cmd, field, ())]
    return tuple(_unique([*_parent(cmd), *uris]))


def touched(state: View, cmd: Event) -> tuple[str, ...]:
    """The items that the event is about: those that it names, and those that it takes out unnamed."""
    named = names(cmd)
    if isinstance(cmd, AggregationEvent | AssociationEvent) and cmd.parentID is not None:
        return tuple(dict.fromkeys((*named, *_emptied(state, cmd, canonical(cmd.parentID)))))
    return named


def register(state: View, prefix: str, owner: bytes | None) -> None:
    """Register a prefix; raises Rejected("prefix-form") or Rejected("prefix-exists")."""
    digits = prefix.isascii() and prefix.isdigit()
    if not (digits and len(prefix) in _DIGITS) and not (":" in prefix and prefix.endswith(_SEPARATORS)):
        raise Rejected("prefix-form", "needs 4 to 12 digits, or a URI that ends with a separator")
    row = PrefixRow(prefix, owner)
    known = prefixes.get(state, prefix)
    if known is not None and known != row:
        raise Rejected("prefix-exists", "another party owns it")
    prefixes.put(state, row, prefix)


def registered(state: View, name: str) -> PrefixRow | None:
    """The longest registered prefix that a canonical name falls under."""
    found = (prefixes.get(state, prefix) for prefix in prefixes_of(name))
    return next((row for row in found if row is not None), None)


# --- object events --------------------------------------------------------------------------------


def _object(state: View, mark: Mark, cmd: ObjectEvent) -> None:
    items = _unique(cmd.epcList)
    if cmd.action == "ADD":
        for name in items:
            _settle(state, mark, cmd, _commission(state, mark, name, "commission"))
        _check_classes(state, mark, cmd.quantityList)
    elif cmd.action == "DELETE":
        for name in items:
            row = trace.see(state, mark, name, "end", acting=True)
            trace.end(state, mark, _settle(state, mark, cmd, row))
    else:
        _observe(state, mark, cmd, items, "observe")


def _commission(state: View, mark: Mark, name: str, what: str) -> ItemRow:
    """Begin an item (S1): only the owner of its prefix may; without an owner it is a claim, and a gap."""
    origin = _origin(state, name, mark.party)
    row = trace.commission(state, mark, name, origin, what)
    return row if origin == "commissioned" else trace.gap(state, mark, row, "prefix-unregistered")


def _origin(state: View, name: str, party: bytes) -> Origin:
    row = registered(state, name)
    if row is None:
        return "claimed"
    if row.owner not in {None, party}:
        raise Rejected("not-key-owner", f"{row.prefix} is another party's")
    return "commissioned"


def _check_classes(state: View, mark: Mark, quantities: Iterable[QuantityElement]) -> None:
    """Classes and lots too are created by the owner of their prefix only."""
    for element in quantities:
        _origin(state, canonical(element.epcClass), mark.party)


def _observe(state: View, mark: Mark, cmd: Event, items: list[str], what: str) -> None:
    present = set(names(cmd))
    for name in items:
        row = trace.see(state, mark, name, what, acting=False)
        _check_move(state, mark, cmd, row, present)
        _settle(state, mark, cmd, row)


def _check_move(state: View, mark: Mark, cmd: Event, row: ItemRow, present: set[str]) -> None:
    """A contained item is where its parent is (S2), unless the parent is at the event too."""
    place = _place(cmd)
    if row.parent is None or place is None or mark.time < row.moved:
        return
    path = trace.path(state, row)
    root = path[-1]
    together = any(outer.id in present for outer in path[1:])
    if not together and root.place is not None and site(root.place) != site(place):
        raise Rejected("contained", f"{row.id} is in {row.parent}")


def _settle(state: View, mark: Mark, cmd: Event, row: ItemRow) -> ItemRow:
    return trace.place(state, mark, row, _place(cmd), cmd.disposition)


def _place(cmd: Event) -> str | None:
    """Where the items are after the event, else where they were seen."""
    return cmd.bizLocation or cmd.readPoint


# --- containment ----------------------------------------------------------------------------------


def _containment(state: View, mark: Mark, cmd: AggregationEvent | AssociationEvent) -> None:
    children = _unique(cmd.childEPCs)
    if cmd.parentID is None:
        _observe(state, mark, cmd, children, "observe")
        return
    parent_name = canonical(cmd.parentID)
    if parent_name in children:
        raise Rejected("containment-cycle", parent_name)
    acting = cmd.action != "OBSERVE" and not parent_name.startswith(f"{GS1}/414/")
    parent = trace.see(state, mark, parent_name, "parent", acting=acting)
    _check_move(state, mark, cmd, parent, set())
    parent = _settle(state, mark, cmd, parent)
    if cmd.action == "DELETE":
        _take_out(state, mark, cmd, parent, children or _emptied(state, cmd, parent.id))
    else:
        _put_in(state, mark, cmd, parent, children)
    sign = {"ADD": 1, "DELETE": -1, "OBSERVE": 0}[cmd.action]
    _hold(state, mark, parent, cmd.childQuantityList, sign)


def _put_in(
    state: View, mark: Mark, cmd: AggregationEvent | AssociationEvent, parent: ItemRow, children: list[str]
) -> None:
    path = trace.path(state, parent)
    adding = cmd.action == "ADD"
    for name in children:
        row = trace.see(state, mark, name, "into" if adding else "observe", acting=adding)
        deep_inside = not adding and any(outer.id == parent.id for outer in trace.path(state, row)[1:])
        if not adding and row.parent is None:
            row = trace.gap(state, mark, row, "containment-unseen", parent.id)
            if row.custodian != mark.party:
                continue
        if not deep_inside:
            row = trace.attach(state, mark, row, path, _bond(cmd))
        _settle(state, mark, cmd, row)


def _take_out(
    state: View, mark: Mark, cmd: AggregationEvent | AssociationEvent, parent: ItemRow, children: list[str]
) -> None:
    for name in children:
        row = trace.see(state, mark, name, "out-of", acting=True)
        if row.parent is None:
            row = trace.gap(state, mark, row, "containment-unseen", parent.id)
        elif row.parent != parent.id and mark.time >= row.moved:
            raise Rejected("other-parent", f"{row.id} is in {row.parent}")
        _settle(state, mark, cmd, trace.detach(state, mark, row))


def _emptied(state: View, cmd: AggregationEvent | AssociationEvent, parent: str) -> list[str]:
    """DELETE that names nothing takes out all that was put in by events of its type."""
    if cmd.action != "DELETE" or cmd.childEPCs or cmd.childQuantityList:
        return []
    return [row.id for row in trace.contents(state, parent) if row.bond == _bond(cmd)]


def _bond(cmd: AggregationEvent | AssociationEvent) -> Bond:
    return "aggregation" if isinstance(cmd, AggregationEvent) else "association"


def _hold(
    state: View, mark: Mark, parent: ItemRow, quantities: tuple[QuantityElement, ...], sign: int
) -> None:
    """Quantities inside the parent; one that comes out and never went in is a gap."""
    for element in quantities:
        amount = _millionths(element.quantity)
        if amount is not None and sign:
            name = canonical(element.epcClass)
            missing = trace.hold(state, parent.id, name, element.uom or "", sign * amount)
            if missing:
                parent = trace.gap(state, mark, parent, "quantity-unseen", name)


def _millionths(text: str | None) -> int | None:
    """A quantity in millionths; None where it is unknown, negative, or finer."""
    if text is None or text.startswith("-"):
        return None
    whole, _, decimals = text.partition(".")
    if len(decimals) > _MICRO_DIGITS:
        return None
    return int(whole + decimals.ljust(_MICRO_DIGITS, "0"))


# --- transformation -------------------------------------------------------------------------------


def _transformation(state: View, mark: Mark, cmd: TransformationEvent) -> None:
    key = transformation_key(cmd.transformationID or cmd.eventID)
    inputs, outputs = _unique(cmd.inputEPCList), _unique(cmd.outputEPCList)
    if set(inputs) & set(outputs):
        raise Rejected("item-exists", "an output cannot be an input")
    for name in inputs:
        _use(state, mark, cmd, name, key)
    for name in outputs:
        if trace.made_by(state, name, key):
            row = trace.see(state, mark, name, "observe", acting=True)
        else:
            row = _commission(state, mark, name, "output")
        _settle(state, mark, cmd, row)
    _check_classes(state, mark, cmd.outputQuantityList)
    trace.transform(
        state,
        key,
        [*inputs, *(canonical(element.epcClass) for element in cmd.inputQuantityList)],
        [*outputs, *(canonical(element.epcClass) for element in cmd.outputQuantityList)],
    )


def _use(state: View, mark: Mark, cmd: Event, name: str, key: bytes) -> None:
    """An input: used by one transformation only, and out of its parent, or else there is a gap."""
    row = trace.see(state, mark, name, "input", acting=True)
    row = _settle(state, mark, cmd, row)
    if trace.used_elsewhere(state, name, key):
        row = trace.gap(state, mark, row, "used-before")
    if row.parent is not None and mark.time >= row.moved:
        parent = row.parent
        trace.gap(state, mark, trace.detach(state, mark, row), "not-disaggregated", parent)


# --- names ----------------------------------------------------------------------------------------


def _unique(uris: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(canonical(uri) for uri in uris))


def _parent(cmd: Event) -> list[str]:
    parent: str | None = getattr(cmd, "parentID", None)
    return [] if parent is None else [canonical(parent)]
