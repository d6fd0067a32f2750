"""From a node's answer to proven results."""

from collections.abc import Callable

import pytest
from msgspec import structs

from grootboek.client.answers import Result, verify_answer
from grootboek.client.transactions import Prepared
from grootboek.client.verifier import Verifier
from grootboek.errors import BadCertificate, BadProof, Expired, NotFound, ProofError, Rejected
from grootboek.proofs import Answer, Final, Refused
from tests.client.small_ledger import EPOCH_MS, SmallLedger


def results(verifier: Verifier, answer: Answer, sent: list[Prepared]) -> list[Result]:
    found = verify_answer(verifier, answer, sent)
    return [result for result in found if isinstance(result, Result)]


def test_every_transaction_gets_its_outcome(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    found = results(verifier, ledger.answer(*transactions), transactions)
    assert [result.id for result in found] == [prepared.id for prepared in transactions]
    assert [result.status for result in found] == ["applied", "applied", "rejected", "applied"]
    assert {(result.height, result.time) for result in found} == {(3, EPOCH_MS + 3_000)}


def test_receipts_are_derived_from_the_shared_proof(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    for result, prepared in zip(
        results(verifier, ledger.answer(*transactions), transactions), transactions, strict=True
    ):
        assert result.receipt() == ledger.receipt(prepared)
        assert verifier.verify_receipt(result.receipt()).transaction == prepared.id


def test_a_single_transaction_is_a_range_of_its_own(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    [result] = results(verifier, ledger.answer(transactions[1]), transactions[1:2])
    assert result.require() is result


def test_a_refused_command_raises_its_reason_when_required(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    [result] = results(verifier, ledger.answer(transactions[2]), transactions[2:3])
    with pytest.raises(Rejected) as refused:
        result.require()
    assert refused.value.reason == "version-mismatch"


def test_an_expired_transaction_has_no_receipt(transactions: list[Prepared]) -> None:
    result = Result(id=transactions[0].id, outcomes=())
    assert result.status == "expired"
    assert not result.applied
    with pytest.raises(Expired):
        result.require()
    with pytest.raises(NotFound):
        result.receipt()


def test_refusals_pass_through_unproven(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    refused = Refused("GB-1009", "the pool is full")
    answer = ledger.answer(transactions[0])
    mixed = structs.replace(answer, results=(refused, *answer.results))
    found = verify_answer(verifier, mixed, [transactions[1], transactions[0]])
    assert found[0] == refused
    assert isinstance(found[1], Result)
    only = Answer((refused,), (), None, None)
    assert verify_answer(verifier, only, transactions[:1]) == [refused]


def with_first(answer: Answer, **changes: object) -> Answer:
    first, *rest = answer.results
    assert isinstance(first, Final)
    return structs.replace(answer, results=(structs.replace(first, **changes), *rest))


def with_range(answer: Answer, **changes: object) -> Answer:
    return structs.replace(answer, ranges=(structs.replace(answer.ranges[0], **changes),))


LIES: dict[str, Callable[[Answer], Answer]] = {
    "another outcome": lambda answer: with_first(answer, records=(("refused", ()),) * 3),
    "another place": lambda answer: with_first(answer, index=1),
    "a place before every range": lambda answer: with_range(answer, start=5),
    "a place after every range": lambda answer: with_first(answer, index=500),
    "too few outcomes": lambda answer: with_first(answer, records=(("applied", ()),)),
    "another leaf": lambda answer: with_range(answer, leaves=bytes(32) + answer.ranges[0].leaves[32:]),
    "half a leaf": lambda answer: with_range(answer, leaves=answer.ranges[0].leaves[:-1]),
    "too few nodes": lambda answer: with_range(answer, nodes=answer.ranges[0].nodes[:-1]),
    "too many nodes": lambda answer: with_range(answer, nodes=(*answer.ranges[0].nodes, bytes(32))),
    "no range": lambda answer: structs.replace(answer, ranges=()),
    "no certificate": lambda answer: structs.replace(answer, certificate=None),
    "no log signature": lambda answer: structs.replace(answer, log=None),
    "another log signature": lambda answer: structs.replace(answer, log=(1, bytes(64))),
    "a result too many": lambda answer: structs.replace(answer, results=(*answer.results, answer.results[0])),
    "events that were none": lambda answer: with_first(answer, records=(("applied", ()),) * 2 + (("x", ()),)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_node_is_caught(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared], lie: str
) -> None:
    answer = LIES[lie](ledger.answer(transactions[0], transactions[1]))
    with pytest.raises((BadProof, BadCertificate)):
        verify_answer(verifier, answer, [transactions[0], transactions[1]])


def test_an_answer_about_other_bytes_is_caught(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    with pytest.raises(ProofError):
        verify_answer(verifier, ledger.answer(transactions[1]), [transactions[3]])
