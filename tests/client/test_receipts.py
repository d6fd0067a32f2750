"""A receipt's three forms: one spelling each, and nothing lost between them."""

import base64

import msgspec
import pytest
from msgspec import structs

from grootboek import receipts
from grootboek.client.transactions import Prepared
from grootboek.client.verifier import Verifier
from grootboek.errors import BadReceipt, ProofError
from grootboek.proofs import Receipt
from tests.client.small_ledger import SmallLedger
from tests.client.test_verifier import flipped, verifies


@pytest.fixture(scope="module", params=[0, 1, 2])
def receipt(request: pytest.FixtureRequest, ledger: SmallLedger, transactions: list[Prepared]) -> Receipt:
    return ledger.receipt(transactions[request.param])


def test_msgpack_and_back(receipt: Receipt) -> None:
    assert receipts.decode(receipts.encode(receipt)) == receipt


def test_json_and_back(receipt: Receipt) -> None:
    assert receipts.from_json(receipts.to_json(receipt)) == receipt


def test_json_may_be_laid_out_for_reading(receipt: Receipt) -> None:
    assert receipts.from_json(msgspec.json.format(receipts.to_json(receipt), indent=4)) == receipt


def test_text_and_back(receipt: Receipt, ledger: SmallLedger) -> None:
    text = receipts.to_text(ledger.genesis, receipt)
    assert receipts.from_text(ledger.genesis, text.encode()) == receipt


def test_the_text_is_a_proof_of_the_first_record(receipt: Receipt, ledger: SmallLedger) -> None:
    first, extra, index, *hashes = receipts.to_text(ledger.genesis, receipt).partition("\n\n")[0].split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    assert extra.startswith("extra ")
    assert index == f"index {receipt.index + 1}"
    assert [base64.b64decode(line) for line in hashes] == list(receipt.records[0].path)


def test_any_form_is_read(receipt: Receipt, ledger: SmallLedger) -> None:
    forms = [
        receipts.encode(receipt),
        receipts.to_json(receipt),
        receipts.to_text(ledger.genesis, receipt).encode(),
    ]
    assert [receipts.read(ledger.genesis, form) for form in forms] == [receipt] * 3


def test_every_single_bit_of_the_json_matters(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    """PS12, exhaustively."""
    data = receipts.to_json(ledger.receipt(transactions[1]))
    assert verifies(verifier, data)
    assert [bit for bit in range(8 * len(data)) if verifies(verifier, flipped(data, bit))] == []


def test_every_single_bit_of_the_text_matters(
    ledger: SmallLedger, verifier: Verifier, transactions: list[Prepared]
) -> None:
    """PS12, exhaustively."""
    data = receipts.to_text(ledger.genesis, ledger.receipt(transactions[1])).encode()
    assert verifies(verifier, data)
    assert [bit for bit in range(8 * len(data)) if verifies(verifier, flipped(data, bit))] == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"\x90",
        b"\x97\x01",
        b"c2sp.org/tlog-proof@v1\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\n\n",
        b'{"format":"grootboek-receipt/2"}',
        b'{"format":"grootboek-receipt/1","type":1}',
        b"{" * 10_000,
        "c2sp.org/tlog-proof@v1\nextra \nindex ٣\n\n\n".encode(),
    ],
)
def test_what_is_no_receipt_is_refused(ledger: SmallLedger, data: bytes) -> None:
    with pytest.raises(ProofError):
        receipts.read(ledger.genesis, data)


def test_a_text_in_another_spelling_is_refused(ledger: SmallLedger, transactions: list[Prepared]) -> None:
    text = receipts.to_text(ledger.genesis, ledger.receipt(transactions[0]))
    with pytest.raises(BadReceipt):
        receipts.from_text(ledger.genesis, text.replace("index ", "index 0").encode())


def test_the_text_of_another_ledger_says_so(ledger: SmallLedger, transactions: list[Prepared]) -> None:
    other = structs.replace(ledger.genesis, name="other.example/ledger")
    text = receipts.to_text(ledger.genesis, ledger.receipt(transactions[0]))
    with pytest.raises(BadReceipt, match=f"it is of the ledger {ledger.genesis.chain.origin}"):
        receipts.from_text(other, text.encode())


def test_upper_case_hex_is_refused(ledger: SmallLedger, transactions: list[Prepared]) -> None:
    plain = msgspec.json.decode(receipts.to_json(ledger.receipt(transactions[0])))
    plain["header"] = plain["header"].upper()
    with pytest.raises(BadReceipt):
        receipts.from_json(msgspec.json.encode(plain))
