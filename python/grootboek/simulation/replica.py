"""One simulated replica: the shipping engine over a simulated disk, clock and network."""

import random
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import ClassVar

from grootboek._core import State
from grootboek.consensus import CheckedReplica
from grootboek.errors import CommandFailed, Damaged, GrootboekError, PeerError, StorageError
from grootboek.ledger import Ledger, Registry
from grootboek.node.engine import Engine
from grootboek.node.gate import Verify, verify_replicas
from grootboek.node.intake import Request
from grootboek.node.journal import MARKER, Journal
from grootboek.node.journalled import Held
from grootboek.node.judging import Judge, judge_batch, judge_request
from grootboek.node.outbox import Outbox
from grootboek.node.signers import Keys
from grootboek.simulation.clock import Clock
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.founding import name_of, place_of
from grootboek.simulation.heap import Heap
from grootboek.simulation.memory import Shortage
from grootboek.types import Epoch, Genesis
from grootboek.wire import Batch, Frame

__all__ = ["SimulatedReplica"]

SYNC_US = 300
"""How long a sync of the log takes."""
_ENDS = (GrootboekError, MemoryError, AssertionError)
"""What may end the process."""


class _CheckedEngine(Engine):
    """Checks the contract of the consensus core around each event."""

    core = CheckedReplica


class SimulatedReplica:
    """Boots, runs, crashes and boots again; what survives a crash is on its disk."""

    engine_type: ClassVar[type[Engine]] = _CheckedEngine
    """Recorded scenarios watch the effects of theirs."""

    def __init__(
        self,
        genesis: Genesis,
        me: int,
        keys: Keys,
        registry: Registry,
        *,
        heap: Heap,
        send: Callable[[int, int, Frame, Epoch], None],
        observe: Callable[["SimulatedReplica"], None],
        failed: Callable[["SimulatedReplica"], None] | None = None,
        keys_in: Callable[[Epoch], Keys] | None = None,
        rng: random.Random | None = None,
        verify: Verify = verify_replicas,
        judge: Judge = judge_request,
    ) -> None:
        """``send(sender, to, frame, epoch)`` is the network, ``epoch`` that in which the frame was made;
        ``observe`` is called after every turn, ``failed`` when the process ended by itself because its disk
        or its memory failed. ``me`` is its place in the network, which its name tells; ``keys_in`` gives its
        keys of a later epoch. ``verify`` and ``judge`` check the signatures of replicas and of clients.
        """
        self.genesis = genesis
        self.me = me
        self.alive = False
        self.damaged = False
        """Whether its disk is damaged, so that it stays down."""
        self.forgetful = False
        """Whether its disk was lost or is an old one: until it has learned enough, it counts in f."""
        self.boots = 0
        self.disk = SimulatedDisk()
        Journal.found(self.disk)
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
        self._keys_in = keys_in or (lambda _epoch: keys)
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

    @property
    def answers(self) -> bool:
        """Whether its process runs."""
        return self.alive and self._paused is None

    # --- life ------------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start, or start again from what is on the disk; a disk that fails meanwhile ends it again."""
        try:
            journal, items = Journal.recover(self.disk)
            held = Held.of(items)
            vouched = held.vouched
            ledger = Ledger.open(self.genesis, self.disk, self._state, self._registry, State, vouched=vouched)
            me, keys = self._seat_in(ledger.epochs.last)
            self.engine = self.engine_type(
                self.genesis, me, keys, ledger, journal, held, self._seat_in, verify=self._verify
            )
        except StorageError:
            self._end()
            return
        except Damaged:
            if not self.flipped:
                raise
            self.damaged = True
            return
        self._sit_down()
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

    def lose_disk(self) -> None:
        """Nothing is left but the keys."""
        self.kill()
        self.disk, self._state = SimulatedDisk(), State()
        self.forgetful = True

    def restore(self, image: SimulatedDisk, *, guard: bool) -> None:
        """An old image of the disk comes back; the guard is as it is now, unless it is in it, too."""
        self.kill()
        if not guard:
            image.write(MARKER, self.disk.read(MARKER))
        self.disk = image
        self.forgetful = True

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
            self.turn(lambda now: self.engine.body(self._index(sender), batch, now))
        else:
            self.turn(lambda now: self.engine.frames([(self._index(sender), frame)], now))

    def submit(self, body: bytes, done: Callable[[Request], None]) -> None:
        """A client's request."""
        batch = self._judge(body, self.genesis)
        self.turn(lambda now: self.engine.submit(batch, now, done))

    def connected(self, peer: int) -> None:
        """A peer came back."""
        if self.alive:
            self.turn(lambda now: self.engine.connected(self._index(peer), now))

    def lost(self, peer: int) -> None:
        """The connection to a peer is seen to be gone."""
        if self.alive:
            self.engine.lost(self._index(peer))

    @property
    def seat(self) -> tuple[int, int, Keys]:
        """The epoch that it is in, its index in that, n or above for an observer, and its keys."""
        return self.engine.epoch.number, self.engine.me, self.engine.signers.keys

    def _seat_in(self, epoch: Epoch) -> tuple[int, Keys]:
        index = epoch.index(name_of(self.me))
        return epoch.quorum.n if index is None else index, self._keys_in(epoch)

    def _sit_down(self) -> None:
        """Note where in the network the replicas of this epoch are, by their indexes."""
        self._places = [place_of(replica.name) for replica in self.engine.epoch.replicas]
        self._indexes = {place: index for index, place in enumerate(self._places)}

    def _index(self, place: int) -> int:
        """The index, in this replica's epoch, of the one at a place of the network: n and above observe."""
        return self._indexes.get(place, len(self._places) + place)

    def _place(self, index: int) -> int:
        """The way back."""
        n = len(self._places)
        return self._places[index] if index < n else index - n

    def turn(self, action: Callable[[int], Outbox]) -> None:
        """One turn of the engine, unless the process is stopped or gone."""
        if not self.alive:
            return
        if self._paused is not None:
            self._paused.append(action)
            return
        try:
            out = action(self.clock.now_ms) if self.shortage is None else self._short(self.shortage, action)
        except _ENDS as error:
            self._ended_by(error)
        else:
            self._do(out)

    def _ended_by(self, error: Exception) -> None:
        """The process ends, as the daemon does; raises ``error`` again where nothing explains it."""
        if isinstance(error, StorageError):
            self._end()
        elif isinstance(error, MemoryError | CommandFailed):
            if self.shortage is None or not self.shortage.struck:
                raise error
            self._end()
        elif self.liar is not None or (self.flipped and isinstance(error, Damaged)):
            self.kill()  # its disk is damaged; or it lies, and what it makes of that is its own affair
            self.damaged = True
        else:
            raise error

    def _short(self, shortage: Shortage, action: Callable[[int], Outbox]) -> Outbox:
        with shortage:
            return action(self.clock.now_ms)

    def _do(self, out: Outbox) -> None:
        for to, frame in out.frames:
            for place in self._places if to is None else (self._place(to),):
                if place != self.me:
                    self._say(place, frame)
        for timer, delay in out.timers:
            self._set(timer, delay)
        if out.sync or out.flush:
            boot = self.boots
            self._heap.after(SYNC_US, lambda: self._sync(boot, flush=out.flush))
        self._observe(self)
        if out.opens:
            self.turn(self._open_epoch)
            for index in self.engine.replica.peers:
                self.turn(partial(self.engine.connected, index))

    def _open_epoch(self, now: int) -> Outbox:
        out = self.engine.open_epoch(now)
        self._sit_down()
        return out

    def _say(self, peer: int, frame: Frame) -> None:
        epoch = self.engine.epoch
        for held_us, one in ((0, frame),) if self.liar is None else self.liar(peer, frame):
            if delay := self.slow_us + held_us:
                self._heap.after(delay, partial(self._send, self.me, peer, one, epoch))
            else:
                self._send(self.me, peer, one, epoch)

    def _sync(self, boot: int, *, flush: bool) -> None:
        """What the daemon's disk thread does."""
        if not self.alive or boot != self.boots:
            return
        ledger = self.engine.ledger
        seq = ledger.seq
        try:
            ledger.sync()
            if flush:
                ledger.flush(state=False)
                ledger.keep_snapshots()
        except _ENDS as error:
            self._ended_by(error)
        else:
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
