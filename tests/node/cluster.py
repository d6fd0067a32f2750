"""Engines over simulated disks, clock and network, driven step by step."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from grootboek._core import SigningKey
from grootboek.client.transactions import Prepared, encode_command, prepare
from grootboek.ledger import Registry
from grootboek.modules.parties import Parties
from grootboek.modules.records import Anchor, Records
from grootboek.network.framing import decode_frame
from grootboek.node.engine import Engine
from grootboek.node.intake import Request
from grootboek.node.judging import judge_batch, judge_request
from grootboek.proofs import Final, Refused
from grootboek.simulation.founding import found, known_key
from grootboek.simulation.heap import EPOCH_MS, Heap
from grootboek.simulation.network import Network
from grootboek.simulation.replica import SimulatedReplica
from grootboek.types import Chain, Epoch, Limits
from grootboek.wire import Batch, Frame

F = TypeVar("F", bound=Frame)

MS = 1_000
FOREVER_MS = 500_000
Results = tuple[Final | Refused, ...]


def anchor(number: int, part: int = 0) -> bytes:
    """An encoded command of the records module."""
    body = Anchor(key=f"doc-{number}-{part}", digest=number.to_bytes(32, "big"))
    return encode_command("records", Records.version, body, salt=number.to_bytes(16, "big"))


def signed(
    chain: Chain,
    number: int,
    *,
    key: SigningKey | None = None,
    expiry: int = EPOCH_MS + FOREVER_MS,
    commands: int = 1,
) -> Prepared:
    """A transaction that follows from its number; each command adds some 120 bytes."""
    signer = key or known_key("client", number % 8)
    records = [anchor(number, part) for part in range(commands)]
    return prepare(chain, [signer], records, expiry=expiry, nonce=number)


class Cluster:
    """``n`` replicas that run whenever ``run`` is called."""

    def __init__(self, n: int = 4, limits: Limits | None = None, registry: Registry | None = None) -> None:
        registry = registry or Registry.of(Parties, Records)
        modules = {name: registry.load(name).version for name in registry.names}
        self.genesis, self.keys = found(n, modules, limits=limits or Limits(window=16))
        self.heap = Heap()
        self.network = Network(self.heap, random.Random(1), self._receive)
        self.lost: Callable[[int, int, Frame], bool] = lambda _sender, _to, _frame: False
        """Which frames the network loses."""
        self.sent: list[tuple[int, int, Frame]] = []
        self.replicas = [
            SimulatedReplica(
                self.genesis,
                i,
                key,
                registry,
                heap=self.heap,
                send=self._send,
                observe=lambda _replica: None,
            )
            for i, key in enumerate(self.keys)
        ]

    # --- life ------------------------------------------------------------------------------------

    def start(self) -> "Cluster":
        """Boot all, connect all."""
        for replica in self.replicas:
            replica.boot()
        self.introduce(*range(len(self.replicas)))
        self.run(10)
        return self

    def boot(self, me: int) -> None:
        """Start one again and connect it."""
        self.replicas[me].boot()
        self.introduce(*range(len(self.replicas)))

    def introduce(self, *members: int) -> None:
        for a in members:
            for b in members:
                if a != b and self.replicas[b].alive:
                    self.replicas[a].connected(b)

    def run(self, ms: int = 200) -> None:
        """Let so much time pass."""
        until = self.heap.now_us + ms * MS
        while self.heap.step(until):
            pass

    def run_until(self, holds: Callable[[], bool], ms: int = 60_000) -> None:
        """Let time pass until something holds."""
        until = self.heap.now_us + ms * MS
        while not holds():
            assert self.heap.step(until), "it did not happen in time"

    # --- clients ---------------------------------------------------------------------------------

    def prepared(self, number: int, *, key: SigningKey | None = None, commands: int = 1) -> Prepared:
        return signed(self.genesis.chain, number, key=key, commands=commands)

    def submit(self, replica: int, *frames: bytes) -> list[Results]:
        """Submit one request; the list holds its results as soon as it is answered."""
        answered: list[Results] = []

        def done(request: Request) -> None:
            answered.append(request.settled)

        batch = judge_request(b"".join(frames), self.genesis)
        target = self.replicas[replica]
        target._do(target.engine.submit(batch, self.heap.now_ms, done))
        return answered

    def hand(self, to: int, sender: int, payload: bytes) -> None:
        """The payload of a frame, as a connection takes it; raises PeerError where that would close."""
        frame = decode_frame(memoryview(payload))
        target, now = self.replicas[to], self.heap.now_ms
        if isinstance(frame, Batch):
            target._do(target.engine.body(sender, judge_batch(frame.body, self.genesis), now))
        else:
            target._do(target.engine.frames([(sender, frame)], now))

    def commit(self, *numbers: int, replica: int = 0) -> Results:
        """Submit, and wait for the answer."""
        answered = self.submit(replica, *(self.prepared(number).frame for number in numbers))
        self.run_until(lambda: bool(answered))
        assert all(isinstance(result, Final) for result in answered[0])
        return answered[0]

    # --- what is seen ----------------------------------------------------------------------------

    def engine(self, me: int) -> Engine:
        return self.replicas[me].engine

    def frames(self, kind: type[Frame], sender: int | None = None) -> Sequence[tuple[int, int, Frame]]:
        """The frames of one kind that were sent so far."""
        return [
            item for item in self.sent if isinstance(item[2], kind) and (sender is None or item[0] == sender)
        ]

    def equal(self) -> bool:
        """Whether all replicas have one log and one state."""
        ledgers = [replica.engine.ledger for replica in self.replicas]
        heads = {(ledger.size, ledger.root, ledger.state_root) for ledger in ledgers}
        return len(heads) == 1

    def _send(self, sender: int, to: int, frame: Frame, _epoch: Epoch) -> None:
        self.sent.append((sender, to, frame))
        if not self.lost(sender, to, frame):
            self.network.send(sender, to, frame)

    def _receive(self, to: int, sender: int, frame: Frame) -> None:
        self.replicas[to].receive(sender, frame)


def first_liar(kind: type[F], bend: Callable[[F], F | None]) -> Callable[[int, Frame], Frame | None]:
    """What the network makes of frames where whoever first sends one of ``kind`` bends all of its own."""
    liars: set[int] = set()

    def change(sender: int, frame: Frame) -> Frame | None:
        if not isinstance(frame, kind):
            return frame
        liars.update([sender] if not liars else [])
        return bend(frame) if sender in liars else frame

    return change
