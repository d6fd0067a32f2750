"""What replicas say to each other to transfer a snapshot of the state: the part of ``wire`` for that."""

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["Chunk", "FetchChunk", "FetchSnapshot", "Manifest", "Offer", "SnapshotFrame"]

Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
Count = Annotated[int, Meta(ge=0, lt=2**53)]
Height = Annotated[int, Meta(ge=1, lt=2**53)]


class Manifest(Struct, frozen=True, array_like=True):
    """A snapshot of the state: what all correct replicas agree on that have one of the same height."""

    height: Height
    size: Annotated[int, Meta(ge=1, lt=2**53)]
    """Of the log that ends with the block of ``height``."""
    root: Digest
    """Of that log."""
    pairs: Count
    chunks: tuple[Digest, ...]
    """The digest of each chunk: the encoding of pairs (state key, value), in key order."""


class FetchSnapshot(Struct, frozen=True, array_like=True, tag=20):
    """Asks for the snapshots that the sender has of a log of ``size`` entries or less."""

    size: Count


class Offer(Struct, frozen=True, array_like=True, tag=21):
    """The snapshots that the sender has, each with the proof that its log begins the tree of ``size``."""

    size: Count
    snapshots: Annotated[tuple[tuple[Manifest, tuple[Digest, ...]], ...], Meta(max_length=2)]
    """Newest first."""


class FetchChunk(Struct, frozen=True, array_like=True, tag=22):
    """Asks for chunk ``index`` of the snapshot of ``height``."""

    height: Height
    index: Count


class Chunk(Struct, frozen=True, array_like=True, tag=23):
    """The bytes of that chunk."""

    height: Height
    index: Count
    body: bytes


SnapshotFrame = FetchSnapshot | Offer | FetchChunk | Chunk
