"""Reading a ledger: transactions, blocks, state at any height, queries, and the log's bytes.

Everything here may be called from any thread while blocks are executed in another.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from grootboek import plain, wire
from grootboek._core import State
from grootboek.errors import ApiError, BadFrame, Damaged, NotFound, Pruned
from grootboek.ledger.blocks import StoredBlock
from grootboek.ledger.files import BUNDLE, ends_of, split
from grootboek.ledger.keys import BLOCK, START, TIME, TRANSACTION, number, state_key, state_prefix
from grootboek.ledger.leap import between
from grootboek.ledger.log import EntryLog
from grootboek.ledger.module import View
from grootboek.ledger.registry import Active
from grootboek.ledger.store import Store
from grootboek.proofs import Final as FinalResult
from grootboek.types import Chain, Genesis, Millis
from grootboek.wire import RECORD_ENTRY, Certificate, RecordEntry

__all__ = ["Head", "PinnedView", "Reader"]

_QUERY_ERRORS: Final = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError)
_AFTER_ALL: Final = b"\xff" * 8


class Head(Struct, frozen=True):
    """Where the ledger is: replaced as a whole after each block."""

    height: int
    seq: int
    time: Millis
    size: int
    root: bytes
    """Of the log."""


class PinnedView:
    """A module's keys as they were after one height (see ``module.View``); for reading only."""

    def __init__(self, store: Store, module: str, height: int, key_bytes: int) -> None:
        """``key_bytes``: how long the ledger's keys are at most."""
        self._store = store
        self._prefix = state_prefix(module)
        self._height = height
        self._key_bytes = key_bytes

    def get(self, key: bytes) -> bytes | None:
        """See View."""
        self._check(key)
        return self._store.get_at(self._prefix + key, self._height)

    def scan(
        self, prefix: bytes, after: bytes | None = None, limit: int = 1_000
    ) -> Iterator[tuple[bytes, bytes]]:
        """See View."""
        self._check(max(prefix, after or b"", key=len))
        start = None if after is None else self._prefix + after
        skip = len(self._prefix)
        pairs = self._store.scan_at(self._prefix + prefix, start, max(limit, 0), self._height)
        return iter([(key[skip:], value) for key, value in pairs])

    def _check(self, key: bytes) -> None:
        if len(key) > self._key_bytes:
            raise ValueError(f"a key has at most {self._key_bytes} bytes")

    def put(self, key: bytes, value: bytes) -> None:  # noqa: ARG002  # the protocol's
        """Refused: raises TypeError."""
        raise TypeError("a query does not write")

    def delete(self, key: bytes) -> None:  # noqa: ARG002  # the protocol's
        """Refused: raises TypeError."""
        raise TypeError("a query does not write")

    def emit(self, event: Struct) -> None:  # noqa: ARG002  # the protocol's
        """Refused: raises TypeError."""
        raise TypeError("a query tells no events")


class Reader:
    """The reading half of a ledger."""

    def __init__(self, genesis: Genesis, log: EntryLog, store: Store, active: Active) -> None:
        self.genesis = genesis
        self.registry = active
        """The active modules."""
        self.head = Head(0, 0, genesis.time, 0, log.root(0))
        self._log = log
        self._store = store
        self._certificate: Certificate | None = None

    # --- where it is -----------------------------------------------------------------------------

    @property
    def chain(self) -> Chain:
        """Which ledger this is."""
        return self.genesis.chain

    @property
    def state(self) -> State:
        """The state itself. Its own heights are one above the ledger's."""
        return self._store.state

    @property
    def height(self) -> int:
        """Of the last executed block; 0 before the first."""
        return self.head.height

    @property
    def seq(self) -> int:
        """The sequence number of the last executed block; 0 before the first."""
        return self.head.seq

    @property
    def time(self) -> Millis:
        """Agreed time of the last executed block, at first that of the genesis file."""
        return self.head.time

    @property
    def size(self) -> int:
        """Entries in the log."""
        return self.head.size

    @property
    def root(self) -> bytes:
        """The log's root."""
        return self.head.root

    @property
    def state_root(self) -> bytes:
        """The root of the state."""
        return self._store.root

    @property
    def synced_size(self) -> int:
        """How many entries are known to be on the disk."""
        return self._log.synced_size

    @property
    def certificate(self) -> Certificate | None:
        """The newest stable checkpoint that the log has reached."""
        return self._certificate

    # --- transactions ----------------------------------------------------------------------------

    def locate(self, transaction: bytes) -> int | None:
        """The index of a transaction's header entry; None where it has none."""
        return self._locate([transaction])[0]

    def final(self, transaction: bytes) -> FinalResult | None:
        """What became of a transaction that has entries in the log."""
        return self.finals([transaction])[0]

    def finals(self, transactions: Sequence[bytes]) -> list[FinalResult | None]:
        """The same for many, in order."""
        bundles: dict[int, list[bytes]] = {}
        places = self._locate(transactions)
        return [None if index is None else self._final(index, bundles) for index in places]

    def _locate(self, transactions: Sequence[bytes]) -> list[int | None]:
        """Indexes of header entries. A block's index rows are there a moment before its entries."""
        size = self.size
        rows = self._store.index_get_many([TRANSACTION + identity for identity in transactions])
        places = [None if row is None else int.from_bytes(row, "big") for row in rows]
        return [index if index is None or index < size else None for index in places]

    def _final(self, index: int, bundles: dict[int, list[bytes]]) -> FinalResult:
        first = self._record(index + 1, bundles)
        others = [self._record(index + 1 + i, bundles) for i in range(1, first.count)]
        return FinalResult(index, tuple([(r.outcome, r.events) for r in (first, *others)]))

    def _record(self, index: int, bundles: dict[int, list[bytes]]) -> RecordEntry:
        bundle, place = divmod(index, BUNDLE)
        if bundle not in bundles:
            bundles[bundle] = list(split(self._log.bundle(bundle)))
        entry = bundles[bundle][place] if place < len(bundles[bundle]) else b""
        try:
            return wire.decode(wire.record_entries, entry[1:])
        except BadFrame as error:
            raise Damaged(
                f"entry {index} is not the record that it was: {error.detail}", where="log"
            ) from error

    # --- blocks ----------------------------------------------------------------------------------

    def block(self, height: int) -> StoredBlock:
        """The block of ``height``; raises NotFound."""
        row = self._store.index_get(BLOCK + number(height)) if 0 < height <= self.height else None
        if row is None:
            raise NotFound(f"the heights are 1 to {self.height}", where=str(height))
        start, index = int.from_bytes(row[:8], "big"), int.from_bytes(row[8:], "big")
        raw = self._log.read(index, index + 1)[0]
        try:
            return StoredBlock(wire.decode_block(raw), start, index, raw)
        except BadFrame as error:
            raise Damaged(f"entry {index} is not the block entry that it was", where="log") from error

    def height_of_index(self, index: int) -> int:
        """The height of the block that the entry at ``index`` belongs to; raises NotFound."""
        found = self._store.index_scan(START, START + number(index)) if 0 <= index < self.size else None
        if found is None:
            raise NotFound(f"the log has {self.size} entries", where=str(index))
        return int.from_bytes(found[1], "big")

    def height_at_time(self, time: Millis) -> int:
        """The last height whose block is not later than ``time``; 0 before the first block."""
        if not 0 <= time < 1 << 63:
            return self.height if time > 0 else 0
        found = self._store.index_scan(TIME, TIME + number(time) + _AFTER_ALL)
        return 0 if found is None else min(int.from_bytes(found[1], "big"), self.height)

    def records(self, height: int) -> list[tuple[int, bytes]]:
        """The record entries of a block with their indexes; raises NotFound."""
        block = self.block(height)
        entries = enumerate(self._log.read(block.start, block.index), block.start)
        return [(index, entry) for index, entry in entries if entry[:1] == RECORD_ENTRY]

    # --- state -----------------------------------------------------------------------------------

    def get_at(self, module: str, key: bytes, height: int | None = None) -> bytes | None:
        """The value of a module's key after ``height`` (None: now); raises NotFound, ApiError."""
        return self._store.get_at(self._key(module, key), self._known(height))

    def view(self, module: str, height: int | None = None) -> View:
        """A module's state after ``height`` (None: now), for reading; raises NotFound."""
        limit = self.genesis.limits.key_bytes
        return PinnedView(self._store, self._module(module), self._known(height), limit)

    def query(self, module: str, name: str, args: Struct | bytes, height: int | None = None) -> Any:
        """Ask a module, after ``height`` (None: now).

        ``args``: the query's Struct, or its JSON text. Raises NotFound for an unknown module, query or
        height, ApiError for arguments that the query does not take.
        """
        active = self.registry.get(self._module(module))
        asked = active.queries.get(name) if active else None
        if asked is None:
            raise NotFound("no such query", where=f"{module}/{name}")
        view = self.view(module, height)
        where = f"{module}/{name}"
        try:
            value = plain.from_json(asked.type, args) if isinstance(args, bytes) else args
            return asked.run(active, view, value)
        except msgspec.MsgspecError as error:
            raise ApiError(str(error), where=where) from error
        except _QUERY_ERRORS as error:
            raise ApiError(f"{type(error).__name__}: {error}", where=where) from error

    def _module(self, name: str) -> str:
        if self.registry.get(name) is None:
            raise NotFound("no such module", where=name)
        return name

    def _key(self, module: str, key: bytes) -> bytes:
        if len(key) > self.genesis.limits.key_bytes:
            raise ApiError(f"a key has at most {self.genesis.limits.key_bytes} bytes", where="key")
        return state_key(self._module(module), key)

    def _known(self, height: int | None) -> int:
        last = self.height
        if height is None:
            return last
        if not 0 <= height <= last:
            raise NotFound(f"the heights are 0 to {last}", where=str(height))
        gap = between(self._store, height) if height < last else None
        if gap:
            first, then = gap
            raise Pruned(f"the state between heights {first} and {then} is not known here", where=str(height))
        return height

    # --- the log ---------------------------------------------------------------------------------

    def entries(self, start: int, end: int, max_bytes: int) -> tuple[bytes, int]:
        """Framed entries from ``start`` on, and the index after them: at most up to ``end``.

        At most ``max_bytes``, but at least one entry; up to the end of a block where one fits.
        """
        self._within(0 <= start < end <= self.size, f"{start} to {end}")
        data = self._log.prefix(start, end, max_bytes)
        count = block_count = used = block_used = 0
        for stop in ends_of(data):
            if count == end - start or (count and stop > max_bytes):
                break
            if data[used + 2] == wire.BLOCK_ENTRY[0]:
                block_count, block_used = count + 1, stop
            count, used = count + 1, stop
        if block_count:
            return data[:block_used], start + block_count
        return data[:used], start + count

    def bundle(self, number: int, width: int = BUNDLE) -> bytes:
        """The first ``width`` entries of a bundle, framed (C2SP tlog-tiles); raises NotFound."""
        start = number * BUNDLE
        self._within(number >= 0 and 0 < width <= BUNDLE and start + width <= self.size, f"{number}/{width}")
        return self._log.slice(start, start + width)

    def tile(self, level: int, index: int, width: int = BUNDLE) -> bytes:
        """``width`` hashes of a tile (C2SP tlog-tiles); raises NotFound."""
        try:
            return self._log.tile(level, index, width)
        except (ValueError, OverflowError) as error:
            raise NotFound(f"the log has {self.size} entries", where=f"{level}/{index}/{width}") from error

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The path of the entry at ``index`` to the root of ``size`` entries; raises NotFound."""
        self._within(0 <= index < size <= self.size, f"{index} in {size}")
        return self._log.inclusion(index, size)

    def consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """The proof that one tree is the beginning of another; raises NotFound."""
        self._within(0 < first <= second <= self.size, f"{first} in {second}")
        return self._log.consistency(first, second)

    def range_proof(self, start: int, end: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        """The leaf hashes of [start, end), and the nodes beside them; raises NotFound."""
        self._within(0 <= start < end <= size <= self.size, f"{start} to {end} in {size}")
        return self._log.range_proof(start, end, size)

    def _within(self, fits: bool, asked: str) -> None:  # noqa: FBT001  # the condition is the argument
        if not fits:
            raise NotFound(f"the log has {self.size} entries", where=asked)
