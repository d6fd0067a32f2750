"""The replica's private keys at work, each behind the rule that guards it."""

from collections.abc import Iterable
from typing import Protocol

import structlog
from msgspec import Struct

from grootboek._core import SigningKey
from grootboek.consensus import (
    Accepted,
    Amnesia,
    Cosigned,
    EnteredView,
    LeftView,
    Record,
    StableCheckpoint,
    Voted,
)
from grootboek.errors import Diverged
from grootboek.node.guard import Guard, High, Refusal
from grootboek.notes import checkpoint_body, cosigned_bytes
from grootboek.types import Chain
from grootboek.wire import (
    Certificate,
    Cosignature,
    NewView,
    ReplicaId,
    Signature,
    Signed,
    block_of,
    decode,
    message_bytes,
    protocol_messages,
)

__all__ = ["Keys", "PrivateKey", "Signers"]


class PrivateKey(Protocol):
    """What signs: ``_core.SigningKey`` does it, and so may a key that lies elsewhere."""

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""

    def sign(self, message: bytes, /) -> bytes:
        """The deterministic signature, 64 bytes."""


KEPT = 1_024
"""Of how many sequence numbers the guard remembers each vote: many windows."""

log = structlog.get_logger("grootboek.signers")


class Keys(Struct, frozen=True):
    """The private keys of one replica that sign ledger values (transport keys live in the mesh)."""

    voting: PrivateKey
    cosigning: PrivateKey
    log: SigningKey


class Signers:
    """Signs protocol messages, cosignatures and certified checkpoints for replica ``me``."""

    def __init__(self, chain: Chain, epoch: int, me: int, keys: Keys, keep: int = KEPT) -> None:
        """Nothing is signed so far; ``restore`` tells what the journal remembers. ``keep``: see Guard."""
        self._chain = chain
        self._epoch = epoch
        self._me = me
        self.keys = keys
        self._guard = Guard(epoch, keep)
        self.refused = 0
        """How often the guard has refused: never, while the core makes no mistake."""
        self._log_signature: tuple[int, tuple[ReplicaId, Signature]] | None = None

    @property
    def high(self) -> High:
        """How far this replica has signed."""
        return self._guard.high

    def message(self, payload: bytes) -> Signed | None:
        """A protocol message under the voting key; None where the guard refuses it."""
        if refusal := self._guard.refuses(payload):
            self._refuse(refusal)
            return None
        message = message_bytes(self._chain, self._epoch, self._me, payload)
        return Signed(self._me, payload, self.keys.voting.sign(message))

    def restore(self, records: Iterable[Record], high: High | None) -> None:
        """Remember what was signed before a restart; ``high``: how far, where that is known.

        The journal keeps no votes at or below its stable checkpoint, in a view that was entered.
        """
        stable = entered = 0
        for record in records:
            match record:
                case Voted(signed) | LeftView(signed):
                    self._guard.recall(signed)
                case Accepted(signed) if signed.sender == self._me:
                    self._guard.recall(signed)
                case EnteredView(signed):
                    entered = self._recall_opened(signed)
                case Cosigned(_, size, root, _):
                    self._guard.recall_checkpoint(size, root)
                case StableCheckpoint(certificate):
                    stable = block_of(certificate).seq
                case Amnesia():
                    self.forget(record)
        if high is not None:
            self._guard.reach(high)
        if entered >= self.high.view:
            self._guard.settle(stable)

    def forget(self, amnesia: Amnesia) -> None:
        """Sign nothing that may have been signed before a loss, as far as that is known."""
        self._guard.forget(amnesia.view, amnesia.bound or 0)

    def _recall_opened(self, signed: Signed) -> int:
        """A view was entered: which one. Its NEW-VIEW and O may be our own."""
        message = decode(protocol_messages, signed.payload)
        if not isinstance(message, NewView):
            return 0
        if signed.sender == self._me:
            for one in (signed, *message.pre_prepares):
                self._guard.recall(one)
        return message.view

    def _refuse(self, refusal: Refusal) -> None:
        self.refused += 1
        if self.refused.bit_count() == 1:
            log.error("refused to sign", reason=refusal.value, times=self.refused)

    def cosign(self, size: int, root: bytes, time: int) -> Cosignature | None:
        """The cosignature of an executed block; ``time`` in seconds.

        None for a size below the last one signed (a replica that executes again after a crash).
        The same size with another root means that this replica's own history forked: it stops.
        """
        refusal = self._guard.refuses_checkpoint(size, root)
        if refusal is Refusal.OTHER_ROOT:
            raise Diverged(where=f"log size {size}")
        if refusal is not None:
            return None
        signed = cosigned_bytes(self._chain.origin, size, root, time)
        return Cosignature(self._me, time, self.keys.cosigning.sign(signed))

    def log(self, certificate: Certificate) -> tuple[ReplicaId, Signature]:
        """The log signature over a checkpoint that a quorum has cosigned."""
        if self._log_signature is None or self._log_signature[0] != certificate.size:
            body = checkpoint_body(self._chain.origin, certificate.size, certificate.root)
            self._log_signature = (certificate.size, (self._me, self.keys.log.sign(body)))
        return self._log_signature[1]
