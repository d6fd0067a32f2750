"""Opening a ledger: log, certificate and state are brought together, whatever a crash left of them.

The order in which they become durable is log, ``log/synced``, certificate, state. So the state is never
ahead of what was synced, and what the log holds beyond it is executed again.
"""

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from grootboek import wire
from grootboek._core import State
from grootboek.disk import Disk
from grootboek.errors import BadFrame, Damaged
from grootboek.ledger import snapshots
from grootboek.ledger.blocks import Mismatch
from grootboek.ledger.certificates import CERTIFICATE
from grootboek.ledger.epochs import Epochs, read_certificate, read_epochs
from grootboek.ledger.founding import founding_rows
from grootboek.ledger.keys import BLOCK, number
from grootboek.ledger.leap import leap
from grootboek.ledger.log import EntryLog
from grootboek.ledger.machine import Machine, Position
from grootboek.ledger.registry import Active
from grootboek.ledger.snapshots import INCOMING, SnapshotHead
from grootboek.ledger.store import Store
from grootboek.types import Chain, Genesis
from grootboek.wire import Certificate

__all__ = ["Recovered", "advance", "recover"]


class Recovered(Struct, frozen=True):
    """A ledger's parts, all at the end of the log."""

    log: EntryLog
    store: Store
    machine: Machine
    certificate: Certificate | None
    epochs: Epochs
    unflushed: list[tuple[int, int]]
    """Height and size of the blocks that were executed again."""
    incoming: SnapshotHead | None
    """The snapshot to which the state goes without executing what the log holds beyond it."""


def recover(
    genesis: Genesis,
    disk: Disk,
    state: State,
    active: Active,
    fresh: Callable[[], State] | None,
    *,
    vouched: Sequence[tuple[int, bytes]] | None,
) -> Recovered:
    """See ``Ledger.open``."""
    log = EntryLog.open(disk)
    epochs = read_epochs(genesis, disk)
    certificate = read_certificate(epochs, disk)
    certified = certificate.size if certificate else 0
    if certificate and (log.size < certified or log.root(certified) != certificate.root):
        raise Damaged("the log is not the one that the certificate is of", where=CERTIFICATE)
    if vouched is not None:
        opened = [(one.certificate.size, one.certificate.root) for one in epochs.handovers]
        _cut_unvouched(log, max(certified, log.synced_size), [*opened, *vouched])
    store, position = _matching(genesis, log, state, fresh)
    machine = Machine(genesis, active, store)
    machine.move(position)
    keep = genesis.limits.proof_heights
    # Even where a snapshot will spare the rest: L, and with it the votes, rest on what was once executed.
    executed = max((size for size, _ in vouched or () if size <= log.size), default=0)
    unflushed = execute_tail(machine, log, executed, certified, keep)
    incoming = _incoming(genesis, disk, log, machine.at)
    if incoming and log.size < incoming.manifest.size:
        return Recovered(log, store, machine, certificate, epochs, unflushed, incoming)
    if incoming:
        unflushed += advance(disk, genesis.chain, log, machine, incoming, keep=keep)
    else:
        unflushed += execute_tail(machine, log, log.size, certified, keep)
    return Recovered(log, store, machine, certificate, epochs, unflushed, None)


def _cut_unvouched(log: EntryLog, safe: int, vouched: Sequence[tuple[int, bytes]]) -> None:
    """Cut what nobody has cosigned. It was never synced: bytes that changed since would be believed, as no
    root is known to hold them against, and what lies beyond ``safe`` can be executed anew. A log is synced
    before its epoch is handed over, so a hand-over vouches for it, too.
    """
    good = (size for size, root in vouched if safe < size <= log.size and log.root(size) == root)
    end = max(good, default=safe)
    if end < log.size:
        log.truncate(end)


def advance(
    disk: Disk, chain: Chain, log: EntryLog, machine: Machine, head: SnapshotHead, *, keep: int
) -> list[tuple[int, int]]:
    """Leap to a snapshot whose block the log ends with; see ``execute_tail`` for what is returned.

    A snapshot that is not the state of its block is passed over: the log is executed.
    """
    try:
        machine.move(leap(disk, chain, log, machine, head))
    except Damaged:
        return execute_tail(machine, log, log.size, log.size, keep)
    return [(machine.at.height, machine.at.size)]


def _incoming(genesis: Genesis, disk: Disk, log: EntryLog, at: Position) -> SnapshotHead | None:
    """The snapshot whose transfer a stop has interrupted; the log is cut to what is proven for sure."""
    found = next(snapshots.heads(disk, genesis.chain, INCOMING), None)
    proven = max(log.mark.size if log.mark else 0, at.size)
    if found is None or found.manifest.height <= at.height or proven > found.manifest.size:
        snapshots.clear(disk)
        return None
    if log.size > proven:
        log.truncate(proven)
    return found


def _matching(
    genesis: Genesis, log: EntryLog, state: State, fresh: Callable[[], State] | None
) -> tuple[Store, Position]:
    """The state and where it is in the log; an empty state where the present one is not the log's."""
    founding = founding_rows(genesis)
    store = Store(state, founding)
    position = _position(genesis, log, store)
    if position is None:
        if fresh is None:
            raise Damaged("the state is not one of this log's; delete it and it is rebuilt", where="state")
        store = Store(fresh(), founding)
        position = _position(genesis, log, store)
    if position is None:
        raise Damaged("the state that should be empty is not", where="state")
    return store, position


def _position(genesis: Genesis, log: EntryLog, store: Store) -> Position | None:
    """Where in the log the state is; None where its last block is not in the log."""
    if not store.height:
        return Position(0, 0, genesis.time, 0)
    row = store.index_get(BLOCK + number(store.height))
    index = int.from_bytes(row[8:], "big") if row else log.size
    if index >= log.size:
        return None
    try:
        block = wire.decode_block(log.read(index, index + 1)[0])
    except BadFrame:
        return None
    if (block.height, block.state) != (store.height, store.root):
        return None
    return Position(block.height, block.seq, block.time, index + 1)


def execute_tail(
    machine: Machine, log: EntryLog, until: int, certified: int, keep: int
) -> list[tuple[int, int]]:
    """Execute what the log holds beyond the state, ``until`` a size; cut an unsynced end that does not.

    The state is flushed up to heights whose entries are synced (``keep``: see ``Store.flush``). What is
    returned are height and size of the blocks after that. Raises Damaged.
    """
    done: list[tuple[int, int]] = []
    for entries in log.blocks(machine.at.size):
        start, end = machine.at.size, machine.at.size + len(entries)
        if start >= until:
            break
        try:
            machine.again(entries, partial(machine.judge, entries, check_signatures=end > certified))
        except Mismatch as error:
            if end <= max(log.synced_size, certified):
                raise Damaged(
                    f"block {machine.at.height + 1}: {error}", where=log.files.place(log.position(start))
                ) from error
            log.truncate(start)
            break
        done.append((machine.at.height, machine.at.size))
        if machine.store.flush_due and machine.at.size <= log.synced_size:
            machine.store.flush(machine.at.height, keep)
            done.clear()
    if not min(until, log.size) <= machine.at.size <= log.size:  # what was read is not what the tree is of
        where = log.files.place(log.position(machine.at.size))
        raise Damaged(f"block {machine.at.height + 1} cannot be read to its end", where=where)
    return done
