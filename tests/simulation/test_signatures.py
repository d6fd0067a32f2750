"""The cheap signatures of a run refuse what real ones refuse."""

import pytest

from grootboek._core import SigningKey
from grootboek.node.signers import Keys, PrivateKey
from grootboek.simulation import signatures
from grootboek.simulation.cores import CHAIN
from grootboek.simulation.founding import info_of
from grootboek.simulation.signatures import CheapKey, CheapVerifier
from grootboek.wire import Member, message_bytes, seat_bytes, transaction_bytes

MEMBER = Member.of(info_of(0))

VERIFY = CheapVerifier()
MINE, OTHERS = VERIFY.key(bytes(32)), VERIFY.key(bytes([1]) * 32)
REAL = SigningKey(bytes([2]) * 32)
VOTE, VETO = b"grootboek/1 message\nvote", b"grootboek/1 message\nveto"


WATCHED = VERIFY.watch(Keys(MINE, SigningKey(bytes([3]) * 32), REAL)).cosigning


@pytest.mark.parametrize("key", [MINE, REAL, WATCHED], ids=["cheap", "real", "watched"])
def test_only_the_keys_own_signature_over_these_bytes_is_good(key: PrivateKey) -> None:
    signature = key.sign(VOTE)
    altered = [bytes([*signature[:i], signature[i] ^ 1, *signature[i + 1 :]]) for i in range(64)]
    assert VERIFY([(key.public, VOTE, signature)] * 2) == [True, True]
    assert not any(VERIFY([(key.public, VOTE, other) for other in altered]))
    wrong = [(key.public, VETO, signature), (OTHERS.public, VOTE, signature)]
    assert not any(VERIFY([*wrong, (key.public, VOTE, OTHERS.sign(VOTE)), (key.public, VOTE, b"")]))


def test_whoever_has_the_public_key_cannot_sign() -> None:
    forged = CheapKey(MINE.public).sign(VOTE)
    assert VERIFY([(MINE.public, VOTE, forged)]) == [False]


def test_what_is_no_vote_is_signed_for_everybody() -> None:
    for message in (transaction_bytes(CHAIN, b"header"), seat_bytes("origin", 1, 0, MEMBER)):
        assert MINE.sign(message) == SigningKey(bytes(32)).sign(message)
        assert VERIFY([(MINE.public, message, MINE.sign(message))]) == [True]
    assert message_bytes(CHAIN, 1, 0, b"").startswith(VOTE[:-4])


def test_what_a_watched_key_has_signed_is_not_verified_and_all_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verified: list[bytes] = []
    monkeypatch.setattr(signatures, "_verify", lambda _key, message, _signature: verified.append(message))
    verify = CheapVerifier()
    watched = verify.watch(Keys(MINE, REAL, REAL)).cosigning
    signed = watched.sign(b"root")
    assert verify([(REAL.public, b"root", signed)]) == [True]
    assert verified == []
    verify([(REAL.public, b"other", signed), (REAL.public, b"root", REAL.sign(b"other"))])
    assert verified == [b"other", b"root"]
