"""docs/spec/vectors/receipts.json: proofs that were handed out once verify for ever.

A change of this file is a change of a published format: it needs a new version, not a rewrite.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from grootboek import proofs, receipts, wire
from grootboek.client.answers import Result, verify_answer
from grootboek.client.transactions import Prepared, from_frame
from grootboek.client.verifier import Verifier
from grootboek.plain import to_plain
from grootboek.types import Genesis
from tests.client.small_ledger import SmallLedger

PAGE = Path(__file__).parents[2] / "docs/spec/vectors/receipts.json"


def made(ledger: SmallLedger, transactions: list[Prepared]) -> dict[str, Any]:
    """Everything that the API hands out about the small ledger."""
    verifier = Verifier(ledger.genesis)
    receipt = ledger.receipt(transactions[0])
    proofs = [ledger.state_proof(transactions[3].id, height) for height in (2, 3)]
    return {
        "genesis": json.loads(ledger.genesis.to_json()),
        "origin": ledger.genesis.chain.origin,
        "receipt": {
            "msgpack": receipts.encode(receipt).hex(),
            "json": json.loads(receipts.to_json(receipt)),
            "text": receipts.to_text(ledger.genesis, receipt),
            "proves": to_plain(verifier.verify_receipt(receipt)),
        },
        "state_proofs": [
            {"msgpack": wire.encode(proof).hex(), "proves": to_plain(verifier.verify_state_proof(proof))}
            for proof in proofs
        ],
        "checkpoint": receipts.note(ledger.genesis, ledger.certificate(), ledger.log_signature()).decode(),
        "answer": {
            "transactions": [prepared.frame.hex() for prepared in transactions],
            "msgpack": wire.encode(ledger.answer(*transactions)).hex(),
            "outcomes": [[outcome for outcome, _ in ledger.finals[p.id].records] for p in transactions],
        },
    }


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(PAGE.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def published(vectors: dict[str, Any]) -> Verifier:
    return Verifier(Genesis.from_json(msgspec.json.encode(vectors["genesis"])))


def test_the_formats_have_not_changed(
    request: pytest.FixtureRequest, ledger: SmallLedger, transactions: list[Prepared]
) -> None:
    text = json.dumps(made(ledger, transactions), indent=1) + "\n"
    if request.config.getoption("--rewrite"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


def test_published_receipts_verify_in_each_form(vectors: dict[str, Any], published: Verifier) -> None:
    forms = vectors["receipt"]
    for data in (
        bytes.fromhex(forms["msgpack"]),
        json.dumps(forms["json"]).encode(),
        forms["text"].encode(),
    ):
        assert to_plain(published.verify_receipt(data)) == forms["proves"]


def test_published_state_proofs_verify(vectors: dict[str, Any], published: Verifier) -> None:
    for one in vectors["state_proofs"]:
        assert to_plain(published.verify_state_proof(bytes.fromhex(one["msgpack"]))) == one["proves"]


def test_published_checkpoints_verify(vectors: dict[str, Any], published: Verifier) -> None:
    assert vectors["checkpoint"].startswith(vectors["origin"] + "\n")
    assert published.verify_note(vectors["checkpoint"].encode()).replicas


def test_published_answers_verify(vectors: dict[str, Any], published: Verifier) -> None:
    chain = published.genesis.chain
    sent = [from_frame(chain, bytes.fromhex(frame)) for frame in vectors["answer"]["transactions"]]
    answer = wire.decode(proofs.answers, bytes.fromhex(vectors["answer"]["msgpack"]))
    results = verify_answer(published, answer, sent)
    found = [list(result.outcomes) for result in results if isinstance(result, Result)]
    assert found == vectors["answer"]["outcomes"]
