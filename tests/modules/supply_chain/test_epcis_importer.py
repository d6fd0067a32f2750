"""EPCIS documents as others write them."""

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek.errors import ImportFileError
from grootboek.modules.importing import BadField, Report, Source, Staging, stage
from grootboek.modules.supply_chain import SupplyChain
from grootboek.modules.supply_chain.identifiers import canonical
from grootboek.modules.supply_chain.import_document import Found, events
from grootboek.modules.supply_chain.import_event import parts, read
from grootboek.modules.supply_chain.import_time import millis, stamp
from grootboek.modules.supply_chain.import_vocabulary import BIZ_STEP, CONTEXT
from grootboek.modules.supply_chain.terms import LIST_MAX, Event, ObjectEvent
from grootboek.modules.vault import Vault
from grootboek.types import Limits
from grootboek.wire import encode
from tests.modules.driver import CHAIN, Driver
from tests.modules.memory_view import Host
from tests.modules.supply_chain.samples import HERE, box, item, pack

TIME = {"eventTime": "2026-03-02T06:00:00.000+01:00", "eventTimeZoneOffset": "+01:00"}
SEEN: dict[str, Any] = {"type": "ObjectEvent", **TIME, "action": "OBSERVE", "epcList": [pack(1)]}


def document(*events: Any, **more: Any) -> str:
    head = {
        "@context": [
            "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
            {"ex": "https://x.example/"},
        ],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-03-02T06:00:00Z",
        "epcisBody": {"eventList": list(events)},
    }
    return json.dumps(head | more)


async def load(folder: Path, *texts: str | bytes, driver: Driver | None = None) -> Report:
    """Import each text as a file; ``folder`` keeps vault and staging."""
    paths = []
    for number, text in enumerate(texts):
        path = folder / f"events-{number}.jsonld"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        paths.append(path)
    driver = driver or Driver(Host(SupplyChain()))
    with Vault.at(folder / "work") as vault, Staging(folder / "work", CHAIN, SupplyChain) as staging:
        result = await driver.submit(stage(SupplyChain, paths, vault=vault, staging=staging), staging)
    assert driver.host.broken() == []
    return result


def rules(result: Report) -> list[tuple[str, str]]:
    return [
        (row.locator, row.problems[0].rule)
        for file in result.files
        for row in (*file.refused, *file.rejected)
    ]


def draft(event: dict[str, Any], **context: str) -> Event:
    return read(Found("$", event, CONTEXT | context)).command


def test_every_field_of_the_standard_is_read() -> None:
    event = SEEN | {
        "@context": {"ex": "https://x.example/"},
        "eventID": "urn:uuid:7",
        "recordTime": "2026-03-02T06:00:01Z",
        "bizStep": "receiving",
        "disposition": "in_progress",
        "persistentDisposition": {"set": ["completeness_verified"], "unset": ["completeness_inferred"]},
        "readPoint": {"id": HERE, "ex:gate": 4},
        "bizLocation": {"id": HERE},
        "bizTransactionList": [{"type": "po", "bizTransaction": "urn:x:po:1"}, {"bizTransaction": "urn:x:2"}],
        "sourceList": [{"type": "owning_party", "source": "urn:x:a"}],
        "destinationList": [{"type": "ex:kind", "destination": "urn:x:b"}],
        "quantityList": [{"epcClass": "urn:x:c", "quantity": 5, "uom": "KGM"}, {"epcClass": "urn:x:d"}],
        "certificationInfo": "https://x.example/certificate",
        "errorDeclaration": {
            "declarationTime": "2026-03-03T06:00:00Z",
            "reason": "incorrect_data",
            "correctiveEventIDs": ["urn:uuid:8"],
            "ex:who": "me",
        },
        "sensorElementList": [{"sensorReport": [{"type": "Temperature", "value": 4, "uom": "CEL"}]}],
        "ex:shelf": "K4",
    }
    found = read(Found("$", event, CONTEXT | {"ex": "https://x.example/"}))
    command = found.command
    assert isinstance(command, ObjectEvent)
    assert command.eventTime == 1_772_427_600_000
    assert (command.eventID, command.recordTime) == ("urn:uuid:7", 1_772_431_201_000)
    assert (command.bizStep, command.readPoint, command.bizLocation) == ("receiving", HERE, HERE)
    assert [entry.type for entry in command.bizTransactionList] == ["po", None]
    assert command.destinationList[0].type == "https://x.example/kind"
    assert [(one.quantity, one.uom) for one in command.quantityList] == [("5", "KGM"), (None, None)]
    assert command.errorDeclaration is not None
    assert command.errorDeclaration.correctiveEventIDs == ("urn:uuid:8",)
    assert sorted(found.private) == ["errorDeclaration", "extensions", "sensorElementList"]
    assert found.private["extensions"] == '{"ex:shelf":"K4","readPoint":{"ex:gate":4}}'


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("event-type", {"type": "SaleEvent"}),
        ("event-type", {"type": 5}),
        ("event-type", {"type": "epcis:SaleEvent"}),
        ("epcList", {"type": "ex:SaleEvent", "epcList": [{"id": "urn:x:1"}]}),
        ("eventTime", {"eventTime": "2026-03-02T06:00:00"}),
        ("eventTime", {"eventTime": "2026-02-30T06:00:00Z"}),
        ("eventTime", {"eventTime": None}),
        ("eventTime", {"eventTime": 17}),
        ("eventTime", {"eventTime": "1969-12-31T23:59:59Z"}),
        ("eventTimeZoneOffset", {"eventTimeZoneOffset": "Z"}),
        ("eventTimeZoneOffset", {"eventTimeZoneOffset": "+14:30"}),
        ("recordTime", {"recordTime": "yesterday"}),
        ("action", {"action": "add"}),
        ("action", {"action": None}),
        ("epcList", {"epcList": None}),
        ("epcList", {"epcList": ["pack"]}),
        ("epcList", {"epcList": [7]}),
        ("bizStep", {"bizStep": "flying"}),
        ("bizStep", {"bizStep": ["shipping"]}),
        ("disposition", {"disposition": "cbv:BizStep-shipping"[4:]}),
        ("readPoint", {"readPoint": {"name": "here"}}),
        ("bizTransactionList", {"bizTransactionList": [{"type": "order", "bizTransaction": "urn:x:1"}]}),
        ("bizTransactionList", {"bizTransactionList": ["urn:x:1"]}),
        ("sourceList", {"sourceList": [{"source": "urn:x:1"}]}),
        ("quantityList", {"quantityList": [{"epcClass": "urn:x:1", "quantity": "5"}]}),
        ("quantityList", {"quantityList": [{"epcClass": "urn:x:1", "quantity": True}]}),
        ("quantityList", {"quantityList": [{"epcClass": "urn:x:1", "quantity": 5, "uom": "kilo"}]}),
        ("quantityList", {"quantityList": [{"quantity": 5}]}),
        ("persistentDisposition", {"persistentDisposition": {}}),
        ("errorDeclaration", {"errorDeclaration": "wrong"}),
        ("declarationTime", {"errorDeclaration": {}}),
        ("ilmd", {"ilmd": {"ex:a": 1}}),
        ("ilmd", {"ilmd": "text"}),
        ("sensorElementList", {"sensorElementList": [{}]}),
        ("sensorElementList", {"sensorElementList": ["warm"]}),
        ("field-unknown", {"quantityList": [{"epcClass": "urn:x:1", "weight": 5}]}),
        ("field-unknown", {"bizTransactionList": [{"bizTransaction": "urn:x:1", "ex:note": 1}]}),
        (
            "field-unknown",
            {"sourceList": [{"type": "location", "source": "urn:x:1", "destination": "urn:x:1"}]},
        ),
        ("field-unknown", {"persistentDisposition": {"set": ["active"], "unsett": ["expired"]}}),
        ("field-unknown", {"errorDeclaration": {"declarationTime": "2026-03-03T06:00:00Z", "raeson": "x"}}),
        ("field-unknown", {"action": "ADD", "ilmd": {"lotNumber": "L1"}}),
        ("field-unknown", {"epclist": []}),
        ("field-unknown", {"parentID": "urn:x:1"}),
        ("bizTransactionList", {"type": "TransactionEvent"}),
        ("parentID", {"type": "AssociationEvent", "epcList": None, "childEPCs": ["urn:x:1"]}),
        ("childEPCs", {"type": "AggregationEvent", "epcList": None, "parentID": "urn:x:1"}),
        ("inputEPCList", {"type": "TransformationEvent", "epcList": None, "action": None}),
    ],
)
def test_events_that_are_refused(rule: str, change: dict[str, Any]) -> None:
    with pytest.raises(BadField) as caught:
        draft(SEEN | change)
    assert caught.value.problem.rule == rule


@pytest.mark.parametrize(
    "change",
    [
        {"epcList": []},
        {"epcList": None, "quantityList": {"epcClass": "urn:x:1"}},
        {"epcList": None, "sensorElementList": [{"sensorReport": [{"value": 1}]}], "readPoint": {"id": HERE}},
        {"action": "ADD", "ilmd": {"cbvmda:lotNumber": "L1"}},
        {"bizStep": "https://x.example/steps/flying"},
        {"bizStep": "flying", "@context": {"flying": "https://x.example/steps/flying"}},
        {"batch": "L1", "@context": {"batch": "https://x.example/batch"}},
        {"type": "AggregationEvent", "action": "DELETE", "epcList": None, "parentID": "urn:x:1"},
        {"type": "https://ref.gs1.org/epcis/ObjectEvent"},
        {"epcList": pack(1)},
        {"id": "urn:uuid:9"},
        {"readPoint": HERE},
        {"type": None, "@type": "ObjectEvent"},
        {"type": "ex:SaleEvent", "epcList": None, "action": None, "till": 4},
        {"type": "My:custom:event:type", "ilmd": {"ex:a": 1}},
        {"sensorElementList": [{"sensorReport": [{"type": "Mass", "bizRules": "urn:x:1", "ex:own": 1}]}]},
    ],
)
async def test_events_that_are_read(tmp_path: Path, change: dict[str, Any]) -> None:
    event = {name: value for name, value in (SEEN | change).items() if value is not None}
    result = await load(tmp_path, document(event))
    assert (rules(result), result.applied) == ([], 1)


@pytest.mark.parametrize(
    ("text", "locator"),
    [
        (document(SEEN), "$.epcisBody.eventList[0]"),
        ("\ufeff" + document(SEEN), "$.epcisBody.eventList[0]"),
        (json.dumps(SEEN), "$"),
        (json.dumps([SEEN]), "$[0]"),
        (document(epcisBody={"event": SEEN}), "$.epcisBody.event[0]"),
        (
            document(
                type="EPCISQueryDocument",
                epcisBody={"queryResults": {"queryName": "q", "resultsBody": {"eventList": [SEEN]}}},
            ),
            "$.epcisBody.queryResults.resultsBody.eventList[0]",
        ),
    ],
)
async def test_where_events_stand(tmp_path: Path, text: str, locator: str) -> None:
    result = await load(tmp_path, text)
    assert result.applied == 1
    broken = text.replace("OBSERVE", "LOOK")
    assert rules(await load(tmp_path / "..", broken)) == [(locator, "action")]


async def test_an_event_of_another_type_is_a_record(tmp_path: Path) -> None:
    driver = Driver(Host(SupplyChain()))
    sold = SEEN | {
        "@context": {"shop": "https://shop.example/"},
        "type": "shop:SaleEvent",
        "eventID": "urn:x:1",
    }
    result = await load(tmp_path, json.dumps(sold), json.dumps([sold | {"action": "LOOK"}]), driver=driver)
    assert (result.applied, rules(result)) == (1, [("$[0]", "event-id-taken")])
    row = driver.host.ask("event", eventID="urn:x:1")
    assert (row.type, row.items) == ("https://shop.example/SaleEvent", ())
    assert item(driver.host, pack(1)) is None


@pytest.mark.parametrize(
    ("outer", "inner", "step"),
    [
        ({"a": "https://x.example/"}, {}, "https://x.example/step"),
        ({"a": "https://x.example/"}, {"a": "https://y.example/"}, "https://y.example/step"),
        ({"a": "https://x.example/"}, {"b": "https://y.example/"}, "https://x.example/step"),
        ({"b": "https://x.example/"}, {"a": "b:y/"}, "https://x.example/y/step"),
        ({"a": "https://x.example/", "cbv": "https://y.example/"}, {}, "https://x.example/step"),
    ],
)
def test_the_inner_context_prevails(
    tmp_path: Path, outer: dict[str, str], inner: dict[str, str], step: str
) -> None:
    path = tmp_path / "events.jsonld"
    own = SEEN | {"@context": [inner], "bizStep": "a:step", "disposition": "cbv:Disp-active"}
    path.write_text(document(own, **{"@context": [outer]}))
    (found,) = events(Source(path))
    command = read(found).command
    assert (command.bizStep, command.disposition) == (step, "active")


def test_what_places_and_declarations_have_besides_is_kept() -> None:
    error = {"declarationTime": "2026-03-03T06:00:00Z", "who": "me"}
    event = SEEN | {"readPoint": {"id": HERE, "gate": 4}, "errorDeclaration": error}
    found = read(Found("$", event, CONTEXT | {"who": "https://x.example/who"}))
    assert found.private == {"errorDeclaration": '{"who":"me"}', "extensions": '{"readPoint":{"gate":4}}'}


async def test_files_that_are_no_documents(tmp_path: Path) -> None:
    texts: list[str | bytes] = [
        "{",
        "[1",
        '{"a": 1}',
        '{"epcisBody": 5}',
        "[7]",
        b'{"a": "\xff"}',
        "[" * 5_000,
    ]
    found = [rule for _, rule in rules(await load(tmp_path, *texts))]
    assert found == ["GB-3001"] * 4 + ["json-form"] + ["GB-3001"] * 2


async def test_an_event_that_is_nested_too_deeply(tmp_path: Path) -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"ex:in": deep}
    result = await load(tmp_path, document(SEEN | {"ex:deep": deep}))
    assert result.applied + result.refused == 1


async def test_events_are_sent_in_the_order_of_their_times(tmp_path: Path) -> None:
    later = {"eventTime": "2026-03-02T07:00:00+01:00"}
    seen, made = SEEN | later, SEEN | {"action": "ADD"}
    driver = Driver(Host(SupplyChain()))
    result = await load(tmp_path, document(seen, made), driver=driver)
    assert result.applied == 2
    assert [row.what for row in item(driver.host, pack(1)).history] == ["commission", "observe"]


async def test_importing_again_doubles_nothing(tmp_path: Path) -> None:
    driver = Driver(Host(SupplyChain()))
    text = document(SEEN | {"ex:note": "x"}, SEEN | {"ex:note": "x"})
    first = await load(tmp_path, text, driver=driver)
    rows = dict(driver.host.state.rows)
    again = await load(tmp_path, text, text.replace(" ", "  "), driver=driver)
    assert (first.accepted, first.known, again.accepted, again.known) == (1, 1, 0, 4)
    assert driver.host.state.rows == rows


async def test_what_may_be_personal_stays_in_the_vault(tmp_path: Path) -> None:
    driver = Driver(Host(SupplyChain()))
    event = SEEN | {
        "ex:patient": "Jan Jansen",
        "sensorElementList": [{"sensorReport": [{"stringValue": "Piet"}]}],
    }
    result = await load(tmp_path, document(event), driver=driver)
    assert (result.applied, result.files[0].warned[0].problems[0].rule) == (1, "eventID")
    stored = b"".join(key + value for key, value in driver.host.state.rows.items()) + b"".join(driver.sent)
    assert b"Jansen" not in stored
    assert b"Piet" not in stored


async def test_a_large_event_comes_in_parts(tmp_path: Path) -> None:
    many = [pack(number) for number in range(2 * LIST_MAX + 5)]
    driver = Driver(Host(SupplyChain()))
    added = SEEN | {"action": "ADD", "epcList": many}
    packed = {
        "type": "AggregationEvent",
        **TIME,
        "action": "ADD",
        "parentID": box(1),
        "childEPCs": many,
    }
    result = await load(tmp_path, document(added, packed), driver=driver)
    assert (result.applied, rules(result)) == (2, [])
    assert sorted(item(driver.host, box(1)).contents) == sorted(map(canonical, many))
    sizes = [len(encode(part)) for part in parts(draft(added | {"epcList": ["urn:x:" + "y" * 900] * 3}))]
    assert max(sizes) < Limits().command_bytes
    long = [f"urn:x:{number}" + "y" * 900 for number in range(60)]
    assert [len(part.epcList) for part in parts(draft(SEEN | {"epcList": long}))] == [26, 26, 8]  # type: ignore[attr-defined]  # object events


async def test_values_that_are_too_long(tmp_path: Path) -> None:
    result = await load(tmp_path, document(SEEN | {"epcList": ["urn:x:" + "y" * 2_000]}))
    assert [rule for _, rule in rules(result)] == ["value-range"]


async def test_numbers_of_any_size(tmp_path: Path) -> None:
    numbers = ("1e999999999", "9" * 5_000, "0.000000000000000001", "-0.0", "2E-1", "1.50")
    texts = [
        document(SEEN | {"ex:n": "NUMBER", "quantityList": [{"epcClass": "urn:x:1", "quantity": "NUMBER"}]})
        for _ in numbers
    ]
    texts = [text.replace('"NUMBER"', number) for text, number in zip(texts, numbers, strict=True)]
    found = [rule for _, rule in rules(await load(tmp_path, *texts))]
    assert found == ["value-range", "GB-3001"]


async def test_an_epc_that_nobody_can_read_is_taken_as_it_is(tmp_path: Path) -> None:
    result = await load(tmp_path, document(SEEN | {"epcList": ["urn:epc:id:sgtin:1.2.3"]}))
    assert (result.applied, result.files[0].warned[0].problems[0].rule) == (1, "epc-form")


async def test_prefixes_come_before_events(tmp_path: Path) -> None:
    made = document(SEEN | {"action": "ADD"})
    driver = Driver(Host(SupplyChain()))
    table = "Prefix;Owner;note\n9520001;;x\n12;;\nhttps://x.example/;5d41402abc4b2a76b9719d911017c592;\nurn:x;;\n9520005;me;\n"
    result = await load(tmp_path, made, table, driver=driver)
    assert rules(result) == [("row 3", "prefix-form"), ("row 5", "prefix-form"), ("row 6", "owner")]
    assert item(driver.host, pack(1)).item.origin == "commissioned"
    assert driver.host.ask("prefix", id="https://x.example/1").owner.hex().startswith("5d41")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [*ObjectEvent.__struct_fields__, "@context", "id", "type", "parentID", "ex:own", "childEPCs"]
INNER = [
    "id",
    "type",
    "source",
    "bizTransaction",
    "epcClass",
    "quantity",
    "uom",
    "set",
    "sensorReport",
    "ex:own",
]
SHAPED = st.dictionaries(st.sampled_from(INNER), JSON | st.just("urn:x:1"), max_size=4)


@given(st.dictionaries(st.sampled_from(FIELDS), JSON | SHAPED | st.lists(SHAPED, max_size=2), max_size=4))
def test_any_json_is_an_event_or_refused(change: dict[str, Any]) -> None:
    with suppress(BadField):
        found = read(Found("$", SEEN | change, CONTEXT | {"ex": "https://x.example/"}))
        assert parts(found.command)


@given(JSON)
def test_any_json_is_a_document_or_refused(value: Any) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.json"
        path.write_bytes(msgspec.json.encode(value))
        with suppress(ImportFileError):
            assert all(isinstance(found, Found) for found in events(Source(path)))


@given(st.integers(0, 4_000_000_000_000))
def test_times(time: int) -> None:
    assert millis(stamp(time), "time") == time


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-01t00:00:00.1z", 100),
        ("1970-01-01T00:00:00.0004Z", 0),
        ("1970-01-01T00:00:00.0005Z", 1),
        ("1970-01-01T00:00:00.123456789Z", 123),
        ("1970-01-01T00:00:00.9999Z", 1_000),
    ],
)
def test_fractions(text: str, found: int) -> None:
    assert millis(text, "time") == found


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("shipping", "shipping"),
        ("cbv:BizStep-shipping", "shipping"),
        ("https://ref.gs1.org/cbv/BizStep-shipping", "shipping"),
        ("https://ns.gs1.org/cbv/BizStep-shipping", "shipping"),
        ("urn:epcglobal:cbv:bizstep:shipping", "shipping"),
        ("urn:epcglobal:cbv:bizstep:flying", None),
        ("https://x.example/flying", "https://x.example/flying"),
        ("Shipping", None),
    ],
)
def test_words(text: str, word: str | None) -> None:
    assert BIZ_STEP.word(text, CONTEXT) == word


def test_names_in_any_form_are_one_item() -> None:
    event = draft(SEEN | {"epcList": [pack(1), canonical(pack(1)), "ex:7"]}, ex="https://x.example/")
    assert isinstance(event, ObjectEvent)
    assert event.epcList == (pack(1), canonical(pack(1)), "https://x.example/7")
