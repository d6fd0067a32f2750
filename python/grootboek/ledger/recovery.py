"""Opening a ledger: log, certificate and state are brought together, whatever a crash left of them.

The order in which they become durable is log, ``log/synced``, certificate, state. So the state is never
ahead of what was synced, and what the log holds beyond it is executed again.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from grootboek import wire
from grootboek._core import State
from grootboek.disk import Disk
from grootboek.errors import BadFrame, Damaged
from grootboek.ledger.blocks import Mismatch
from grootboek.ledger.certificates import CERTIFICATE, read_certificate
from grootboek.ledger.founding import founding_rows
from grootboek.ledger.keys import BLOCK, number
from grootboek.ledger.log import EntryLog
from grootboek.ledger.machine import Machine, Position
from grootboek.ledger.registry import Active
from grootboek.ledger.store import Store
from grootboek.types import Genesis
from grootboek.wire import Certificate

__all__ = ["Recovered", "recover"]

_FLUSH_BLOCKS: Final = 256
"""After so many blocks the state is flushed, so that rebuilding it takes no more memory than running."""


class Recovered(Struct, frozen=True):
    """A ledger's parts, all at the end of the log."""

    log: EntryLog
    store: Store
    machine: Machine
    certificate: Certificate | None
    unflushed: list[tuple[int, int]]
    """Height and size of the blocks that were executed again."""


def recover(
    genesis: Genesis, disk: Disk, state: State, active: Active, fresh: Callable[[], State] | None
) -> Recovered:
    """See ``Ledger.open``."""
    log = EntryLog.open(disk)
    certificate = read_certificate(genesis, disk)
    certified = certificate.size if certificate else 0
    if certificate and (log.size < certified or log.root(certified) != certificate.root):
        raise Damaged("the log is not the one that the certificate is of", where=CERTIFICATE)
    store, position = _matching(genesis, log, state, fresh)
    machine = Machine(genesis, active, store)
    machine.at = position
    keep = genesis.limits.proof_heights
    unflushed = _execute_tail(machine, log, certified, lambda height: store.flush(height, keep))
    return Recovered(log, store, machine, certificate, unflushed)


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


def _execute_tail(
    machine: Machine, log: EntryLog, certified: int, flush: Callable[[int], None]
) -> list[tuple[int, int]]:
    """Execute what the log holds beyond the state; cut an unsynced end that does not execute.

    ``flush`` makes the state durable up to a height whose entries are synced. What is returned are
    height and size of the blocks after that.
    """
    done: list[tuple[int, int]] = []
    for entries in log.blocks(machine.at.size):
        start, end = machine.at.size, machine.at.size + len(entries)
        try:
            machine.again(entries, check_signatures=end > certified)
        except Mismatch as error:
            if end <= max(log.synced_size, certified):
                raise Damaged(
                    f"block {machine.at.height + 1}: {error}", where=log.files.place(log.position(start))
                ) from error
            log.truncate(start)
            break
        done.append((machine.at.height, machine.at.size))
        if len(done) >= _FLUSH_BLOCKS and machine.at.size <= log.synced_size:
            flush(machine.at.height)
            done.clear()
    return done
