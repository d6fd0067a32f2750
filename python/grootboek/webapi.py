"""What the HTTP API and its clients agree on besides the wire formats."""

from typing import Any, Final, Literal

from msgspec import Struct

from grootboek.errors import CATALOGUE, BadAnswer, GrootboekError, Rejected

__all__ = [
    "JSON",
    "MSGPACK",
    "OCTETS",
    "PROOF",
    "REQUEST_BYTES",
    "REQUEST_TRANSACTIONS",
    "ErrorBody",
    "LedgerEvent",
    "NodeStatus",
    "PeerStatus",
    "QueryAnswer",
    "body_of",
    "error_of",
]

JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"
"""A wire Struct in its canonical encoding."""
OCTETS: Final = "application/octet-stream"
"""Framed transactions, tiles and entry bundles."""
PROOF: Final = "text/plain"
"""A C2SP text: a checkpoint or a tlog-proof."""

REQUEST_TRANSACTIONS: Final = 1_000
"""How many transactions one POST may carry."""
REQUEST_BYTES: Final = 4 << 20
"""How many bytes of framed transactions one POST may carry."""

Format = Literal["json", "msgpack", "text"]
"""Forms of a receipt."""


class PeerStatus(Struct, frozen=True, kw_only=True):
    """What a node knows of another replica."""

    name: str
    connected: bool


class NodeStatus(Struct, frozen=True, kw_only=True):
    """One row of ``grootboek status``: where a node is, and what it sees."""

    name: str
    replica: int
    """Its index in the present epoch; the number of replicas for one that observes."""
    epoch: int = 0
    version: str
    """Of grootboek."""
    backend: str
    """The Ed25519 backend that the CPU chose."""
    view: int
    primary: str
    """The name of the primary of ``view``."""
    active: bool
    """Whether it takes part in ``view`` (false while it changes view)."""
    height: int
    """Of the last executed block."""
    seq: int
    size: int
    """Log entries."""
    root: bytes
    """The state root after ``height``."""
    time: int
    """Agreed time of the last executed block, milliseconds since 1970."""
    certified_height: int
    """Of the newest block that a quorum has cosigned."""
    certified_size: int
    complete: bool = False
    """Whether it holds all that it has ever signed for, in the present ``epoch``: only then does its ``size``
    count for a linearizable read.
    """
    lag: int
    """How many sequence numbers it is behind the highest certificate that it has seen."""
    pool: int
    """Transactions that wait to be ordered."""
    peers: tuple[PeerStatus, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why it is not ready; empty where it is."""
    errors: tuple[str, ...] = ()
    """Recent faults of its own, newest first."""


class QueryAnswer(Struct, frozen=True, kw_only=True):
    """What a module's query said: one node's word, without a proof."""

    module: str
    query: str
    height: int
    """The state that was asked is that after this block."""
    time: int
    """Agreed time of that block, milliseconds since 1970."""
    result: Any


class LedgerEvent(Struct, frozen=True, kw_only=True):
    """One event of a command, from a certified block."""

    cursor: str
    """``height/position in the block``: to resume after this event. Each event has one, for ever."""
    height: int
    time: int
    """Agreed time of the block, milliseconds since 1970."""
    index: int
    """Log index of the record that carries the event."""
    transaction: bytes
    """The transaction's id."""
    command: int
    """The command's index in its transaction."""
    module: str
    name: str
    body: bytes
    """The event's canonical encoding."""
    fields: Any
    """What ``body`` decodes to, without its field names."""


class ErrorBody(Struct, frozen=True, kw_only=True):
    """The JSON body of each answer that is an error."""

    code: str
    """Stable; ``grootboek explain CODE`` prints more."""
    title: str
    detail: str = ""
    where: str = ""
    """A field (``$.amount``), parameter or path."""
    fix: str = ""
    """What the reader should do."""
    reason: str = ""
    """The module's own reason where a rule refused (GB-7005)."""


def body_of(error: GrootboekError) -> ErrorBody:
    """How ``error`` crosses the API."""
    reason = error.reason if isinstance(error, Rejected) else ""
    detail = "" if reason else error.detail
    return ErrorBody(
        code=error.code, title=error.title, detail=detail, where=error.where, fix=error.fix, reason=reason
    )


def error_of(body: ErrorBody) -> GrootboekError:
    """The error that a node named; BadAnswer for a code that this version does not know."""
    kind = CATALOGUE.get(body.code)
    if kind is None:
        return BadAnswer(f"{body.code}: {body.title}: {body.detail}", where=body.where)
    if issubclass(kind, Rejected):
        return kind(body.reason, where=body.where)
    return kind(body.detail, where=body.where)
