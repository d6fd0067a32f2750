"""Bytes from anybody: a typed error or the truth, never another exception (PS12, PS14)."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek import proofs, receipts, wire
from grootboek.client.answers import Result, verify_answer
from grootboek.client.transactions import Prepared, from_frame
from grootboek.client.verifier import Verifier
from grootboek.errors import BadFrame, Malformed, ProofError
from tests.client.small_ledger import SmallLedger, found
from tests.client.test_verifier import flipped

EXTREMES = [0, 1, -1, 2**31, 2**53 - 1, 2**53, 2**63, 2**64 - 1, -(2**63)]

VALUES: list[object] = [
    *EXTREMES,
    b"",
    bytes(31),
    bytes(32),
    bytes(33),
    bytes(70_000),
    None,
    "",
    [],
    [[]],
    True,
]

mutations: st.SearchStrategy[tuple[int, object]] = st.tuples(st.integers(0, 10_000), st.sampled_from(VALUES))


def leaves(value: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """The place of every part of nested lists."""
    if not isinstance(value, list):
        return [path]
    return [path, *(place for i, item in enumerate(value) for place in leaves(item, (*path, i)))]


def replaced(value: Any, path: tuple[int, ...], part: Any) -> Any:
    if not path:
        return part
    first, *rest = path
    return [replaced(item, tuple(rest), part) if i == first else item for i, item in enumerate(value)]


def mutated(data: bytes, choice: int, part: Any) -> bytes:
    """``data``, a value in msgpack, with one of its parts replaced."""
    value = msgspec.msgpack.decode(data)
    places = leaves(value)
    return msgspec.msgpack.encode(replaced(value, places[choice % len(places)], part))


@given(mutations)
def test_no_part_of_a_receipt_can_be_replaced(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared], mutation: tuple[int, Any]
) -> None:
    data = receipts.encode(ledger.receipt(transactions[0]))
    changed = mutated(data, *mutation)
    if changed != data:
        with pytest.raises(ProofError):
            verifier.verify_receipt(changed)


@given(mutations)
def test_no_part_inside_an_entry_can_be_replaced(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared], mutation: tuple[int, Any]
) -> None:
    """The record's own fields: index, count, events and all."""
    receipt = ledger.receipt(transactions[0])
    first = receipt.records[0]
    entry = first.entry[:1] + mutated(first.entry[1:], *mutation)
    record = msgspec.structs.replace(first, entry=entry)
    changed = msgspec.structs.replace(receipt, records=(record, *receipt.records[1:]))
    if entry != first.entry:
        with pytest.raises(ProofError):
            verifier.verify_receipt(changed)


@given(mutations)
def test_no_part_of_a_state_proof_can_be_replaced(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared], mutation: tuple[int, Any]
) -> None:
    data = wire.encode(ledger.state_proof(transactions[0].id, 2))
    changed = mutated(data, *mutation)
    if changed != data:
        with pytest.raises(ProofError):
            verifier.verify_state_proof(changed)


def outcomes(
    verifier: Verifier, data: bytes, sent: list[Prepared]
) -> list[tuple[bytes, tuple[str, ...]]] | None:
    """What the client believes of an answer; None where it is refused with a typed error."""
    try:
        found = verify_answer(verifier, wire.decode(proofs.answers, data), sent)
    except (BadFrame, ProofError):
        return None
    return [(result.id, result.outcomes) for result in found if isinstance(result, Result)]


@given(mutations)
def test_no_part_of_an_answer_can_be_replaced(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared], mutation: tuple[int, Any]
) -> None:
    data = wire.encode(ledger.answer(*transactions[:2]))
    assert outcomes(verifier, mutated(data, *mutation), transactions[:2]) in (
        None,
        outcomes(verifier, data, transactions[:2]),
    )


def test_every_single_bit_of_an_answer_matters(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    data = wire.encode(ledger.answer(transactions[1]))
    sent = transactions[1:2]
    assert outcomes(verifier, data, sent) == [(sent[0].id, ("applied",))]
    believed = [bit for bit in range(8 * len(data)) if outcomes(verifier, flipped(data, bit), sent)]
    assert believed == []


@given(st.binary(max_size=300))
def test_noise_is_no_receipt_proof_note_or_frame(verifier: Verifier, data: bytes) -> None:
    for check in (verifier.verify_receipt, verifier.verify_state_proof, verifier.verify_note):
        with pytest.raises(ProofError):
            check(data)
    with pytest.raises(Malformed):
        from_frame(found().chain, data)


@given(st.text(max_size=200))
def test_a_tlog_proof_with_noise_in_it_is_refused(verifier: Verifier, text: str) -> None:
    for form in (f"c2sp.org/tlog-proof@v1\n{text}", f"c2sp.org/tlog-proof@v1\nextra \nindex 1\n\n{text}\n\n"):
        with pytest.raises(ProofError):
            verifier.verify_receipt(form.encode())
