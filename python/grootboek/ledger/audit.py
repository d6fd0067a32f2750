"""The offline audit of a data directory's log: nothing in it is believed, everything is computed again.

It needs the genesis file, the files and the modules, and opens no store: the state is rebuilt in memory.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from grootboek import wire
from grootboek._core import State
from grootboek.disk import Disk
from grootboek.errors import BadCertificate, Damaged, Diverged
from grootboek.ledger import snapshots
from grootboek.ledger.blocks import Mismatch
from grootboek.ledger.certificates import CERTIFICATE, check_certificate, read_certificate
from grootboek.ledger.files import BUNDLE, BUNDLES, ROW_BYTES
from grootboek.ledger.log import EntryLog
from grootboek.ledger.machine import Machine
from grootboek.ledger.parties import founding_rows
from grootboek.ledger.reading import PinnedView
from grootboek.ledger.registry import Active, Registry
from grootboek.ledger.store import Store
from grootboek.types import Genesis
from grootboek.wire import HEADER_ENTRY, Certificate

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
    snapshots: tuple[int, ...]
    """Heights."""
    invariants: tuple[str, ...]
    """``module: id`` of each module invariant, all holding at the last height."""


def audit(
    genesis: Genesis,
    disk: Disk,
    registry: Registry,
    progress: Progress | None = None,
    cosigned: Iterable[tuple[int, bytes]] = (),
) -> Report:
    """Check everything; the first problem raises Damaged, naming the place.

    ``cosigned``: sizes and roots that the replica's journal says it has cosigned, so that blocks which
    no certificate covers as yet are held against its own word.

    Every entry canonical and framed; every signature by the admission rule; every command under its
    signed root; every id once; every block executed again with equal bytes; bundle hashes, position
    and certificate against the tree; snapshots against the rebuilt state; the modules' invariants.
    """
    active = registry.activate(genesis.modules)
    log = EntryLog(disk, believe_bundles=False, repair=False)
    _check_bundles(disk, log)
    certificate = _check_certified(read_certificate(genesis, disk), log, CERTIFICATE)
    _check_cosigned(cosigned, log)
    heads = dict(_snapshot_heads(genesis, disk, log))
    store = Store(State(), founding_rows(genesis.parties))
    machine = Machine(genesis, active, store)
    counts = _Counts()
    for entries in log.blocks(0):
        _check_block(machine, log, entries)
        counts.add(entries)
        if machine.at.height in heads:
            _check_snapshot(genesis, disk, store, heads.pop(machine.at.height))
        if machine.at.height % _FORGET_BLOCKS == 0:
            store.flush(machine.at.height, 0)
        if progress:
            progress(machine.at.size, log.size)
    for name in heads.values():
        raise Damaged("the snapshot is of a height that the log has not", where=name)
    return Report(
        height=machine.at.height,
        size=log.size,
        root=log.root(log.size),
        state=store.root,
        time=machine.at.time,
        transactions=counts.transactions,
        records=counts.records,
        signatures=counts.signatures,
        certified_size=certificate.size if certificate else 0,
        snapshots=tuple(int(name) for name in disk.names(snapshots.FOLDER)),
        invariants=tuple(_invariants(genesis, active, store)),
    )


class _Counts:
    """Counts what the blocks hold."""

    def __init__(self) -> None:
        self.transactions = self.records = self.signatures = 0

    def add(self, entries: Sequence[bytes]) -> None:
        headers = [entry for entry in entries if entry[:1] == HEADER_ENTRY]
        self.transactions += len(headers)
        self.records += len(entries) - 1 - len(headers)
        self.signatures += sum(len(wire.header_entries.decode(entry[1:]).signatures) for entry in headers)


def _check_block(machine: Machine, log: EntryLog, entries: Sequence[bytes]) -> None:
    height, start = machine.at.height + 1, machine.at.size
    try:
        machine.again(entries, check_signatures=True)
    except (Mismatch, Diverged) as error:
        where = f"{log.files.place(log.position(start))}, block {height} from entry {start} on"
        raise Damaged(str(error), where=where) from error


def _check_bundles(disk: Disk, log: EntryLog) -> None:
    rows, computed = log.files.rows(), log.unwritten_rows()
    needed = log.synced_size // BUNDLE
    if disk.size(BUNDLES) != len(rows) * ROW_BYTES or not needed <= len(rows) <= len(computed):
        raise Damaged(f"{needed} to {len(computed)} rows of {ROW_BYTES} bytes are expected", where=BUNDLES)
    for i, (row, right) in enumerate(zip(rows, computed, strict=False)):
        if row != right:
            raise Damaged(
                f"the row of bundle {i} is not what its entries give",
                where=f"{BUNDLES}, byte {i * ROW_BYTES}",
            )


def _check_certified(certificate: Certificate | None, log: EntryLog, where: str) -> Certificate | None:
    if certificate and (certificate.size > log.size or log.root(certificate.size) != certificate.root):
        raise Damaged("what it certifies is not this log", where=where)
    return certificate


def _check_cosigned(cosigned: Iterable[tuple[int, bytes]], log: EntryLog) -> None:
    for size, root in cosigned:
        if size <= log.size and log.root(size) != root:
            raise Damaged(
                "the log is not the one that this replica has cosigned", where=f"log, entry {size - 1}"
            )


def _snapshot_heads(genesis: Genesis, disk: Disk, log: EntryLog) -> Iterator[tuple[int, str]]:
    """Height and file of each snapshot, once its certificate is checked."""
    for short in disk.names(snapshots.FOLDER):
        name = f"{snapshots.FOLDER}/{short}"
        head = snapshots.read_head(disk, genesis.chain, name)
        try:
            block = check_certificate(genesis, head.certificate)
        except BadCertificate as error:
            raise Damaged(error.detail, where=name) from error
        _check_certified(head.certificate, log, name)
        if (
            snapshots.name_of(head.height) != name
            or block.height != head.height
            or head.chain != genesis.chain.digest
        ):
            raise Damaged("the file's name, head and certificate do not agree", where=name)
        yield head.height, name


def _check_snapshot(genesis: Genesis, disk: Disk, store: Store, name: str) -> None:
    """Compare a snapshot with the state as it is now."""
    pairs = snapshots.pairs_of(disk, genesis.chain, name)
    for pair, right in zip(pairs, _pairs_of(store), strict=False):
        if pair != right:
            raise Damaged(f"key {pair[0].hex()} is not what execution gives", where=name)
    if snapshots.read_head(disk, genesis.chain, name).pairs != len(store.state):
        raise Damaged(f"the state has {len(store.state)} keys", where=name)


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
