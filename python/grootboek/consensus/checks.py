"""What must hold of a message before the state machine may see it.

``Checks.obligations`` looks at the form of a message and names every signature in it, nested
certificates included; the caller verifies all of them, in batch, and drops the message if one fails.
"""

from collections.abc import Sequence
from itertools import pairwise

from grootboek._core import leaf_hashes, verify_inclusion
from grootboek.errors import BadFrame, BadMessage
from grootboek.notes import cosigned_bytes
from grootboek.types import Chain, Quorum
from grootboek.wire import (
    BlockEntry,
    Certificate,
    Checkpoint,
    Cosignature,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    ProtocolMessage,
    Signed,
    ViewChange,
    block_of,
    decode,
    decode_block,
    encode,
    message_bytes,
    protocol_messages,
    value_digest,
)

__all__ = ["Checks", "Obligation", "OtherEpoch"]

Obligation = tuple[bytes, bytes, bytes]
"""Key, message and signature that must verify, cofactorless equation included."""


class OtherEpoch(BadMessage):
    """A checkpoint of another epoch: it says nothing here, and is nobody's fault."""

    code = ""  # it is dropped without a word


class Checks:
    """The rules of one epoch."""

    def __init__(  # noqa: PLR0917  # the facts of an epoch
        self,
        chain: Chain,
        epoch: int,
        voting: Sequence[bytes],
        cosigning: Sequence[bytes],
        window: int,
        opened: Certificate | None = None,
    ) -> None:
        """Keys by replica index; ``window`` is W. ``opened``: of the block that closed the epoch before,
        verified: the stable checkpoint with which this one begins.
        """
        self._opened = opened
        self._chain = chain
        self._epoch = epoch
        self._voting = voting
        self._cosigning = cosigning
        self._window = window
        self._quorum = Quorum.of(len(voting))

    # --- messages --------------------------------------------------------------------------------

    def signed(self, signed: Signed) -> tuple[ProtocolMessage, list[Obligation]]:
        """The message inside, and what must verify; raises BadMessage."""
        message = _message(signed)
        obligations = [self._of(signed)]
        match message:
            case ViewChange():
                obligations += self._view_change(message)
            case NewView():
                obligations += self._new_view(message, signed.sender)
            case PrePrepare() if signed.sender != self._primary(message.view):
                raise BadMessage("a PRE-PREPARE that is not the primary's")
        return message, obligations

    def checkpoint(self, message: Checkpoint) -> list[Obligation]:
        """A cosignature with the block that it ends; raises OtherEpoch."""
        block = self._block(message.block)
        if block.epoch != self._epoch:
            raise OtherEpoch
        return [self._cosigned(message.size, message.root, message.cosignature)]

    def certificate(self, certificate: Certificate) -> list[Obligation]:
        """A stable checkpoint: q different replicas, and a block entry that ends its log.

        The one that opened the epoch is another epoch's, and any quorum of that one's cosignatures shows
        the same: it is known here already.
        """
        opened = self._opened
        if opened is not None and certificate.size == opened.size:
            if (certificate.root, certificate.block) != (opened.root, opened.block):
                raise BadMessage("another block than the one that opened the epoch")
            return []
        replicas = [cosignature.replica for cosignature in certificate.cosignatures]
        if len(replicas) != self._quorum.quorum or not _ascending(replicas):
            raise BadMessage("a certificate needs exactly q cosignatures, by ascending replica")
        if self._block(certificate.block).epoch != self._epoch:
            raise BadMessage("a certificate of another epoch")
        framed = len(certificate.block).to_bytes(2, "big") + certificate.block
        index = certificate.size - 1
        leaf = leaf_hashes(framed)
        if not verify_inclusion(certificate.root, certificate.size, index, leaf, certificate.path):
            raise BadMessage("the block entry is not the last entry of the certified log")
        return [self._cosigned(certificate.size, certificate.root, c) for c in certificate.cosignatures]

    # --- parts -----------------------------------------------------------------------------------

    def _view_change(self, message: ViewChange) -> list[Obligation]:
        obligations = [] if message.stable is None else self.certificate(message.stable)
        low = 0 if message.stable is None else block_of(message.stable).seq
        seqs = []
        for prepared in message.prepared:
            value, more = self._prepared(prepared)
            if value.view >= message.view or not low < value.seq <= low + self._window:
                raise BadMessage("a prepared certificate outside its VIEW-CHANGE")
            seqs.append(value.seq)
            obligations += more
        if not _ascending(seqs):
            raise BadMessage("prepared certificates must ascend")
        return obligations

    def _prepared(self, prepared: Prepared) -> tuple[PrePrepare, list[Obligation]]:
        value, obligations = self._proposal(prepared.pre_prepare)
        backups = [replica for replica, _ in prepared.prepares]
        primary = prepared.pre_prepare.sender
        if len(backups) != self._quorum.quorum - 1 or not _ascending(backups) or primary in backups:
            raise BadMessage("a prepared certificate needs exactly q - 1 backups, ascending")
        digest = value_digest(self._chain, self._epoch, value.seq, value.time, value.batches)
        payload = encode(Prepare(value.view, value.seq, digest))
        return value, obligations + [self._vote(i, payload, signature) for i, signature in prepared.prepares]

    def _new_view(self, message: NewView, sender: int) -> list[Obligation]:
        if sender != self._primary(message.view):
            raise BadMessage("a NEW-VIEW that is not the primary's")
        senders = [signed.sender for signed in message.view_changes]
        if len(senders) != self._quorum.quorum or not _ascending(senders):
            raise BadMessage("a NEW-VIEW needs exactly q VIEW-CHANGEs, by ascending sender")
        if len(message.pre_prepares) > self._window:
            raise BadMessage("V forces at most one window of proposals")
        obligations = []
        for signed in message.view_changes:
            wish = _message(signed)
            if not isinstance(wish, ViewChange) or wish.view != message.view:
                raise BadMessage("a VIEW-CHANGE for another view")
            obligations += [self._of(signed), *self._view_change(wish)]
        for signed in message.pre_prepares:
            if signed.sender != sender:
                raise BadMessage("O holds only the new primary's PRE-PREPAREs")
            obligations += self._proposal(signed)[1]
        return obligations

    def _proposal(self, signed: Signed) -> tuple[PrePrepare, list[Obligation]]:
        value = _message(signed)
        if not isinstance(value, PrePrepare) or signed.sender != self._primary(value.view):
            raise BadMessage("not a PRE-PREPARE of its view's primary")
        return value, [self._of(signed)]

    def _block(self, entry: bytes) -> BlockEntry:
        try:
            return decode_block(entry)
        except BadFrame as error:
            raise BadMessage(error.detail) from error

    def _primary(self, view: int) -> int:
        return view % self._quorum.n

    def _of(self, signed: Signed) -> Obligation:
        return self._vote(signed.sender, signed.payload, signed.signature)

    def _vote(self, sender: int, payload: bytes, signature: bytes) -> Obligation:
        if sender >= self._quorum.n:
            raise BadMessage(f"there is no replica {sender}")
        return self._voting[sender], message_bytes(self._chain, self._epoch, sender, payload), signature

    def _cosigned(self, size: int, root: bytes, cosignature: Cosignature) -> Obligation:
        if cosignature.replica >= self._quorum.n:
            raise BadMessage(f"there is no replica {cosignature.replica}")
        message = cosigned_bytes(self._chain.origin, size, root, cosignature.time)
        return self._cosigning[cosignature.replica], message, cosignature.signature


def _message(signed: Signed) -> ProtocolMessage:
    """What is inside. The kind is looked at before what that holds, so that nothing nests without end:
    the bytes of each level would be held at once.
    """
    try:
        message: ProtocolMessage = decode(protocol_messages, signed.payload)
    except BadFrame as error:
        raise BadMessage(error.detail) from error
    return message


def _ascending(numbers: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(numbers))
