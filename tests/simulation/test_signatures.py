"""The cheap signatures of a run refuse what real ones refuse."""

import pytest

from grootboek._core import SigningKey
from grootboek.node.signers import Keys, PrivateKey
from grootboek.simulation import signatures
from grootboek.simulation.signatures import CheapKey, CheapVerifier

MINE, OTHERS = CheapKey(bytes(32)), CheapKey(bytes([1]) * 32)
REAL = SigningKey(bytes(32))
VERIFY = CheapVerifier([MINE, OTHERS])
WATCHED = VERIFY.watch(Keys(MINE, SigningKey(bytes([2]) * 32), REAL)).cosigning


@pytest.mark.parametrize("key", [MINE, REAL, WATCHED], ids=["cheap", "real", "watched"])
def test_only_the_keys_own_signature_over_these_bytes_is_good(key: PrivateKey) -> None:
    signature = key.sign(b"vote")
    altered = [bytes([*signature[:i], signature[i] ^ 1, *signature[i + 1 :]]) for i in range(64)]
    assert VERIFY([(key.public, b"vote", signature)] * 2) == [True, True]
    assert not any(VERIFY([(key.public, b"vote", other) for other in altered]))
    wrong = [(key.public, b"veto", signature), (OTHERS.public, b"vote", signature)]
    assert not any(VERIFY([*wrong, (key.public, b"vote", OTHERS.sign(b"vote")), (key.public, b"vote", b"")]))


def test_whoever_has_the_public_key_cannot_sign() -> None:
    forged = CheapKey(MINE.public).sign(b"vote")
    assert VERIFY([(MINE.public, b"vote", forged)]) == [False]


def test_what_a_watched_key_has_signed_is_not_verified_and_all_else_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verified: list[bytes] = []
    monkeypatch.setattr(signatures, "_verify", lambda _key, message, _signature: verified.append(message))
    verify = CheapVerifier([])
    watched = verify.watch(Keys(MINE, REAL, REAL)).cosigning
    signed = watched.sign(b"root")
    assert verify([(REAL.public, b"root", signed)]) == [True]
    assert verified == []
    verify([(REAL.public, b"other", signed), (REAL.public, b"root", REAL.sign(b"other"))])
    assert verified == [b"other", b"root"]
