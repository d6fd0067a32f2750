"""S1, S2, S3 and S6, recomputed from the rows of the state."""

from collections.abc import Iterator

from grootboek.ledger.module import View
from grootboek.modules.supply_chain.events import event_key
from grootboek.modules.supply_chain.identifiers import prefixes as prefixes_of
from grootboek.modules.supply_chain.rows import events, prefixes, trace
from grootboek.modules.trace import ItemRow

__all__ = ["check"]


def check(state: View) -> Iterator[tuple[str, bool]]:
    """Each invariant's id and whether it holds."""
    items = list(trace.items.every(state))
    yield "S1", trace.lives(state) and all(_owned(state, row) for row in items)
    yield "S2", trace.forest(state)
    yield "S3", trace.in_one_hand(state)
    yield "S6", _recorded_once(state)


def _owned(state: View, row: ItemRow) -> bool:
    """Who commissioned an item owns a prefix of its name."""
    if row.origin != "commissioned":
        return True
    found = (prefixes.get(state, prefix) for prefix in prefixes_of(row.id))
    return any(owner is not None and owner.owner in {None, row.commissioner} for owner in found)


def _recorded_once(state: View) -> bool:
    """Each event stands under its own id; what items have seen are recorded events, each once."""
    recorded = {event_key(row.eventID, row.part): row for row in events.every(state)}
    own = all(events.get(state, key) == row for key, row in recorded.items())
    for item in trace.items.every(state):
        seen = trace.history(state, item.id)
        if len(seen) != len({row.event for row in seen}):
            return False
        if not all(row.event in recorded and item.id in recorded[row.event].items for row in seen):
            return False
    return own
