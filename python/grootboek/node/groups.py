r"""The journal's bytes: groups of records, and the marker that names the last promised one.

A group, all integers big-endian::

    "grootboek/1 journal\n" | number: 8 | payload bytes: 4 | digest of the group before: 32 | payload
    | digest of all this: 32

The payload is records, each behind its length in 4 bytes. Group numbers start with 1 and have no gap.
A slot of the marker is ``"grootboek/1 marker\n\n" | number: 8 | first kept group: 8 | digest of group
number: 32 | epoch, view, sequence number, log size: 8 each | digest of all this: 32``, padded with zeros to
4096 bytes, so that one torn slot never touches a disk block of the other. The four are how far the replica
has signed (``guard``), or all ones where that is not known.
"""

import struct
from typing import Final

from msgspec import Struct

from grootboek._core import digest
from grootboek.node.guard import NOTHING, High

__all__ = [
    "EMPTY",
    "SLOT_BYTES",
    "Group",
    "Mark",
    "decode_slot",
    "encode_group",
    "encode_slot",
    "next_group",
    "split_records",
]

_GROUP: Final = b"grootboek/1 journal\n"
_SLOT: Final = b"grootboek/1 marker\n\n"
_DIGEST_BYTES: Final = 32
_HEAD_BYTES: Final = len(_GROUP) + 8 + 4 + _DIGEST_BYTES
_HIGH: Final = struct.Struct(">4Q")
_UNKNOWN: Final = b"\xff" * _HIGH.size
_FIELDS: Final = struct.Struct(f">{len(_SLOT)}sQQ{_DIGEST_BYTES}s{_HIGH.size}s")
SLOT_BYTES: Final = 4096


class Group(Struct, frozen=True):
    """A whole group, and where it lies."""

    number: int
    digest: bytes
    payload: bytes
    end: int
    """The offset after it."""


class Mark(Struct, frozen=True):
    """What a slot of the marker says."""

    number: int
    """The last group that was promised; 0 before the first."""
    digest: bytes
    """Its digest."""
    first: int
    """The first group of the oldest segment that is kept."""
    high: High | None
    """How far the replica has signed; None where that is not known."""


EMPTY: Final = Mark(number=0, digest=bytes(_DIGEST_BYTES), first=1, high=NOTHING)
"""The mark of a new journal, of keys that have signed nothing."""


def encode_group(number: int, previous: bytes, records: list[bytes]) -> tuple[bytes, bytes]:
    """The bytes of a group of ``records`` that follows the group with digest ``previous``: digest, bytes."""
    payload = b"".join([part for record in records for part in (len(record).to_bytes(4, "big"), record)])
    body = b"".join([_GROUP, number.to_bytes(8, "big"), len(payload).to_bytes(4, "big"), previous, payload])
    checksum = digest(body)
    return checksum, body + checksum


def next_group(data: bytes, offset: int, number: int, previous: bytes | None) -> Group | None:
    """The group at ``offset``; None unless it is whole, numbered so, and follows ``previous``.

    ``previous`` is None where the group before is no longer kept.
    """
    head = data[offset : offset + _HEAD_BYTES]
    expected = _GROUP + number.to_bytes(8, "big")
    if len(head) < _HEAD_BYTES or not head.startswith(expected):
        return None
    if previous is not None and not head.endswith(previous):
        return None
    size = int.from_bytes(head[len(expected) : len(expected) + 4], "big")
    middle = offset + _HEAD_BYTES + size
    end = middle + _DIGEST_BYTES
    checksum = data[middle:end]
    if end > len(data) or digest(data[offset:middle]) != checksum:
        return None
    return Group(number, checksum, data[offset + _HEAD_BYTES : middle], end)


def split_records(payload: bytes) -> list[bytes]:
    """The records of a whole group."""
    records = []
    offset = 0
    while offset < len(payload):
        start = offset + 4
        offset = start + int.from_bytes(payload[offset:start], "big")
        records.append(payload[start:offset])
    return records


def encode_slot(mark: Mark) -> bytes:
    """One slot of the marker."""
    high = mark.high
    signed = _UNKNOWN if high is None else _HIGH.pack(high.epoch, high.view, high.seq, high.size)
    fields = _FIELDS.pack(_SLOT, mark.number, mark.first, mark.digest, signed)
    return (fields + digest(fields)).ljust(SLOT_BYTES, b"\0")


def decode_slot(slot: bytes) -> Mark | None:
    """What a slot says; None unless it is whole."""
    if len(slot) != SLOT_BYTES:
        return None
    _, number, first, last, signed = _FIELDS.unpack_from(slot)
    mark = Mark(number, last, first, None if signed == _UNKNOWN else High(*_HIGH.unpack(signed)))
    return mark if encode_slot(mark) == slot else None
