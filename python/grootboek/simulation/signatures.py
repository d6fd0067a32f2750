"""Signatures of a run: all real, or cheap ones for votes, so that more of them fit into an hour.

The cheap scheme keeps what the protocol relies on: a signature of another key, over other bytes, or
with a bit changed is refused, and whoever lacks the key's secret cannot make one. Cosignatures stay
Ed25519, because the ledger reads certificates from its disk as any verifier would; those that a key of the
run has made are known to be good, and any other is verified once in a run, not once at each replica.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from typing import Final

from msgspec.structs import replace

from grootboek._core import TransactionBatch, digest, verify
from grootboek.consensus import Obligation
from grootboek.node.judging import judge_request
from grootboek.node.signers import Keys, PrivateKey
from grootboek.types import Genesis

__all__ = ["CheapKey", "CheapVerifier", "OneJudge"]

_REMEMBERED: Final = 1 << 16
"""How many verdicts on Ed25519 signatures are kept."""
_JUDGED: Final = 256
"""How many batches are kept with their verdicts."""


class CheapKey:
    """A voting key whose signature is a keyed hash of the message, twice: 64 bytes, as Ed25519 has."""

    def __init__(self, seed: bytes) -> None:
        """From the 32-byte seed."""
        self._seed = seed
        self.public = digest(b"cheap public key" + seed)

    def sign(self, message: bytes) -> bytes:
        """The deterministic signature."""
        return digest(self._seed + message) * 2


class _WatchedKey:
    """A key of which the run remembers what it has signed."""

    def __init__(self, key: PrivateKey, signed: set[Obligation]) -> None:
        self.public = key.public
        self._key = key
        self._signed = signed

    def sign(self, message: bytes) -> bytes:
        signature = self._key.sign(message)
        self._signed.add((self.public, message, signature))
        return signature


class CheapVerifier:
    """Verifies for all replicas of a run: by their secrets where keys are cheap, else for good."""

    def __init__(self, keys: Iterable[CheapKey]) -> None:
        """``keys``: those whose signatures are cheap."""
        self._keys = {key.public: key for key in keys}
        self._signed: set[Obligation] = set()
        self._really = lru_cache(_REMEMBERED)(_verify)

    def watch(self, keys: Keys) -> Keys:
        """The same keys; what the cosigning key signs from now on needs no verification."""
        return replace(keys, cosigning=_WatchedKey(keys.cosigning, self._signed))

    def __call__(self, obligations: Sequence[Obligation]) -> Sequence[int]:
        """One verdict for each obligation, as ``_core.verify_many`` gives."""
        return [self._one(*obligation) for obligation in obligations]

    def _one(self, key: bytes, message: bytes, signature: bytes) -> bool:
        cheap = self._keys.get(key)
        if cheap is not None:
            return cheap.sign(message) == signature
        return (key, message, signature) in self._signed or self._really(key, message, signature)


class OneJudge:
    """Judges the transactions of one ledger, each batch once for all replicas."""

    def __init__(self, genesis: Genesis) -> None:
        self._judged = lru_cache(_JUDGED)(partial(judge_request, genesis=genesis))

    def __call__(self, body: bytes, _genesis: Genesis) -> TransactionBatch:
        """As ``judge_request``."""
        return self._judged(body)


def _verify(key: bytes, message: bytes, signature: bytes) -> bool:
    return verify(key, message, signature, cofactorless=True)
