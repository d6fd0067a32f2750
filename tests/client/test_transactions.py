"""Building and signing: what comes out is what every replica admits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grootboek import wire
from grootboek._core import TransactionBatch
from grootboek.client.transactions import encode_command, from_frame, prepare, prepare_many
from grootboek.errors import Malformed, Oversized
from grootboek.types import Limits
from tests.client.conftest import Anchor, transaction
from tests.client.small_ledger import EPOCH_MS, SmallLedger, found, key

CHAIN = found().chain
EXPIRY = EPOCH_MS + 60_000


def command(size: int = 10) -> bytes:
    return encode_command("records", 1, Anchor("k", bytes(size)))


def judged(*frames: bytes) -> bytes:
    return TransactionBatch(b"".join(frames), CHAIN.digest).verdicts


@given(st.integers(1, 20), st.integers(1, 16), st.booleans())
def test_what_is_prepared_is_admitted(commands: int, signers: int, atomic: bool) -> None:
    keys = [key("signer", i) for i in range(signers)]
    prepared = prepare(CHAIN, keys, [command() for _ in range(commands)], expiry=EXPIRY, atomic=atomic)
    batch = TransactionBatch(prepared.frame, CHAIN.digest)
    assert (batch.verdicts, batch.ids, batch.expiries) == (b"\0", [prepared.id], [EXPIRY])
    assert batch.senders == [keys[0].public]


def test_many_are_prepared_at_once() -> None:
    items = [[command() for _ in range(1 + i % 3)] for i in range(50)]
    many = prepare_many(CHAIN, key("bulk"), items, expiry=EXPIRY)
    assert judged(*(prepared.frame for prepared in many)) == bytes(50)
    assert len({prepared.id for prepared in many}) == 50
    assert [prepared.transaction.commands for prepared in many] == [tuple(item) for item in items]


def test_equal_commands_make_different_transactions() -> None:
    """A nonce and a salt each: paying twice on purpose is possible, by accident it is not."""
    same = [prepare(CHAIN, [key("a")], [command()], expiry=EXPIRY) for _ in range(2)]
    assert same[0].id != same[1].id
    assert command() != command()


def test_a_frame_is_read_back() -> None:
    prepared = transaction(SmallLedger(), 3)
    assert from_frame(CHAIN, prepared.frame) == prepared


@pytest.mark.parametrize(
    "frame", [b"", b"\0\0\0\1", b"\0\0\0\1\x90", b"\0\0\0\2\x93\xc4", b"\0\0\0\4\x93\xc4\0\x90"]
)
def test_what_is_no_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(Malformed):
        from_frame(CHAIN, frame)


@pytest.mark.parametrize(
    ("signers", "commands", "size"), [(17, 1, 10), (1, 1001, 1), (1, 1, 50_000), (1, 9, 40_000)]
)
def test_limits_are_kept_before_signing(signers: int, commands: int, size: int) -> None:
    keys = [key("signer", i) for i in range(signers)]
    with pytest.raises(Oversized):
        prepare(CHAIN, keys, [command(size)] * commands, expiry=EXPIRY, limits=Limits())


@pytest.mark.parametrize(("signers", "commands"), [(0, 1), (1, 0)])
def test_an_empty_transaction_is_refused(signers: int, commands: int) -> None:
    with pytest.raises(Malformed):
        prepare(CHAIN, [key("a")] * signers, [command()] * commands, expiry=EXPIRY)


def test_a_chosen_nonce_and_salt_make_it_repeatable() -> None:
    """Importers derive both from the row, so that importing again does not pay twice."""
    once, again = (
        prepare(
            CHAIN,
            [key("a")],
            [encode_command("records", 1, Anchor("k", bytes(32)), salt=bytes(16))],
            expiry=EXPIRY,
            nonce=5,
        )
        for _ in range(2)
    )
    assert once == again
    assert wire.decode(wire.headers, once.transaction.header).nonce == 5
