"""From one height to a later one by a snapshot, without executing what lies between.

The log is whole before that: its entries were fetched and proven as always, and only appended. What
is left out is executing them. A leap is one commit of what the snapshot changes, and it happens only
where that gives the state's root which the certified block entry names.

What the state was between the two heights is not known here afterwards; ``between`` tells.
"""

from collections.abc import Iterator
from itertools import chain as joined

from grootboek import wire
from grootboek._core import digest
from grootboek.disk import Disk
from grootboek.errors import Damaged
from grootboek.ledger.keys import GAP, TRANSACTION, block_rows, number
from grootboek.ledger.log import EntryLog
from grootboek.ledger.machine import Machine, Position
from grootboek.ledger.snapshots import INCOMING, SnapshotHead, pairs_of
from grootboek.ledger.store import Store
from grootboek.types import Chain
from grootboek.wire import HEADER_ENTRY

__all__ = ["between", "leap"]

_ROWS = 10_000
"""So many rows of the index are written at once."""
_PAGE = 1_000

Pair = tuple[bytes, bytes]


def leap(disk: Disk, chain: Chain, log: EntryLog, machine: Machine, head: SnapshotHead) -> Position:
    """Bring the machine's state to the incoming snapshot: where it is then; the caller flushes it.

    The log is synced through the snapshot's block. Raises Damaged, with
    nothing changed, where the snapshot is not the state of that block.
    """
    manifest, store, at = head.manifest, machine.store, machine.at
    block = wire.decode_block(log.read(manifest.size - 1, manifest.size)[0])
    if block.height != manifest.height:
        raise Damaged(f"the log has block {block.height} there, not {manifest.height}", where=INCOMING)
    changes = list(_changes(_present(store), pairs_of(disk, chain, head, INCOMING)))
    if not store.leap(block.height, block.state, changes):
        raise Damaged("the snapshot is not the state of its block", where=INCOMING)
    rows = _rows(chain, log, at.size, manifest.size)
    _put(store, joined(rows, [(GAP + number(at.height), number(block.height))]))
    return Position(block.height, block.seq, block.time, manifest.size)


def _present(store: Store) -> Iterator[Pair]:
    after: bytes | None = None
    while page := store.scan(b"", after, _PAGE):
        yield from page
        after = page[-1][0]


def _changes(before: Iterator[Pair], after: Iterator[Pair]) -> Iterator[tuple[bytes, bytes | None]]:
    """What turns one state into another, both in key order."""
    old = next(before, None)
    for key, value in after:
        while old and old[0] < key:
            yield old[0], None
            old = next(before, None)
        if old and old[0] == key:
            if old[1] != value:
                yield key, value
            old = next(before, None)
        else:
            yield key, value
    while old:
        yield old[0], None
        old = next(before, None)


def _rows(chain: Chain, log: EntryLog, start: int, end: int) -> Iterator[Pair]:
    """The index's rows of the blocks in [start, end)."""
    for entries in log.blocks(start):
        for index, entry in enumerate(entries, start):
            if entry[:1] == HEADER_ENTRY:
                header = wire.header_entries.decode(entry[1:]).header
                yield TRANSACTION + digest(wire.transaction_bytes(chain, header)), number(index)
        last = start + len(entries) - 1
        yield from block_rows(wire.decode_block(entries[-1]), start, last)
        start = last + 1
        if start >= end:
            return


def _put(store: Store, rows: Iterator[Pair]) -> None:
    batch: list[Pair] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS:
            store.index_put(batch)
            batch = []
    store.index_put(batch)


def between(store: Store, height: int) -> tuple[int, int] | None:
    """The heights around ``height`` where this replica leapt over it, else None."""
    row = store.index_scan(GAP, GAP + number(height))
    if row is None:
        return None
    first, last = int.from_bytes(row[0][len(GAP) :], "big"), int.from_bytes(row[1], "big")
    return (first, last) if first < height < last else None
