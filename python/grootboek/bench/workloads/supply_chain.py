"""``supply_chain``: the events of shipments: made, packed, shipped, taken over."""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from msgspec import structs

from grootboek.bench.workloads.workload import (
    REGISTRAR,
    Draft,
    Office,
    Roles,
    Workload,
    encoded,
    known_id,
    offices,
    packed,
    registered,
)
from grootboek.modules.supply_chain import SupplyChain
from grootboek.modules.supply_chain.module import REGISTRAR as PREFIX_REGISTRAR
from grootboek.modules.supply_chain.module import REPORTER
from grootboek.modules.supply_chain.terms import (
    LIST_MAX,
    AcceptCustody,
    Action,
    AggregationEvent,
    ObjectEvent,
    OfferCustody,
    RegisterPrefix,
)

__all__ = ["SupplyChainWorkload"]

PREFIX: Final = "4012345"
PLACE: Final = f"urn:epc:id:sgln:{PREFIX}.00001.0"
MADE: Final = 1_700_000_000_000
"""When the items of the set-up were made; each event of the run is a millisecond after the one before."""
_MIX: Final = 4


class SupplyChainWorkload(Workload):
    """Of four transactions one commissions a case, one packs a case onto its maker's pallet, one ships a
    pallet, and one takes over a case that was offered to the next maker.

    Pallets, the cases to be packed and the offered ones are there before the clock starts.
    """

    name = "supply_chain"
    modules = ("parties", "supply_chain")

    def __init__(self, keys: int) -> None:
        self._makers = offices("supply chain maker", max(2, keys))

    def prepare(self, roles: Roles, count: int) -> Iterator[Sequence[Draft]]:
        """Parties and the prefix; then items; then offers."""
        prefix = encoded(SupplyChain, RegisterPrefix(PREFIX))
        yield [
            *registered(roles[REGISTRAR], self._makers, REPORTER),
            *packed(roles[PREFIX_REGISTRAR], [prefix]),
        ]
        turns = -(-count // _MIX)
        yield [draft for place in range(len(self._makers)) for draft in self._items(place, turns)]
        yield [draft for place in range(len(self._makers)) for draft in self._offers(place, turns)]

    def transactions(self, count: int) -> Iterator[Draft]:
        """See Workload."""
        for number in range(count):
            turn, kind = divmod(number, _MIX)
            place = turn % len(self._makers)
            maker = self._makers[place]
            command: ObjectEvent | AggregationEvent | AcceptCustody
            match kind:
                case 0:
                    command = _event(number, "ADD", "commissioning", _case("new", turn))
                case 1:
                    command = _packing(number, _pallet(place), _case("packed", turn))
                case 2:
                    command = _event(number, "OBSERVE", "shipping", _pallet(place))
                case _:
                    maker, command = self._next(place), AcceptCustody((_case("offered", turn),))
            yield Draft(maker.key, (encoded(SupplyChain, command),))

    def _next(self, place: int) -> Office:
        return self._makers[(place + 1) % len(self._makers)]

    def _cases(self, kind: str, place: int, turns: int) -> list[str]:
        """The cases of a maker in its turns among the first ``turns``."""
        return [_case(kind, turn) for turn in range(place, turns, len(self._makers))]

    def _items(self, place: int, turns: int) -> list[Draft]:
        items = [_pallet(place), *self._cases("packed", place, turns), *self._cases("offered", place, turns)]
        made = _event(0, "ADD", "commissioning", _pallet(place))
        commands = [
            encoded(
                SupplyChain,
                structs.replace(made, eventID=_name(f"set-up {place}", first), epcList=part),
            )
            for first, part in _parts(items)
        ]
        return packed(self._makers[place].key, commands)

    def _offers(self, place: int, turns: int) -> list[Draft]:
        taker = self._next(place).party
        offers = (OfferCustody(part, taker) for _, part in _parts(self._cases("offered", place, turns)))
        return packed(self._makers[place].key, (encoded(SupplyChain, offer) for offer in offers))


def _parts(items: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """As many items as a command may name, and where they begin."""
    return ((at, tuple(items[at : at + LIST_MAX])) for at in range(0, len(items), LIST_MAX))


def _case(kind: str, number: int) -> str:
    return f"urn:epc:id:sgtin:{PREFIX}.011122.{kind}-{number}"


def _pallet(place: int) -> str:
    return f"urn:epc:id:sscc:{PREFIX}.{place:010}"


def _event(number: int, action: Action, step: str, item: str) -> ObjectEvent:
    """The ``number``-th event of the run."""
    return ObjectEvent(
        eventID=_name("event", number),
        eventTime=MADE + number,
        eventTimeZoneOffset="+01:00",
        bizStep=step,
        readPoint=PLACE,
        action=action,
        epcList=(item,),
    )


def _packing(number: int, pallet: str, case: str) -> AggregationEvent:
    return AggregationEvent(
        eventID=_name("event", number),
        eventTime=MADE + number,
        eventTimeZoneOffset="+01:00",
        bizStep="packing",
        readPoint=PLACE,
        action="ADD",
        parentID=pallet,
        childEPCs=(case,),
    )


def _name(kind: str, number: int) -> str:
    return f"urn:uuid:{UUID(bytes=known_id(kind, number))}"
