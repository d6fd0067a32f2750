"""One simulated replica: the shipping engine over a simulated disk, clock and network."""

import random
from collections.abc import Callable, Hashable

from grootboek._core import State, TransactionBatch
from grootboek.ledger import Ledger, Registry
from grootboek.node.engine import Engine
from grootboek.node.intake import Request
from grootboek.node.journal import Journal
from grootboek.node.outbox import Outbox
from grootboek.node.signers import Keys
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.heap import Heap
from grootboek.types import Genesis
from grootboek.wire import Batch, Frame

__all__ = ["SimulatedReplica"]

SYNC_US = 300
"""How long a sync of the log takes."""


class SimulatedReplica:
    """Boots, runs, crashes and boots again; what survives a crash is on its disk."""

    def __init__(
        self,
        genesis: Genesis,
        me: int,
        keys: Keys,
        registry: Registry,
        *,
        heap: Heap,
        send: Callable[[int, int, Frame], None],
        observe: Callable[["SimulatedReplica"], None],
    ) -> None:
        """``send(sender, to, frame)`` is the network; ``observe`` is called after every turn."""
        self.genesis = genesis
        self.me = me
        self.alive = False
        self.boots = 0
        self.disk = SimulatedDisk()
        self.engine: Engine
        self._keys = keys
        self._registry = registry
        self._heap = heap
        self._send = send
        self._observe = observe
        self._state = State()
        self._timers: dict[Hashable, int] = {}
        self._tokens = 0

    def boot(self) -> None:
        """Start, or start again from what is on the disk."""
        journal = Journal.open(self.disk)
        ledger = Ledger.open(self.genesis, self.disk, self._state, self._registry)
        self.engine = Engine(self.genesis, self.me, self._keys, ledger, journal)
        self.alive = True
        self.boots += 1
        self._timers = {}
        self._do(self.engine.start(self._heap.now_ms))

    def kill(self) -> None:
        """SIGKILL: the process is gone, the operating system keeps what was written."""
        self.alive = False
        self._timers = {}
        self._state.crash()

    def power_cut(self, rng: random.Random) -> None:
        """The machine is gone: what was not synced may be lost, or torn."""
        self.kill()
        self.disk.crash(rng)

    def receive(self, sender: int, frame: Frame) -> None:
        """A frame from the network."""
        if not self.alive:
            return
        if isinstance(frame, Batch):
            batch = TransactionBatch(frame.body, self.genesis.chain.digest)
            if not any(batch.verdicts):
                self._do(self.engine.body(sender, batch, self._heap.now_ms))
        else:
            self._do(self.engine.frames([(sender, frame)], self._heap.now_ms))

    def submit(self, body: bytes, done: Callable[[Request], None]) -> None:
        """A client's request."""
        batch = TransactionBatch(body, self.genesis.chain.digest)
        self._do(self.engine.submit(batch, self._heap.now_ms, done))

    def connected(self, peer: int) -> None:
        """A peer came back."""
        if self.alive:
            self._do(self.engine.connected(peer, self._heap.now_ms))

    def _do(self, out: Outbox) -> None:
        for to, frame in out.frames:
            for peer in range(len(self.genesis.replicas)) if to is None else (to,):
                if peer != self.me:
                    self._send(self.me, peer, frame)
        for timer, delay in out.timers:
            self._set(timer, delay)
        if out.sync or out.flush:
            self._heap.after(SYNC_US, lambda: self._sync(self.boots, flush=out.flush))
        self._observe(self)

    def _sync(self, boot: int, *, flush: bool) -> None:
        """What the daemon's disk thread does."""
        if not self.alive or boot != self.boots:
            return
        ledger = self.engine.ledger
        seq = ledger.seq
        ledger.sync()
        if flush:
            ledger.flush()
        self._do(self.engine.stored(seq, self._heap.now_ms))

    def _set(self, timer: Hashable, delay_ms: int | None) -> None:
        self._tokens += 1
        token = self._tokens
        if delay_ms is None:
            self._timers.pop(timer, None)
            return
        self._timers[timer] = token

        def fire() -> None:
            if self._timers.get(timer) == token:
                del self._timers[timer]
                self._do(self.engine.timer(timer, self._heap.now_ms))

        self._heap.after(delay_ms * 1_000, fire)
