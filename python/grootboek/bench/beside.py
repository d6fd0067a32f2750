"""What a page may show beside our runs: figures of other systems, and what ``bench budget`` has measured.

Nothing of others is known to grootboek itself: whoever writes such a file says in ``source`` how its
figures were measured.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from grootboek.bench.budget import Budget
from grootboek.errors import ConfigError

__all__ = ["Peer", "PeerPoint", "load_budget", "load_peers"]

T = TypeVar("T")
Amount = Annotated[float, Meta(ge=0)]


class PeerPoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of another system."""

    records_per_s: Amount
    p50_ms: Amount | None = None
    p99_ms: Amount | None = None


class Peer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another system under one workload."""

    name: str
    source: Annotated[str, Meta(min_length=1)]
    """How, when and on what machine it was measured, or where it was published."""
    workload: str
    """Which of ours it stands beside."""
    replicas: Annotated[int, Meta(ge=1)]
    points: Annotated[tuple[PeerPoint, ...], Meta(min_length=1)]


def load_peers(path: Path) -> Sequence[Peer]:
    """A JSON array of Peer; raises ConfigError."""
    return _load(path, tuple[Peer, ...])


def load_budget(path: Path) -> Budget:
    """What ``bench budget --json`` wrote; raises ConfigError."""
    return _load(path, Budget)


def _load(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(error), where=str(path)) from error
