"""What an engine's journal holds: bodies, the core's records, and evidence, by their first byte."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from grootboek._core import TransactionBatch
from grootboek.consensus import Cosigned, OpenedEpoch, Record, StableCheckpoint, decode_record
from grootboek.evidence import evidences
from grootboek.node.journal import Journal
from grootboek.wire import Evidence, decode

__all__ = [
    "BODY",
    "EVIDENCE",
    "RECORD",
    "body_record",
    "cosigned_in",
    "durable_in",
    "evidence_in",
    "records_in",
    "said_in",
    "vouched_in",
]

BODY: Final = b"\x00"
RECORD: Final = b"\x01"
EVIDENCE: Final = b"\x02"


def records_in(journalled: Iterable[bytes]) -> list[Record]:
    """What the core has written to a journal, beside the bodies of batches."""
    return [decode_record(item[1:]) for item in journalled if item[:1] == RECORD]


def evidence_in(journalled: Iterable[bytes]) -> Iterator[Evidence]:
    """The evidence that a journal holds."""
    return (decode(evidences, item[1:]) for item in journalled if item[:1] == EVIDENCE)


def cosigned_in(records: Iterable[Record]) -> Iterator[tuple[int, bytes]]:
    """Size and root of each checkpoint that was cosigned."""
    return ((record.size, record.root) for record in records if isinstance(record, Cosigned))


def durable_in(records: Iterable[Record]) -> Iterator[tuple[int, bytes]]:
    """Size and root of each stable checkpoint: the log was synced so far before it was written."""
    stable = (record.certificate for record in records if isinstance(record, StableCheckpoint))
    return ((certificate.size, certificate.root) for certificate in stable)


def said_in(epoch: int, records: Sequence[Record]) -> Sequence[Record]:
    """Those that were written since ``epoch`` was opened; none where that was not written any more."""
    for place, record in enumerate(records):
        if record == OpenedEpoch(epoch):
            return records[place + 1 :]
    return () if epoch else records


def vouched_in(journal: Journal, items: Iterable[bytes]) -> list[tuple[int, bytes]] | None:
    """Size and root of each checkpoint that the journal vouches for; None where it is new: it knows nothing,
    and the log must stay as it is, so that the loss is seen.
    """
    records = records_in(items)
    return None if journal.created else [*cosigned_in(records), *durable_in(records)]


def body_record(batch: TransactionBatch, origin: int) -> bytes:
    """A batch's body with its origin."""
    return BODY + origin.to_bytes(2, "big") + batch.buffer
