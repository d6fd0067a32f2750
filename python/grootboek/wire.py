"""Everything that leaves a process: its types, its one encoding, its domains.

All values are msgspec msgpack Structs, ``array_like`` and tagged by an integer: the types below *are* the
formats (docs/spec). One value has one accepted encoding: ``decode`` refuses bytes that do not re-encode to
themselves. Signed bytes are hashed and checked as received. ``gc=False``: many, and without cycles.
"""

import base64
import typing
from functools import lru_cache
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from grootboek._core import digest
from grootboek.errors import BadFrame
from grootboek.transfer import SnapshotFrame
from grootboek.types import Chain, Millis, PublicKey, ReplicaInfo

T = TypeVar("T")

Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Salt = Annotated[bytes, Meta(min_length=16, max_length=16)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Address = Annotated[str, Meta(min_length=1, max_length=255)]
"""``host:port``."""
View = Annotated[int, Meta(ge=0, lt=2**53)]
Seq = Annotated[int, Meta(ge=0, lt=2**53)]
"""A sequence number; the first ordered value has 1."""
ReplicaId = Annotated[int, Meta(ge=0, lt=1_000)]
"""Index into the replicas of the epoch."""
Size = Annotated[int, Meta(ge=0, lt=2**53)]
"""A number of log entries."""
Path = tuple[Digest, ...]
"""Sibling hashes from a leaf upwards."""

_encoder: typing.Final = msgspec.msgpack.Encoder()
encode = _encoder.encode
"""The canonical encoding of any value of this module."""


def decode(decoder: "msgspec.msgpack.Decoder[T]", data: bytes) -> T:
    """Decode ``data``; raises BadFrame unless it is the one encoding of a value of that type."""
    try:
        value = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFrame(str(error)) from error
    if encode(value) != data:
        raise BadFrame("not the canonical encoding")
    return value


@lru_cache(maxsize=64)
def domain(kind: str, chain: Chain, epoch: int = 0) -> bytes:
    """The prefix of each signed or hashed value: version, kind, chain and epoch (0 if it has none).

    ``kind`` holds no newline and all that follows it is of fixed length, so no bytes valid under
    one domain are valid under another, and none starts like a C2SP note or cosignature.
    """
    return b"grootboek/1 %s\n%s%s" % (kind.encode(), chain.digest, epoch.to_bytes(8, "big"))


# --- transactions -------------------------------------------------------------------------------


class Command(Struct, frozen=True, array_like=True):
    """One command as it is hashed into the header's root and recorded in the log."""

    module: Name
    name: Name
    version: Annotated[int, Meta(ge=1, lt=2**16)]
    body: bytes
    """The canonical encoding of the module's command Struct."""
    salt: Salt
    """Random: keeps a record from being guessed from its hash."""


class Header(Struct, frozen=True, array_like=True, tag=1):
    """The signed part of a transaction. Its id is ``digest(domain("transaction") + header)``.

    Each signer signs ``domain("transaction", chain) + header bytes``.
    """

    chain: Annotated[bytes, Meta(min_length=8, max_length=8)]
    signers: Annotated[tuple[PublicKey, ...], Meta(min_length=1, max_length=16)]
    """All different; the first one is the sender."""
    nonce: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    expiry: Millis
    atomic: bool
    """True: all commands take effect or none. False: each for itself."""
    count: Annotated[int, Meta(ge=1)]
    root: Digest
    """RFC 6962 tree shape over the encoded commands, with keyed BLAKE3 (``_core.command_root``)."""


class Transaction(Struct, frozen=True, array_like=True):
    """As a client submits it. On the wire each is framed by its length, 4 bytes big-endian."""

    header: bytes
    signatures: tuple[Signature, ...]
    commands: tuple[bytes, ...]
    """Each an encoded Command."""


# --- log entries: a type byte, then the encoded Struct -------------------------------------------

HEADER_ENTRY: typing.Final = b"\x01"
RECORD_ENTRY: typing.Final = b"\x02"
BLOCK_ENTRY: typing.Final = b"\x03"
EPOCH_ENTRY: typing.Final = b"\x05"
ENTRY_BYTES: typing.Final = 65_535
MEMBERS: typing.Final = 32
"""How many replicas an epoch has at most: their description fits into one command and one log entry."""
MEMBER_CERTIFICATE_BYTES: typing.Final = 512

APPLIED: typing.Final = "applied"
"""The outcome of a command that took effect; any other outcome is a rejection code."""


class HeaderEntry(Struct, frozen=True, array_like=True):
    """Opens a transaction in the log; its records follow at once, in order."""

    header: bytes
    signatures: tuple[Signature, ...]


class Event(Struct, frozen=True, array_like=True):
    """What a command says to subscribers: the encoding of a Struct called ``name``."""

    name: Name
    body: bytes


class RecordEntry(Struct, frozen=True, array_like=True):
    """One command with its outcome."""

    transaction: Digest
    index: int
    count: int
    command: bytes
    outcome: str
    events: tuple[Event, ...]


class BlockEntry(Struct, frozen=True, array_like=True):
    """Closes a block: everything between two block entries belongs to the second."""

    height: Annotated[int, Meta(ge=1, lt=2**53)]
    seq: Seq
    """The consensus sequence number; above the height where NULLs were ordered."""
    time: Millis
    """Agreed time: never less than that of the block before."""
    epoch: Annotated[int, Meta(ge=0)]
    transactions: int
    records: int
    duplicates: int
    """Transactions left out because their id is in the log already."""
    expired: int
    """Transactions left out because the block's time is outside their validity."""
    state: Digest
    """The root of the state after the block."""
    modules: tuple[tuple[Name, int], ...]
    """Active modules and versions, sorted by name."""


class Member(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One replica of an epoch, as the genesis file presents those of the first one."""

    name: Name
    address: Address
    """``host:port`` of the replica mesh."""
    api: Address
    """``host:port`` of the HTTP API."""
    voting: PublicKey
    cosigning: PublicKey
    log: PublicKey
    transport_certificate: Annotated[bytes, Meta(max_length=MEMBER_CERTIFICATE_BYTES)]
    """Self-signed X.509, DER."""
    api_certificate: Annotated[bytes, Meta(max_length=MEMBER_CERTIFICATE_BYTES)]

    @classmethod
    def of(cls, info: ReplicaInfo) -> "Member":
        """From the form of the genesis file."""
        return cls(
            name=info.name,
            address=info.address,
            api=info.api,
            voting=info.voting_key,
            cosigning=info.cosigning_key,
            log=info.log_key,
            transport_certificate=base64.b64decode(info.transport_certificate),
            api_certificate=base64.b64decode(info.api_certificate),
        )

    @property
    def info(self) -> ReplicaInfo:
        """In the form of the genesis file."""
        return ReplicaInfo(
            name=self.name,
            address=self.address,
            api=self.api,
            voting=self.voting.hex(),
            cosigning=self.cosigning.hex(),
            log=self.log.hex(),
            transport_certificate=base64.b64encode(self.transport_certificate).decode(),
            api_certificate=base64.b64encode(self.api_certificate).decode(),
        )


class EpochEntry(Struct, frozen=True, array_like=True):
    """Stands before the block entry of the block that closes an epoch: who runs the next one."""

    epoch: Annotated[int, Meta(ge=1, lt=2**53)]
    """The number of the epoch that begins after this block."""
    members: Annotated[tuple[Member, ...], Meta(min_length=1, max_length=MEMBERS)]


# --- certificates -------------------------------------------------------------------------------


class Cosignature(Struct, frozen=True, gc=False, array_like=True):
    """A C2SP cosignature/v1 of one replica over a checkpoint of the log."""

    replica: ReplicaId
    time: Annotated[int, Meta(ge=0, lt=2**53)]
    """Seconds since 1970-01-01T00:00:00Z, by the signer's clock."""
    signature: Signature


class Certificate(Struct, frozen=True, gc=False, array_like=True):
    """A stable checkpoint: q cosignatures over (origin, size, root), and the block that ends there.

    Sequence number, epoch and state root are read from ``block``, never believed otherwise.
    """

    size: Size
    root: Digest
    block: bytes
    """The log entry at index size - 1, with its type byte."""
    path: Path
    """Its inclusion path to ``root``."""
    cosignatures: tuple[Cosignature, ...]
    """Exactly q, by ascending replica."""


class Handover(Struct, frozen=True, array_like=True, tag=1):
    """Shows, to whoever knows the replicas of an epoch, those of the next one."""

    entry: bytes
    """The epoch entry, with its type byte; its log index is ``certificate.size - 2``."""
    path: Path
    """Its inclusion path to the certificate's root."""
    certificate: Certificate
    """Of the log that ends with the block that closes the epoch, cosigned by that epoch's replicas."""


class Signed(Struct, frozen=True, gc=False, array_like=True):
    """A signed protocol message; ``payload`` is the encoding of a ProtocolMessage.

    Signed bytes: ``domain("message", chain, epoch) + sender as 2 bytes big-endian + payload``.
    """

    sender: ReplicaId
    payload: bytes
    signature: Signature


class Prepared(Struct, frozen=True, gc=False, array_like=True):
    """A prepared certificate, valid alone: the PRE-PREPARE and q - 1 backups' PREPAREs."""

    pre_prepare: Signed
    prepares: tuple[tuple[ReplicaId, Signature], ...]
    """By ascending replica; each over ``encode(Prepare(view, seq, digest))``."""


# --- signed protocol messages -------------------------------------------------------------------


@typing.final
class PrePrepare(Struct, frozen=True, gc=False, array_like=True, tag=1):
    """The primary of ``view`` proposes a value for ``seq``. NULL names no batch and has time 0."""

    view: View
    seq: Seq
    time: Millis
    batches: tuple[Digest, ...]


@typing.final
class Prepare(Struct, frozen=True, gc=False, array_like=True, tag=2):
    """A backup accepted the proposal and holds its bodies."""

    view: View
    seq: Seq
    digest: Digest


@typing.final
class Commit(Struct, frozen=True, gc=False, array_like=True, tag=3):
    """The sender holds a prepared certificate."""

    view: View
    seq: Seq
    digest: Digest


@typing.final
class ViewChange(Struct, frozen=True, gc=False, array_like=True, tag=5):
    """The sender left all views below ``view``."""

    view: View
    stable: Certificate | None
    """The last stable checkpoint; none before the first."""
    prepared: tuple[Prepared, ...]
    """By ascending sequence number above ``stable``: the certificate of the highest view."""


@typing.final
class NewView(Struct, frozen=True, gc=False, array_like=True, tag=6):
    """The primary of ``view`` opens it."""

    view: View
    view_changes: tuple[Signed, ...]
    """V: exactly q, by ascending sender."""
    pre_prepares: tuple[Signed, ...]
    """O: recomputed from V by every receiver, byte for byte."""


# --- messages that need no signature of their own (the connection authenticates the sender) ------


@typing.final
class Checkpoint(Struct, frozen=True, gc=False, array_like=True, tag=4):
    """After executing a block. The cosignature is the signature of this message."""

    size: Size
    root: Digest
    block: bytes
    cosignature: Cosignature


@typing.final
class Status(Struct, frozen=True, gc=False, array_like=True, tag=7):
    """What the sender has; asks for what it lacks. ``view`` is the view it wants or is in."""

    view: View
    active: bool
    """Whether the sender takes part in ``view`` (false while it changes view)."""
    executed: Seq
    stable: Certificate | None
    epoch: Annotated[int, Meta(ge=0, lt=2**53)] = 0
    """Of which all of this is; ``stable`` may also be the certificate of the block that opened it."""
    asking: bool = False
    """Whether the sender does not vote yet: it asks for our STATUS, and for what we hold of its own votes."""


@typing.final
class Suspect(Struct, frozen=True, gc=False, array_like=True, tag=24):
    """The sender finds the primary of ``view`` slow."""

    view: View


class Said(Struct, frozen=True, array_like=True):
    """One signed statement: a PrePrepare, Prepare or Commit as ``Signed`` has it, or a CosignedRoot."""

    payload: Annotated[bytes, Meta(max_length=4_096)]
    signature: Signature


class Evidence(Struct, frozen=True, array_like=True, tag=25):
    """Two statements of ``replica`` that no correct replica makes both (``grootboek.evidence``)."""

    epoch: Annotated[int, Meta(ge=0, lt=2**53)]
    replica: ReplicaId
    first: Said
    second: Said
    """The payload is greater than that of ``first``."""


class Batch(Struct, frozen=True, array_like=True, tag=8):
    """Dissemination: framed transactions in one buffer, from the replica that admitted them."""

    body: bytes


class FetchBatch(Struct, frozen=True, array_like=True, tag=9):
    """Asks for batch bodies by digest; answered by Batch, one each."""

    digests: Annotated[tuple[Digest, ...], Meta(min_length=1, max_length=64)]


class FetchEntries(Struct, frozen=True, array_like=True, tag=10):
    """Asks for log entries from ``start`` on, proven against the tree of ``size`` entries."""

    start: Size
    size: Size


class Entries(Struct, frozen=True, array_like=True, tag=11):
    """Log entries from ``start``, each framed by its length in 2 bytes big-endian."""

    start: Size
    size: Size
    body: bytes
    proof: Path
    """Consistency of the tree that ends with ``body`` with the tree of ``size`` entries."""


class Envelope(Struct, frozen=True, gc=False, array_like=True, tag=12):
    """Carries a signed protocol message; certificates hold the same Signed value."""

    signed: Signed


class Hello(Struct, frozen=True, array_like=True, tag=13):
    """Opens a connection, both ways."""

    version: int
    chain: Digest
    epoch: int
    replica: ReplicaId
    nonce: Digest


class HelloProof(Struct, frozen=True, array_like=True, tag=14):
    """Signature of the voting key over ``domain("hello", chain, epoch)``, the sender's role
    (0 dialled, 1 accepted), version, both replica ids, the SHA-256 of both certificates and both nonces.
    """

    signature: Signature


ProtocolMessage = PrePrepare | Prepare | Commit | ViewChange | NewView
Transfer = Batch | FetchBatch | FetchEntries | Entries | SnapshotFrame
Frame = Checkpoint | Status | Suspect | Evidence | Transfer | Envelope | Hello | HelloProof
"""What a connection carries, each framed by its length, 4 bytes big-endian."""


def block_of(certificate: Certificate) -> BlockEntry:
    """The block entry inside ``certificate``; raises BadFrame."""
    return decode_block(certificate.block)


@lru_cache(maxsize=64)
def decode_block(entry: bytes) -> BlockEntry:
    """A block entry from its log form, type byte included; raises BadFrame.

    Each replica tells the same one with its cosignature, and certificates hold it: those at hand are kept.
    """
    if entry[:1] != BLOCK_ENTRY:
        raise BadFrame("not a block entry")
    return decode(block_entries, entry[1:])


transactions: typing.Final = msgspec.msgpack.Decoder(Transaction)
headers: typing.Final = msgspec.msgpack.Decoder(Header)
commands: typing.Final = msgspec.msgpack.Decoder(Command)
header_entries: typing.Final = msgspec.msgpack.Decoder(HeaderEntry)
record_entries: typing.Final = msgspec.msgpack.Decoder(RecordEntry)
epoch_entries: typing.Final = msgspec.msgpack.Decoder(EpochEntry)
handovers: typing.Final = msgspec.msgpack.Decoder(Handover)
block_entries: typing.Final = msgspec.msgpack.Decoder(BlockEntry)
protocol_messages: typing.Final = msgspec.msgpack.Decoder(ProtocolMessage)
frames: typing.Final = msgspec.msgpack.Decoder(Frame)
certificates: typing.Final = msgspec.msgpack.Decoder(Certificate)


# --- hashed and signed bytes ---------------------------------------------------------------------


def value_digest(chain: Chain, epoch: int, seq: int, time: int, batches: tuple[bytes, ...]) -> bytes:
    """d, the digest that PREPARE and COMMIT name. The view is not part of it."""
    return digest(domain("value", chain, epoch) + encode((seq, time, batches)))


def batch_digest(chain: Chain, body: bytes) -> bytes:
    """The digest by which a PRE-PREPARE names a batch."""
    return digest(domain("batch", chain) + body)


def message_bytes(chain: Chain, epoch: int, sender: int, payload: bytes) -> bytes:
    """What the voting key signs for a protocol message."""
    return domain("message", chain, epoch) + sender.to_bytes(2, "big") + payload


def transaction_bytes(chain: Chain, header: bytes) -> bytes:
    """What each signer signs; the digest of it is the transaction id."""
    return domain("transaction", chain) + header


def seat_bytes(origin: str, epoch: int, height: int, member: Member) -> bytes:
    """What a replica's voting, cosigning and log keys sign to take a seat in ``epoch``.

    ``height``: of the newest block that it has executed. ``origin``: of the log, which names the ledger.
    """
    parts = (f"grootboek/1 seat\n{origin}\n".encode(), epoch.to_bytes(8, "big"), height.to_bytes(8, "big"))
    return b"".join(parts) + encode(member)
