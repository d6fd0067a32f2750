"""The light client: what it costs to believe nothing but the genesis file."""

import pytest

from benches.conftest import NewLedger
from benches.ledgers import BATCH, anchor, key_of
from benches.measuring import Measure
from grootboek import receipts
from grootboek.client.answers import verify_answer
from grootboek.client.transactions import encode_command, prepare_many
from grootboek.client.verifier import Verifier
from grootboek.modules.records import Records

pytestmark = pytest.mark.benchmark(group="client")


def test_prepare_transactions(measure: Measure, new_ledger: NewLedger) -> None:
    """Encode and sign."""
    chain, key = new_ledger().genesis.chain, key_of("anyone")

    def prepare() -> None:
        commands = [(encode_command("records", Records.version, anchor(number)),) for number in range(BATCH)]
        prepare_many(chain, key, commands, expiry=1)

    measure(prepare, items=BATCH, of="transactions")


def test_verify_an_answer(measure: Measure, new_ledger: NewLedger) -> None:
    ledger = new_ledger()
    sent = ledger.fill(1)
    answer = ledger.answer(sent)
    verified = verify_answer(Verifier(ledger.genesis), answer, sent)
    assert len(verified) == BATCH
    measure(lambda: verify_answer(Verifier(ledger.genesis), answer, sent), items=BATCH, of="transactions")


def test_verify_a_receipt(measure: Measure, new_ledger: NewLedger) -> None:
    ledger = new_ledger()
    sent = ledger.fill(1)
    certificate = ledger.certify()
    receipt = receipts.encode(
        ledger.ledger.receipt(sent[500].id, certificate, ledger.log_signature(certificate))
    )
    verifier = Verifier(ledger.genesis)
    assert verifier.verify_receipt(receipt).transaction == sent[500].id
    measure(lambda: verifier.verify_receipt(receipt))
