"""What the API hands out to be checked offline: receipts, answers and state proofs.

Like all of ``wire``, the types below are the formats (docs/spec/receipts.md), and a value has one encoding.
"""

import typing

import msgspec
from msgspec import Struct

from grootboek.wire import (
    Certificate,
    Event,
    Handover,
    Name,
    Path,
    ReplicaId,
    Signature,
    Size,
)


class RecordProof(Struct, frozen=True, array_like=True):
    """One record of a transaction, in the log and under the signed header."""

    entry: bytes
    """The log entry, with its type byte."""
    path: Path
    """Inclusion path; the record's index is the header's index + 1 + its command index."""
    command_path: Path
    """From the record's command to the header's root."""


class Receipt(Struct, frozen=True, array_like=True, tag=2):
    """Shows offline, for ever, that commands of one transaction are in the log, and their outcome.

    Self-contained: genesis and this are all that a verifier needs (``client.verifier``).
    """

    header: bytes
    """The header's log entry, with its type byte."""
    index: Size
    """Its index."""
    path: Path
    records: tuple[RecordProof, ...]
    """One or more of the transaction's records, by ascending index."""
    certificate: Certificate
    log: tuple[ReplicaId, Signature]
    """A replica and its log key's signature over the certified checkpoint. The replica is one of the last
    epoch that ``handovers`` shows."""
    handovers: tuple[Handover, ...] = ()
    """From the founding epoch to that of the certificate; one more, where its block closes that epoch."""


class Range(Struct, frozen=True, array_like=True):
    """Consecutive log entries, proven at once against the answer's certificate."""

    start: Size
    leaves: bytes
    """Their leaf hashes, 32 bytes each."""
    nodes: Path
    """``_core.Log.range_proof`` of the range."""


class Final(Struct, frozen=True, array_like=True, tag="final"):
    """The transaction is in the log; its entries lie in one of the answer's ranges."""

    index: Size
    """Index of its header entry; its records follow."""
    records: tuple[tuple[str, tuple[Event, ...]], ...]
    """Outcome and events of each command."""


class Refused(Struct, frozen=True, array_like=True, tag="refused"):
    """The transaction was not admitted, or expired without an entry."""

    code: str
    """A code of ``errors.CATALOGUE``."""
    detail: str


class Answer(Struct, frozen=True, array_like=True, tag=1):
    """The binary answer to ``POST /v1/transactions``: one result for each transaction, in order.

    The client knows its own bytes, so it can rebuild each entry, compare its leaf hash and derive
    a self-contained Receipt from the shared proof.
    """

    results: tuple[Final | Refused, ...]
    ranges: tuple[Range, ...]
    certificate: Certificate | None
    """None where no result is final."""
    log: tuple[ReplicaId, Signature] | None
    """As in a receipt; a client that does not know the epoch asks for its hand-over."""


class StateProof(Struct, frozen=True, array_like=True, tag=2):
    """Shows offline what a key of the state was after a block: its value, or that it was absent."""

    module: Name
    key: bytes
    """The module's own key, without the module's prefix."""
    value: bytes | None
    proof: bytes
    """``_core.State.prove`` against the state root of ``block``."""
    block: bytes
    """The block entry whose state root is meant, with its type byte."""
    index: Size
    """Its log index."""
    path: Path
    """Its inclusion path to the certificate's root."""
    certificate: Certificate
    handovers: tuple[Handover, ...] = ()
    """As in a receipt."""


class Handovers(Struct, frozen=True, array_like=True, tag=1):
    """The answer to ``GET /v1/handovers``: those from the asked epoch on."""

    handovers: tuple[Handover, ...]


receipts: typing.Final = msgspec.msgpack.Decoder(Receipt)
answers: typing.Final = msgspec.msgpack.Decoder(Answer)
handover_lists: typing.Final = msgspec.msgpack.Decoder(Handovers)
state_proofs: typing.Final = msgspec.msgpack.Decoder(StateProof)
