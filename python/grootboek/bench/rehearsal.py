"""All replicas of a ledger in one thread, joined by a queue: real engines, journals, logs and states."""

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import cycle
from pathlib import Path

from grootboek._core import State
from grootboek.bench.stages import Stages
from grootboek.disk import RealDisk
from grootboek.errors import BenchFailed
from grootboek.ledger import Ledger, Registry
from grootboek.node.engine import Engine
from grootboek.node.intake import Request
from grootboek.node.journal import Journal
from grootboek.node.journalled import Held
from grootboek.node.judging import judge_batch, judge_request
from grootboek.node.keystore import ReplicaKeys
from grootboek.node.outbox import Outbox
from grootboek.node.seats import Seats
from grootboek.proofs import Answer
from grootboek.types import Genesis
from grootboek.wire import Batch, Frame

__all__ = ["JUDGED", "Rehearsal"]

JUDGED = "client signatures and parsing"


class Rehearsal:
    """Orders requests as the cluster would, without its network and threads."""

    def __init__(self, genesis: Genesis, keys: Sequence[ReplicaKeys], folder: Path, stages: Stages) -> None:
        """Founds the replicas' data below ``folder``; they are connected when this returns."""
        self.sent: Counter[type[Frame]] = Counter()
        """Frames by kind, one for each receiver."""
        self._genesis = genesis
        self._stages = stages
        self._engines = [_engine(genesis, one, folder / one.name) for one in keys]
        self._inboxes: list[list[tuple[int, Frame]]] = [[] for _ in keys]
        for me, engine in enumerate(self._engines):
            self._leave(me, engine.start(_now()))
        for me, engine in enumerate(self._engines):
            for peer in range(len(keys)):
                if peer != me:
                    self._leave(me, engine.connected(peer, _now()))
        self._deliver()

    @property
    def height(self) -> int:
        """Of the ledger."""
        return self._engines[0].ledger.height

    def order(self, bodies: Sequence[bytes]) -> list[Answer]:
        """Submit each request to another replica; all agree, execute and become durable.

        Raises BenchFailed where a request stays unanswered.
        """
        settled: list[tuple[Engine, Request]] = []
        for engine, body in zip(cycle(self._engines), bodies, strict=False):
            with self._stages.stage(JUDGED):
                batch = judge_request(body, self._genesis)
            done = partial(_settle, settled, engine)
            self._leave(engine.me, engine.submit(batch, _now(), done))
        self._deliver()
        if len(settled) != len(bodies):
            raise BenchFailed(f"{len(settled)} of {len(bodies)} requests were answered")
        answers = [engine.answer(request) for engine, request in settled]
        for me in range(len(self._engines)):
            self._make_durable(me)
        self._deliver()
        return answers

    def _deliver(self) -> None:
        """Let each replica in turn take all that has come for it, until nothing is under way."""
        while any(self._inboxes):
            for me in range(len(self._inboxes)):
                arrived, self._inboxes[me] = self._inboxes[me], []
                self._receive(me, arrived)

    def _receive(self, me: int, arrived: Sequence[tuple[int, Frame]]) -> None:
        engine = self._engines[me]
        for sender, frame in arrived:
            if isinstance(frame, Batch):
                with self._stages.stage(JUDGED):
                    batch = judge_batch(frame.body, self._genesis)
                self._leave(me, engine.body(sender, batch, _now()))
        votes = [(sender, frame) for sender, frame in arrived if not isinstance(frame, Batch)]
        if votes:
            self._leave(me, engine.frames(votes, _now()))

    def _leave(self, me: int, out: Outbox) -> None:
        """Pass on what a turn left. Its timers never run out here, and its log is synced at the end."""
        for to, frame in out.frames:
            for receiver in range(len(self._inboxes)) if to is None else (to,):
                if receiver != me:
                    self.sent[type(frame)] += 1
                    self._inboxes[receiver].append((me, frame))

    def _make_durable(self, me: int) -> None:
        engine = self._engines[me]
        engine.ledger.sync()
        engine.ledger.flush()
        self._leave(me, engine.stored(engine.ledger.seq, _now()))


def _engine(genesis: Genesis, keys: ReplicaKeys, folder: Path) -> Engine:
    """A replica with empty data in ``folder``, as the daemon opens it."""
    disk = RealDisk(folder)
    Journal.found(disk)
    journal, items = Journal.recover(disk)
    held = Held.of(items)
    ledger = Ledger.open(
        genesis, disk, State(str(folder / "state")), Registry.discover(), vouched=held.vouched
    )
    seats = Seats([keys])
    me, signing = seats.seat(ledger.epochs.last)
    return Engine(genesis, me, signing, ledger, journal, held, seats.seat)


def _settle(settled: list[tuple[Engine, Request]], engine: Engine, request: Request) -> None:
    settled.append((engine, request))


def _now() -> int:
    return time.time_ns() // 1_000_000
