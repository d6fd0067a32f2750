"""What an engine's journal holds: bodies, the core's records, and evidence, by their first byte."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Self

from msgspec import Struct

from grootboek._core import TransactionBatch
from grootboek.consensus import Amnesia, Cosigned, OpenedEpoch, Record, StableCheckpoint, decode_record
from grootboek.evidence import evidences
from grootboek.ledger import Ledger
from grootboek.node.guard import NOTHING, High
from grootboek.wire import Evidence, decode

__all__ = [
    "BODY",
    "EVIDENCE",
    "RECORD",
    "Held",
    "body_record",
    "cosigned_in",
    "durable_in",
    "entering",
    "loss",
    "opened_in",
    "said_in",
]

BODY: Final = b"\x00"
RECORD: Final = b"\x01"
EVIDENCE: Final = b"\x02"


class Held(Struct, frozen=True):
    """All that a journal holds, each of it decoded once."""

    bodies: tuple[bytes, ...] = ()
    """As ``body_record`` made them."""
    records: tuple[Record, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @classmethod
    def of(cls, items: Sequence[bytes]) -> Self:
        """``items``: the journal's records, in their order."""
        return cls(
            tuple(item for item in items if item[:1] == BODY),
            tuple(decode_record(item[1:]) for item in items if item[:1] == RECORD),
            tuple(decode(evidences, item[1:]) for item in items if item[:1] == EVIDENCE),
        )

    @property
    def vouched(self) -> list[tuple[int, bytes]]:
        """Size and root of each checkpoint that it vouches for."""
        return [*cosigned_in(self.records), *durable_in(self.records)]


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


def opened_in(records: Iterable[Record]) -> int:
    """The last epoch that was opened."""
    return max((record.epoch for record in records if isinstance(record, OpenedEpoch)), default=0)


def loss(high: High | None, records: Sequence[Record], ledger: Ledger, *, votes: bool) -> Amnesia | None:
    """What a replica that starts must assume to have forgotten; None where the journal is what it was.

    A journal without records is a new one: of keys that have signed nothing, or one that replaces what
    was lost. And below what was durable there are no votes any more: a log that lacks some of it has
    lost what they were cast for. Of what was signed in an earlier epoch nothing matters any more. An
    observer (``votes`` is False) follows the log and signs nothing, so it may have a log and no record;
    so may a newcomer that has seen no block of its first epoch.
    """
    epoch = ledger.epochs.last
    durable = max((epoch.start, *(size for size, _ in durable_in(records))))
    whole = bool(records) or (high == NOTHING and not (votes and ledger.size > epoch.start))
    if not whole or durable > ledger.size:
        return forgotten(high, epoch.number)
    return None if opened_in(records) >= epoch.number else entering(high, epoch.number)


def entering(high: High | None, epoch: int) -> Amnesia | None:
    """What a replica must assume to have forgotten of an ``epoch`` that it opens, where it knew ``high`` of
    itself when it started: whoever did not know, or knows of votes in that epoch, has been there before.
    """
    return forgotten(high, epoch) if high is None or high.epoch >= epoch else None


def forgotten(high: High | None, epoch: int) -> Amnesia | None:
    """What may have been signed in ``epoch``, where ``high`` is all that is known of it."""
    if high in {None, NOTHING} or high.epoch > epoch:
        return Amnesia(0, None)
    return Amnesia(high.view, high.seq) if high.epoch == epoch else None


def body_record(batch: TransactionBatch, origin: int) -> bytes:
    """A batch's body with its origin."""
    return BODY + origin.to_bytes(2, "big") + batch.buffer
