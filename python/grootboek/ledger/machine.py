"""The replicated state machine: ordered batches in, a block's entries and the next state out.

It knows no file. The ledger appends what it makes; recovery, catch-up and audit let it make the same
blocks again from their own entries, and compare.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import itemgetter

from msgspec import Struct, structs

from grootboek import wire
from grootboek._core import TransactionBatch
from grootboek.errors import BadFrame, Diverged
from grootboek.ledger.blocks import Mismatch, batch_of, difference
from grootboek.ledger.execution import Executed, Executor, Result
from grootboek.ledger.founding import CONDUCT, opening_row
from grootboek.ledger.keys import TRANSACTION, block_rows
from grootboek.ledger.members import changed, present
from grootboek.ledger.recent import Recent
from grootboek.ledger.registry import Active
from grootboek.ledger.store import Store
from grootboek.types import Genesis, Millis
from grootboek.wire import BLOCK_ENTRY, EPOCH_ENTRY, BlockEntry, EpochEntry

__all__ = ["Machine", "Made", "Position"]

_SHOWN_KEYS = 8


class Position(Struct, frozen=True):
    """After which block the machine is."""

    height: int
    seq: int
    time: Millis
    size: int
    """Log entries."""


class Made(Struct, frozen=True):
    """A block that was executed."""

    entry: BlockEntry
    entries: list[bytes]
    """All its log entries; the last one is the block entry."""
    start: int
    """Index of the first."""
    results: tuple[Result, ...]
    opens: EpochEntry | None
    """The epoch that begins after this block, where it closes one."""


class Machine:
    """Executes block after block over one state."""

    def __init__(self, genesis: Genesis, active: Active, store: Store) -> None:
        """At height 0, unless ``move`` says that the state is elsewhere."""
        self._chain = genesis.chain
        self._limits = genesis.limits
        self._versions = active.versions
        self._judged = active.get(CONDUCT) is not None
        self.store = store
        self._executor = Executor(genesis.chain, genesis.limits, active, store)
        self.move(Position(0, 0, genesis.time, 0))

    def move(self, at: Position) -> None:
        """The state is that after this block."""
        self.at = at
        self._executor.begin(at.time if at.height else None)
        row = present(self.store)
        self.epoch = 0 if row is None else row.number
        """Of the next block."""
        self.observers = () if row is None else row.observers
        """Who may follow, after the last block."""

    @property
    def recent(self) -> Recent:
        """Which transactions may be in the log."""
        return self._executor.recent

    def run(self, seq: int, time: Millis, batches: Sequence[TransactionBatch]) -> Made:
        """Execute an ordered value. Raises ValueError unless ``seq`` is above the last one."""
        if seq <= self.at.seq:
            raise ValueError(f"sequence number {seq} is not above {self.at.seq}")
        agreed = max(self.at.time, time)
        done = self._executor.run(self.at.height + 1, agreed, self.at.size, batches)
        return self._commit(self._entry(seq, agreed, done), done)

    def judge(self, entries: Sequence[bytes], *, check_signatures: bool) -> TransactionBatch:
        """The transactions of a block's entries, as ``again`` executes them; in any thread, at any time.

        Raises BadFrame where they are not admissible.
        """
        return batch_of(_body(entries), self._chain, self._limits, check_signatures=check_signatures)

    def again(self, entries: Sequence[bytes], judged: Callable[[], TransactionBatch]) -> Made:
        """Execute a block again from its entries. ``judged`` gives, or raises, what ``judge`` does for them.

        Raises Mismatch, with nothing changed, where they are not what executing them gives; Diverged
        where only the state comes out differently, which leaves the state changed.
        """
        body, raw = _body(entries), entries[-1]
        opening = b"".join(entries[len(body) : -1])
        try:
            logged = wire.decode_block(raw)
            batch = judged()
        except BadFrame as error:
            raise Mismatch(error.detail) from error
        at = self.at
        if logged.height != at.height + 1 or logged.seq <= at.seq or logged.time < at.time:
            raise Mismatch(f"block {logged.height} does not follow block {at.height}")
        done = self._executor.run(logged.height, logged.time, at.size, [batch])
        if done.duplicates or done.expired:
            raise Mismatch("a transaction is in the log already, or outside its validity")
        if done.entries != body:
            raise Mismatch(difference(body, done.entries))
        if self._opening(done) != opening:
            raise Mismatch("its epoch entry is not what executing the block gives")
        done.duplicates, done.expired = logged.duplicates, logged.expired
        entry = self._entry(logged.seq, logged.time, done)
        if wire.encode(structs.replace(entry, state=logged.state)) != raw[1:]:
            raise Mismatch(f"the block entry says {logged}, executed is {entry}")
        made = self._commit(entry, done)
        if made.entry.state != logged.state:
            raise Diverged(_state_differs(logged, made.entry, done.changes))
        return made

    def _entry(self, seq: int, time: Millis, done: Executed) -> BlockEntry:
        """The block entry, but for the state's root."""
        return BlockEntry(
            height=self.at.height + 1,
            seq=seq,
            time=time,
            epoch=self.epoch,
            transactions=done.transactions,
            records=done.records,
            duplicates=done.duplicates,
            expired=done.expired,
            state=bytes(32),
            modules=self._versions,
        )

    def _commit(self, entry: BlockEntry, done: Executed) -> Made:
        start, opening, changes = self.at.size, self._opening(done), done.changes
        opens = wire.epoch_entries.decode(opening[1:]) if opening else None
        entries = [*done.entries, opening] if opening else done.entries
        index = start + len(entries)
        if opens is not None and self._judged:
            named = opening_row(self._chain, opens.epoch, opens.members)
            changes = sorted([*changes, named], key=itemgetter(0))
        self.store.commit(entry.height, changes, [*done.index, *block_rows(entry, start, index)])
        self.recent.add(entry.time, [key[len(TRANSACTION) :] for key, _ in done.index])
        entry = structs.replace(entry, state=self.store.root)
        self.at = Position(entry.height, entry.seq, entry.time, index + 1)
        if opens is not None:
            self.epoch = opens.epoch
        row = changed(done.changes)
        self.observers = self.observers if row is None else row.observers
        block = BLOCK_ENTRY + wire.encode(entry)
        return Made(entry, [*entries, block], start, tuple(done.results), opens)

    def _opening(self, done: Executed) -> bytes:
        """The epoch entry of a block that closes the epoch; empty where it does not."""
        row = changed(done.changes)
        if row is None or row.number == self.epoch:
            return b""
        return EPOCH_ENTRY + wire.encode(EpochEntry(row.number, row.members))


def _body(entries: Sequence[bytes]) -> list[bytes]:
    """A block's header and record entries: without its block entry, and its epoch entry if it has one."""
    opens = len(entries) > 1 and entries[-2][:1] == EPOCH_ENTRY
    return list(entries[: -2 if opens else -1])


def _state_differs(
    logged: BlockEntry, made: BlockEntry, changes: Iterable[tuple[bytes, bytes | None]]
) -> str:
    keys = ", ".join(
        f"{key[1 : 1 + key[0]].decode()}:{key[1 + key[0] :].hex()}" for key, _ in islice(changes, _SHOWN_KEYS)
    )
    return (
        f"block {logged.height}: the state's root is {made.state.hex()} instead of {logged.state.hex()}; "
        f"the block writes {keys or 'nothing'}"
    )
