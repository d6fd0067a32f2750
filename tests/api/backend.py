"""A backend over a real ledger, where all replicas' keys lie in one hand and every request is a block."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct, structs
from prometheus_client import CollectorRegistry

from grootboek import notes
from grootboek._core import SigningKey, State, TransactionBatch
from grootboek.errors import CATALOGUE
from grootboek.ledger import Context, Ledger, Module, Registry, Table, View, command, query
from grootboek.ledger.module import Rejected
from grootboek.node.keystore import ReplicaKeys
from grootboek.proofs import Answer, Final, Refused
from grootboek.simulation.disk import SimulatedDisk
from grootboek.types import Genesis, Limits
from grootboek.webapi import NodeStatus, PeerStatus
from grootboek.wire import Certificate, Cosignature, Evidence

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


class Put(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Write a row, and say so."""

    key: str
    value: bytes


class Written(Struct, frozen=True, array_like=True):
    """A row was written."""

    key: str
    size: int


class Row(Struct, frozen=True, array_like=True):
    """A value with the height it came with."""

    value: bytes
    height: int


class Ask(Struct, frozen=True, forbid_unknown_fields=True):
    """Which row."""

    key: str


class Search(Struct, frozen=True, forbid_unknown_fields=True):
    """One parameter of each kind."""

    keys: tuple[str, ...] = ()
    raw: bytes = b""
    limit: int = 10
    exact: bool = False
    row: Row | None = None


rows = Table("row", Row)


class Shelf(Module):
    """Rows by key."""

    name: ClassVar[str] = "shelf"
    version: ClassVar[int] = 2
    roles: ClassVar[dict[str, str]] = {"shelf.keeper": "keeps the shelf"}
    reasons: ClassVar[dict[str, str]] = {"too-long": "the value is too long"}

    @command
    def put(self, ctx: Context, state: View, cmd: Put) -> None:
        """Write a row."""
        if len(cmd.value) > 100:
            raise Rejected("too-long")
        rows.put(state, Row(cmd.value, ctx.height), cmd.key)
        state.emit(Written(cmd.key, len(cmd.value)))

    @query
    def row(self, state: View, args: Ask) -> Row | None:
        """The row of a key."""
        return rows.get(state, args.key)

    @query
    def search(self, state: View, args: Search) -> Search:
        """What was asked."""
        rows.get(state, "any")
        return args

    @query
    def private(self, _: View, args: Ask) -> Row:
        """Nobody may ask."""
        raise Rejected("not-yours", args.key)

    @query
    def broken(self, _: View, __: Ask) -> Row:
        """A defect of the module."""
        raise RuntimeError("SECRET")


def keys(replicas: int = 4) -> list[ReplicaKeys]:
    return [
        ReplicaKeys(
            name=f"replica-{i}",
            voting=bytes([1, i]) * 16,
            cosigning=bytes([2, i]) * 16,
            log=bytes([3, i]) * 16,
            transport=bytes([4, i]) * 16,
            api=bytes([5, i]) * 16,
        )
        for i in range(replicas)
    ]


def found(apis: Sequence[str] = ("127.0.0.1:1",) * 4, limits: Limits | None = None) -> Genesis:
    """The genesis file of four replicas with these API addresses."""
    made = Genesis(
        name="example.org/shelf",
        time=START_MS,
        limits=limits or Limits(),
        modules={"shelf": 2},
        replicas=tuple(
            structs.replace(one.public("127.0.0.1:1", "127.0.0.1:1"), api=api)
            for one, api in zip(keys(), apis, strict=True)
        ),
    )
    made.check()
    return made


class OneHand:
    """All replicas in one: orders each request as a block of its own and certifies it."""

    def __init__(self, genesis: Genesis | None = None, me: int = 0) -> None:
        self._genesis = genesis or found()
        self.me = me
        self._registry = CollectorRegistry()
        self._ledger = Ledger.open(self._genesis, SimulatedDisk(), State(), Registry.of(Shelf))
        self.fail: BaseException | None = None
        """Raised by the next submission."""
        self.reasons: tuple[str, ...] = ()
        self.hold: asyncio.Event | None = None
        """Submissions wait for it."""
        self.waiting = 0
        self.loop: asyncio.AbstractEventLoop
        self.certifies = True
        self.accusations: tuple[Evidence, ...] = ()

    @property
    def genesis(self) -> Genesis:
        return self._genesis

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def registry(self) -> CollectorRegistry:
        return self._registry

    def certificate(self) -> Certificate | None:
        return self._ledger.certificate

    def log_signature(self, certificate: Certificate) -> tuple[int, bytes]:
        body = notes.checkpoint_body(self._genesis.chain.origin, certificate.size, certificate.root)
        return self.me, SigningKey(keys()[self.me].log).sign(body)

    async def submit(self, body: bytes, client: str) -> Answer:
        assert client == "127.0.0.1"
        if self.fail is not None:
            raise self.fail
        self.loop = asyncio.get_running_loop()
        if self.hold is not None:
            self.waiting += 1
            await self.hold.wait()
        return self.order(body)

    def order(self, body: bytes) -> Answer:
        """One block of what is new and admissible in ``body``."""
        batch = TransactionBatch(body, self._genesis.chain.digest)
        good = [i for i, verdict in enumerate(batch.verdicts) if not verdict]
        if good and not all(self._ledger.finals([batch.ids[i] for i in good])):
            self._ledger.execute(self._ledger.seq + 1, self._ledger.time + 1_000, [batch.select(good)])
            if self.certifies:
                self.certify()
        results = [self._result(batch, i) for i in range(len(batch))]
        certificate = self._ledger.certificate
        if certificate is None or certificate.size < self._ledger.size:
            return Answer((), (), None, None)
        return self._ledger.answer(results, certificate, self.log_signature(certificate))

    def _result(self, batch: TransactionBatch, i: int) -> Final | Refused:
        if batch.verdicts[i]:
            code = f"GB-100{batch.verdicts[i]}"
            return Refused(code, CATALOGUE[code].title)
        return self._ledger.final(batch.ids[i]) or Refused("GB-1006", "the transaction has expired")

    def certify(self) -> None:
        """A quorum's cosignatures of the newest block."""
        ledger, origin = self._ledger, self._genesis.chain.origin
        made = []
        for i in (0, 1, 2):
            stamp = ledger.time // 1_000
            signed = notes.cosigned_bytes(origin, ledger.size, ledger.root, stamp)
            made.append(Cosignature(i, stamp, SigningKey(keys()[i].cosigning).sign(signed)))
        path = ledger.inclusion(ledger.size - 1, ledger.size)
        raw = ledger.block(ledger.height).raw
        ledger.certify(Certificate(ledger.size, ledger.root, raw, path, tuple(made)))

    def status(self) -> NodeStatus:
        return NodeStatus(
            name=f"replica-{self.me}",
            replica=self.me,
            version="0",
            backend="none",
            view=0,
            primary="replica-0",
            active=True,
            height=self._ledger.height,
            seq=self._ledger.seq,
            size=self._ledger.size,
            root=self._ledger.state_root,
            time=self._ledger.time,
            certified_height=self._ledger.height,
            certified_size=self._ledger.size,
            complete=True,
            lag=0,
            pool=0,
            peers=(PeerStatus(name="replica-1", connected=True),),
        )

    def ready(self) -> Sequence[str]:
        return self.reasons

    def evidence(self) -> Sequence[Evidence]:
        return self.accusations
