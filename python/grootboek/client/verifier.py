"""The light client: believes nothing but the genesis file, and needs no network.

Every method either returns what was proven, as typed values, or raises a ProofError (GB-4xxx).
Sources: RFC 9162 section 2.1 (Merkle proofs), c2sp.org/tlog-cosignature, c2sp.org/tlog-checkpoint.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

from msgspec import Struct

from grootboek import notes, proofs, receipts, wire
from grootboek._core import (
    digest,
    leaf_hashes,
    verify,
    verify_command,
    verify_inclusion,
    verify_many,
    verify_state,
)
from grootboek.errors import BadCertificate, BadFrame, BadProof, BadReceipt
from grootboek.ledger.epochs import Epochs
from grootboek.ledger.keys import state_key
from grootboek.proofs import Receipt, StateProof
from grootboek.types import Epoch, Genesis, Millis
from grootboek.wire import BlockEntry, Certificate, Event, Header

__all__ = ["ProvenCheckpoint", "ProvenReceipt", "ProvenRecord", "ProvenState", "Verifier"]


REMEMBERED: Final = 64
"""Certificates, and log signatures, that need not be verified twice."""

K = TypeVar("K")
V = TypeVar("V")


class ProvenCheckpoint(Struct, frozen=True, kw_only=True):
    """A checkpoint that a quorum of replicas has cosigned."""

    size: int
    """Entries in the log."""
    root: bytes
    fresh: int
    """The log was this far at this time at the latest, in seconds since 1970: the (f+1)-th newest
    time of the cosignatures, so that at least one correct replica stands for it.
    """
    replicas: tuple[str, ...]
    """Who cosigned."""


class ProvenRecord(Struct, frozen=True, kw_only=True):
    """One command of a transaction, and what became of it."""

    index: int
    """In its transaction."""
    module: str
    name: str
    version: int
    body: bytes
    """The command's canonical encoding."""
    outcome: str
    """``applied`` or the reason for which the module refused it."""
    events: tuple[Event, ...]

    @property
    def applied(self) -> bool:
        """Whether the command took effect."""
        return self.outcome == wire.APPLIED


class ProvenReceipt(Struct, frozen=True, kw_only=True):
    """What a receipt proves."""

    transaction: bytes
    signers: tuple[bytes, ...]
    expiry: Millis
    atomic: bool
    count: int
    """How many commands the transaction has; ``records`` may show only some of them."""
    index: int
    """Log index of the transaction's header entry."""
    records: tuple[ProvenRecord, ...]
    height: int
    """Of the certified block; the transaction is in it or in an earlier one."""
    time: Millis
    """Agreed time of that block."""
    epoch: int
    checkpoint: ProvenCheckpoint


class ProvenState(Struct, frozen=True, kw_only=True):
    """What a key of the state was after a block."""

    module: str
    key: bytes
    value: bytes | None
    """None: the key was absent."""
    height: int
    time: Millis
    checkpoint: ProvenCheckpoint


def _remember(known: dict[K, V], key: K, value: V) -> None:
    if len(known) >= REMEMBERED:
        del known[next(iter(known))]
    known[key] = value


class Verifier:
    """Verifies offline with the genesis file alone.

    Later epochs are known from hand-overs: those that receipts and state proofs bring along, or that
    ``epochs.learn`` was given. They are remembered.
    """

    def __init__(self, genesis: Genesis) -> None:
        """``genesis``: the ledger's founding document, from a source that you trust."""
        self.genesis = genesis
        self.epochs = Epochs(genesis)
        self._chain = genesis.chain
        self._blocks: dict[Certificate, BlockEntry] = {}
        self._signed: dict[tuple[Certificate, tuple[int, bytes], int], Epoch] = {}
        """By certificate, log signature, and how many epochs were known."""

    # --- certificates ----------------------------------------------------------------------------

    def verify_certificate(self, certificate: Certificate) -> BlockEntry:
        """The block that the certified checkpoint ends with; raises BadCertificate.

        Many answers rest on the same certificate: the last ones that were good are remembered.
        """
        block = self._blocks.get(certificate)
        if block is None:
            block = self.epochs.check(certificate)
            _remember(self._blocks, certificate, block)
        return block

    def verify_log_signature(self, certificate: Certificate, log: tuple[int, bytes]) -> Epoch:
        """The epoch whose replica's log key has signed the checkpoint. Raises BadCertificate.

        The replica is one of the certificate's epoch; one of the next epoch may sign the block that opened
        it (``proofs.Receipt.log``).
        """
        key = certificate, log, len(self.epochs.all)
        epoch = self._signed.get(key)
        if epoch is None:
            epoch = self._signer(certificate, log)
            _remember(self._signed, key, epoch)
        return epoch

    def _signer(self, certificate: Certificate, log: tuple[int, bytes]) -> Epoch:
        replica, signature = log
        body = notes.checkpoint_body(self._chain.origin, certificate.size, certificate.root)
        for epoch in self._signing(certificate.size):
            if replica < epoch.quorum.n and verify(
                epoch.replicas[replica].log_key, body, signature, cofactorless=True
            ):
                return epoch
        raise BadCertificate("the log signature does not verify")

    def _signing(self, size: int) -> list[Epoch]:
        """The epochs whose log keys may sign a checkpoint of that size, the newest first."""
        known = reversed(self.epochs.all)
        epochs = [epoch for epoch in known if epoch.start <= size]
        return epochs[: 2 if epochs[0].start == size else 1]

    def checkpoint(self, certificate: Certificate) -> ProvenCheckpoint:
        """The summary of a certificate that was verified."""
        epoch = self.epochs.of(wire.block_of(certificate).epoch)
        times = sorted((cosignature.time for cosignature in certificate.cosignatures), reverse=True)
        return ProvenCheckpoint(
            size=certificate.size,
            root=certificate.root,
            fresh=times[epoch.quorum.weak - 1],
            replicas=tuple(epoch.replicas[c.replica].name for c in certificate.cosignatures),
        )

    def verify_note(self, text: bytes) -> ProvenCheckpoint:
        """A served checkpoint: one log signature and a quorum of cosignatures.

        Lines of unknown keys are passed over; a known key with a bad signature spoils the note.
        Raises BadReceipt where the text is malformed, BadCertificate where it is not certified.
        """
        origin, size, root, lines = notes.parse_note(text)
        if origin != self._chain.origin:
            raise BadCertificate(f"the checkpoint is of another log, {origin}")
        epoch = self._signing(size)[-1]
        logged = False
        times: dict[str, int] = {}
        for name, blob in lines:
            if name == origin:
                logged |= self._logged(size, root, blob)
            else:
                times |= self._cosigned(epoch, name, size, root, blob)
        if not logged or len(times) < epoch.quorum.quorum:
            raise BadCertificate(f"{len(times)} cosignatures, {'a' if logged else 'no'} log signature")
        fresh = sorted(times.values(), reverse=True)[epoch.quorum.weak - 1]
        return ProvenCheckpoint(size=size, root=root, fresh=fresh, replicas=tuple(times))

    def _logged(self, size: int, root: bytes, blob: bytes) -> bool:
        body = notes.checkpoint_body(self._chain.origin, size, root)
        for replica in [replica for epoch in self._signing(size) for replica in epoch.replicas]:
            if notes.log_key_id(self._chain, replica.log_key) == blob[:4]:
                if verify(replica.log_key, body, blob[4:], cofactorless=True):
                    return True
                raise BadCertificate(f"the log signature of {replica.name} does not verify")
        return False

    def _cosigned(self, epoch: Epoch, name: str, size: int, root: bytes, blob: bytes) -> dict[str, int]:
        for replica in epoch.replicas:
            key = replica.cosigning_key
            if notes.cosigner_name(self._chain, epoch.number, replica.name) != name:
                continue
            if notes.cosigner_key_id(name, key) != blob[:4]:
                continue
            time = int.from_bytes(blob[4:12], "big")
            signed = notes.cosigned_bytes(self._chain.origin, size, root, time)
            if verify(key, signed, blob[12:], cofactorless=True):
                return {replica.name: time}
            raise BadCertificate(f"the cosignature of {replica.name} does not verify")
        return {}

    # --- receipts --------------------------------------------------------------------------------

    def verify_receipt(self, receipt: Receipt | bytes) -> ProvenReceipt:
        """What the receipt proves; ``bytes`` may be any of its three forms. Raises ProofError."""
        if isinstance(receipt, bytes):
            receipt = receipts.read(self.genesis, receipt)
        self.epochs.learn(receipt.handovers)
        block = self.verify_certificate(receipt.certificate)
        self.verify_log_signature(receipt.certificate, receipt.log)
        try:
            identity, header = self._header(receipt)
            records = tuple(self._record(receipt, identity, header, i) for i in range(len(receipt.records)))
        except BadFrame as error:
            raise BadReceipt(error.detail) from error
        positions = [record.index for record in records]
        if not positions or positions != sorted(set(positions)):
            raise BadReceipt("the records are not different ones in order")
        return ProvenReceipt(
            transaction=identity,
            signers=header.signers,
            expiry=header.expiry,
            atomic=header.atomic,
            count=header.count,
            index=receipt.index,
            records=records,
            height=block.height,
            time=block.time,
            epoch=block.epoch,
            checkpoint=self.checkpoint(receipt.certificate),
        )

    def _header(self, receipt: Receipt) -> tuple[bytes, Header]:
        if receipt.header[:1] != wire.HEADER_ENTRY:
            raise BadReceipt("not a header entry")
        entry = wire.decode(wire.header_entries, receipt.header[1:])
        header = wire.decode(wire.headers, entry.header)
        if header.chain != self._chain.id:
            raise BadReceipt("the transaction is for another chain")
        self._check_inclusion(receipt.certificate, receipt.index, receipt.header, receipt.path, "header")
        signed = wire.transaction_bytes(self._chain, entry.header)
        if len(entry.signatures) != len(header.signers):
            raise BadReceipt("signers and signatures differ in number")
        items = [(key, signed, s) for key, s in zip(header.signers, entry.signatures, strict=True)]
        if not all(verify_many(items)):
            raise BadReceipt("a signature of the transaction does not verify")
        return digest(signed), header

    def _record(self, receipt: Receipt, identity: bytes, header: Header, number: int) -> ProvenRecord:
        proof = receipt.records[number]
        if proof.entry[:1] != wire.RECORD_ENTRY:
            raise BadReceipt("not a record entry")
        record = wire.decode(wire.record_entries, proof.entry[1:])
        if record.transaction != identity or record.count != header.count:
            raise BadReceipt("the record is of another transaction")
        at = receipt.index + 1 + record.index
        self._check_inclusion(receipt.certificate, at, proof.entry, proof.path, f"record {record.index}")
        if not verify_command(header.root, header.count, record.index, record.command, proof.command_path):
            raise BadProof(f"the command of record {record.index} is not under the signed root")
        command = wire.decode(wire.commands, record.command)
        return ProvenRecord(
            index=record.index,
            module=command.module,
            name=command.name,
            version=command.version,
            body=command.body,
            outcome=record.outcome,
            events=record.events,
        )

    def _check_inclusion(
        self, certificate: Certificate, index: int, entry: bytes, path: Sequence[bytes], what: str
    ) -> None:
        if not 0 < len(entry) <= wire.ENTRY_BYTES:
            raise BadProof(f"the {what} is no log entry")
        leaf = leaf_hashes(len(entry).to_bytes(2, "big") + entry)
        if not verify_inclusion(certificate.root, certificate.size, index, leaf, path):
            raise BadProof(f"the {what} is not in the certified log at index {index}")

    # --- state -----------------------------------------------------------------------------------

    def verify_state_proof(self, proof: StateProof | bytes) -> ProvenState:
        """The value or absence that the proof shows. Raises ProofError."""
        if isinstance(proof, bytes):
            try:
                proof = wire.decode(proofs.state_proofs, proof)
            except BadFrame as error:
                raise BadProof(error.detail) from error
        self.epochs.learn(proof.handovers)
        certified = self.verify_certificate(proof.certificate)
        try:
            block = wire.decode_block(proof.block)
        except BadFrame as error:
            raise BadProof(error.detail) from error
        if block.height > certified.height:
            raise BadProof("the block is newer than its certificate")
        self._check_inclusion(proof.certificate, proof.index, proof.block, proof.path, "block")
        if not verify_state(block.state, state_key(proof.module, proof.key), proof.value, proof.proof):
            raise BadProof(f"the state of block {block.height} does not show this")
        return ProvenState(
            module=proof.module,
            key=proof.key,
            value=proof.value,
            height=block.height,
            time=block.time,
            checkpoint=self.checkpoint(proof.certificate),
        )
