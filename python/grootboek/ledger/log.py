"""The log: entries on disk and the Merkle tree over them, moving together."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from typing import Final

from grootboek import _core
from grootboek._core import leaf_hashes
from grootboek.disk import Disk
from grootboek.errors import Damaged
from grootboek.ledger.files import BUNDLE, FOLDER, LogFiles, Mark, Row, ends_of, frame, split
from grootboek.wire import BLOCK_ENTRY, ENTRY_BYTES

__all__ = ["EntryLog"]

_LENGTH: Final = 2
"""Bytes of the length in front of each entry."""
_LONGEST: Final = _LENGTH + ENTRY_BYTES
_HASH: Final = 32


class EntryLog:
    """Appends, syncs, reads and proves. One thread appends, one syncs, any read."""

    def __init__(self, disk: Disk, *, believe_bundles: bool = True, repair: bool = True) -> None:
        """Read what is there, and cut what lies beyond the last whole block unless it was synced.

        ``believe_bundles=False`` hashes every entry anew instead of taking roots and positions from
        ``log/bundles``. Raises Damaged where the log is not what was synced. ``repair=False`` changes
        nothing on the disk and leaves that judgement to the audit.
        """
        self.files = LogFiles(disk)
        self.mark = self.files.mark()
        self.synced_size = self.mark.size if self.mark else 0
        rows = self.files.rows()[: self.synced_size // BUNDLE] if believe_bundles else []
        self._rows_written = len(rows)
        self._new_rows: list[Row] = []
        self.files.ends.extend(row.end for row in rows)
        self.tree = _core.Log(b"".join([row.root for row in rows]))
        self.size = self.tree.size
        end = self._take_tail(rows[-1].end if rows else 0)
        if repair:
            self._cut(end)

    @classmethod
    def open(cls, disk: Disk) -> "EntryLog":
        """The log, with ``log/bundles`` made anew where it is not what the synced root says."""
        try:
            return cls(disk)
        except Damaged:
            return cls(disk, believe_bundles=False)

    # --- opening ---------------------------------------------------------------------------------

    def _cut(self, end: int) -> None:
        mark, files = self.mark, self.files
        if mark and self.size < mark.size:
            raise Damaged("the log ends before what was synced, or is broken here", where=files.place(end))
        if mark and (self.position(mark.size) != mark.end or self.root(mark.size) != mark.root):
            raise Damaged(f"the first {mark.size} entries are not those that were synced", where=FOLDER)
        if end < files.length:
            files.truncate(end)
        files.skip_synced(mark.end if mark else 0)

    def _take_tail(self, start: int) -> int:
        """Take in the whole blocks from position ``start`` on: the position after them."""
        end, rest = start, b""
        for segment in self.files.segments:
            segment_end = self.files.end_of(segment)
            if segment_end <= start:
                continue
            if segment.start > start and not self._continued_by(segment.first, rest):
                break
            for piece in self.files.pieces(max(start, segment.start), segment_end):
                rest += piece
                ends = list(ends_of(rest))
                taken = self._take(rest, ends, end)
                whole = ends[-1] if ends else 0
                if len(rest) - whole > _LONGEST:
                    return end + taken
                end, rest = end + taken, rest[taken:]
        return end

    def _continued_by(self, first: int, rest: bytes) -> bool:
        """Whether the entry after those in the tree and in ``rest`` has index ``first``."""
        ends = list(ends_of(rest))
        return self.size + len(ends) == first and (ends[-1] if ends else 0) == len(rest)

    def _take(self, data: bytes, ends: list[int], position: int) -> int:
        """Take in the whole blocks of ``data``, which lies at ``position``: how many bytes they are."""
        starts = [0, *ends]
        count = len(ends)
        while count and data[starts[count - 1] + _LENGTH] != BLOCK_ENTRY[0]:
            count -= 1
        if count:
            full = ends[:count][_to_full(self.size) :: BUNDLE]
            self.files.ends.extend(position + end for end in full)
            self._grow(data[: ends[count - 1]])
        return starts[count]

    # --- writing ---------------------------------------------------------------------------------

    def append(self, entries: list[bytes]) -> None:
        """Add entries; not durable until ``sync``. Raises StorageError."""
        data = frame(entries)
        ends = list(accumulate([len(entry) + _LENGTH for entry in entries]))
        self.files.append(data, self.size, ends[_to_full(self.size) :: BUNDLE])
        self._grow(data)

    def _grow(self, data: bytes) -> None:
        before = self.size // BUNDLE
        size, roots = self.tree.append(data)
        self._new_rows += [
            Row(self.files.ends[before + i], roots[_HASH * i : _HASH * (i + 1)])
            for i in range(len(roots) // _HASH)
        ]
        self.size = size

    def sync(self) -> int:
        """Make the log durable: how many entries are. May run beside ``append``."""
        size = self.size
        self.files.sync()
        self.synced_size = size
        return size

    def save_mark(self, size: int) -> None:
        """Note durably that ``size`` entries, a synced number that ends a block, are on the disk."""
        full = size // BUNDLE
        count = full - self._rows_written
        if count > 0:
            self.files.add_rows(self._rows_written, self._new_rows[:count])
            del self._new_rows[:count]
            self._rows_written = full
        if self.mark is None or self.mark.size < size:
            self.mark = Mark(size, self.root(size), self.position(size, since=self.mark))
            self.files.set_mark(self.mark)

    def truncate(self, size: int) -> None:
        """Forget the entries from ``size`` on: an unsynced end that does not execute."""
        end, tail = self.position(size), self.read(size - size % BUNDLE, size)
        self.files.truncate(end)
        self.tree.truncate(size, leaf_hashes(frame(tail)))
        del self._new_rows[size // BUNDLE - self._rows_written :]
        self.size = size

    def unwritten_rows(self) -> list[Row]:
        """The rows of full bundles that are not in ``log/bundles`` by this log's knowledge."""
        return list(self._new_rows)

    # --- reading ---------------------------------------------------------------------------------

    def position(self, index: int, since: Mark | None = None) -> int:
        """The position of the entry at ``index``, or the end of the log. Raises Damaged.

        It is counted from the start of its bundle, or from ``since`` where that is nearer.
        """
        bundle = index // BUNDLE
        first, start = bundle * BUNDLE, self.files.bundle_start(bundle)
        if since is not None and first < since.size <= index:
            first, start = since.size, since.end
        if first < index:
            ends = list(islice(ends_of(self.files.read(start, self._end_of(bundle))), index - first))
            if len(ends) < index - first:
                raise Damaged("the entries are not framed as they were", where=self.files.place(start))
            start += ends[-1]
        return start

    def _end_of(self, bundle: int) -> int:
        """Where a bundle ends, as far as it is there."""
        return self.files.ends[bundle] if bundle < len(self.files.ends) else self.files.length

    @property
    def tail_bytes(self) -> int:
        """Bytes after the last whole block; none once they were cut."""
        return self.files.length - self.position(self.size)

    def stray_segment(self) -> str | None:
        """The first file after the last whole block that is no continuation of what is before it."""
        end = self.position(self.size)
        for segment in self.files.segments:
            if segment.start >= end and not self._continued_by(
                segment.first, self.files.read(end, segment.start)
            ):
                return segment.name
        return None

    def bundle(self, bundle: int) -> bytes:
        """The framed entries of a bundle, as far as they are there."""
        return self.files.read(self.files.bundle_start(bundle), self._end_of(bundle))

    def slice(self, start: int, end: int) -> bytes:
        """The entries [start, end), framed."""
        return self.files.read(self.position(start), self.position(end))

    def prefix(self, start: int, end: int, max_bytes: int) -> bytes:
        """The beginning of ``slice(start, end)``: ``max_bytes`` of it and at most one entry more."""
        first = self.position(start)
        return self.files.read(first, min(self.position(end), first + max_bytes + _LONGEST))

    def read(self, start: int, end: int) -> list[bytes]:
        """The entries [start, end)."""
        entries = list(split(self.slice(start, end)))
        if len(entries) != end - start:
            raise Damaged(
                "the entries are not framed as they were", where=self.files.place(self.position(start))
            )
        return entries

    def blocks(self, start: int) -> Iterator[list[bytes]]:
        """The blocks from the entry at ``start`` on, which begins one; each ends with its block entry."""
        block: list[bytes] = []
        rest = b""
        for piece in self.files.pieces(self.position(start), self.position(self.size)):
            rest += piece
            used = 0
            for end in list(ends_of(rest)):
                block.append(rest[used + _LENGTH : end])
                used = end
                if block[-1][:1] == BLOCK_ENTRY:
                    yield block
                    block = []
            rest = rest[used:]

    # --- proofs ----------------------------------------------------------------------------------

    def root(self, size: int) -> bytes:
        """The root of the first ``size`` entries."""
        return self.tree.root(size, self._leaves_for([size - 1], size) if size else ())

    def root_with(self, entries: list[bytes]) -> bytes:
        """The root as it would be with ``entries`` appended."""
        size = self.size
        tail = self.tree.leaves(size - size % BUNDLE, size)
        self.tree.append(frame(entries))
        root = self.tree.root(self.tree.size)
        self.tree.truncate(size, tail)
        return root

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The path of the entry at ``index`` to the root of ``size`` entries."""
        return tuple(self.tree.inclusion(index, size, self._leaves_for([index], size)))

    def consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """The proof that the tree of ``first`` entries is the beginning of that of ``second``."""
        return tuple(self.tree.consistency(first, second, self._leaves_for([first - 1], second)))

    def range_proof(self, start: int, end: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        """The leaf hashes of the entries [start, end), and the nodes beside them."""
        bundles = self._leaves_for([*range(start, end, BUNDLE), end - 1], size)
        leaves = self.tree.leaves(start, end, bundles)
        return leaves, tuple(self.tree.range_proof(start, end, size, bundles))

    def tile(self, level: int, index: int, width: int) -> bytes:
        """``width`` hashes of a tile (C2SP tlog-tiles)."""
        needed = self._leaves_for([index * BUNDLE], self.size) if level == 0 else ()
        return self.tree.tile(level, index, width, needed)

    def _leaves_for(self, positions: Sequence[int], size: int) -> list[tuple[int, bytes]]:
        """The leaf hashes of the bundles that the tree no longer keeps and these positions need."""
        return [(bundle, self._leaves(bundle)) for bundle in self.tree.missing(positions, size)]

    def _leaves(self, bundle: int) -> bytes:
        """The leaf hashes of a full bundle on the disk; raises Damaged where they are not the tree's."""
        level, place = divmod(bundle, BUNDLE)
        known = self.tree.tile(1, level, place + 1)[-_HASH:]
        try:
            leaves = leaf_hashes(self.bundle(bundle))
            same = _core.Log(b"", leaves).tile(1, 0, 1) == known
        except ValueError:
            same = False
        if not same:
            where = self.files.place(self.files.bundle_start(bundle))
            raise Damaged(f"the entries of bundle {bundle} are not those that were appended", where=where)
        return leaves


def _to_full(size: int) -> int:
    """How many entries more, less one, make the present bundle full."""
    return BUNDLE - 1 - size % BUNDLE
