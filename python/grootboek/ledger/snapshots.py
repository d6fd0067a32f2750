"""Snapshots: the state after a block, in chunks that a manifest names.

``snapshots/<height, 16 digits>``       the chunks, one after the other
``snapshots/<height, 16 digits>.head``  the encoding of ``SnapshotHead`` and the digest of that, written
                                        when the chunks are synced

Without its head a file of chunks is what a crash has left. ``incoming/`` has the same two files of a
snapshot that comes from other replicas. The manifest follows from state and log alone, so replicas can
compare theirs.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from grootboek import wire
from grootboek._core import digest
from grootboek.disk import Disk
from grootboek.errors import BadFrame, Damaged
from grootboek.ledger.store import Store
from grootboek.transfer import Manifest
from grootboek.types import Chain
from grootboek.wire import Certificate, Digest

__all__ = [
    "CHUNK_BYTES",
    "FOLDER",
    "INCOMING",
    "SnapshotHead",
    "chunk",
    "chunk_digest",
    "clear",
    "decode_pairs",
    "head_name",
    "heads",
    "heights",
    "name_of",
    "pairs_of",
    "remove",
    "usable",
    "write",
    "write_head",
]

FOLDER: Final = "snapshots"
INCOMING: Final = "incoming"
KEPT: Final = 2
CHUNK_BYTES: Final = 512 << 10
"""How large a chunk is, in keys and values."""
_DIGITS: Final = 16
_HEAD: Final = ".head"
_DIGEST: Final = 32
_PAGE: Final = 512
"""Pairs that are read from the state at once."""


class SnapshotHead(Struct, frozen=True, array_like=True, tag=2):
    """What is known of a snapshot on this disk."""

    chain: Digest
    manifest: Manifest
    certificate: Certificate
    """Of the log through the snapshot's block, or further."""
    ends: tuple[Annotated[int, Meta(ge=0, lt=2**53)], ...]
    """The position after each chunk."""


Pairs = tuple[tuple[bytes, bytes], ...]
_heads: Final = msgspec.msgpack.Decoder(SnapshotHead)
_pairs: Final = msgspec.msgpack.Decoder(Pairs)


def name_of(height: int, folder: str = FOLDER) -> str:
    """The file of the chunks of ``height``."""
    return f"{folder}/{height:0{_DIGITS}d}"


def head_name(height: int, folder: str = FOLDER) -> str:
    """The file of the head of ``height``."""
    return name_of(height, folder) + _HEAD


def heights(disk: Disk, folder: str = FOLDER) -> list[int]:
    """Of all whole snapshots, ascending; raises Damaged for a head whose name is no height."""
    found = [name.removesuffix(_HEAD) for name in disk.names(folder) if name.endswith(_HEAD)]
    for name in found:
        if not (len(name) == _DIGITS and name.isascii() and name.isdecimal()):
            raise Damaged("this file is not one of a snapshot", where=f"{folder}/{name}{_HEAD}")
    return [int(name) for name in found]


def chunk_digest(chain: Chain, body: bytes) -> bytes:
    """What a manifest says of a chunk."""
    return digest(wire.domain("snapshot", chain) + body)


# --- writing -------------------------------------------------------------------------------------


def write(  # noqa: PLR0917  # the facts of a snapshot
    disk: Disk,
    chain: Chain,
    store: Store,
    at: tuple[int, int, bytes],
    certificate: Certificate,
    chunk_bytes: int = CHUNK_BYTES,
) -> None:
    """Write the snapshot of ``at`` (height, size and root of the log), and remove all but the last two.

    ``certificate`` is of that size or above. In memory is one chunk at a time: it ends with the pair that
    brings its keys and values to ``chunk_bytes``.
    """
    height, size, root = at
    remove(disk, height)
    name, digests, ends, pairs = name_of(height), [], [0], 0
    for group in _groups(_pairs_at(store, height), chunk_bytes):
        body = wire.encode(tuple(group))
        disk.append(name, body)
        digests.append(chunk_digest(chain, body))
        ends.append(ends[-1] + len(body))
        pairs += len(group)
    if digests:
        disk.sync(name)
    manifest = Manifest(height, size, root, pairs, tuple(digests))
    head = SnapshotHead(chain.digest, manifest, certificate, tuple(ends[1:]))
    write_head(disk, chain, head)
    _tidy(disk)


def write_head(disk: Disk, chain: Chain, head: SnapshotHead, folder: str = FOLDER) -> None:
    """Make a snapshot whole, once its chunks are synced."""
    data = wire.encode(head)
    disk.write(head_name(head.manifest.height, folder), data + chunk_digest(chain, data))


def _pairs_at(store: Store, height: int) -> Iterator[tuple[bytes, bytes]]:
    after: bytes | None = None
    while page := store.scan_at(b"", after, _PAGE, height):
        yield from page
        after = page[-1][0]


def _groups(pairs: Iterable[tuple[bytes, bytes]], chunk_bytes: int) -> Iterator[list[tuple[bytes, bytes]]]:
    group: list[tuple[bytes, bytes]] = []
    size = 0
    for pair in pairs:
        group.append(pair)
        size += len(pair[0]) + len(pair[1])
        if size >= chunk_bytes:
            yield group
            group, size = [], 0
    if group:
        yield group


def remove(disk: Disk, height: int, folder: str = FOLDER) -> None:
    """Remove a snapshot, whole or not: the head first, so that no crash leaves one without its chunks."""
    present = disk.names(folder)
    for name in (head_name(height, folder), name_of(height, folder)):
        if name.removeprefix(f"{folder}/") in present:
            disk.remove(name)


def clear(disk: Disk) -> None:
    """Empty the folder ``incoming``: a head before its chunks."""
    for name in reversed(disk.names(INCOMING)):
        disk.remove(f"{INCOMING}/{name}")


def _tidy(disk: Disk) -> None:
    kept = heights(disk)[-KEPT:]
    for name in disk.names(FOLDER):
        height = int(name.removesuffix(_HEAD))
        if height not in kept:
            remove(disk, height)


# --- reading -------------------------------------------------------------------------------------


def heads(disk: Disk, chain: Chain, folder: str = FOLDER) -> Iterator[SnapshotHead]:
    """The head of each whole snapshot, newest first; raises Damaged."""
    for height in reversed(heights(disk, folder)):
        yield _head(disk, chain, height, folder)


def usable(disk: Disk, chain: Chain) -> list[SnapshotHead]:
    """The same, but for damaged ones: nothing depends on them, and the audit tells of them."""
    try:
        return list(heads(disk, chain))
    except Damaged:
        return []


def _head(disk: Disk, chain: Chain, height: int, folder: str) -> SnapshotHead:
    name = head_name(height, folder)
    whole = disk.read(name)
    data, expected = whole[:-_DIGEST], whole[-_DIGEST:]
    if chunk_digest(chain, data) != expected:
        raise Damaged("it is not what was written", where=name)
    try:
        head = wire.decode(_heads, data)
    except BadFrame as error:
        raise Damaged(error.detail, where=name) from error
    if head.chain != chain.digest or head.manifest.height != height:
        raise Damaged("the file's name and content do not agree", where=name)
    if len(head.ends) != len(head.manifest.chunks) or any(a >= b for a, b in pairwise((0, *head.ends))):
        raise Damaged("the chunks and their places do not agree", where=name)
    return head


def chunk(disk: Disk, head: SnapshotHead, index: int, folder: str = FOLDER) -> bytes:
    """The bytes of a chunk as they are on the disk."""
    start = head.ends[index - 1] if index else 0
    return disk.read(name_of(head.manifest.height, folder), start, head.ends[index] - start)


def decode_pairs(body: bytes) -> Pairs:
    """The pairs of a chunk; raises BadFrame."""
    return wire.decode(_pairs, body)


def pairs_of(
    disk: Disk, chain: Chain, head: SnapshotHead, folder: str = FOLDER
) -> Iterator[tuple[bytes, bytes]]:
    """The state's pairs in key order; raises Damaged at the first byte that is not what was written."""
    name = name_of(head.manifest.height, folder)
    left, last = head.manifest.pairs, b""
    for index, expected in enumerate(head.manifest.chunks):
        body = chunk(disk, head, index, folder)
        if chunk_digest(chain, body) != expected:
            raise Damaged(f"chunk {index} is not what was written", where=name)
        try:
            pairs = decode_pairs(body)
        except BadFrame as error:
            raise Damaged(error.detail, where=name) from error
        for key, value in pairs:
            if key <= last:
                raise Damaged("the keys are not in order", where=name)
            last = key
            yield key, value
        left -= len(pairs)
    if left or disk.size(name) != max(head.ends, default=0):
        raise Damaged("the number of pairs or bytes is not what was written", where=name)
