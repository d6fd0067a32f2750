"""The replica's private keys at work, each behind the rule that guards it."""

from typing import Protocol

from msgspec import Struct

from grootboek._core import SigningKey
from grootboek.errors import Diverged
from grootboek.notes import checkpoint_body, cosigned_bytes
from grootboek.types import Chain
from grootboek.wire import Certificate, Cosignature, ReplicaId, Signature, Signed, message_bytes

__all__ = ["Keys", "Signers", "VotingKey"]


class VotingKey(Protocol):
    """What a voting key must do: ``_core.SigningKey`` does it, and so may a key that lies elsewhere."""

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""

    def sign(self, message: bytes, /) -> bytes:
        """The deterministic signature, 64 bytes."""


class Keys(Struct, frozen=True):
    """The private keys of one replica that sign ledger values (transport keys live in the mesh)."""

    voting: VotingKey
    cosigning: SigningKey
    log: SigningKey


class Signers:
    """Signs protocol messages, cosignatures and certified checkpoints for replica ``me``."""

    def __init__(self, chain: Chain, epoch: int, me: int, keys: Keys) -> None:
        """Cosigning starts with nothing signed; ``restore`` tells what the journal remembers."""
        self._chain = chain
        self._epoch = epoch
        self._me = me
        self._keys = keys
        self._last = (0, b"")
        self._log_signature: tuple[int, tuple[ReplicaId, Signature]] | None = None

    def message(self, payload: bytes) -> Signed:
        """A protocol message under the voting key."""
        message = message_bytes(self._chain, self._epoch, self._me, payload)
        return Signed(self._me, payload, self._keys.voting.sign(message))

    def restore(self, size: int, root: bytes) -> None:
        """Remember a checkpoint that was cosigned before a restart."""
        if size > self._last[0]:
            self._last = (size, root)

    def cosign(self, size: int, root: bytes, time: int) -> Cosignature | None:
        """The cosignature of an executed block; ``time`` in seconds.

        None for a size below the last one signed (a replica that executes again after a crash).
        The same size with another root means that this replica's own history forked: it stops.
        """
        last_size, last_root = self._last
        if size < last_size:
            return None
        if size == last_size and root != last_root:
            raise Diverged(where=f"log size {size}")
        self._last = (size, root)
        signed = cosigned_bytes(self._chain.origin, size, root, time)
        return Cosignature(self._me, time, self._keys.cosigning.sign(signed))

    def log(self, certificate: Certificate) -> tuple[ReplicaId, Signature]:
        """The log signature over a checkpoint that a quorum has cosigned."""
        if self._log_signature is None or self._log_signature[0] != certificate.size:
            body = checkpoint_body(self._chain.origin, certificate.size, certificate.root)
            self._log_signature = (certificate.size, (self._me, self._keys.log.sign(body)))
        return self._log_signature[1]
