"""The cheap signatures of a run refuse what real ones refuse."""

import pytest

from grootboek._core import SigningKey
from grootboek.simulation.signatures import CheapKey, CheapVerifier

MINE, OTHERS = CheapKey(bytes(32)), CheapKey(bytes([1]) * 32)
REAL = SigningKey(bytes(32))
VERIFY = CheapVerifier([MINE, OTHERS])


@pytest.mark.parametrize("key", [MINE, REAL], ids=["cheap", "real"])
def test_only_the_keys_own_signature_over_these_bytes_is_good(key: CheapKey | SigningKey) -> None:
    signature = key.sign(b"vote")
    altered = [bytes([*signature[:i], signature[i] ^ 1, *signature[i + 1 :]]) for i in range(64)]
    assert VERIFY([(key.public, b"vote", signature)] * 2) == [True, True]
    assert not any(VERIFY([(key.public, b"vote", other) for other in altered]))
    wrong = [(key.public, b"veto", signature), (OTHERS.public, b"vote", signature)]
    assert not any(VERIFY([*wrong, (key.public, b"vote", OTHERS.sign(b"vote")), (key.public, b"vote", b"")]))


def test_whoever_has_the_public_key_cannot_sign() -> None:
    forged = CheapKey(MINE.public).sign(b"vote")
    assert VERIFY([(MINE.public, b"vote", forged)]) == [False]
