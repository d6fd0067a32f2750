"""One simulated replica: the shipping engine over a simulated disk, clock and network."""

import random
from collections.abc import Callable, Hashable, Iterable
from contextlib import nullcontext
from functools import partial

from grootboek._core import State
from grootboek.consensus import CheckedReplica
from grootboek.errors import CommandFailed, Damaged, GrootboekError, PeerError, StorageError
from grootboek.ledger import Ledger, Registry
from grootboek.node.engine import Engine
from grootboek.node.gate import Verify, verify_replicas
from grootboek.node.intake import Request
from grootboek.node.journal import Journal
from grootboek.node.judging import Judge, judge_batch, judge_request
from grootboek.node.outbox import Outbox
from grootboek.node.signers import Keys
from grootboek.simulation.clock import Clock
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.heap import Heap
from grootboek.simulation.memory import Shortage
from grootboek.types import Genesis
from grootboek.wire import Batch, Frame

__all__ = ["SimulatedReplica"]

SYNC_US = 300
"""How long a sync of the log takes."""


class _CheckedEngine(Engine):
    """Checks the contract of the consensus core around each event."""

    core = CheckedReplica


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
        failed: Callable[["SimulatedReplica"], None] | None = None,
        rng: random.Random | None = None,
        verify: Verify = verify_replicas,
        judge: Judge = judge_request,
    ) -> None:
        """``send(sender, to, frame)`` is the network; ``observe`` is called after every turn, ``failed``
        when the process ended by itself because its disk or its memory failed. ``verify`` and ``judge``
        check the signatures of replicas and of clients.
        """
        self.genesis = genesis
        self.me = me
        self.alive = False
        self.damaged = False
        """Whether its disk is damaged or lost, so that it stays down."""
        self.boots = 0
        self.disk = SimulatedDisk()
        self.clock = Clock(heap)
        self.flipped = False
        """Whether a bit on its disk was changed, so that it may find damage."""
        self.cut_power_at_failure = False
        """Whether a failing disk takes the machine's power with it."""
        self.liar: Callable[[int, Frame], Iterable[tuple[int, Frame]]] | None = None
        """What makes a Byzantine replica of it: the frames in place of an honest one, with their delays."""
        self.shortage: Shortage | None = None
        """What lets memory run out in some turn to come."""
        self.slow_us = 0
        """How long what it says is held up: a processor that is too slow."""
        self.engine: Engine
        self._keys = keys
        self._registry = registry
        self._heap = heap
        self._send = send
        self._observe = observe
        self._failed = failed
        self._rng = rng or random.Random(me)  # noqa: S311  # a seeded simulation, not a secret
        self._verify = verify
        self._judge = judge
        self._state = State()
        self._timers: dict[Hashable, int] = {}
        self._tokens = 0
        self._paused: list[Callable[[int], Outbox]] | None = None

    # --- life ------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start, or start again from what is on the disk; a disk that fails meanwhile ends it again."""
        try:
            journal = Journal.open(self.disk)
            ledger = Ledger.open(self.genesis, self.disk, self._state, self._registry, State)
            self.engine = _CheckedEngine(
                self.genesis, self.me, self._keys, ledger, journal, verify=self._verify
            )
        except StorageError:
            self._end()
            return
        except Damaged:
            if not self.flipped:
                raise
            self.damaged = True
            return
        self.alive = True
        self.boots += 1
        self._timers = {}
        self._paused = None
        self.turn(self.engine.start)

    def kill(self) -> None:
        """SIGKILL: the process is gone, the operating system keeps what was written."""
        self.alive = False
        self._timers = {}
        self._state.crash()

    def power_cut(self, rng: random.Random) -> None:
        """The machine is gone: what was not synced may be lost, or torn."""
        self.kill()
        self.disk.crash(rng)

    def _end(self) -> None:
        """No memory, or a failed write or sync: the daemon stops, and promises nothing more."""
        self.shortage = None
        self.kill()
        if self.cut_power_at_failure:
            self.cut_power_at_failure = False
            self.disk.crash(self._rng)
        self.disk.mend()
        if self._failed is not None:
            self._failed(self)

    def pause(self) -> None:
        """SIGSTOP: nothing is lost, and nothing is done until ``resume``."""
        if self._paused is None:
            self._paused = []

    def resume(self) -> None:
        """SIGCONT: all that came meanwhile is dealt with now."""
        waiting, self._paused = self._paused or [], None
        for action in waiting:
            self.turn(action)

    # --- what happens to it ----------------------------------------------------------------------

    def receive(self, sender: int, frame: Frame) -> None:
        """A frame from the network."""
        if not self.alive:
            return
        if isinstance(frame, Batch):
            try:
                batch = judge_batch(frame.body, self.genesis, self._judge)
            except PeerError:
                return
            self.turn(lambda now: self.engine.body(sender, batch, now))
        else:
            self.turn(lambda now: self.engine.frames([(sender, frame)], now))

    def submit(self, body: bytes, done: Callable[[Request], None]) -> None:
        """A client's request."""
        batch = self._judge(body, self.genesis)
        self.turn(lambda now: self.engine.submit(batch, now, done))

    def connected(self, peer: int) -> None:
        """A peer came back."""
        if self.alive:
            self.turn(lambda now: self.engine.connected(peer, now))

    def lost(self, peer: int) -> None:
        """The connection to a peer is seen to be gone."""
        if self.alive:
            self.engine.lost(peer)

    def turn(self, action: Callable[[int], Outbox]) -> None:
        """One turn of the engine, unless the process is stopped or gone."""
        if not self.alive:
            return
        if self._paused is not None:
            self._paused.append(action)
            return
        try:
            with self.shortage or nullcontext():
                out = action(self.clock.now_ms)
        except StorageError:
            self._end()
        except (MemoryError, CommandFailed):
            if self.shortage is None or not self.shortage.struck:
                raise
            self._end()
        except (GrootboekError, AssertionError) as error:
            found = self.flipped and isinstance(error, Damaged)
            if self.liar is None and not found:
                raise
            self.kill()  # its disk is damaged; or it lies, and what it makes of that is its own affair
            self.damaged = True
        else:
            self._do(out)

    def _do(self, out: Outbox) -> None:
        for to, frame in out.frames:
            for peer in range(len(self.genesis.replicas)) if to is None else (to,):
                if peer != self.me:
                    self._say(peer, frame)
        for timer, delay in out.timers:
            self._set(timer, delay)
        if out.sync or out.flush:
            boot = self.boots
            self._heap.after(SYNC_US, lambda: self._sync(boot, flush=out.flush))
        self._observe(self)

    def _say(self, peer: int, frame: Frame) -> None:
        said = [(0, frame)] if self.liar is None else self.liar(peer, frame)
        for held_us, one in said:
            if delay := self.slow_us + held_us:
                self._heap.after(delay, partial(self._send, self.me, peer, one))
            else:
                self._send(self.me, peer, one)

    def _sync(self, boot: int, *, flush: bool) -> None:
        """What the daemon's disk thread does."""
        if not self.alive or boot != self.boots:
            return
        ledger = self.engine.ledger
        seq = ledger.seq
        try:
            ledger.sync()
            if flush:
                ledger.flush()
        except StorageError:
            self._end()
            return
        self.turn(lambda now: self.engine.stored(seq, now))

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
                self.turn(lambda now: self.engine.timer(timer, now))

        self._heap.after(delay_ms * 1_000, fire)
