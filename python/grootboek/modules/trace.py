"""Trace: items that begin and end, a containment forest, custody, lineage, quantities held, and gaps.

An item is named by a URI and lives from its beginning to its end; its name is never used again. It has
one parent at most and one custodian always; a contained item is where its root is. Custody passes only
by an offer of the giver and an acceptance of the taker. Transformations join inputs to outputs through
the event that made them. What should have been seen before, and was not, is a *gap*: a record, never
silence and never a guess.

Times are those of the events (milliseconds since 1970), which may arrive late: a late event is part of
the history and changes neither containment nor place.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct, structs

from grootboek._core import digest
from grootboek.ledger.module import Rejected, Table, View

__all__ = [
    "DEPTH_MAX",
    "HANDOVER_MAX",
    "CustodyRow",
    "GapRow",
    "HeldRow",
    "ItemRow",
    "LinkRow",
    "Mark",
    "SeenRow",
    "Trace",
]

DEPTH_MAX: Final = 32
"""How deep containment may be."""
HANDOVER_MAX: Final = 500
"""How many contained items may change hands, or be taken out, at once."""

Origin = Literal["commissioned", "claimed", "observed"]
Bond = Literal["aggregation", "association"]

_KEY: Final = b"grootboek/1 trace\n"


class Mark(Struct, frozen=True):
    """The event on whose behalf something is done."""

    event: bytes
    """The event's key, 32 bytes."""
    time: int
    """When it happened."""
    party: bytes
    """Who reports it."""


class ItemRow(Struct, frozen=True, array_like=True, kw_only=True):
    """One item."""

    id: str
    origin: Origin
    """``commissioned`` by the owner of its name's prefix; ``claimed``: commissioned under a prefix that
    nobody has registered; ``observed``: seen without having been commissioned on this ledger."""
    custodian: bytes
    """A party."""
    first: int
    """Time of the earliest event."""
    last: int
    """Time of the latest."""
    since: int | None = None
    """When it was commissioned."""
    until: int | None = None
    """When it was decommissioned."""
    commissioner: bytes | None = None
    parent: str | None = None
    bond: Bond | None = None
    moved: int = 0
    """Time of the last change of its containment."""
    place: str | None = None
    """Where it is, if that is known; None for a contained item, which is where its root is."""
    disposition: str | None = None
    offered_to: bytes | None = None
    events: int = 0
    gaps: int = 0
    hands: int = 0
    """How many custodians it had."""


class SeenRow(Struct, frozen=True, array_like=True):
    """One event of an item."""

    event: bytes
    time: int
    what: str
    """``commission``, ``observe``, ``end``, ``into``, ``out-of``, ``input``, ``output``..."""


class GapRow(Struct, frozen=True, array_like=True):
    """Something that must have happened and was not reported, or was reported by the wrong party."""

    kind: str
    event: bytes
    """The event that showed it."""
    time: int
    about: str = ""
    """A party's id (hex) or an item's name."""


class CustodyRow(Struct, frozen=True, array_like=True):
    """One custodian of an item."""

    party: bytes
    giver: bytes | None
    """The custodian before; None for the first."""
    time: int


class LinkRow(Struct, frozen=True, array_like=True):
    """One side of a transformation: an item or class and the transformation it was part of."""

    id: str
    transformation: bytes


class HeldRow(Struct, frozen=True, array_like=True):
    """A quantity of a class inside a parent, in millionths of its unit."""

    parent: str
    unit: str
    kind: str
    amount: int


def item_key(name: str) -> bytes:
    """The key of an item in the tables: a digest, because names may be long."""
    return digest(_KEY + name.encode())


class Trace:
    """Items and what ties them, inside one module's state."""

    def __init__(self, name: str = "trace") -> None:
        """``name`` is unique within the module."""
        self.items = Table(f"{name}-item", ItemRow)
        self.children = Table(f"{name}-child", LinkRow)
        self.seen = Table(f"{name}-seen", SeenRow)
        self.gaps = Table(f"{name}-gap", GapRow)
        self.custody = Table(f"{name}-custody", CustodyRow)
        self.inputs = Table(f"{name}-input", LinkRow)
        self.outputs = Table(f"{name}-output", LinkRow)
        self.used = Table(f"{name}-used", LinkRow)
        self.made = Table(f"{name}-made", LinkRow)
        self.held = Table(f"{name}-held", HeldRow)

    # --- items ------------------------------------------------------------------------------------

    def get(self, state: View, name: str) -> ItemRow | None:
        """The item, or None where it was never seen."""
        return self.items.get(state, item_key(name))

    def require(self, state: View, name: str) -> ItemRow:
        """The item; raises Rejected("item-unknown")."""
        return self.items.require(state, "item-unknown", item_key(name))

    def commission(self, state: View, mark: Mark, name: str, origin: Origin, what: str) -> ItemRow:
        """Begin an item, or give an observed one the beginning that was missing.

        Raises Rejected("item-exists") where it has one, or was seen before that time.
        """
        row = self.get(state, name)
        if row is None:
            row = self._begin(state, mark, name, origin)
        elif row.origin != "observed" or mark.time > row.first or self._was_input(state, name):
            raise Rejected("item-exists", name)
        row = structs.replace(
            row, origin=origin, since=mark.time, commissioner=mark.party, first=min(row.first, mark.time)
        )
        return self.note(state, mark, row, what)

    def see(self, state: View, mark: Mark, name: str, what: str, *, acting: bool) -> ItemRow:
        """The item takes part in an event; one that was never seen is registered as observed.

        ``acting``: whether the event changes what the item is in or of, which only its custodian may
        report; what others merely observe leaves a gap in the custody.

        Raises Rejected("item-ended"), ("before-commission") or ("not-custodian").
        """
        row = self.get(state, name)
        if row is None:
            row = self.gap(state, mark, self._begin(state, mark, name, "observed"), "not-commissioned")
        if row.until is not None and mark.time > row.until:
            raise Rejected("item-ended", name)
        if row.since is not None and mark.time < row.since:
            raise Rejected("before-commission", name)
        if row.custodian != mark.party:
            if acting:
                raise Rejected("not-custodian", name)
            row = self.gap(state, mark, row, "custody", mark.party.hex())
        return self.note(state, mark, row, what)

    def end(self, state: View, mark: Mark, row: ItemRow) -> ItemRow:
        """End an item's life: it leaves its parent, and what it contains stands by itself; both are gaps.

        Raises Rejected("item-ended") where it has ended, Rejected("seen-later") where a later event is
        known.
        """
        if row.until is not None:
            raise Rejected("item-ended", row.id)
        if mark.time < row.last:
            raise Rejected("seen-later", row.id)
        if row.parent is not None:
            row = self.gap(state, mark, self.detach(state, mark, row), "not-disaggregated", row.parent)
        for child in self.contents(state, row.id):
            left = self.gap(state, mark, child, "not-disaggregated", row.id)
            self.detach(state, mark, left)
        row = structs.replace(row, until=mark.time, offered_to=None)
        return self._put(state, row)

    def note(self, state: View, mark: Mark, row: ItemRow, what: str) -> ItemRow:
        """Add an event to the item's history."""
        self.seen.put(state, SeenRow(mark.event, mark.time, what), item_key(row.id), row.events)
        first, last = min(row.first, mark.time), max(row.last, mark.time)
        return self._put(state, structs.replace(row, events=row.events + 1, first=first, last=last))

    def gap(self, state: View, mark: Mark, row: ItemRow, kind: str, about: str = "") -> ItemRow:
        """Record that something was not reported."""
        self.gaps.put(state, GapRow(kind, mark.event, mark.time, about), item_key(row.id), row.gaps)
        return self._put(state, structs.replace(row, gaps=row.gaps + 1))

    def place(
        self, state: View, mark: Mark, row: ItemRow, place: str | None, disposition: str | None
    ) -> ItemRow:
        """Where the item is after its latest event, and in which condition; None leaves it as it was."""
        if mark.time < row.last:
            return row
        where = row.place if place is None or row.parent is not None else place
        return self._put(state, structs.replace(row, place=where, disposition=disposition or row.disposition))

    # --- containment ------------------------------------------------------------------------------

    def path(self, state: View, row: ItemRow) -> list[ItemRow]:
        """The item, its parent, and so on to the root; raises Rejected("too-deep")."""
        found = [row]
        while found[-1].parent is not None:
            found.append(self.require(state, found[-1].parent))
            if len(found) > DEPTH_MAX:
                raise Rejected("too-deep", row.id)
        return found

    def contents(self, state: View, name: str) -> list[ItemRow]:
        """What an item directly contains; raises Rejected("too-many")."""
        links = list(self.children.scan(state, item_key(name), limit=HANDOVER_MAX + 1))
        if len(links) > HANDOVER_MAX:
            raise Rejected("too-many", name)
        return [self.require(state, link.id) for link in links]

    def attach(self, state: View, mark: Mark, child: ItemRow, path: list[ItemRow], bond: Bond) -> ItemRow:
        """Put ``child`` into the first item of ``path``, which is that item's own path to its root.

        Raises Rejected("has-parent") where it is in another one, Rejected("containment-cycle") where
        it would contain itself, Rejected("item-ended") where either has ended.
        """
        parent = path[0]
        if child.parent == parent.id or mark.time < child.moved:
            return child
        if child.parent is not None:
            raise Rejected("has-parent", child.id)
        if any(row.id == child.id for row in path):
            raise Rejected("containment-cycle", child.id)
        if child.until is not None or parent.until is not None:
            return child
        if len(path) >= DEPTH_MAX:
            raise Rejected("too-deep", child.id)
        self.children.put(state, LinkRow(child.id, mark.event), item_key(parent.id), item_key(child.id))
        inside = structs.replace(
            child, parent=parent.id, bond=bond, moved=mark.time, place=None, offered_to=None
        )
        return self._put(state, inside)

    def detach(self, state: View, mark: Mark, child: ItemRow) -> ItemRow:
        """Take ``child`` out of its parent: it is where the root was."""
        if mark.time < child.moved:
            return child
        if child.parent is None:
            return self._put(state, structs.replace(child, moved=mark.time))
        root = self.path(state, child)[-1]
        self.children.delete(state, item_key(child.parent), item_key(child.id))
        alone = structs.replace(child, parent=None, bond=None, moved=mark.time, place=root.place)
        return self._put(state, alone)

    def hold(self, state: View, parent: str, kind: str, unit: str, amount: int) -> int:
        """Add to the quantity of a class inside ``parent``; below zero takes away.

        Never less than zero is held: how much was missing is returned.
        """
        key = (item_key(parent), item_key(kind), unit)
        known = self.held.get(state, *key)
        left = (0 if known is None else known.amount) + amount
        self.held.put(state, HeldRow(parent, unit, kind, max(0, left)), *key)
        return max(0, -left)

    # --- custody ----------------------------------------------------------------------------------

    def offer(self, state: View, row: ItemRow, giver: bytes, taker: bytes | None) -> None:
        """The custodian offers an item with all that it contains; None withdraws the offer.

        Raises Rejected("not-custodian"), ("contained") or ("item-ended").
        """
        if row.custodian != giver:
            raise Rejected("not-custodian", row.id)
        if row.parent is not None:
            raise Rejected("contained", row.id)
        if row.until is not None:
            raise Rejected("item-ended", row.id)
        self._put(state, structs.replace(row, offered_to=taker))

    def accept(self, state: View, row: ItemRow, taker: bytes, time: int) -> int:
        """The taker accepts: the item and what its giver held in it change hands. How many items did.

        Raises Rejected("not-offered") or ("too-many").
        """
        if row.offered_to != taker:
            raise Rejected("not-offered", row.id)
        giver, passed, waiting = row.custodian, 0, [row]
        while waiting:
            one = waiting.pop()
            waiting.extend(self.contents(state, one.id))
            if one.custodian == giver:
                self._hand(state, one, taker, time)
                passed += 1
            if passed + len(waiting) > HANDOVER_MAX:
                raise Rejected("too-many", row.id)
        return passed

    # --- lineage ----------------------------------------------------------------------------------

    def transform(self, state: View, transformation: bytes, inputs: list[str], outputs: list[str]) -> None:
        """Join inputs to outputs, items or classes, through the transformation's key."""
        for name in inputs:
            self.inputs.put(state, LinkRow(name, transformation), transformation, item_key(name))
            self.used.put(state, LinkRow(name, transformation), item_key(name), transformation)
        for name in outputs:
            self.outputs.put(state, LinkRow(name, transformation), transformation, item_key(name))
            self.made.put(state, LinkRow(name, transformation), item_key(name), transformation)

    def made_by(self, state: View, name: str, transformation: bytes) -> bool:
        """Whether the transformation has this output already."""
        return self.made.get(state, item_key(name), transformation) is not None

    def steps(self, state: View, name: str, *, forward: bool) -> Iterator[LinkRow]:
        """What an item or class was made into (``forward``) or made from, one transformation away."""
        near, far = (self.used, self.outputs) if forward else (self.made, self.inputs)
        for link in near.every(state, item_key(name)):
            yield from far.every(state, link.transformation)

    # --- reading ----------------------------------------------------------------------------------

    def used_elsewhere(self, state: View, name: str, transformation: bytes) -> bool:
        """Whether another transformation has this input."""
        links = self.used.scan(state, item_key(name), limit=2)
        return any(link.transformation != transformation for link in links)

    def history(self, state: View, name: str) -> list[SeenRow]:
        """The item's events, in the order in which they came."""
        return list(self.seen.every(state, item_key(name)))

    def gaps_of(self, state: View, name: str) -> list[GapRow]:
        """The item's gaps, in the order in which they were found."""
        return list(self.gaps.every(state, item_key(name)))

    def chain(self, state: View, name: str) -> list[CustodyRow]:
        """The item's custodians, in order."""
        return list(self.custody.every(state, item_key(name)))

    def quantities(self, state: View, name: str) -> list[HeldRow]:
        """What the item holds of classes."""
        return [row for row in self.held.every(state, item_key(name)) if row.amount]

    # --- invariants -------------------------------------------------------------------------------

    def forest(self, state: View) -> bool:
        """Parents exist, know their children, and no item contains itself; the contained have no place."""
        rows = {row.id: row for row in self.items.every(state)}
        inside = {row.id: row.parent for row in rows.values() if row.parent is not None}
        links = Counter(link.id for link in self.children.every(state))
        known = all(
            parent in rows and self.children.get(state, item_key(parent), item_key(name)) is not None
            for name, parent in inside.items()
        )
        placeless = all(rows[name].place is None and rows[name].until is None for name in inside)
        return known and placeless and links == Counter(dict.fromkeys(inside, 1)) and _acyclic(inside)

    def in_one_hand(self, state: View) -> bool:
        """Each item has one chain of custodians, each from the one before, that ends with its own."""
        return all(self._chain_holds(state, row) for row in self.items.every(state))

    def lives(self, state: View) -> bool:
        """Each item was commissioned once at most; its events lie between beginning and end."""
        return all(self._life_holds(state, row) for row in self.items.every(state))

    # --- inside -----------------------------------------------------------------------------------

    def _begin(self, state: View, mark: Mark, name: str, origin: Origin) -> ItemRow:
        row = ItemRow(id=name, origin=origin, custodian=mark.party, first=mark.time, last=mark.time, hands=1)
        self.custody.put(state, CustodyRow(mark.party, None, mark.time), item_key(name), 0)
        return row

    def _put(self, state: View, row: ItemRow) -> ItemRow:
        self.items.put(state, row, item_key(row.id))
        return row

    def _hand(self, state: View, row: ItemRow, taker: bytes, time: int) -> None:
        self.custody.put(state, CustodyRow(taker, row.custodian, time), item_key(row.id), row.hands)
        self._put(state, structs.replace(row, custodian=taker, offered_to=None, hands=row.hands + 1))

    def _was_input(self, state: View, name: str) -> bool:
        return next(self.used.scan(state, item_key(name), limit=1), None) is not None

    def _chain_holds(self, state: View, row: ItemRow) -> bool:
        chain = self.chain(state, row.id)
        givers = [None, *(link.party for link in chain[:-1])]
        joined = [link.giver for link in chain] == givers
        return joined and len(chain) == row.hands > 0 and chain[-1].party == row.custodian

    def _life_holds(self, state: View, row: ItemRow) -> bool:
        events = self.history(state, row.id)
        begun = sum(event.what in {"commission", "output"} for event in events)
        return (
            len(events) == row.events
            and begun == (row.since is not None)
            and all(row.since is None or row.since <= event.time for event in events)
            and all(row.until is None or event.time <= row.until for event in events)
        )


def _acyclic(parents: dict[str, str]) -> bool:
    """Whether every walk along the parents ends."""
    done: set[str] = set()
    for start in parents:
        walked: list[str] = []
        name: str | None = start
        while name is not None and name not in done:
            if name in walked:
                return False
            walked.append(name)
            name = parents.get(name)
        done.update(walked)
    return True
