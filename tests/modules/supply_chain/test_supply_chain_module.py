"""The supply chain module event by event."""

import pytest
from msgspec import structs

from grootboek.modules.supply_chain import SupplyChain
from grootboek.modules.supply_chain.identifiers import canonical
from grootboek.modules.supply_chain.terms import (
    AcceptCustody,
    BizTransaction,
    ErrorDeclaration,
    OfferCustody,
    QuantityElement,
    RegisterPrefix,
    TransactionEvent,
)
from tests.modules.memory_view import APPLIED, Host
from tests.modules.supply_chain.samples import (
    BUYER,
    CLAIMED,
    HERE,
    MAKER,
    OWN,
    THERE,
    box,
    gaps,
    item,
    pack,
    ready,
    report,
    run,
)

# --- S1 -------------------------------------------------------------------------------------------


def test_an_item_lives_from_commission_to_decommission() -> None:
    host, make = ready()
    before = make.see(pack(1))
    events = (make.add(pack(1)), make.see(pack(1)), make.end(pack(1)))
    assert report(host, *events) == [APPLIED] * 3
    assert report(host, make.see(pack(1)), make.add(pack(1)), make.end(pack(1))) == [
        "item-ended",
        "item-exists",
        "item-ended",
    ]
    assert report(host, before) == ["before-commission"]
    late = make.see(pack(1), eventTime=events[1].eventTime + 1)
    assert report(host, late) == [APPLIED]
    assert [row.what for row in item(host, pack(1)).history] == ["commission", "observe", "end", "observe"]
    assert host.broken() == []


def test_only_the_owner_of_a_prefix_commissions_under_it() -> None:
    host, make = ready()
    assert report(host, make.add(pack(1)), party=BUYER) == ["not-key-owner"]
    lot = (QuantityElement(f"urn:epc:class:lgtin:{OWN}.011111.L1", "5"),)
    assert report(host, make.add(quantityList=lot), party=BUYER) == ["not-key-owner"]
    assert report(host, make.make((), (pack(2),)), party=BUYER) == ["not-key-owner"]
    assert report(host, make.add(pack(1)), make.add(quantityList=lot)) == [APPLIED] * 2
    assert item(host, pack(1)).item.origin == "commissioned"


def test_an_unregistered_prefix_gives_a_claim_and_a_gap() -> None:
    host, make = ready()
    assert report(host, make.add(pack(1, CLAIMED)), party=BUYER) == [APPLIED]
    assert item(host, pack(1, CLAIMED)).item.origin == "claimed"
    assert gaps(host, pack(1, CLAIMED)) == ["prefix-unregistered"]


def test_the_longest_prefix_decides() -> None:
    host, make = ready()
    assert run(host, RegisterPrefix(OWN + "11", BUYER), "registrar") == APPLIED
    assert report(host, make.add(pack(1))) == ["not-key-owner"]
    assert report(host, make.add(pack(1)), party=BUYER) == [APPLIED]
    assert run(host, RegisterPrefix("https://x.example/", BUYER), "registrar") == APPLIED
    assert report(host, make.add("https://x.example/a/b/1")) == ["not-key-owner"]
    assert host.broken() == []


@pytest.mark.parametrize(
    ("prefix", "owner", "outcome"),
    [
        (OWN, MAKER, APPLIED),
        (OWN, BUYER, "prefix-exists"),
        (OWN, None, "prefix-exists"),
        ("9520002", None, APPLIED),
        ("https://x.example/id/", BUYER, APPLIED),
        ("https://x.example/id", BUYER, "prefix-form"),
        ("12345678901234", None, "prefix-form"),
        ("abc", None, "bad-command"),
        ("abcd/", None, "prefix-form"),
    ],
)
def test_prefixes(prefix: str, owner: bytes | None, outcome: str) -> None:
    host, _ = ready()
    assert run(host, RegisterPrefix(prefix, owner), "registrar") == outcome
    assert run(host, RegisterPrefix("9520004"), "reporter") == "role-missing"


def test_first_sight_is_a_gap_and_a_late_commission_closes_it() -> None:
    host, make = ready()
    late = make.add(pack(1))
    assert report(host, make.see(pack(1), bizLocation=HERE)) == [APPLIED]
    assert (item(host, pack(1)).item.origin, gaps(host, pack(1))) == ("observed", ["not-commissioned"])
    assert report(host, make.add(pack(1))) == ["item-exists"]
    assert report(host, late, make.add(pack(1))) == [APPLIED, "item-exists"]
    assert item(host, pack(1)).item.origin == "commissioned"
    assert host.broken() == []


def test_an_item_does_not_end_before_it_was_seen() -> None:
    host, make = ready()
    end = make.end(pack(1), eventTime=2_000_000)
    assert report(host, make.add(pack(1)), make.see(pack(1), eventTime=3_000_000), end) == [
        APPLIED,
        APPLIED,
        "seen-later",
    ]


def test_one_item_has_one_name() -> None:
    host, make = ready()
    assert report(host, make.add(pack(1))) == [APPLIED]
    assert report(host, make.add(canonical(pack(1)))) == ["item-exists"]
    assert report(host, make.add(pack(2), canonical(pack(2)))) == [APPLIED]
    assert item(host, canonical(pack(2))).item.events == 1


# --- S2 -------------------------------------------------------------------------------------------


def test_an_item_is_in_one_parent() -> None:
    host, make = ready()
    begin = (make.add(pack(1), box(1), box(2)), make.into(box(1), pack(1), bizLocation=HERE))
    assert report(host, *begin) == [APPLIED] * 2
    assert report(host, make.into(box(2), pack(1))) == ["has-parent"]
    assert report(host, make.out(box(2), pack(1))) == ["other-parent"]
    assert report(host, make.into(box(2), pack(1), action="OBSERVE")) == ["has-parent"]
    assert report(host, make.into(box(1), pack(1))) == [APPLIED]
    assert item(host, pack(1)).parents == (canonical(box(1)),)
    assert report(host, make.out(box(1), pack(1)), make.into(box(2), pack(1))) == [APPLIED] * 2
    assert item(host, box(1)).contents == ()
    assert host.broken() == []


def test_no_item_contains_itself() -> None:
    host, make = ready()
    assert report(host, make.add(box(1), box(2), box(3)), make.into(box(1), box(2))) == [APPLIED] * 2
    assert report(host, make.into(box(2), box(3)), make.into(box(3), box(1))) == [
        APPLIED,
        "containment-cycle",
    ]
    assert report(host, make.into(box(4), box(4))) == ["containment-cycle"]
    assert host.broken() == []


def test_a_contained_item_moves_with_its_parent_only() -> None:
    host, make = ready()
    begin = (make.add(pack(1), box(1), bizLocation=HERE), make.into(box(1), pack(1), bizLocation=HERE))
    assert report(host, *begin) == [APPLIED] * 2
    assert report(host, make.see(pack(1), bizLocation=THERE)) == ["contained"]
    assert report(host, make.see(pack(1), readPoint=THERE)) == ["contained"]
    gate = HERE.removesuffix("0") + "gate-4"
    assert report(host, make.see(pack(1), readPoint=gate), make.see(pack(1))) == [APPLIED] * 2
    assert report(host, make.see(pack(1), box(1), bizLocation=THERE)) == [APPLIED]
    assert item(host, pack(1)).place == THERE
    assert report(host, make.out(box(1), pack(1)), make.see(pack(1), bizLocation=HERE)) == [APPLIED] * 2
    assert (item(host, pack(1)).place, item(host, box(1)).place) == (HERE, THERE)
    assert host.broken() == []


def test_everything_is_taken_out_where_nothing_is_named() -> None:
    host, make = ready()
    sensor = f"urn:epc:id:giai:{OWN}.77"
    begin = (make.add(pack(1), pack(2), box(1), sensor), make.into(box(1), pack(1), pack(2)))
    assert report(host, *begin, make.bind(box(1), sensor), make.out(box(1))) == [APPLIED] * 4
    assert item(host, box(1)).contents == (canonical(sensor),)
    assert report(host, make.bind(box(1), action="DELETE")) == [APPLIED]
    assert item(host, box(1)).contents == ()


def test_what_was_never_put_in_is_a_gap() -> None:
    host, make = ready()
    assert report(host, make.add(pack(1), pack(2), box(1))) == [APPLIED]
    assert (
        report(host, make.out(box(1), pack(1)), make.into(box(1), pack(2), action="OBSERVE")) == [APPLIED] * 2
    )
    assert gaps(host, pack(1)) == gaps(host, pack(2)) == ["containment-unseen"]
    assert item(host, box(1)).contents == (canonical(pack(2)),)


def test_late_events_do_not_undo_later_ones() -> None:
    host, make = ready()
    packed = make.into(box(1), pack(1))
    begin = make.add(pack(1), box(1), eventTime=1_000)
    assert report(host, begin, make.out(box(1), pack(1)), packed) == [APPLIED] * 3
    assert item(host, pack(1)).parents == ()
    early = make.see(pack(1), bizLocation=HERE, eventTime=packed.eventTime)
    assert report(host, make.see(pack(1), bizLocation=THERE), early) == [APPLIED] * 2
    assert item(host, pack(1)).place == THERE


def test_the_end_of_a_parent_frees_its_contents() -> None:
    host, make = ready()
    begin = (make.add(pack(1), pack(2), box(1)), make.into(box(1), pack(1), pack(2), bizLocation=HERE))
    assert report(host, *begin, make.end(pack(2)), make.end(box(1))) == [APPLIED] * 4
    assert gaps(host, pack(1)) == gaps(host, pack(2)) == ["not-disaggregated"]
    assert (item(host, pack(1)).parents, item(host, pack(1)).place) == ((), HERE)
    assert host.broken() == []


def test_quantities_inside_a_parent() -> None:
    host, make = ready()
    lot = f"urn:epc:class:lgtin:{OWN}.011111.L1"
    assert report(host, make.add(box(1))) == [APPLIED]
    for sign, amount in (("ADD", "2.5"), ("DELETE", "1"), ("DELETE", "9.25")):
        kilos = (QuantityElement(lot, amount, "KGM"), QuantityElement(lot))
        event = structs.replace(make.into(box(1)), action=sign, childQuantityList=kilos)
        assert report(host, event) == [APPLIED]
        if amount == "1":
            assert [row.amount for row in item(host, box(1)).quantities] == [1_500_000]
    assert (item(host, box(1)).quantities, gaps(host, box(1))) == ((), ["quantity-unseen"])


# --- S3 -------------------------------------------------------------------------------------------


def test_custody_passes_by_offer_and_acceptance() -> None:
    host, make = ready()
    begin = (make.add(pack(1), box(1)), make.into(box(1), pack(1)))
    assert report(host, *begin) == [APPLIED] * 2
    take, give = AcceptCustody((box(1),)), OfferCustody((box(1),), BUYER)
    assert run(host, take, "reporter", BUYER) == "not-offered"
    assert run(host, give, "reporter", BUYER) == "not-custodian"
    assert run(host, OfferCustody((pack(1),), BUYER), "reporter") == "contained"
    assert run(host, give, "reporter") == APPLIED
    assert run(host, OfferCustody((box(1),), None), "reporter") == APPLIED
    assert run(host, take, "reporter", BUYER) == "not-offered"
    assert run(host, give, "reporter") == APPLIED
    assert report(host, make.out(box(1), pack(1)), party=BUYER) == ["not-custodian"]
    assert run(host, take, "reporter", BUYER) == APPLIED
    assert {item(host, name).item.custodian for name in (box(1), pack(1))} == {BUYER}
    assert [link.party for link in item(host, pack(1)).custody] == [MAKER, BUYER]
    assert report(host, make.out(box(1), pack(1)), party=BUYER) == [APPLIED]
    assert host.broken() == []


def test_what_others_observe_is_a_gap_in_custody() -> None:
    host, make = ready()
    assert report(host, make.add(pack(1))) == [APPLIED]
    assert report(host, make.see(pack(1)), party=BUYER) == [APPLIED]
    assert (item(host, pack(1)).item.custodian, gaps(host, pack(1))) == (MAKER, ["custody"])
    assert report(host, make.end(pack(1)), party=BUYER) == ["not-custodian"]
    assert report(host, make.make((pack(1),), (pack(2, CLAIMED),)), party=BUYER) == ["not-custodian"]


def test_unknown_items_cannot_be_offered() -> None:
    host, make = ready()
    assert run(host, OfferCustody((pack(1),), BUYER), "reporter") == "item-unknown"
    assert report(host, make.add(pack(1)), make.end(pack(1))) == [APPLIED] * 2
    assert run(host, OfferCustody((pack(1),), BUYER), "reporter") == "item-ended"


# --- S6 -------------------------------------------------------------------------------------------


def test_an_event_again_changes_nothing() -> None:
    host, make = ready()
    event = make.add(pack(1), bizStep="commissioning")
    assert report(host, event) == [APPLIED]
    rows = dict(host.state.rows)
    assert report(host, event, structs.replace(event, recordTime=5)) == [APPLIED] * 2
    assert host.state.rows == rows
    assert report(host, structs.replace(event, bizStep="encoding")) == ["event-id-taken"]
    assert report(host, structs.replace(event, ilmd=b"x" * 32)) == ["event-id-taken"]
    assert report(host, structs.replace(event, ilmd=b"x" * 32), party=BUYER) == [APPLIED]
    assert host.state.rows == rows


def test_an_event_in_parts() -> None:
    host, make = ready()
    first = make.add(pack(1), parts=2)
    second = structs.replace(first, part=2, epcList=(pack(2),))
    assert report(host, first, second, first) == [APPLIED] * 3
    assert report(host, structs.replace(first, part=3)) == ["part-number"]
    assert item(host, pack(2)).item.origin == "commissioned"
    assert host.broken() == []


def test_errors_are_declared() -> None:
    host, make = ready()
    event = make.add(pack(1))
    wrong = structs.replace(event, errorDeclaration=ErrorDeclaration(5_000_000, "incorrect_data"))
    assert report(host, event) == [APPLIED]
    assert report(host, wrong, party=BUYER) == ["not-reporter"]
    assert report(host, wrong, wrong) == [APPLIED] * 2
    assert gaps(host, pack(1)) == ["declared-wrong"]
    assert host.ask("declaration", eventID=event.eventID).known
    other = structs.replace(wrong, bizStep="encoding", eventID=event.eventID)
    assert report(host, other) == [APPLIED]
    assert host.broken() == []


def test_an_event_that_was_declared_wrong_before_it_came() -> None:
    host, make = ready()
    event = make.add(pack(1))
    wrong = structs.replace(event, errorDeclaration=ErrorDeclaration(5_000_000))
    assert report(host, wrong, event, event) == [APPLIED] * 3
    assert item(host, pack(1)) is None
    assert not host.ask("declaration", eventID=event.eventID).known
    assert host.ask("event", eventID=event.eventID).items == ()
    assert host.broken() == []


def test_what_is_deep_inside_a_parent_is_seen_in_it() -> None:
    host, make = ready()
    filled = [make.into(box(1), pack(1)), make.into(box(2), box(1))]
    assert report(host, *filled, make.into(box(2), pack(1), action="OBSERVE")) == [APPLIED] * 3
    assert item(host, pack(1)).parents == (canonical(box(1)), canonical(box(2)))
    assert report(host, make.into(box(3), pack(1), action="OBSERVE")) == ["has-parent"]
    assert report(host, make.into(box(2), pack(1))) == ["has-parent"]
    assert host.broken() == []


def test_nobody_else_keeps_an_event_from_taking_effect() -> None:
    host, make = ready()
    event = make.add(pack(1))
    wrong = structs.replace(event, errorDeclaration=ErrorDeclaration(5_000_000))
    assert report(host, wrong, party=BUYER) == [APPLIED]
    assert report(host, event) == [APPLIED]
    assert item(host, pack(1)).item.origin == "commissioned"
    assert host.ask("declaration", eventID=event.eventID) is None
    assert report(host, wrong) == [APPLIED]
    assert host.ask("declaration", eventID=event.eventID).known
    assert gaps(host, pack(1)) == ["declared-wrong"]
    assert host.broken() == []


def test_an_error_in_parts_is_declared_once() -> None:
    host, make = ready()
    first = make.add(pack(1), parts=2)
    second = structs.replace(first, part=2, epcList=(pack(2),))
    wrong = [structs.replace(part, errorDeclaration=ErrorDeclaration(5_000_000)) for part in (first, second)]
    assert report(host, first, second, *wrong) == [APPLIED] * 4
    rows = dict(host.state.rows)
    assert report(host, *wrong) == [APPLIED] * 2
    assert host.state.rows == rows
    assert [gaps(host, pack(number)) for number in (1, 2)] == [["declared-wrong"]] * 2


# --- lineage, transactions, queries -----------------------------------------------------------------


def test_lineage_is_followed_both_ways() -> None:
    host, make = ready()
    lot = f"urn:epc:class:lgtin:{OWN}.044444.L1"
    flour = (QuantityElement(lot, "4.8", "LTR"),)
    begin = make.add(pack(1))
    mixed = make.make((pack(1),), (pack(2), pack(3)), inputQuantityList=flour)
    assert report(host, begin, mixed, make.make((pack(2),), (pack(4),))) == [APPLIED] * 3
    back = host.ask("trace_back", id=pack(4))
    assert (back[0].depth, back[0].id) == (1, canonical(pack(2)))
    assert {node.id for node in back[1:]} == {canonical(pack(1)), canonical(lot)}
    forward = host.ask("trace_forward", id=lot)
    assert {node.id for node in forward} == {canonical(pack(n)) for n in (2, 3, 4)}
    assert len(host.ask("trace_forward", id=lot, limit=1)) == 1
    assert report(host, make.make((pack(2),), (pack(5),))) == [APPLIED]
    assert gaps(host, pack(2)) == ["used-before"]
    assert report(host, make.make((pack(5),), (pack(1),))) == ["item-exists"]
    assert report(host, make.make((pack(5),), (pack(5),))) == ["item-exists"]
    assert host.broken() == []


def test_events_of_one_transformation() -> None:
    host, make = ready()
    name = {"transformationID": "urn:uuid:1"}
    first = make.make((pack(1),), (pack(2),), **name)
    assert (
        report(host, make.add(pack(1), eventTime=1), first, make.make((), (pack(2), pack(3)), **name))
        == [APPLIED] * 3
    )
    assert {node.id for node in host.ask("trace_forward", id=pack(1))} == {
        canonical(pack(2)),
        canonical(pack(3)),
    }


def test_inputs_leave_their_parent() -> None:
    host, make = ready()
    begin = (make.add(pack(1), box(1)), make.into(box(1), pack(1)))
    assert report(host, *begin, make.make((pack(1),), (pack(2),))) == [APPLIED] * 3
    assert (item(host, pack(1)).parents, gaps(host, pack(1))) == ((), ["not-disaggregated"])


def test_transactions_see_their_items() -> None:
    host, make = ready()
    order = (BizTransaction("urn:epcglobal:cbv:bt:1:2", "po"),)
    event = TransactionEvent(
        action="ADD", parentID=box(1), epcList=(pack(1), box(1)), bizTransactionList=order, **make.fields()
    )
    assert report(host, event) == [APPLIED]
    record = host.ask("event", eventID=event.eventID)
    assert (record.type, record.items) == ("TransactionEvent", (canonical(box(1)), canonical(pack(1))))
    assert host.broken() == []


def test_queries_of_what_is_not_there() -> None:
    host = Host(SupplyChain())
    assert host.ask("item", id=pack(1)) is None
    assert host.ask("event", eventID="urn:uuid:0") is None
    assert host.ask("prefix", id=pack(1)) is None
    assert host.ask("trace_back", id=pack(1)) == []


def test_events_need_a_reporter() -> None:
    host, make = ready()
    assert run(host, make.see(pack(1)), "registrar") == "role-missing"
    assert run(host, OfferCustody((pack(1),), BUYER), "registrar") == "role-missing"
    assert run(host, AcceptCustody((pack(1),)), "registrar") == "role-missing"


def test_a_wrong_row_is_noticed() -> None:
    host, make = ready()
    assert report(host, make.add(pack(1), box(1)), make.into(box(1), pack(1))) == [APPLIED] * 2
    kinds = {b"prefix\0": {"S1"}, b"trace-seen\0": {"S1"}, b"trace-child\0": {"S2"}}
    kinds |= {b"trace-custody\0": {"S3"}, b"event\0": {"S6"}}
    for prefix, ids in kinds.items():
        rows = dict(host.state.rows)
        host.state.rows = {key: value for key, value in rows.items() if not key.startswith(prefix)}
        assert set(host.broken()) == ids
        host.state.rows = rows
