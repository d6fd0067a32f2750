"""The offline audit of a data directory's log: nothing in it is believed, everything is computed again.

It needs the genesis file, the files and the modules, and opens no store: the state is rebuilt in memory.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from msgspec import Struct

from grootboek import wire
from grootboek._core import State, TransactionBatch
from grootboek.disk import Disk
from grootboek.errors import BadCertificate, Damaged, Diverged, GrootboekError
from grootboek.ledger import snapshots
from grootboek.ledger.blocks import Mismatch
from grootboek.ledger.claims import contradictions
from grootboek.ledger.epochs import Epochs, read_certificate, read_epochs
from grootboek.ledger.founding import founding_rows
from grootboek.ledger.log import EntryLog
from grootboek.ledger.machine import Machine
from grootboek.ledger.reading import PinnedView
from grootboek.ledger.registry import Active, Registry
from grootboek.ledger.snapshots import SnapshotHead
from grootboek.ledger.store import Store
from grootboek.types import Genesis
from grootboek.wire import HEADER_ENTRY, RECORD_ENTRY

__all__ = ["Report", "audit"]

_FORGET_BLOCKS: Final = 64
"""After so many blocks what only proofs of earlier heights need is dropped."""

Progress = Callable[[int, int], None]
"""Called with the entries that were audited and the entries there are."""


class Report(Struct, frozen=True, kw_only=True):
    """What was checked, and found right."""

    height: int
    size: int
    """Log entries."""
    root: bytes
    """The log's root."""
    state: bytes
    """The state's root."""
    time: int
    """Agreed time of the last block."""
    transactions: int
    records: int
    signatures: int
    certified_size: int
    """Entries that a quorum has cosigned, as far as this directory shows; 0 without a certificate."""
    tail_bytes: int
    """Bytes of a block that a crash has torn, after the last whole one; the next start cuts them."""
    snapshots: tuple[int, ...]
    """Heights."""
    invariants: tuple[str, ...]
    """``module: id`` of each module invariant, all holding at the last height."""


def audit(
    genesis: Genesis,
    disk: Disk,
    registry: Registry,
    progress: Progress | None = None,
    *,
    cosigned: Iterable[tuple[int, bytes]] = (),
    durable: Iterable[tuple[int, bytes]] = (),
    opened: int = 0,
) -> Report:
    """Check everything; the first problem raises Damaged, naming the place.

    It is Diverged where a quorum has cosigned a block that comes out otherwise here: then the modules
    are others, or not deterministic.

    ``cosigned``: sizes and roots that the replica's journal says it has cosigned, so that blocks which
    no certificate covers as yet are held against its own word. ``durable``: those that it says were synced.
    ``opened``: the last epoch that it says it has taken part in.

    Every entry canonical and framed; every signature by the admission rule; every command under its
    signed root; every id once; every block executed again with equal bytes; bundle hashes, position
    and certificate against the tree; snapshots against the rebuilt state; the modules' invariants.
    """
    active = registry.activate(genesis.modules)
    log = EntryLog(disk, believe_bundles=False, repair=False)
    epochs = read_epochs(genesis, disk, opened)
    certificate = read_certificate(epochs, disk)
    heads = {head.manifest.height: head for head in _snapshot_heads(genesis, epochs, disk)}
    contradiction = next(
        contradictions(disk, log, epochs, certificate, heads.values(), cosigned=cosigned, durable=durable),
        None,
    )
    store = Store(State(), founding_rows(genesis))
    machine = Machine(genesis, active, store)
    counts = _Counts()
    certified_size = certificate.size if certificate else 0
    for entries, judged in _judged_ahead(machine, log.blocks(0)):
        proven = not contradiction and machine.at.size + len(entries) <= certified_size
        _check_block(machine, log, entries, judged, proven=proven)
        counts.add(entries)
        if machine.at.height in heads:
            _check_snapshot(genesis, disk, store, heads[machine.at.height], machine.at.size)
        if machine.at.height % _FORGET_BLOCKS == 0:
            store.flush(machine.at.height, 0)
        if progress:
            progress(machine.at.size, log.size)
    if contradiction:  # only now, because a block that does not execute names the place better
        raise contradiction
    return Report(
        height=machine.at.height,
        size=log.size,
        root=log.root(log.size),
        state=store.root,
        time=machine.at.time,
        transactions=counts.transactions,
        records=counts.records,
        signatures=counts.signatures,
        certified_size=certified_size,
        tail_bytes=log.tail_bytes,
        snapshots=tuple(heads),
        invariants=tuple(_invariants(genesis, active, store)),
    )


class _Counts:
    """Counts what the blocks hold."""

    def __init__(self) -> None:
        self.transactions = self.records = self.signatures = 0

    def add(self, entries: Sequence[bytes]) -> None:
        headers = [entry for entry in entries if entry[:1] == HEADER_ENTRY]
        self.transactions += len(headers)
        self.records += sum(entry[:1] == RECORD_ENTRY for entry in entries)
        self.signatures += sum(len(wire.header_entries.decode(entry[1:]).signatures) for entry in headers)


Block = tuple[list[bytes], Callable[[], TransactionBatch]]
"""Entries, and what waits until their transactions are judged."""


def _judged_ahead(machine: Machine, blocks: Iterator[list[bytes]]) -> Iterator[Block]:
    """The blocks, each judged in a thread while the one before it is executed.

    What fails in reading the next block is raised after this one.
    """
    with ThreadPoolExecutor(1) as pool:
        present: Block | None = None
        failure: GrootboekError | None = None
        while True:
            try:
                entries = next(blocks, None)
            except GrootboekError as error:
                entries, failure = None, error
            following: Block | None = None
            if entries:
                following = entries, pool.submit(machine.judge, entries, check_signatures=True).result
            if present:
                yield present
            if not following:
                break
            present = following
    if failure:
        raise failure


def _check_block(
    machine: Machine,
    log: EntryLog,
    entries: Sequence[bytes],
    judged: Callable[[], TransactionBatch],
    *,
    proven: bool,
) -> None:
    """Execute a block again. ``proven``: a quorum has cosigned these bytes, so the disk is not at fault."""
    height, start = machine.at.height + 1, machine.at.size
    try:
        machine.again(entries, judged)
    except (Mismatch, Diverged) as error:
        where = f"{log.files.place(log.position(start))}, block {height} from entry {start} on"
        if proven:
            detail = f"the log is as a quorum certified it, and the modules installed here differ: {error}"
            raise Diverged(detail, where=where) from error
        raise Damaged(str(error), where=where) from error


def _snapshot_heads(genesis: Genesis, epochs: Epochs, disk: Disk) -> Iterator[SnapshotHead]:
    """The head of each whole snapshot, once its certificate is checked, by height."""
    for head in sorted(snapshots.heads(disk, genesis.chain), key=lambda head: head.manifest.height):
        try:
            epochs.check(head.certificate)
        except BadCertificate as error:
            raise Damaged(error.detail, where=snapshots.head_name(head.manifest.height)) from error
        yield head


def _check_snapshot(genesis: Genesis, disk: Disk, store: Store, head: SnapshotHead, size: int) -> None:
    """Compare a snapshot with the state as it is now, after a block that ends a log of ``size``."""
    height, pairs = head.manifest.height, head.manifest.pairs
    if (head.manifest.size, pairs) != (size, len(store.state)):
        detail = f"after that block the log has {size} entries and the state {len(store.state)} keys"
        raise Damaged(detail, where=snapshots.head_name(height))
    found = snapshots.pairs_of(disk, genesis.chain, head)
    for pair, right in zip(found, _pairs_of(store), strict=True):
        if pair != right:
            raise Damaged(f"key {pair[0].hex()} is not what execution gives", where=snapshots.name_of(height))


def _pairs_of(store: Store) -> Iterator[tuple[bytes, bytes]]:
    after: bytes | None = None
    while page := store.scan(b"", after, 1_000):
        yield from page
        after = page[-1][0]


def _invariants(genesis: Genesis, active: Active, store: Store) -> Iterator[str]:
    for module in active.modules:
        view = PinnedView(store, module.name, store.height, genesis.limits.key_bytes)
        for name, holds in module.invariants(view):
            if not holds:
                raise Damaged(
                    f"invariant {name} does not hold", where=f"module {module.name}, height {store.height}"
                )
            yield f"{module.name}: {name}"
