"""Parties, names and events for tests of the supply chain module."""

from typing import Any

from msgspec import Struct

from grootboek.ledger.module import Signer
from grootboek.modules.supply_chain import SupplyChain
from grootboek.modules.supply_chain.terms import (
    Action,
    AggregationEvent,
    AssociationEvent,
    Event,
    ObjectEvent,
    RegisterPrefix,
    TransformationEvent,
)
from tests.modules.memory_view import APPLIED, Host, signer

OWN, CLAIMED = "9520001", "9529999"
MAKER, BUYER = b"maker".ljust(16, b"."), b"buyer".ljust(16, b".")
HERE, THERE = "urn:epc:id:sgln:9520001.00001.0", "urn:epc:id:sgln:9520003.00001.0"
_PREFIX = "supply_chain."


def pack(serial: int, company: str = OWN) -> str:
    return f"urn:epc:id:sgtin:{company}.011111.{serial}"


def box(number: int) -> str:
    return f"urn:epc:id:sscc:{OWN}.{number:010}"


def who(role: str = "reporter", party: bytes = MAKER) -> Signer:
    return signer(party, _PREFIX + role)


class Events:
    """Makes events one minute after the other, each with its own eventID."""

    def __init__(self, start: int = 1_000_000) -> None:
        self.time = start
        self.count = 0

    def fields(self, **more: Any) -> dict[str, Any]:
        self.time += 60_000
        self.count += 1
        event_id = f"urn:uuid:{self.count:032x}"
        return {"eventID": event_id, "eventTime": self.time, "eventTimeZoneOffset": "+01:00"} | more

    def see(self, *items: str, action: Action = "OBSERVE", **more: Any) -> ObjectEvent:
        return ObjectEvent(action=action, epcList=items, **self.fields(**more))

    def add(self, *items: str, **more: Any) -> ObjectEvent:
        return self.see(*items, action="ADD", **more)

    def end(self, *items: str, **more: Any) -> ObjectEvent:
        return self.see(*items, action="DELETE", **more)

    def into(self, parent: str, *children: str, action: Action = "ADD", **more: Any) -> AggregationEvent:
        return AggregationEvent(action=action, parentID=parent, childEPCs=children, **self.fields(**more))

    def out(self, parent: str, *children: str, **more: Any) -> AggregationEvent:
        return self.into(parent, *children, action="DELETE", **more)

    def bind(self, parent: str, *children: str, action: Action = "ADD", **more: Any) -> AssociationEvent:
        return AssociationEvent(action=action, parentID=parent, childEPCs=children, **self.fields(**more))

    def make(self, inputs: tuple[str, ...], outputs: tuple[str, ...], **more: Any) -> TransformationEvent:
        return TransformationEvent(inputEPCList=inputs, outputEPCList=outputs, **self.fields(**more))


def ready() -> tuple[Host, Events]:
    """A ledger on which the maker owns its prefix."""
    host = Host(SupplyChain())
    assert host.run(RegisterPrefix(OWN, MAKER), who("registrar")) == APPLIED
    return host, Events()


def report(host: Host, *events: Event, party: bytes = MAKER) -> list[str]:
    return [host.run(event, who(party=party)) for event in events]


def item(host: Host, name: str) -> Any:
    return host.ask("item", id=name)


def gaps(host: Host, name: str) -> list[str]:
    return [gap.kind for gap in item(host, name).gaps]


def run(host: Host, cmd: Struct, role: str, party: bytes = MAKER) -> str:
    return host.run(cmd, who(role, party))
