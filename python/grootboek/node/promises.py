"""What a journal says of a replica's promises, and whether that is all of them."""

from collections.abc import Iterable, Iterator, Sequence

from grootboek.consensus import Amnesia, Cosigned, Record, StableCheckpoint, decode_record
from grootboek.ledger import Ledger
from grootboek.node.guard import NOTHING, High

__all__ = ["RECORD", "cosigned_in", "durable_in", "loss", "records_in"]

RECORD = b"\x01"
"""Before each record of the core; other items of the journal are bodies of batches."""


def records_in(journalled: Iterable[bytes]) -> list[Record]:
    """What the core has written to a journal, beside the bodies of batches."""
    return [decode_record(item[1:]) for item in journalled if item[:1] == RECORD]


def cosigned_in(records: Iterable[Record]) -> Iterator[tuple[int, bytes]]:
    """Size and root of each checkpoint that was cosigned."""
    return ((record.size, record.root) for record in records if isinstance(record, Cosigned))


def durable_in(records: Iterable[Record]) -> Iterator[tuple[int, bytes]]:
    """Size and root of each stable checkpoint: the log was synced so far before it was written."""
    stable = (record.certificate for record in records if isinstance(record, StableCheckpoint))
    return ((certificate.size, certificate.root) for certificate in stable)


def loss(high: High | None, records: Sequence[Record], ledger: Ledger) -> Amnesia | None:
    """What a replica that starts must assume to have forgotten; None where the journal is what it was.

    A journal without records is a new one: of keys that have signed nothing, or one that replaces what
    was lost. And below what was durable there are no votes any more: a log that lacks some of it has
    lost what they were cast for.
    """
    durable = max((size for size, _ in durable_in(records)), default=0)
    whole = bool(records) or (high == NOTHING and not ledger.height)
    if whole and durable <= ledger.size:
        return None
    return Amnesia(0, None) if high in {None, NOTHING} else Amnesia(high.view, high.seq)
