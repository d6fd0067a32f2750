"""A small world for the ledger's tests: a module, signers, a genesis file and signed certificates."""

import base64
from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec
from msgspec import Struct

from grootboek import notes, proofs, wire
from grootboek._core import SigningKey, State, TransactionBatch, command_root, digest
from grootboek.disk import Disk
from grootboek.ledger import Block, Context, Ledger, Module, Registry, Table, View, command, query
from grootboek.ledger.module import Rejected
from grootboek.types import Genesis, Limits, Party, ReplicaInfo
from grootboek.wire import Certificate, Command, Cosignature, Header, Transaction
from tests.ledger.disks import CrashDisk

START = 1_700_000_000_000
REPLICAS = 4


class Put(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    key: str
    value: bytes


class Delete(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    key: str


class Add(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Adds to a counter; refused above its ceiling."""

    key: str
    amount: int
    ceiling: int = 1_000


class Count(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Writes how many rows there are below a prefix."""

    prefix: str
    into: str


class Fail(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Writes, says something, and then fails in the way that is asked for."""

    way: str


class Approve(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    what: str


class Changed(Struct, frozen=True, array_like=True):
    key: str


class Row(Struct, frozen=True, array_like=True):
    value: bytes


class Number(Struct, frozen=True, array_like=True):
    value: int


class Ask(Struct, frozen=True):
    key: str


FAILURES: dict[str, BaseException] = {
    "rejected": Rejected("not-today", "a detail"),
    "bad reason": Rejected("Not Kebab"),
    "reserved reason": Rejected("applied"),
    "long reason": Rejected("x" * 65),
    "value": ValueError("wrong"),
    "lookup": KeyError("nothing"),
    "arithmetic": ZeroDivisionError(),
    "assertion": AssertionError(),
    "memory": MemoryError(),
    "recursion": RecursionError(),
    "os": OSError(5, "Input/output error"),
    "exit": SystemExit(0),
    "generator": GeneratorExit(),
}

rows = Table("row", Row)
numbers = Table("number", Number)


class Shelf(Module):
    """A module with one command for each thing that a ledger must get right."""

    name: ClassVar[str] = "shelf"
    version: ClassVar[int] = 3

    @command
    def put(self, _: Context, state: View, cmd: Put) -> None:
        rows.put(state, Row(cmd.value), cmd.key)
        state.emit(Changed(cmd.key))

    @command
    def delete(self, _: Context, state: View, cmd: Delete) -> None:
        rows.delete(state, cmd.key)

    @command
    def add(self, _: Context, state: View, cmd: Add) -> None:
        before = numbers.get(state, cmd.key) or Number(0)
        after = Number(before.value + cmd.amount)
        numbers.put(state, after, cmd.key)
        state.emit(Changed(cmd.key))
        if after.value > cmd.ceiling:
            raise Rejected("above-ceiling")

    @command
    def count(self, _: Context, state: View, cmd: Count) -> None:
        found = [key for key, _ in state.scan(rows.key() + b"\x02" + cmd.prefix.encode())]
        numbers.put(state, Number(len(found)), cmd.into)

    @command
    def fail(self, _: Context, state: View, cmd: Fail) -> None:
        rows.put(state, Row(b"never"), "failed")
        state.emit(Changed("failed"))
        raise FAILURES[cmd.way]

    @command
    def approve(self, ctx: Context, state: View, cmd: Approve) -> None:
        party = ctx.require("shelf.keeper")
        rows.put(state, Row(party), cmd.what)

    @query
    def row(self, state: View, args: Ask) -> Row | None:
        return rows.get(state, args.key)

    @query
    def stray(self, state: View, args: Ask) -> None:
        rows.put(state, Row(b""), args.key)

    def invariants(self, state: View) -> Iterator[tuple[str, bool]]:
        yield "N1", all(number.value >= 0 for number in numbers.every(state))


REGISTRY = Registry.of(Shelf)


def known_key(*names: str | int) -> SigningKey:
    return SigningKey(digest("/".join(["ledger tests", *map(str, names)]).encode()))


COSIGNERS = [known_key("cosigning", i) for i in range(REPLICAS)]
LOG_KEYS = [known_key("log", i) for i in range(REPLICAS)]
KEEPER = known_key("keeper")
KEEPER_ID = bytes(range(16))
STRANGER = known_key("stranger")


def make_genesis(**limits: int) -> Genesis:
    placeholder = base64.b64encode(b"none").decode()
    replicas = tuple(
        ReplicaInfo(
            name=f"replica-{i}",
            address=f"replica-{i}.invalid:1",
            api=f"replica-{i}.invalid:2",
            voting=known_key("voting", i).public.hex(),
            cosigning=COSIGNERS[i].public.hex(),
            log=LOG_KEYS[i].public.hex(),
            transport_certificate=placeholder,
            api_certificate=placeholder,
        )
        for i in range(REPLICAS)
    )
    keeper = Party(id=KEEPER_ID.hex(), keys=(KEEPER.public.hex(),), roles=("shelf.keeper",))
    genesis = Genesis(
        name="example.org/shelf",
        time=START,
        limits=Limits(**limits),
        modules={"shelf": 3},
        replicas=replicas,
        parties=(keeper,),
    )
    genesis.check()
    return genesis


GENESIS = make_genesis()


def encoded(cmd: Struct, *, module: str = "shelf", version: int = 3, salt: bytes = bytes(16)) -> bytes:
    body = wire.encode(cmd)
    return wire.encode(Command(module, type(cmd).__name__, version, body, salt))


def transaction(
    *commands: Struct | bytes,
    nonce: int = 0,
    expiry: int = START + 300_000,
    atomic: bool = False,
    keys: Sequence[SigningKey] = (STRANGER,),
    genesis: Genesis = GENESIS,
) -> bytes:
    """A framed, signed transaction."""
    raw = tuple(cmd if isinstance(cmd, bytes) else encoded(cmd) for cmd in commands)
    header = wire.encode(
        Header(
            chain=genesis.chain.id,
            signers=tuple(key.public for key in keys),
            nonce=nonce,
            expiry=expiry,
            atomic=atomic,
            count=len(raw),
            root=command_root(raw),
        )
    )
    signed = wire.transaction_bytes(genesis.chain, header)
    data = wire.encode(Transaction(header, tuple(key.sign(signed) for key in keys), raw))
    return len(data).to_bytes(4, "big") + data


def batch(*frames: bytes, genesis: Genesis = GENESIS) -> TransactionBatch:
    made = TransactionBatch(b"".join(frames), genesis.chain.digest)
    assert not any(made.verdicts), list(made.verdicts)
    return made


def certify(ledger: Ledger, *, signers: Sequence[int] = (0, 1, 2)) -> Certificate:
    """A quorum's certificate of the ledger's last block, which the ledger learns of."""
    made = certificate_of(ledger, ledger.block(ledger.height).raw, ledger.size, signers)
    ledger.certify(made)
    return made


def certificate_of(ledger: Ledger, raw: bytes, size: int, signers: Sequence[int] = (0, 1, 2)) -> Certificate:
    root = ledger.root if size == ledger.size else ledger._log.root(size)
    stamp = START // 1_000
    signed = notes.cosigned_bytes(ledger.chain.origin, size, root, stamp)
    cosignatures = tuple(Cosignature(i, stamp, COSIGNERS[i].sign(signed)) for i in signers)
    return Certificate(size, root, raw, ledger.inclusion(size - 1, size), cosignatures)


def log_signature(certificate: Certificate, genesis: Genesis = GENESIS) -> tuple[int, bytes]:
    body = notes.checkpoint_body(genesis.chain.origin, certificate.size, certificate.root)
    return 1, LOG_KEYS[1].sign(body)


class World:
    """A ledger over a simulated disk, and counters that make its inputs new ones."""

    def __init__(self, genesis: Genesis = GENESIS, registry: Registry = REGISTRY) -> None:
        self.genesis = genesis
        self.registry = registry
        self.disk = CrashDisk()
        self.state = State()
        self.ledger = self.open()
        self.nonce = 0

    def open(self, disk: Disk | None = None, state: State | None = None) -> Ledger:
        return Ledger.open(
            self.genesis, disk or self.disk, self.state if state is None else state, self.registry
        )

    def transaction(self, *commands: Struct | bytes, **options: object) -> bytes:
        self.nonce += 1
        return transaction(*commands, nonce=self.nonce, genesis=self.genesis, **options)  # type: ignore[arg-type]  # passed on

    def execute(self, *frames: bytes, time: int | None = None) -> Block:
        """One block of these transactions, a second after the last one."""
        return self.ledger.execute(
            self.ledger.seq + 1,
            self.ledger.time + 1_000 if time is None else time,
            [batch(*frames, genesis=self.genesis)],
        )

    def run(self, *commands: Struct | bytes, **options: object) -> list[str]:
        """One transaction in a block of its own: the outcome of each command."""
        block = self.execute(self.transaction(*commands, **options))
        (_, final) = block.results[0]
        assert isinstance(final, proofs.Final)
        return [outcome for outcome, _ in final.records]

    def fill(self, blocks: int, each: int = 3) -> None:
        """Some blocks of writes, deletions, refusals and events."""
        for number in range(blocks):
            self.execute(
                *(
                    self.transaction(
                        Put(f"k{(number * each + i) % 7}", bytes([number, i])), Add("sum", i, 40)
                    )
                    for i in range(each)
                ),
                self.transaction(Delete(f"k{number % 5}"), keys=(KEEPER,)),
            )

    def save(self) -> None:
        self.ledger.sync()
        self.ledger.flush()


def value_of(ledger: Ledger, key: str, height: int | None = None) -> bytes | None:
    row = rows.get(ledger.view("shelf", height), key)
    return None if row is None else row.value


def number_of(ledger: Ledger, key: str, height: int | None = None) -> int:
    row = numbers.get(ledger.view("shelf", height), key)
    return 0 if row is None else row.value


def decoded(entry: bytes) -> wire.RecordEntry:
    return msgspec.msgpack.decode(entry[1:], type=wire.RecordEntry)
