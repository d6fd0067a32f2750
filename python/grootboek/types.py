"""What every layer agrees on: limits, quorums, the genesis file and who is in it."""

import base64
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import msgspec
from msgspec import Meta, Struct

from grootboek._core import digest
from grootboek.errors import GenesisError

__all__ = [
    "CHAIN_BYTES",
    "Chain",
    "Epoch",
    "Genesis",
    "Limits",
    "Millis",
    "Party",
    "PublicKey",
    "Quorum",
    "ReplicaInfo",
    "check_replicas",
]

CHAIN_BYTES = 8
"""How much of the genesis digest a transaction and the log's origin repeat."""

Millis = Annotated[int, Meta(ge=0, lt=2**53)]
"""Milliseconds since 1970-01-01T00:00:00Z, or a span of them."""

PublicKey = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""An Ed25519 public key."""

_Positive = Annotated[int, Meta(ge=1, lt=2**53)]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every limit of a ledger, fixed in its genesis file. Bytes and milliseconds, inclusive."""

    # Consensus (protocol sections: window, timers, block time).
    window: _Positive = 64
    """W: how many sequence numbers may be in flight above the last stable checkpoint."""
    view_timer_ms: _Positive = 1_000
    view_timer_cap_ms: _Positive = 8_000
    clock_bound_ms: _Positive = 5_000
    """How far a proposed time may be ahead of a backup's clock."""
    batch_transactions: _Positive = 1_000
    batch_bytes: _Positive = 1 << 20
    block_batches: _Positive = 16
    """How many batches one sequence number may name."""

    # Transactions.
    validity_ms: _Positive = 600_000
    """How far a transaction's expiry may be after the time of its block."""
    signers: _Positive = 16
    commands: _Positive = 1_000
    command_bytes: _Positive = 48 << 10
    transaction_bytes: _Positive = 256 << 10

    # Execution, for one command.
    reads: _Positive = 10_000
    writes: _Positive = 10_000
    scanned_rows: _Positive = 10_000
    events: _Positive = 100
    event_bytes: _Positive = 12 << 10
    key_bytes: _Positive = 512
    value_bytes: _Positive = 60 << 10

    # The node.
    frame_bytes: _Positive = 4 << 20
    pool_transactions: _Positive = 20_000
    pool_bytes: _Positive = 32 << 20
    proof_heights: _Positive = 1_024
    """For how many of the last heights state proofs are served."""


class Quorum(Struct, frozen=True):
    """The quorum arithmetic of n replicas: the only place that knows it.

    Any two sets of ``quorum`` replicas share at least ``weak`` of them, of which one is correct;
    ``quorum`` correct replicas exist while at most ``faults`` are faulty.
    """

    n: int
    faults: int
    """f, the number of arbitrarily faulty replicas that are tolerated."""
    quorum: int
    """q, how many votes make a certificate."""
    weak: int
    """f + 1: at least one of so many replicas is correct."""

    @classmethod
    def of(cls, n: int) -> Self:
        """The arithmetic for ``n`` >= 1 replicas."""
        faults = (n - 1) // 3
        return cls(n=n, faults=faults, quorum=(n + faults + 2) // 2, weak=faults + 1)

    def reached(self, said: Iterable[int]) -> int | None:
        """How far a quorum says that it is, of what different replicas said; None where they are too few.

        What was certified before they were asked is no further: the quorum shares a correct replica with
        those who cosigned it. The lowest make the quorum, so that liars cannot say how far it is.
        """
        lowest = sorted(said)
        return lowest[self.quorum - 1] if len(lowest) >= self.quorum else None


class Chain(Struct, frozen=True, dict=True, cache_hash=True):
    """Which ledger a signed or hashed value belongs to."""

    name: str
    digest: bytes
    """32 bytes: the digest of the genesis file."""

    @property
    def id(self) -> bytes:
        """The chain id that each transaction carries."""
        return self.digest[:CHAIN_BYTES]

    @cached_property
    def origin(self) -> str:
        """The origin line of the log's checkpoints (C2SP tlog-checkpoint)."""
        return f"{self.name}/{self.id.hex()}"


class ReplicaInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One replica as the genesis file presents it.

    Keys are lower-case hex of 32 bytes; certificates are self-signed X.509, base64 of their DER
    form. All are public.
    """

    name: str
    address: str
    """``host:port`` of the replica mesh."""
    api: str
    """``host:port`` of the HTTP API."""
    voting: str
    cosigning: str
    log: str
    transport_certificate: str
    api_certificate: str

    @property
    def voting_key(self) -> bytes:
        """The key of the replica's protocol messages."""
        return bytes.fromhex(self.voting)

    @property
    def cosigning_key(self) -> bytes:
        """The key of its checkpoint cosignatures; it belongs to one epoch."""
        return bytes.fromhex(self.cosigning)

    @property
    def log_key(self) -> bytes:
        """The key with which it signs checkpoints that a quorum has cosigned."""
        return bytes.fromhex(self.log)


class Epoch(Struct, frozen=True, dict=True):
    """Who runs the ledger from one hand-over to the next. Indexes of replicas are those of their epoch."""

    number: int
    """0 is the epoch that the genesis file founds."""
    start: int
    """The size of the log where it begins: the block that closed the epoch before ends there."""
    replicas: tuple[ReplicaInfo, ...]

    @cached_property
    def quorum(self) -> Quorum:
        """Its quorum arithmetic."""
        return Quorum.of(len(self.replicas))

    def index(self, name: str) -> int | None:
        """The index of the replica called ``name``, if it takes part."""
        return next((i for i, replica in enumerate(self.replicas) if replica.name == name), None)

    def reached(self, said: Iterable[int]) -> int | None:
        """How long a log must be to have all that was certified before its replicas ``said`` how long theirs
        are; None where too few did. See ``Quorum.reached``.
        """
        reached = self.quorum.reached(said)
        return None if reached is None else max(reached, self.start)


class Party(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A party of the ledger: a random id, never a name; its keys and roles."""

    id: str
    """Lower-case hex of 16 random bytes."""
    keys: tuple[str, ...]
    roles: tuple[str, ...]
    """``module.role``, for example ``tax.authority``; sorted, each once."""


class Genesis(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The founding document: whoever holds it can verify everything else offline.

    ``Genesis.load(path)`` reads ``genesis.json``. Its digest covers the values, not the JSON text.
    """

    format: str = "grootboek-genesis/1"
    name: str
    """A schema-less URL without spaces or ``+``, for example ``example.org/ledger``."""
    time: Millis
    limits: Limits = Limits()
    modules: dict[str, int]
    """Active modules with their versions."""
    replicas: tuple[ReplicaInfo, ...]
    parties: tuple[Party, ...] = ()

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read and check a genesis file; raises GenesisError."""
        try:
            genesis = cls.from_json(Path(path).read_bytes())
        except OSError as error:
            raise GenesisError(str(error.strerror), where=str(path)) from error
        except GenesisError as error:
            where = f"{path}:{error.where}" if error.where else str(path)
            raise GenesisError(error.detail, where=where) from error
        return genesis

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Parse and check the JSON form; raises GenesisError."""
        try:
            genesis = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise GenesisError(str(error)) from error
        genesis.check()
        return genesis

    def to_json(self) -> bytes:
        """The JSON text of ``genesis.json``."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def check(self) -> None:
        """Raise GenesisError where a rule between fields is broken."""
        if self.format != "grootboek-genesis/1":
            raise GenesisError(f"unknown format {self.format!r}", where="$.format")
        _check_name(self.name, "$.name")
        _check_limits(self.limits)
        seen: set[str] = set()
        check_replicas(self.replicas, seen)
        for i, party in enumerate(self.parties):
            _check_hex(party.id, 16, f"$.parties[{i}].id")
            if list(party.roles) != sorted(set(party.roles)):
                raise GenesisError("must be sorted, each once", where=f"$.parties[{i}].roles")
            for j, key in enumerate(party.keys):
                _check_key(key, seen, f"$.parties[{i}].keys[{j}]")

    @cached_property
    def chain(self) -> Chain:
        """Name and digest; the digest covers the canonical msgpack form of every field."""
        ordered = msgspec.structs.replace(self, modules=dict(sorted(self.modules.items())))
        data = msgspec.msgpack.encode(ordered)
        return Chain(name=self.name, digest=digest(b"grootboek/1 genesis\n" + data))

    @cached_property
    def founding(self) -> Epoch:
        """Epoch 0."""
        return Epoch(0, 0, self.replicas)

    @property
    def quorum(self) -> Quorum:
        """The quorum arithmetic of the founding epoch."""
        return self.founding.quorum

    def replica_index(self, name: str) -> int:
        """The index of the replica called ``name``; raises GenesisError."""
        for i, replica in enumerate(self.replicas):
            if replica.name == name:
                return i
        names = ", ".join(replica.name for replica in self.replicas)
        raise GenesisError(f"no replica is called {name!r} (there are {names})", where="$.replicas")


def check_replicas(replicas: Sequence[ReplicaInfo], seen: set[str]) -> None:
    """Raise GenesisError unless these can run a ledger together.

    ``seen``: keys that are in use; those of the replicas are added.
    """
    if not replicas:
        raise GenesisError("needs at least one replica", where="$.replicas")
    for i, replica in enumerate(replicas):
        _check_name(replica.name, f"$.replicas[{i}].name")
        for field in ("voting", "cosigning", "log"):
            _check_key(getattr(replica, field), seen, f"$.replicas[{i}].{field}")
        for field in ("transport_certificate", "api_certificate"):
            _check_base64(getattr(replica, field), f"$.replicas[{i}].{field}")
    if len({replica.name for replica in replicas}) != len(replicas):
        raise GenesisError("two replicas have the same name", where="$.replicas")


def _check_limits(limits: Limits) -> None:
    """A log entry's length has 16 bits, and a record holds a command, its events and 118 bytes more."""
    room = 65_000
    if limits.command_bytes + limits.event_bytes > room:
        raise GenesisError(f"command_bytes + event_bytes must be at most {room}", where="$.limits")
    if limits.key_bytes > 16_000:  # noqa: PLR2004  # the state takes 16,384, the module's name included
        raise GenesisError("must be at most 16,000", where="$.limits.key_bytes")
    if limits.signers > 16:  # noqa: PLR2004  # wire.Header
        raise GenesisError("must be at most 16", where="$.limits.signers")


def _check_name(text: str, where: str) -> None:
    """What a C2SP key name may hold; names of ledger and replicas become part of one."""
    if not text or any(c.isspace() or c == "+" or not c.isprintable() for c in text):
        raise GenesisError("must be a name without spaces and '+'", where=where)


def _check_hex(text: str, size: int, where: str) -> None:
    if len(text) != 2 * size or text != text.lower() or not all(c in "0123456789abcdef" for c in text):
        raise GenesisError(f"must be {2 * size} lower-case hex digits", where=where)


def _check_key(text: str, seen: set[str], where: str) -> None:
    _check_hex(text, 32, where)
    if text in seen:
        raise GenesisError("the key is used twice", where=where)
    seen.add(text)


def _check_base64(text: str, where: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except ValueError as error:
        raise GenesisError("must be base64", where=where) from error
