"""The ledger: executes ordered batches, appends what came of them, and keeps both durable.

The log is the truth; state and index follow from it. Execution happens in memory and in the log's
files without a sync. ``sync`` and ``flush`` make it durable in bulk, from another thread if need be.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from msgspec import Struct

from grootboek import wire
from grootboek._core import State, TransactionBatch
from grootboek.disk import Disk
from grootboek.errors import BadCertificate, BadProof, Diverged, Unavailable
from grootboek.ledger import recovery, snapshots
from grootboek.ledger.blocks import Mismatch
from grootboek.ledger.certificates import CERTIFICATE
from grootboek.ledger.epochs import follow, write_handover
from grootboek.ledger.execution import Result
from grootboek.ledger.files import frame, split
from grootboek.ledger.incoming import Incoming
from grootboek.ledger.leap import between
from grootboek.ledger.machine import Machine, Made
from grootboek.ledger.proofs import Prover
from grootboek.ledger.reading import Head
from grootboek.ledger.registry import Active, Registry
from grootboek.ledger.snapshots import INCOMING, SnapshotHead
from grootboek.proofs import Final as FinalResult
from grootboek.transfer import Manifest
from grootboek.types import Genesis
from grootboek.wire import BLOCK_ENTRY, BlockEntry, Certificate, Handover, Member

__all__ = ["PATIENCE", "SNAPSHOT_HEIGHTS", "Block", "Ledger"]

PATIENCE = 10
"""How many flushes in a row may leave the state alone."""
SNAPSHOT_HEIGHTS = 10_000


class Block(Struct, frozen=True):
    """A block that was just executed."""

    entry: BlockEntry
    raw: bytes
    """The block entry as it is in the log, with its type byte."""
    start: int
    """Index of the block's first entry."""
    size: int
    """The log's size; the block entry's index is one less."""
    root: bytes
    """The log's root at that size."""
    path: tuple[bytes, ...]
    """The block entry's inclusion path to ``root``."""
    closes: bool
    """Whether it closes its epoch: the next block belongs to the next one."""
    results: tuple[Result, ...]
    """For every transaction of the batches, in order: its id, and Final, Refused (expired or expiry too
    far), or None for a duplicate, whose result ``finals`` gives.
    """


class Ledger(Prover):
    """One replica's ledger. One thread executes and replays, one syncs and flushes, any may read."""

    def __init__(self, genesis: Genesis, disk: Disk, active: Active, recovered: recovery.Recovered) -> None:
        """Use ``Ledger.open``."""
        super().__init__(genesis, recovered.log, recovered.store, active)
        self.epochs = recovered.epochs
        self._disk = disk
        self._machine = recovered.machine
        self._move()
        self._unflushed = deque(recovered.unflushed)
        self._put_off = 0
        """How often the state was not flushed with the rest."""
        self._ahead: Certificate | None = None
        self._syncable: Certificate | None = None
        self._certificate_on_disk = 0
        self._partial: list[bytes] = []
        self._incoming = recovered.incoming
        self.snapshot_heads = snapshots.usable(disk, self.chain)
        """The snapshots that are here, newest first."""
        self.snapshot_heights = SNAPSHOT_HEIGHTS
        """Snapshots are of multiples of so many heights, so that replicas have the same ones."""
        self.chunk_bytes = snapshots.CHUNK_BYTES
        """How large their chunks are: the same for all replicas, for the same reason."""

    @classmethod
    def open(
        cls,
        genesis: Genesis,
        disk: Disk,
        state: State,
        registry: Registry,
        fresh: Callable[[], State] | None = None,
        *,
        vouched: Sequence[tuple[int, bytes]] | None = None,
    ) -> Self:
        """Open or found the ledger, and bring ``state`` to the end of the log by executing its tail.

        The log's unsynced end is cut back to the last whole block that executes as it says. A state
        that is ahead of the log or of another ledger is rebuilt, in the empty one that ``fresh`` makes.
        ``vouched``: sizes and roots that the replica has cosigned; an unsynced end beyond the last of
        them is cut as well, because ordering brings it again. What they cover is executed, whatever
        snapshot was on its way.
        Raises Damaged (without ``fresh`` also for such a state), GenesisError, StorageError, and
        Diverged where executing gives another state than the log says.
        """
        active = registry.activate(genesis.modules)
        recovered = recovery.recover(genesis, disk, state, active, fresh, vouched=vouched)
        ledger = cls(genesis, disk, active, recovered)
        if recovered.certificate:
            ledger.certify(recovered.certificate)
            ledger._certificate_on_disk = recovered.certificate.size
        return ledger

    # --- executing -------------------------------------------------------------------------------

    def execute(self, seq: int, time: int, batches: Sequence[TransactionBatch]) -> Block:
        """Execute an ordered value: its transactions, in order, then the block entry.

        ``time``: the value's proposed time; the block's is never before that of the block before.
        Each transaction of ``batches`` has verdict 0. Nothing is synced. Raises StorageError and
        CommandFailed, after which the ledger must be opened anew, and ValueError for an old ``seq`` and
        where the epoch is closed.
        """
        self._not_closed()
        return self._append(self._machine.run(seq, time, batches))

    def known(self, batch: TransactionBatch) -> list[FinalResult | None]:
        """What became of each transaction of ``batch`` that is in the log; in the executing thread."""
        ids = batch.ids
        maybe = self._machine.recent.candidates(ids, batch.expiries)
        known: list[FinalResult | None] = [None] * len(ids)
        for position, final in zip(maybe, self.finals([ids[i] for i in maybe]), strict=True):
            known[position] = final
        return known

    def _append(self, made: Made) -> Block:
        self._log.append(made.entries)
        self._partial = []
        self._move()
        self._unflushed.append((made.entry.height, self.size))
        if self._ahead is not None and self._ahead.size <= self.size:
            ahead, self._ahead = self._ahead, None
            self.certify(ahead)
        return Block(
            entry=made.entry,
            raw=made.entries[-1],
            start=made.start,
            size=self.size,
            root=self.root,
            path=self._log.inclusion(self.size - 1, self.size),
            closes=made.opens is not None,
            results=made.results,
        )

    def _move(self) -> None:
        at = self._machine.at
        self.head = Head(at.height, at.seq, at.time, at.size, self._log.root(at.size))

    def _not_closed(self) -> None:
        if self.closed:
            raise ValueError("the epoch is closed, and the next one has not begun")

    # --- catching up -----------------------------------------------------------------------------

    @property
    def fetched(self) -> int:
        """Where ``replay`` goes on: the log's end, or further where the beginning of a block is held."""
        return self._log.size + len(self._partial)

    @property
    def incoming(self) -> SnapshotHead | None:
        """The snapshot that the state will leap to once the log has reached it: until then ``replay``
        only appends, and nothing may be executed.
        """
        return self._incoming

    def receive(self, manifest: Manifest, certificate: Certificate) -> Incoming:
        """Where the chunks of a snapshot go, in place of what was in the folder ``incoming``."""
        return Incoming(self._disk, self.chain, manifest, certificate)

    def expect(self, head: SnapshotHead) -> None:
        """Go for a snapshot that is whole in the folder ``incoming``, synced."""
        self._incoming = head

    def replay(self, start: int, body: bytes, proven: Callable[[int, bytes], bool]) -> list[Block]:
        """Execute blocks that others have certified, from their framed entries.

        ``start`` is ``fetched``. ``proven(size, root)`` says whether the tree that ends with ``body``
        is the beginning of a certified one. A block that ends in a later body is held until then.
        Raises BadProof, with nothing changed, for entries that are not proven; Diverged where proven
        entries do not come out equal, which no other peer can mend; ValueError as ``execute``. On the
        way to a snapshot they are only appended.
        """
        self._not_closed()
        entries = list(split(body))
        if start != self.fetched or not entries or len(frame(entries)) != len(body):
            raise BadProof(f"the body does not hold the entries from {self.fetched} on")
        entries = self._partial + entries
        size = self._log.size + len(entries)
        if not proven(size, self._log.root_with(entries)):
            raise BadProof(f"the entries up to {size} are not the beginning of the certified log")
        blocks = []
        for block in _whole_blocks(entries):
            if self._incoming:
                self._log.append(block)
            else:
                blocks.append(self._replay_block(block))
            entries = entries[len(block) :]
        self._partial = entries
        return blocks

    def _replay_block(self, entries: list[bytes]) -> Block:
        try:
            made = self._machine.again(entries, partial(self._machine.judge, entries, check_signatures=False))
        except Mismatch as error:
            raise Diverged(f"block {self.height + 1}: {error}") from error
        return self._append(made)

    # --- certificates ----------------------------------------------------------------------------

    def certify(self, certificate: Certificate) -> None:
        """Remember a verified certificate where it is the newest; ``flush`` writes it.

        One that the log has not reached waits until it does. Raises Diverged where a quorum has
        cosigned another root than this log's.
        """
        if certificate.size > self.size:
            if self._ahead is None or certificate.size > self._ahead.size:
                self._ahead = certificate
        elif self._certificate is None or certificate.size >= self._certificate.size:
            if self._log.root(certificate.size) != certificate.root:
                raise Diverged(f"a quorum has cosigned another root for {certificate.size} entries")
            self._certificate = certificate

    # --- epochs ----------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the last block closed its epoch, and no hand-over says so yet."""
        return self._machine.epoch > self.epochs.last.number

    @property
    def observers(self) -> tuple[Member, ...]:
        """Who may follow over the replicas' network, after the last block."""
        return self._machine.observers

    def hand_over(self, certificate: Certificate) -> None:
        """The closing block is certified, and synced here: the next epoch begins. Durable on return.

        Synced, because the votes that could bring the block back are of the old epoch: nobody keeps them.
        Raises BadCertificate unless ``certificate`` is a quorum's and of the closing block; StorageError.
        """
        if certificate.size > self.synced_size:
            raise BadCertificate("the closing block is not synced here", where=str(certificate.size))
        index = certificate.size - 2
        handover = Handover(
            entry=self._log.read(index, index + 1)[0],
            path=self._log.inclusion(index, certificate.size),
            certificate=certificate,
        )
        epoch = follow(self.chain, self.epochs.last, handover)
        write_handover(self._disk, epoch.number, handover)
        self.epochs.add(handover)

    # --- durability ------------------------------------------------------------------------------

    def sync(self) -> int:
        """Make the log durable: how many entries are. Raises StorageError. May run beside ``execute``,
        in the same thread as ``flush``.
        """
        certificate = self._certificate
        size = self._log.sync()
        self._syncable = certificate
        return size

    @property
    def unflushed(self) -> bool:
        """Whether the state holds a block that a crash would take back."""
        return bool(self._unflushed)

    def flush(self, *, state: bool = True) -> None:
        """Make durable what follows from the synced log: position, certificate, state and index.

        Without ``state`` only now and then the last two, which cost much and can be made again: once much of
        them waits, and at the latest by the ``PATIENCE``-th call. Raises StorageError. May run beside
        ``execute``.
        """
        if self._incoming:
            self._near(self._incoming)
        synced = [block for block in list(self._unflushed) if block[1] <= self.synced_size]
        if synced:
            self._log.save_mark(synced[-1][1])
        certificate = self._syncable
        if certificate and certificate.size > self._certificate_on_disk:
            self._disk.write(CERTIFICATE, wire.encode(certificate))
            self._certificate_on_disk = certificate.size
        self._put_off += 1
        if synced and (state or self._store.flush_due or self._put_off >= PATIENCE):
            self._flush_state(synced[-1][0])

    def _flush_state(self, height: int) -> None:
        self._store.flush(height, self.genesis.limits.proof_heights)
        while self._unflushed and self._unflushed[0][0] <= height:
            self._unflushed.popleft()
        self._put_off = 0
        for incoming in snapshots.heights(self._disk, INCOMING):
            if incoming <= height:
                snapshots.remove(self._disk, incoming, INCOMING)

    def _near(self, head: SnapshotHead) -> None:
        """On the way to a snapshot: keep what is synced, and leap once the log is there.

        A snapshot that is not the state of its block is dropped, and the log executed instead.
        """
        synced, machine = self._log.synced_size, self._machine
        if synced < head.manifest.size:
            if synced > machine.at.size:
                self._log.save_mark(synced)
            return
        self._machine = Machine(self.genesis, self.registry, self._store)
        self._machine.move(machine.at)
        keep = self.genesis.limits.proof_heights
        self._unflushed += recovery.advance(self._disk, self.chain, self._log, self._machine, head, keep=keep)
        self._move()
        self._incoming = None

    def snapshot(self, height: int | None = None) -> int:
        """Write the state after ``height`` (None: of the newest certified block): that height.

        The last two snapshots are kept. Raises Unavailable where it is not certified, StorageError.
        """
        certificate = self._certificate
        if certificate is None:
            raise Unavailable("nothing is certified yet", where="snapshot")
        block = self.block(wire.block_of(certificate).height if height is None else height)
        size = block.index + 1
        if size > certificate.size:
            raise Unavailable("it is not certified yet", where=str(height))
        at = (block.height, size, self._log.root(size))
        snapshots.write(self._disk, self.chain, self._store, at, certificate, self.chunk_bytes)
        self.snapshot_heads = snapshots.usable(self._disk, self.chain)
        return block.height

    def keep_snapshots(self) -> None:
        """Write the snapshot that is due, if one is. In the same thread as ``flush``."""
        if self._certificate is None or self._incoming:
            return
        certified = wire.block_of(self._certificate).height
        due = certified - certified % self.snapshot_heights
        last = max((head.manifest.height for head in self.snapshot_heads), default=0)
        if due > last and not between(self._store, due):
            self.snapshot(due)

    def chunk(self, head: SnapshotHead, index: int) -> bytes:
        """The bytes of a snapshot's chunk; fewer where it was removed meanwhile."""
        return snapshots.chunk(self._disk, head, index)


def _whole_blocks(entries: list[bytes]) -> list[list[bytes]]:
    """The blocks that end in ``entries``."""
    blocks: list[list[bytes]] = [[]]
    for entry in entries:
        blocks[-1].append(entry)
        if entry[:1] == BLOCK_ENTRY:
            blocks.append([])
    return blocks[:-1]
