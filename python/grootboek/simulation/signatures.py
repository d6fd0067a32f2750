"""Signatures of a run: all real, or cheap ones for votes, so that more of them fit into an hour.

The cheap scheme keeps what the protocol relies on: a signature of another key, over other bytes, or
with a bit changed is refused, and whoever lacks the key's secret cannot make one. All but votes stays
Ed25519: the ledger reads certificates from its disk as any verifier would, and modules check what
replicas sign in the log. Cosignatures that a key of the run has made are known to be good, and any other
is verified once in a run, not once at each replica.
"""

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final

from msgspec.structs import replace

from grootboek._core import SigningKey, TransactionBatch, digest, verify
from grootboek.consensus import Obligation
from grootboek.node.judging import judge_request
from grootboek.node.signers import Keys, PrivateKey
from grootboek.types import Genesis

__all__ = ["CheapKey", "CheapVerifier", "OneJudge"]

_REMEMBERED: Final = 1 << 16
"""How many verdicts on Ed25519 signatures are kept."""
_JUDGED: Final = 256
"""How many batches are kept with their verdicts."""
_VOTE: Final = b"grootboek/1 message\n"
"""What the signed bytes of all messages of the protocol begin with, and no others."""


class CheapKey:
    """A voting key whose signature of a vote is a keyed hash, twice: 64 bytes, as Ed25519 has.

    What is no vote it signs as its ``SigningKey`` does.
    """

    def __init__(self, seed: bytes) -> None:
        """From the 32-byte seed."""
        self._seed = seed
        self._real = SigningKey(seed)
        self.public = self._real.public

    def sign(self, message: bytes) -> bytes:
        """The deterministic signature."""
        return digest(self._seed + message) * 2 if message.startswith(_VOTE) else self._real.sign(message)


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
    """Verifies for all replicas of a run: votes by the secrets of their keys, all else for good."""

    def __init__(self) -> None:
        self._keys: dict[bytes, CheapKey] = {}
        self._signed: set[Obligation] = set()
        self._really = lru_cache(_REMEMBERED)(_verify)

    def key(self, seed: bytes) -> CheapKey:
        """A voting key whose signatures it knows."""
        key = CheapKey(seed)
        return self._keys.setdefault(key.public, key)

    def watch(self, keys: Keys) -> Keys:
        """The same keys; what the cosigning key signs from now on needs no verification."""
        return replace(keys, cosigning=_WatchedKey(keys.cosigning, self._signed))

    def __call__(self, obligations: Sequence[Obligation]) -> Sequence[int]:
        """One verdict for each obligation, as ``_core.verify_many`` gives."""
        return [self._one(*obligation) for obligation in obligations]

    def _one(self, key: bytes, message: bytes, signature: bytes) -> bool:
        cheap = self._keys.get(key) if message.startswith(_VOTE) else None
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
