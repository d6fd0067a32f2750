"""The journal: what this replica has promised, made durable in groups before it is sent.

A group is all records appended since the last sync. ``sync`` writes it as one unit, syncs it, and
only then names it in the marker, synced too. So after a crash the question "torn or damaged?" has
an answer: a bad group beyond the marker was never promised and is cut; one at or below it is damage.
The marker has two slots, written in turn, so that one of them is whole at every moment. The bytes
are those of ``groups`` (docs/spec/journal.md).
"""

import re
from collections import deque
from typing import Final, Self

import structlog
from msgspec import Struct
from msgspec.structs import replace

from grootboek.disk import Disk
from grootboek.errors import Damaged, StorageError
from grootboek.node.groups import (
    EMPTY,
    SLOT_BYTES,
    Mark,
    decode_slot,
    encode_group,
    encode_slot,
    next_group,
    split_records,
)

__all__ = ["GUARD", "MARKER", "Journal", "Report", "check", "records"]

FOLDER: Final = "journal"
GUARD: Final = "guard"
MARKER: Final = "guard/marker"
"""What was promised, and how far was signed: on a disk of its own where the operator gives it one."""
SEGMENT_BYTES: Final = 4 << 20
"""A group that would begin at or beyond this offset begins a new segment instead."""


_DIGITS: Final = 16
_SLOTS: Final = 2
_SEGMENT: Final = re.compile(f"[0-9]{{{_DIGITS}}}")

log = structlog.get_logger("grootboek.journal")


class Report(Struct, frozen=True):
    """What ``check`` found."""

    groups: int
    records: int
    bytes: int
    """Bytes of whole groups."""
    tail_bytes: int
    """Bytes of a torn write that was never promised; the next start cuts them."""
    damage: tuple[Damaged, ...]
    """Each place where the bytes are not what was written; empty where all is well."""


class Journal:
    """Append records, sync, release what is no longer needed.

    ``append`` and ``mark`` may be called while ``sync`` runs in another thread; ``sync`` is never
    called twice at a time. After a StorageError the journal refuses everything: what the disk holds
    is known only after the next ``open``.
    """

    def __init__(self, disk: Disk, guard: Disk, scan: "_Scan") -> None:
        """Use ``open``."""
        self._disk = disk
        self._guard = guard
        self.high = scan.mark.high
        """How far was signed, the group that is written next included; None where that is not known."""
        self._mark = Mark(scan.number, scan.digest, scan.mark.first, self.high)
        self._slot = scan.slot
        self._segments = scan.segments
        self._records: deque[bytes] = deque()
        self._next = scan.number + 1
        self._wanted_first = scan.mark.first
        self._failure: StorageError | None = None
        self.syncs = 0
        """How many groups this process has made durable."""

    @staticmethod
    def found(guard: Disk) -> None:
        """Attest that the keys are new and have signed nothing; never where a marker is."""
        if not guard.size(MARKER):
            guard.write(MARKER, encode_slot(EMPTY) * 2)

    @classmethod
    def recover(cls, disk: Disk, guard: Disk | None = None) -> tuple[Self, list[bytes]]:
        """As ``open``; a journal that is damaged, or older than its marker says, is given up for a new one.

        The new one knows how far was signed, or that it does not know (``high``); nothing else.
        """
        try:
            return cls.open(disk, guard)
        except Damaged as error:
            log.error("the journal is given up", reason=str(error))  # noqa: TRY400  # no traceback
        guard = guard or disk
        marks = [mark for mark in _marks(guard) if mark is not None]
        # A slot that is not whole may have been the newer one: then nobody knows how far was signed.
        high = max(marks, key=lambda mark: mark.number).high if len(marks) == _SLOTS else None
        for segment in _segments(disk):
            disk.remove(_name(segment))
        guard.write(MARKER, encode_slot(replace(EMPTY, high=high)) * _SLOTS)
        return cls.open(disk, guard)

    @classmethod
    def open(cls, disk: Disk, guard: Disk | None = None) -> tuple[Self, list[bytes]]:
        """The journal and every record in it, in order; raises Damaged, StorageError.

        ``guard``: where the marker lies, by default on the same disk. Where there is neither journal
        nor marker, both are made, and what was signed before is not known. What follows the last whole
        group is cut, and all that is kept is durable when this returns: an earlier process may have
        died before its sync.
        """
        guard = guard or disk
        if not guard.size(MARKER) and not _segments(disk):
            guard.write(MARKER, encode_slot(replace(EMPTY, high=None)) * _SLOTS)
        scan = _Scan(disk, guard)
        if scan.damage:
            raise scan.damage[0]
        scan.cut_tail(disk)
        journal = cls(disk, guard, scan)
        # An earlier process may have died between a slot's write and its sync. If the other slot were
        # written before that, a loss of power could tear both.
        guard.sync(MARKER)
        if scan.number > scan.mark.number or scan.bad_slots:
            for segment in scan.segments:
                disk.sync(_name(segment))
            journal._write_mark()
        journal._drop_released()
        return journal, scan.records

    @property
    def size(self) -> int:
        """Bytes on disk; what is not yet synced does not count."""
        return sum(self._segments.values())

    def append(self, record: bytes) -> None:
        """Add a record to the current group; raises StorageError once the journal has failed."""
        if self._failure is not None:
            raise self._failure
        self._records.append(record)

    def sync(self) -> None:
        """Make all that was appended before durable; raises StorageError, for good.

        Costs two syncs of the disk for a group of any size, none where nothing was appended.
        """
        if self._failure is not None:
            raise self._failure
        # A deque, because the loop may append while this thread takes: what comes later stays for
        # the next group. The number moves on only then, so that ``mark`` never promises too much.
        records = [self._records.popleft() for _ in range(len(self._records))]
        if not records:
            return
        number = self._next
        self._next = number + 1
        try:
            self._write_group(number, records)
        except StorageError as error:
            self._failure = error
            raise
        self.syncs += 1

    def mark(self) -> int:
        """A position before everything that is appended from now on."""
        return self._next

    def release(self, position: int) -> None:
        """Allow the whole segments before ``position`` to be dropped; the next sync does so."""
        self._wanted_first = max(
            [self._wanted_first, *(first for first in list(self._segments) if first <= position)]
        )

    def _write_group(self, number: int, records: list[bytes]) -> None:
        checksum, data = encode_group(number, self._mark.digest, records)
        segment = max(self._segments, default=number)
        if self._segments.get(segment, 0) >= SEGMENT_BYTES:
            segment = number
        name = _name(segment)
        self._disk.append(name, data)
        self._disk.sync(name)
        self._segments[segment] = self._segments.get(segment, 0) + len(data)
        self._mark = Mark(number, checksum, self._wanted_first, self.high)
        self._write_mark()
        self._drop_released()

    def _write_mark(self) -> None:
        self._slot = 1 - self._slot
        self._guard.overwrite(MARKER, self._slot * SLOT_BYTES, encode_slot(self._mark))
        self._guard.sync(MARKER)

    def _drop_released(self) -> None:
        for segment in [first for first in self._segments if first < self._mark.first]:
            self._disk.remove(_name(segment))
            del self._segments[segment]


def check(disk: Disk, guard: Disk | None = None) -> Report:
    """Judge a journal that no process has open, without changing it.

    A change of any one byte of a group at or below the marker, or of the marker, is found. A slot
    that is not whole is named: it is damaged, or was torn by the last crash (``Journal.open`` mends it).
    """
    guard = guard or disk
    if not guard.size(MARKER) and not _segments(disk):
        return Report(0, 0, 0, 0, ())
    scan = _Scan(disk, guard)
    tail = sum(disk.size(_name(first)) for first in _segments(disk)) - sum(scan.segments.values())
    bad_slots = tuple(
        Damaged("the slot is damaged, or was torn by a crash", where=f"{MARKER}:{slot * SLOT_BYTES}")
        for slot in scan.bad_slots
    )
    return Report(
        groups=scan.groups,
        records=len(scan.records),
        bytes=sum(scan.segments.values()),
        tail_bytes=0 if scan.damage else tail,
        damage=(*bad_slots, *scan.damage),
    )


def records(disk: Disk, guard: Disk | None = None) -> list[bytes]:
    """The records of a journal that no process has open, in order."""
    return _Scan(disk, guard or disk).records


class _Scan:
    """Everything that the files say, read once and not changed."""

    def __init__(self, disk: Disk, guard: Disk) -> None:
        marks = _marks(guard)
        self.bad_slots = [slot for slot, mark in enumerate(marks) if mark is None]
        self.slot = max((0, 1), key=lambda slot: -1 if (mark := marks[slot]) is None else mark.number)
        self.mark = marks[self.slot] or EMPTY
        self.damage: list[Damaged] = []
        self.records: list[bytes] = []
        self.segments: dict[int, int] = {}
        """The bytes of whole groups in each segment, by its first group, in order."""
        self.groups = 0
        self.number = self.mark.first - 1
        self.digest = EMPTY.digest
        """Number and digest of the last whole group."""
        self.stop = ""
        """Where the whole groups end, though there are more bytes."""
        if len(self.bad_slots) == len(marks):
            self.damage.append(Damaged("neither slot of the marker is whole", where=MARKER))
            return
        self._walk(disk)
        self._judge()

    def _walk(self, disk: Disk) -> None:
        for first in _segments(disk):
            if first < self.mark.first:
                self.segments[first] = disk.size(_name(first))
                continue
            if self.stop or first != self.number + 1:
                self.stop = self.stop or f"{_name(first)}:0"
                return
            self._walk_segment(first, disk.read(_name(first)))

    def _walk_segment(self, segment: int, data: bytes) -> None:
        offset = 0
        while offset < len(data):
            known = self.groups or self.number == 0
            group = next_group(data, offset, self.number + 1, self.digest if known else None)
            if group is None:
                self.stop = f"{_name(segment)}:{offset}"
                break
            self.number, self.digest, offset = group.number, group.digest, group.end
            self.groups += 1
            self.records += split_records(group.payload)
            self.segments[segment] = offset
            if group.number == self.mark.number and group.digest != self.mark.digest:
                where = f"{_name(segment)}:{offset}"
                self.damage.append(Damaged("the last promised group is another one", where=where))

    def _judge(self) -> None:
        """Decide between torn and damaged."""
        end = self.stop or (_end(self.segments) if self.segments else MARKER)
        if self.number < self.mark.number:
            detail = f"group {self.number + 1} is damaged or missing; {self.mark.number} groups were promised"
            self.damage.append(Damaged(detail, where=end))
        elif self.stop and self.bad_slots and self.number == self.mark.number:
            # The bad slot may have named the bad group. No crash leaves both: a slot is written only
            # after its group is synced, and the next group only after the slot is.
            detail = "the group is damaged, and so is the slot of the marker that may have named it"
            self.damage.append(Damaged(detail, where=end))

    def cut_tail(self, disk: Disk) -> None:
        """Remove what was written beyond the last whole group."""
        for first in reversed(_segments(disk)):
            if first not in self.segments:
                disk.remove(_name(first))
            elif first >= self.mark.first and disk.size(_name(first)) > self.segments[first]:
                disk.truncate(_name(first), self.segments[first])


def _marks(guard: Disk) -> list[Mark | None]:
    slots = guard.read(MARKER)
    return [decode_slot(slots[at : at + SLOT_BYTES]) for at in range(0, _SLOTS * SLOT_BYTES, SLOT_BYTES)]


def _end(segments: dict[int, int]) -> str:
    first, size = max(segments.items())
    return f"{_name(first)}:{size}"


def _name(first: int) -> str:
    return f"{FOLDER}/{first:0{_DIGITS}d}"


def _segments(disk: Disk) -> list[int]:
    """The first group of each segment, ascending; files of other names are nobody's."""
    return sorted(int(name) for name in disk.names(FOLDER) if _SEGMENT.fullmatch(name))
