"""The Rust core: what is paid once per transaction."""

import pytest

from benches.ledgers import BATCH, CHAIN, KEYS
from benches.measuring import Measure
from grootboek._core import TransactionBatch, digest, verify_many

pytestmark = pytest.mark.benchmark(group="core")


def test_digest_of_a_transaction(measure: Measure) -> None:
    transaction = bytes(250)
    measure(lambda: digest(transaction))


def test_verify_signatures(measure: Measure) -> None:
    signed = [(key.public, key.public, key.sign(key.public)) for key in KEYS]
    assert verify_many(signed) == b"\x01" * BATCH
    measure(lambda: verify_many(signed), items=BATCH, of="signatures")


def test_sign_messages(measure: Measure) -> None:
    messages = [number.to_bytes(100, "big") for number in range(BATCH)]
    measure(lambda: KEYS[0].sign_many(messages), items=BATCH, of="signatures")


@pytest.mark.parametrize("check", [True, False], ids=["signatures-checked", "parsed-only"])
def test_transaction_batch(measure: Measure, batch: bytes, *, check: bool) -> None:
    assert TransactionBatch(batch, CHAIN.digest).verdicts == bytes(BATCH)
    measure(
        lambda: TransactionBatch(batch, CHAIN.digest, check_signatures=check), items=BATCH, of="transactions"
    )
