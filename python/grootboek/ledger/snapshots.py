"""Snapshots: the state after a certified block, in one checksummed file.

``snapshots/<height, 16 digits>`` is a sequence of chunks: length in 4 bytes big-endian, payload, digest
of the domain, the digest before (32 zero bytes at first) and the payload. The first payload is the
encoding of ``SnapshotHead``; each other one that of pairs (state key, value), in key order.
"""

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from grootboek import wire
from grootboek._core import digest
from grootboek.disk import Disk
from grootboek.errors import BadFrame, Damaged
from grootboek.ledger.store import Store
from grootboek.types import Chain
from grootboek.wire import Certificate, Digest

__all__ = ["FOLDER", "SnapshotHead", "name_of", "pairs_of", "read_head", "write"]

FOLDER: Final = "snapshots"
KEPT: Final = 2
_DIGITS: Final = 16
_LENGTH: Final = 4
_DIGEST: Final = 32
_PAIRS: Final = 512
"""Pairs in a chunk."""


class SnapshotHead(Struct, frozen=True, array_like=True, tag=1):
    """The first chunk."""

    chain: Digest
    height: Annotated[int, Meta(ge=1)]
    pairs: Annotated[int, Meta(ge=0)]
    """How many follow, in chunks of 512 but for the last."""
    certificate: Certificate
    """Of the log that ends with the block of ``height``; the block entry in it has the state's root."""


Pairs = tuple[tuple[bytes, bytes], ...]
_heads: Final = msgspec.msgpack.Decoder(SnapshotHead)
_pairs: Final = msgspec.msgpack.Decoder(Pairs)


def write(disk: Disk, chain: Chain, store: Store, certificate: Certificate) -> int:
    """Write the snapshot of the certified block, and remove all but the last two: its height."""
    height = wire.block_of(certificate).height
    pages = [wire.encode(tuple(page)) for page in _pages(store, height)]
    count = sum(len(_pairs.decode(page)) for page in pages)
    head = SnapshotHead(chain.digest, height, count, certificate)
    disk.write(name_of(height), b"".join(_chunks(chain, [wire.encode(head), *pages])))
    for name in disk.names(FOLDER)[:-KEPT]:
        disk.remove(f"{FOLDER}/{name}")
    return height


def _pages(store: Store, height: int) -> Iterator[list[tuple[bytes, bytes]]]:
    after: bytes | None = None
    while page := store.scan_at(b"", after, _PAIRS, height):
        yield page
        after = page[-1][0]


def name_of(height: int) -> str:
    """The file of the snapshot of ``height``."""
    return f"{FOLDER}/{height:0{_DIGITS}d}"


def _chunks(chain: Chain, payloads: list[bytes]) -> Iterator[bytes]:
    previous = bytes(_DIGEST)
    for payload in payloads:
        previous = _chained(chain, previous, payload)
        yield len(payload).to_bytes(_LENGTH, "big") + payload + previous


def _chained(chain: Chain, previous: bytes, payload: bytes) -> bytes:
    return digest(wire.domain("snapshot", chain) + previous + payload)


def read_head(disk: Disk, chain: Chain, name: str) -> SnapshotHead:
    """The head of the snapshot file ``name``; raises Damaged."""
    return _head(next(_payloads(disk, chain, name)), name)


def _head(payload: bytes, name: str) -> SnapshotHead:
    try:
        return wire.decode(_heads, payload)
    except BadFrame as error:
        raise Damaged(error.detail, where=name) from error


def pairs_of(disk: Disk, chain: Chain, name: str) -> Iterator[tuple[bytes, bytes]]:
    """The state's pairs in key order; raises Damaged at the first byte that is not what was written."""
    payloads = _payloads(disk, chain, name)
    left = _head(next(payloads), name).pairs
    for payload in payloads:
        try:
            pairs = wire.decode(_pairs, payload)
        except BadFrame as error:
            raise Damaged(error.detail, where=name) from error
        if len(pairs) != min(left, _PAIRS):
            raise Damaged("a chunk has another number of pairs", where=name)
        left -= len(pairs)
        yield from pairs
    if left:
        raise Damaged(f"{left} pairs are missing", where=name)


def _payloads(disk: Disk, chain: Chain, name: str) -> Iterator[bytes]:
    """The payload of each chunk, checked; at least one."""
    offset, size, previous = 0, disk.size(name), bytes(_DIGEST)
    while offset < size or not offset:
        length = int.from_bytes(disk.read(name, offset, _LENGTH), "big")
        end = offset + _LENGTH + length + _DIGEST
        chunk = disk.read(name, offset + _LENGTH, length + _DIGEST) if end <= size else b""
        payload, found = chunk[:length], chunk[length:]
        previous = _chained(chain, previous, payload)
        if found != previous:
            raise Damaged("a chunk is not what was written", where=f"{name}, byte {offset}")
        yield payload
        offset = end
