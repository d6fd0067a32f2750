#!/usr/bin/env python3
"""Writes examples/supply_chain: EPCIS 2.0 documents valid by the standard's JSON schema, and bad events.

Run it as ``python examples/generate_supply_chain.py``; the same seed gives the same bytes. Vaccine packs
are made, packed into cases and pallets, sent in reefers with a sensor, received, unpacked and used up.
``expected.json`` says of each bad event which rule refuses it, and who: the importer before anything is
sent, or the ledger.
"""

import csv
import json
import random
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SEED = 20261126
FOLDER = Path(__file__).parent / "supply_chain"
MAKER = "9520001"
CARRIER = "9520002"
HOSPITAL = "9520003"
STRANGER = "9520009"
OTHER_PARTY = "5d41402abc4b2a76b9719d911017c592"
PALLETS = 12
CASES = 8
PACKS = 6
START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
CONTEXT = [
    "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
    {"example": "https://ns.example.com/epcis/"},
]
PLANT, DOCK, WARD = f"{MAKER}.00001", f"{HOSPITAL}.00001", f"{HOSPITAL}.00002"

Event = dict[str, Any]


def check_digit(digits: str) -> str:
    """GS1 General Specifications 7.9.1."""
    return str(-sum(int(d) * (3, 1)[i % 2] for i, d in enumerate(reversed(digits))) % 10)


def sgtin(serial: int, item: str = "011111") -> str:
    """A pack as an EPC URI."""
    return f"urn:epc:id:sgtin:{MAKER}.{item}.{serial}"


def link(serial: int) -> str:
    """The same pack as a Digital Link."""
    digits = f"0{MAKER}11111"
    return f"https://id.gs1.org/01/{digits}{check_digit(digits)}/21/{serial}"


def sscc(number: int) -> str:
    """A case or pallet."""
    return f"urn:epc:id:sscc:{MAKER}.{number:010}"


def lot(number: int) -> str:
    """A batch of the vaccine before it is filled."""
    return f"urn:epc:class:lgtin:{MAKER}.044444.L{number}"


def place(code: str) -> dict[str, str]:
    """A location."""
    return {"id": f"urn:epc:id:sgln:{code}.0"}


class Story:
    """Tells what happens, minute by minute."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = START

    def event(self, kind: str, step: str, where: str, **fields: Any) -> Event:
        """An event a few minutes after the last one. Every third one has an eventID of its own."""
        self.now += timedelta(minutes=self.rng.randint(1, 4), milliseconds=self.rng.randrange(1_000))
        event: Event = {"type": kind}
        if self.rng.randrange(3) == 0:
            event["eventID"] = f"urn:uuid:{uuid.UUID(int=self.rng.getrandbits(128), version=4)}"
        local = self.now + timedelta(hours=1)
        event |= {
            "eventTime": local.isoformat(timespec="milliseconds").replace("+00:00", "+01:00"),
            "eventTimeZoneOffset": "+01:00",
            "bizStep": step,
            "readPoint": place(where),
        }
        return event | fields

    def production(self) -> Iterable[Event]:
        """Filling, commissioning, packing, palletising."""
        for pallet in range(PALLETS):
            packs = [sgtin(self.serial(pallet, case, pack)) for case in range(CASES) for pack in range(PACKS)]
            yield self.event(
                "TransformationEvent",
                "commissioning",
                PLANT,
                inputQuantityList=[
                    {"epcClass": lot(pallet), "quantity": 4.8, "uom": "LTR"},
                    {"epcClass": f"urn:epc:idpat:sgtin:{MAKER}.055555.*", "quantity": len(packs)},
                ],
                outputEPCList=packs[: len(packs) // 2],
                disposition="active",
                ilmd={"cbvmda:lotNumber": f"L{pallet}", "cbvmda:itemExpirationDate": "2027-02-28"},
            )
            for case in range(CASES):
                yield from self.case(pallet, case)
            yield from self.pallet(pallet)

    def serial(self, pallet: int, case: int, pack: int) -> int:
        """A pack's serial number."""
        return 100_000 + (pallet * CASES + case) * PACKS + pack

    def case(self, pallet: int, case: int) -> Iterable[Event]:
        """The half of the packs that no transformation made is commissioned; all go into the case."""
        serials = [self.serial(pallet, case, pack) for pack in range(PACKS)]
        number = pallet * CASES + case
        if case >= CASES // 2:
            yield self.event(
                "ObjectEvent",
                "commissioning",
                PLANT,
                action="ADD",
                disposition="active",
                epcList=[sgtin(serial) for serial in serials],
                ilmd={"cbvmda:lotNumber": f"L{pallet}"},
            )
        yield self.event("ObjectEvent", "commissioning", PLANT, action="ADD", epcList=[sscc(number)])
        yield self.event(
            "AggregationEvent",
            "packing",
            PLANT,
            action="ADD",
            parentID=sscc(number),
            childEPCs=[sgtin(serial) for serial in serials],
            bizLocation=place(PLANT),
        )

    def pallet(self, pallet: int) -> Iterable[Event]:
        """A pallet, its cases, and a leaflet for each pack."""
        name = sscc(5_000 + pallet)
        yield self.event("ObjectEvent", "commissioning", PLANT, action="ADD", epcList=[name])
        yield self.event(
            "AggregationEvent",
            "packing",
            PLANT,
            action="ADD",
            parentID=name,
            childEPCs=[sscc(pallet * CASES + case) for case in range(CASES)],
            childQuantityList=[
                {"epcClass": f"urn:epc:idpat:sgtin:{MAKER}.066666.*", "quantity": CASES * PACKS}
            ],
            bizLocation=place(PLANT),
        )

    def transport(self) -> Iterable[Event]:
        """Order, sensor, shipping, temperatures, receiving, unpacking of the pallets."""
        for pallet in range(PALLETS):
            name, reefer = sscc(5_000 + pallet), f"urn:epc:id:grai:{CARRIER}.55555.{pallet % 3 + 1}"
            order = {"type": "po", "bizTransaction": f"urn:epcglobal:cbv:bt:9520003000003:PO{4_000 + pallet}"}
            sensor = f"urn:epc:id:giai:{CARRIER}.{700 + pallet % 3}"
            yield self.event(
                "TransactionEvent",
                "reserving",
                PLANT,
                action="ADD",
                epcList=[name],
                bizTransactionList=[order],
            )
            parts = {"parentID": reefer, "childEPCs": [sensor]}
            yield self.event("AssociationEvent", "installing", PLANT, action="ADD", **parts)
            yield self.shipment(name, "shipping", PLANT, order, disposition="in_transit")
            for _ in range(3):
                yield self.temperature(name, sensor)
            yield self.shipment(name, "receiving", DOCK, order, bizLocation=place(DOCK))
            yield self.event("AssociationEvent", "removing", DOCK, action="DELETE", **parts)
            cases = [sscc(pallet * CASES + case) for case in range(CASES)]
            yield self.event(
                "AggregationEvent", "unpacking", DOCK, action="DELETE", parentID=name, childEPCs=cases
            )

    def shipment(self, name: str, step: str, where: str, order: Event, **more: Any) -> Event:
        """The pallet leaves or arrives."""
        return self.event(
            "ObjectEvent",
            step,
            where,
            action="OBSERVE",
            epcList=[name],
            bizTransactionList=[order],
            sourceList=[{"type": "possessing_party", "source": f"urn:epc:id:pgln:{MAKER}.00000"}],
            destinationList=[
                {"type": "possessing_party", "destination": f"urn:epc:id:pgln:{HOSPITAL}.00000"}
            ],
            **more,
        )

    def temperature(self, name: str, sensor: str) -> Event:
        """One reading on the way."""
        value = round(self.rng.uniform(2.1, 7.9), 1)
        report = {"type": "Temperature", "deviceID": sensor, "value": value, "uom": "CEL"}
        return self.event(
            "ObjectEvent",
            "sensor_reporting",
            PLANT,
            action="OBSERVE",
            epcList=[name],
            sensorElementList=[{"sensorReport": [report]}],
        )

    def hospital(self) -> Iterable[Event]:
        """Cases are unpacked, packs are stored on the ward, used and destroyed. Digital Links here."""
        for number in range(PALLETS * CASES):
            serials = [self.serial(number // CASES, number % CASES, pack) for pack in range(PACKS)]
            yield self.event(
                "AggregationEvent",
                "unpacking",
                DOCK,
                action="DELETE",
                parentID=sscc(number),
                childEPCs=[link(serial) for serial in serials],
                bizLocation=place(WARD),
            )
            if number % 2:
                yield self.event(
                    "ObjectEvent",
                    "storing",
                    WARD,
                    action="OBSERVE",
                    disposition="sellable_not_accessible",
                    epcList=[link(serial) for serial in serials],
                    bizLocation=place(WARD),
                    persistentDisposition={"set": ["completeness_verified"]},
                    **{"example:shelf": f"K{number % 7}"},
                )
            if number % 3 == 0:
                yield self.event(
                    "ObjectEvent",
                    "destroying",
                    WARD,
                    action="DELETE",
                    disposition="destroyed",
                    epcList=[link(serials[0])],
                )

    def refused(self) -> Iterable[tuple[str, str, Event]]:
        """Bad events: rule, who refuses it, event."""
        see: Callable[..., Event] = lambda **more: self.event(  # noqa: E731  # short for the table below
            "ObjectEvent", "inspecting", WARD, **({"action": "OBSERVE", "epcList": [sgtin(100_001)]} | more)
        )
        yield "eventTime", "import", see(eventTime="2026-03-02T06:00:00")
        yield "eventTimeZoneOffset", "import", see(eventTimeZoneOffset="CET")
        yield "action", "import", see(action="CREATE")
        yield "epcList", "import", see(epcList=["pack 12"])
        yield "bizStep", "import", see(bizStep="teleporting")
        yield "field-unknown", "import", see(epclist=[sgtin(100_001)])
        yield "ilmd", "import", see(ilmd={"cbvmda:lotNumber": "L1"})
        yield "sensorElementList", "import", see(sensorElementList=[{"sensorReport": []}])
        yield "event-type", "import", see(type="InspectionEvent")
        parts = {"action": "ADD", "childEPCs": [sgtin(100_001)]}
        yield "parentID", "import", self.event("AssociationEvent", "installing", WARD, **parts)
        half = {"inputEPCList": [sgtin(100_001)]}
        yield "inputEPCList", "import", self.event("TransformationEvent", "commissioning", WARD, **half)
        foreign = f"urn:epc:id:sgtin:{STRANGER}.011111.1"
        yield "not-key-owner", "ledger", see(action="ADD", epcList=[foreign])
        yield "item-exists", "ledger", see(action="ADD", epcList=[sgtin(100_002)])
        yield "item-ended", "ledger", see(epcList=[link(100_000)])
        yield from self._misplaced()
        known = {"eventID": "urn:uuid:7f0a2f0e-53a5-4d0b-9d3c-5b7a35e0c0de"}
        yield "", "", see(**known)
        yield "event-id-taken", "ledger", see(**known, disposition="damaged")

    def _misplaced(self) -> Iterable[tuple[str, str, Event]]:
        """What breaks the containment forest."""
        box, other, pack = sscc(9_001), sscc(9_002), sgtin(100_003)
        inside = {"action": "ADD", "bizLocation": place(WARD)}
        yield "", "", self.event("ObjectEvent", "commissioning", WARD, action="ADD", epcList=[box, other])
        yield (
            "",
            "",
            self.event("AggregationEvent", "packing", WARD, parentID=box, childEPCs=[pack], **inside),
        )
        twice = {"parentID": other, "childEPCs": [pack]} | inside
        yield "has-parent", "ledger", self.event("AggregationEvent", "packing", WARD, **twice)
        circle = {"parentID": box, "childEPCs": [box]} | inside
        yield "containment-cycle", "ledger", self.event("AggregationEvent", "packing", WARD, **circle)
        alone = {"action": "OBSERVE", "epcList": [pack], "bizLocation": place(PLANT)}
        yield "contained", "ledger", self.event("ObjectEvent", "receiving", PLANT, **alone)
        wrong = {"action": "DELETE", "parentID": other, "childEPCs": [pack]}
        yield "other-parent", "ledger", self.event("AggregationEvent", "unpacking", WARD, **wrong)


def write(name: str, events: list[Event], created: datetime) -> int:
    """One document, an event a line."""
    head = {"@context": CONTEXT, "type": "EPCISDocument", "schemaVersion": "2.0"}
    head |= {"creationDate": created.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in events)
    text = json.dumps(head, indent=1)[:-2]
    (FOLDER / name).write_text(
        f'{text},\n "epcisBody": {{"eventList": [\n{lines}\n]}}\n}}\n', encoding="utf-8"
    )
    return len(events)


def main() -> None:
    """Write everything."""
    story = Story(random.Random(SEED))  # noqa: S311  # the same files every time
    FOLDER.mkdir(parents=True, exist_ok=True)
    prefixes = [(MAKER, ""), (CARRIER, ""), (HOSPITAL, ""), (STRANGER, OTHER_PARTY)]
    with (FOLDER / "prefixes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\n")
        writer.writerow(["prefix", "owner"])
        writer.writerows(prefixes)
    applied = len(prefixes)
    for name, tell in (
        ("1-production.jsonld", story.production),
        ("2-transport.jsonld", story.transport),
        ("3-hospital.jsonld", story.hospital),
    ):
        applied += write(name, list(tell()), story.now)
    last = list(story.refused())
    write("4-refused.jsonld", [event for _, _, event in last], story.now)
    expected = [
        {"file": "4-refused.jsonld", "locator": f"$.epcisBody.eventList[{number}]", "rule": rule, "by": by}
        for number, (rule, by, _) in enumerate(last)
        if rule
    ]
    applied += len(last) - len(expected)
    text = json.dumps({"applied": applied, "refused": expected}, indent=1)
    (FOLDER / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
