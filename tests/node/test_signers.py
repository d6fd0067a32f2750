"""The replica's own guard against signing two histories."""

import pytest

from grootboek._core import verify
from grootboek.consensus import Cosigned
from grootboek.errors import Diverged
from grootboek.node.guard import NOTHING
from grootboek.node.signers import Signers
from grootboek.notes import checkpoint_body, cosigned_bytes
from grootboek.simulation.founding import found
from grootboek.wire import Certificate, Cosignature, Prepare, encode, message_bytes

A, B = bytes(32), b"\x01" * 32
GENESIS, KEYS = found(4, {})
CHAIN = GENESIS.chain


@pytest.fixture
def signers() -> Signers:
    return Signers(CHAIN, 0, 1, KEYS[1])


def test_one_size_has_one_root(signers: Signers) -> None:
    assert signers.cosign(10, A, 5) is not None
    with pytest.raises(Diverged, match="log size 10"):
        signers.cosign(10, B, 6)
    assert signers.cosign(11, B, 7) is not None


def test_below_the_last_size_nothing_is_signed(signers: Signers) -> None:
    signers.cosign(10, A, 5)
    assert signers.cosign(9, A, 6) is None
    assert signers.cosign(9, B, 6) is None


def test_the_same_checkpoint_may_be_signed_again_with_a_new_time(signers: Signers) -> None:
    for time in (5, 6, 6):
        cosignature = signers.cosign(10, A, time)
        assert cosignature is not None
        assert cosignature.time == time
        signed = cosigned_bytes(CHAIN.origin, 10, A, time)
        assert verify(GENESIS.replicas[1].cosigning_key, signed, cosignature.signature, cofactorless=True)


def test_a_restart_remembers_the_highest(signers: Signers) -> None:
    cosignature = Cosignature(1, 5, bytes(64))
    signers.restore([Cosigned(2, 20, A, cosignature), Cosigned(1, 10, B, cosignature)], NOTHING)
    assert signers.cosign(19, B, 5) is None
    with pytest.raises(Diverged):
        signers.cosign(20, B, 5)
    assert signers.cosign(20, A, 5) is not None


def test_messages_are_signed_by_the_voting_key_and_the_same_each_time(signers: Signers) -> None:
    payload = encode(Prepare(0, 1, A))
    signed = signers.message(payload)
    assert signed is not None
    assert signed == signers.message(payload)
    expected = message_bytes(CHAIN, 0, 1, payload)
    assert verify(GENESIS.replicas[1].voting_key, expected, signed.signature)


def test_the_log_signature_is_of_the_certificate_that_was_asked(signers: Signers) -> None:
    for size, root in ((10, A), (12, B), (10, A)):
        certificate = Certificate(size=size, root=root, block=b"", path=(), cosignatures=())
        replica, signature = signers.log(certificate)
        assert replica == 1
        body = checkpoint_body(CHAIN.origin, size, root)
        assert verify(GENESIS.replicas[1].log_key, body, signature, cofactorless=True)
