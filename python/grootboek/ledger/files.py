"""The log's files: where each entry lies, and what of it is on the disk for sure.

``log/<first index, 16 digits>``  entries, each behind its length in 2 bytes big-endian
``log/bundles``                   for each full bundle of 256 entries: end position, root
``log/synced``                    how far the log was synced, and its root there

A segment begins with a bundle. Positions count bytes from the log's beginning over all segments. In
memory is one position a bundle; inside a bundle entries are found by walking over their lengths.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from grootboek import wire
from grootboek.disk import Disk
from grootboek.errors import BadFrame, Damaged
from grootboek.wire import Digest, Size

__all__ = [
    "BUNDLE",
    "BUNDLES",
    "FOLDER",
    "ROW_BYTES",
    "SYNCED",
    "LogFiles",
    "Mark",
    "Row",
    "Segment",
    "ends_of",
    "frame",
    "segment_name",
    "split",
]

BUNDLE: Final = 256
"""Entries of a bundle (C2SP tlog-tiles)."""
FOLDER: Final = "log"
BUNDLES: Final = "log/bundles"
SYNCED: Final = "log/synced"
SEGMENT_BYTES: Final = 64 << 20
"""A segment this large gets no further bundle."""
_PIECE: Final = 4 << 20
"""How many bytes are read from the disk at once."""
ROW_BYTES: Final = 40
_DERIVED: Final = {"bundles", "synced", "certificate"}
_DIGITS: Final = 16


class Segment(Struct, frozen=True):
    """One file of entries."""

    name: str
    first: int
    """Index of its first entry."""
    start: int
    """Position of its first byte."""


class Row(Struct, frozen=True):
    """A full bundle."""

    end: int
    """The position after it."""
    root: bytes


class Mark(Struct, frozen=True, array_like=True, tag=1):
    """The content of ``log/synced``."""

    size: Size
    """So many entries are on the disk; the last of them is a block entry."""
    root: Digest
    end: Annotated[int, Meta(ge=0, lt=2**53)]
    """The position after them."""


_marks: Final = msgspec.msgpack.Decoder(Mark)


def segment_name(first: int) -> str:
    """The file that begins with the entry at index ``first``."""
    return f"{FOLDER}/{first:0{_DIGITS}d}"


def frame(entries: list[bytes]) -> bytes:
    """Entries behind their lengths: the form on disk, in entry bundles and between replicas."""
    return b"".join([part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry)])


def ends_of(data: bytes, start: int = 0) -> Iterator[int]:
    """The offset after each whole, non-empty entry of framed ``data``; stops at the first other one."""
    while start + 2 < len(data):
        length = data[start] << 8 | data[start + 1]
        start += 2 + length
        if start > len(data) or not length:
            return
        yield start


def split(data: bytes, start: int = 0) -> Iterator[bytes]:
    """The whole entries of framed ``data``."""
    for end in ends_of(data, start):
        yield data[start + 2 : end]
        start = end


class LogFiles:
    """The segments, and the position of each full bundle.

    One thread appends, one syncs, any may read what ``length`` covered when it began.
    """

    def __init__(self, disk: Disk) -> None:
        """Find the segments; raises Damaged where their names cannot be those of one log."""
        self.disk = disk
        self.ends = array("Q")
        """The position after each full bundle."""
        self.segments: list[Segment] = []
        self.length = 0
        """Bytes of all segments."""
        self._unsynced = 0
        for name in disk.names(FOLDER):
            if name not in _DERIVED:
                self._found(name)

    def _found(self, name: str) -> None:
        path = f"{FOLDER}/{name}"
        if not (len(name) == _DIGITS and name.isascii() and name.isdecimal()):
            raise Damaged("this file is not one of the log's", where=path)
        first, last = int(name), self.segments[-1].first if self.segments else -BUNDLE
        if first % BUNDLE or first <= last or (not self.segments and first):
            raise Damaged("the segments before this one are missing", where=path)
        self.segments.append(Segment(path, first, self.length))
        self.length += self.disk.size(path)

    # --- writing ---------------------------------------------------------------------------------

    def append(self, data: bytes, size: int, ends: list[int]) -> None:
        """Add framed entries to a log of ``size`` entries; ``ends``: offsets in ``data`` where a bundle
        becomes full. Not durable until ``sync``.
        """
        start, full = 0, size // BUNDLE
        for end in ends:
            self._write(data[start:end] if start or end < len(data) else data, full * BUNDLE)
            self.ends.append(self.length)
            start, full = end, full + 1
        if start < len(data):
            self._write(data[start:] if start else data, full * BUNDLE)

    def _write(self, data: bytes, first: int) -> None:
        """Add bytes that belong to the bundle that begins with index ``first``."""
        segment = self.segments[-1] if self.segments else None
        if segment and not self._begins_segment(segment, first):
            self.disk.append(segment.name, data)
        else:
            segment = Segment(segment_name(first), first, self.length)
            self.disk.append(segment.name, data)
            self.segments.append(segment)  # only now: what `sync` sees is on the disk
        self.length += len(data)

    def _begins_segment(self, last: Segment, first: int) -> bool:
        at_start = self.length == self.bundle_start(first // BUNDLE)
        return at_start and first > last.first and self.length - last.start >= SEGMENT_BYTES

    def sync(self) -> None:
        """Make all segments durable as far as they are written when this is called."""
        last = len(self.segments) - 1
        for segment in self.segments[self._unsynced : last + 1]:
            self.disk.sync(segment.name)
        self._unsynced = max(last, 0)

    def skip_synced(self, end: int) -> None:
        """An earlier process has synced everything up to position ``end``."""
        before = bisect_right(self.segments, end, key=lambda segment: segment.start) - 1
        self._unsynced = max(before, 0)

    def truncate(self, end: int) -> None:
        """Cut all bytes from position ``end`` on, and forget the bundles that reach beyond it."""
        while self.segments and self.segments[-1].start >= end and self.segments[-1].start:
            self.disk.remove(self.segments.pop().name)
        if self.segments:
            last = self.segments[-1]
            self.disk.truncate(last.name, end - last.start)
        self.length = end
        del self.ends[bisect_right(self.ends, end) :]

    # --- reading ---------------------------------------------------------------------------------

    def bundle_start(self, bundle: int) -> int:
        """The position of a bundle's first entry."""
        return self.ends[bundle - 1] if bundle else 0

    def read(self, start: int, end: int) -> bytes:
        """The bytes between two positions; raises Damaged where a file has become shorter."""
        parts = []
        number = bisect_right(self.segments, start, key=lambda segment: segment.start) - 1
        while start < end:
            segment = self.segments[number]
            number += 1
            border = self.segments[number].start if number < len(self.segments) else end
            wanted = min(end, border) - start
            part = self.disk.read(segment.name, start - segment.start, wanted)
            if len(part) != wanted:
                raise Damaged("the file is shorter than it was", where=segment.name)
            parts.append(part)
            start += wanted
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes between two positions, in pieces of a bounded size."""
        for at in range(start, end, _PIECE):
            yield self.read(at, min(end, at + _PIECE))

    def end_of(self, segment: Segment) -> int:
        """The position after a segment."""
        number = bisect_right(self.segments, segment.first, key=lambda other: other.first)
        return self.segments[number].start if number < len(self.segments) else self.length

    def place(self, position: int) -> str:
        """A position as file and offset, for people."""
        number = bisect_right(self.segments, position, key=lambda segment: segment.start) - 1
        if number < 0:
            return segment_name(0)
        return f"{self.segments[number].name}, byte {position - self.segments[number].start}"

    # --- what is derived -------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """The whole rows of ``log/bundles``."""
        data = self.disk.read(BUNDLES)
        return [
            Row(int.from_bytes(data[at : at + 8], "big"), data[at + 8 : at + ROW_BYTES])
            for at in range(0, len(data) - ROW_BYTES + 1, ROW_BYTES)
        ]

    def add_rows(self, first: int, rows: list[Row]) -> None:
        """Write rows of ``log/bundles`` from row ``first`` on, durably; what was there goes."""
        if self.disk.size(BUNDLES) != first * ROW_BYTES:
            self.disk.write(BUNDLES, self.disk.read(BUNDLES, 0, first * ROW_BYTES))
        self.disk.append(BUNDLES, b"".join(row.end.to_bytes(8, "big") + row.root for row in rows))
        self.disk.sync(BUNDLES)

    def mark(self) -> Mark | None:
        """What ``log/synced`` says; None where there is none. Raises Damaged."""
        data = self.disk.read(SYNCED)
        try:
            return wire.decode(_marks, data) if data else None
        except BadFrame as error:
            raise Damaged(error.detail, where=SYNCED) from error

    def set_mark(self, mark: Mark) -> None:
        """Replace ``log/synced``, durably."""
        self.disk.write(SYNCED, wire.encode(mark))
