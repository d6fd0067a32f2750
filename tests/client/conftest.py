"""A ledger of three blocks that every test of this folder may read."""

import pytest
from msgspec import Struct

from grootboek.client.transactions import Prepared, encode_command, prepare
from grootboek.client.verifier import Verifier
from tests.client.small_ledger import EPOCH_MS, SmallLedger, key


class Anchor(Struct, frozen=True, array_like=True):
    """A command of the tests' own."""

    key: str
    digest: bytes


def transaction(ledger: SmallLedger, commands: int, name: str = "a", *, signers: int = 1) -> Prepared:
    encoded = [
        encode_command("records", 1, Anchor(f"{name}/{i}", bytes(32)), salt=bytes([i]) * 16)
        for i in range(commands)
    ]
    keys = [key("citizen", name, i) for i in range(signers)]
    return prepare(ledger.genesis.chain, keys, encoded, expiry=EPOCH_MS + 60_000, nonce=7)


@pytest.fixture(scope="session")
def transactions() -> list[Prepared]:
    ledger = SmallLedger()
    return [
        transaction(ledger, 3, "a", signers=2),
        transaction(ledger, 1, "b"),
        transaction(ledger, 5, "c"),
        transaction(ledger, 1, "d"),
    ]


@pytest.fixture(scope="session")
def ledger(transactions: list[Prepared]) -> SmallLedger:
    made = SmallLedger()
    made.append(*transactions[:2])
    made.append(transactions[2], outcome="version-mismatch")
    made.append(transactions[3])
    return made


@pytest.fixture(scope="session")
def verifier(ledger: SmallLedger) -> Verifier:
    return Verifier(ledger.genesis)
