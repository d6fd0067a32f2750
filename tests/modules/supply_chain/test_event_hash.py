"""Event hash ids: published values of CBV 2.0's algorithm, and what must not change them."""

from decimal import Decimal
from typing import Any

import pytest

from grootboek.modules.supply_chain.import_hash import hash_id, plain, prehash
from grootboek.modules.supply_chain.import_vocabulary import CONTEXT

EXAMPLE = {"example": "https://ns.example.com/epcis/"}
DEPARTING: dict[str, Any] = {
    "type": "ObjectEvent",
    "eventTime": "2020-03-04T11:00:30.000+01:00",
    "eventTimeZoneOffset": "+01:00",
    "epcList": ["urn:epc:id:sgtin:0614141.011111.987"],
    "action": "OBSERVE",
    "bizStep": "departing",
    "disposition": "in_transit",
    "readPoint": {"id": "urn:epc:id:sgln:4012345.00011.0", "example:myField1": "AB-12"},
    "bizTransactionList": [{"type": "po", "bizTransaction": "urn:epc:id:gdti:4012345.11111.123"}],
    "sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:4012345.00000"}],
    "destinationList": [{"type": "owning_party", "destination": "urn:epc:id:pgln:0614141.00000"}],
    "example:userExt": "CD-34",
}
PUBLISHED = "ni:///sha-256;a13cbe6c8bb6df3710b3edaeff760a1365ec8fd69ca1f4d7e0c10eb5189a883a?ver=CBV2.0"
"""The hash id that the specification's third example gives for this event."""


def test_the_published_example() -> None:
    assert hash_id(DEPARTING, CONTEXT | EXAMPLE) == PUBLISHED


@pytest.mark.parametrize(
    "change",
    [
        {"eventID": "urn:uuid:1", "recordTime": "2021-01-01T00:00:00Z"},
        {"eventTime": "2020-03-04T10:00:30Z"},
        {"epcList": ["https://shop.example/01/00614141111114/21/987"]},
        {"bizStep": "https://ref.gs1.org/cbv/BizStep-departing"},
        {"bizStep": "urn:epcglobal:cbv:bizstep:departing", "disposition": "cbv:Disp-in_transit"},
        {"rdfs:comment": "no content"},
        {"type": "epcis:ObjectEvent"},
        {"type": "https://ref.gs1.org/epcis/ObjectEvent"},
        {"example:userExt": " CD-34 "},
    ],
)
def test_spellings_that_mean_the_same(change: dict[str, Any]) -> None:
    assert hash_id(DEPARTING | change, CONTEXT | EXAMPLE) == PUBLISHED


@pytest.mark.parametrize(
    "change", [{"action": "ADD"}, {"example:userExt": "CD-35"}, {"epcList": []}, {"bizStep": "arriving"}]
)
def test_another_content_has_another_hash(change: dict[str, Any]) -> None:
    assert hash_id(DEPARTING | change, CONTEXT | EXAMPLE) != PUBLISHED


def test_the_text_of_every_part() -> None:
    event = {
        "type": "TransformationEvent",
        "eventTime": "2023-01-18T11:04:03.1415Z",
        "eventTimeZoneOffset": "+00:00",
        "inputQuantityList": [{"epcClass": "urn:x:b", "quantity": Decimal("10.0")}, {"epcClass": "urn:x:a"}],
        "outputEPCList": ["urn:x:2", "urn:x:1"],
        "persistentDisposition": {"unset": ["damaged"], "set": ["conformant", "available"]},
        "sensorElementList": [
            {
                "sensorMetadata": {"time": "2023-01-18T11:04:03Z"},
                "sensorReport": [{"value": Decimal("2.50"), "type": "Temperature", "booleanValue": True}],
            }
        ],
        "ilmd": {"example:b": {"example:c": "1"}, "example:a": ["y", "x"]},
    }
    assert prehash(event, CONTEXT | EXAMPLE).split("{", 1)[0] == (
        "eventType=TransformationEventeventTime=2023-01-18T11:04:03.142ZeventTimeZoneOffset=+00:00"
        "inputQuantityListquantityElementepcClass=urn:x:aquantityElementepcClass=urn:x:bquantity=10"
        "outputEPCListepc=urn:x:1epc=urn:x:2"
        "persistentDispositionset=https://ref.gs1.org/cbv/Disp-available"
        "set=https://ref.gs1.org/cbv/Disp-conformantunset=https://ref.gs1.org/cbv/Disp-damaged"
        "sensorElementListsensorElementsensorMetadatatime=2023-01-18T11:04:03.000Z"
        "sensorReporttype=https://gs1.org/voc/Temperaturevalue=2.5booleanValue=trueilmd"
    )
    space = "{https://ns.example.com/epcis/}"
    assert prehash(event, CONTEXT | EXAMPLE).endswith(f"ilmd{space}a=x{space}a=y{space}b{space}c=1")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("10.0", "10"),
        ("0.3434000", "0.3434"),
        ("1E+3", "1000"),
        ("-0.50", "-0.5"),
        ("-0.0", "0"),
        ("1E+999999", "1E+999999"),
    ],
)
def test_numbers(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text
