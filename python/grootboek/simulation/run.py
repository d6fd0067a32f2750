"""One simulated run: a seed in, a report out."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar

import msgspec
from msgspec import Struct

from grootboek._core import SigningKey, digest
from grootboek.ledger import Registry
from grootboek.modules.replicas import Replicas
from grootboek.node.gate import verify_replicas
from grootboek.node.judging import judge_request
from grootboek.node.signers import Keys
from grootboek.simulation.byzantine import Liar, Lies
from grootboek.simulation.clients import Clients
from grootboek.simulation.disk import SimulatedDisk
from grootboek.simulation.faults import FAULTS
from grootboek.simulation.founding import found, keys_of
from grootboek.simulation.heap import Heap
from grootboek.simulation.membership import governor, open_epoch
from grootboek.simulation.monitor import Monitor, Violation
from grootboek.simulation.network import Network, Weather
from grootboek.simulation.replica import SimulatedReplica
from grootboek.simulation.signatures import CheapVerifier, OneJudge
from grootboek.types import Epoch, Limits, Quorum
from grootboek.wire import Command, Frame

__all__ = ["Plan", "Report", "Simulation"]

SECOND = 1_000_000
STEP_US = 20_000
CRASH = "15 kill"
PARTITION = "6 partition"
VIEW_CHANGE = "view change"
"""What ``Plan.sure`` calls a view change: it is no fault, but comes of them."""
ISOLATE = "8 primary isolated"
ATTEMPTS = 20
FAR_ENTRIES = 30
CHUNK_BYTES = 500
ANSWER_BYTES = 3_000
"""How far behind a replica asks for a snapshot, where ``Plan.snapshots`` has some; and in which pieces
snapshots and logs are then sent, so that a transfer has many steps to go wrong at.
"""
PATIENCE = 10


class Plan(Struct, frozen=True, kw_only=True):
    """What a run goes through."""

    replicas: int = 4
    seconds: int = 20
    """Simulated, before the heal."""
    rate: float = 50
    """Transactions a second, all clients together."""
    weather: Weather = Weather(loss=20, duplicate=20, late=5)
    faults: dict[str, int] = msgspec.field(default_factory=dict)
    """How many times in a thousand seconds each kind of fault happens."""
    sure: tuple[str, ...] = ()
    """Faults that happen at least once for certain; VIEW_CHANGE may be among them."""
    liars: dict[int, str] = msgspec.field(default_factory=dict)
    """The strategy of each Byzantine replica, by index; at most f of them."""
    settle_seconds: int = 60
    """How long after the heal all correct replicas must be equal."""
    limits: Limits = Limits(window=16)
    spares: int = 0
    """Replicas beside those of the genesis file: they follow the ledger until an epoch takes them in."""
    snapshots: int = 0
    """How many heights are between two snapshots where a replica soon counts as far behind; 0: as shipped."""
    real_signatures: bool = False
    """Whether every signature is Ed25519 and verified wherever it arrives; else see ``signatures``."""


class Report(Struct, kw_only=True):
    """What happened in a run."""

    seed: int
    replicas: int
    seconds: float = 0.0
    """Simulated."""
    events: int = 0
    submitted: int = 0
    acknowledged: int = 0
    reads: int = 0
    """Reads of registers, all linearizable with what was submitted."""
    height: int = 0
    windows: int = 0
    """How many windows of sequence numbers were passed."""
    recovery_ms: int = 0
    """How long after the heal the first block was made."""
    real_signatures: bool = False
    views: int = 0
    """View changes, in all epochs together."""
    epochs: int = 0
    """How many were opened."""
    frames: int = 0
    leaps: int = 0
    """Snapshots that replicas took over, those that were killed since not counted."""
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    """How many of each kind happened, Byzantine strategies included."""
    digest: str = ""
    """Of the final history: equal for equal seeds."""


class Simulation:
    """All replicas, their network and their clients on one heap of events."""

    replica_type: ClassVar[type[SimulatedReplica]] = SimulatedReplica
    """The enumeration of crash points counts what its replicas do."""

    def __init__(self, seed: int, plan: Plan, registry: Registry, make: Callable[[int], Command]) -> None:
        """``make(i)`` gives the command of the i-th transaction: see Clients."""
        modules = {name: registry.load(name).version for name in registry.names}
        real, cheap = plan.real_signatures, CheapVerifier()
        self._cheap = cheap
        self._voting = SigningKey if real else cheap.key
        parties = (governor(),) if Replicas.name in modules else ()
        self.genesis, _ = found(
            plan.replicas, modules, limits=plan.limits, parties=parties, voting=self._voting
        )
        judge = judge_request if real else OneJudge(self.genesis)
        self.plan = plan
        self.weather = plan.weather
        """What the weather is where no fault makes it worse."""
        self.report = Report(seed=seed, replicas=plan.replicas)
        self.heap = Heap()
        self.monitor = Monitor()
        self.healed = False
        """Whether no more faults begin."""
        self.trace: list[str] = []
        """What happened to the network, for a reader."""
        self._rng = random.Random(seed)  # noqa: S311  # a seeded simulation, not a secret
        self.network = Network(self.heap, self._rng, self._receive)
        self._make = partial(
            self.replica_type,
            self.genesis,
            registry=registry,
            heap=self.heap,
            send=self._send,
            observe=self._observe,
            failed=self._failed,
            rng=self._rng,
            verify=verify_replicas if real else cheap,
            judge=judge,
        )
        places = plan.replicas + plan.spares
        self.replicas = [self._process(place) for place in range(places)]
        self.memberships: list[Sequence[int]] = [range(plan.replicas)]
        """The replicas of each epoch that was asked for, by their places."""
        self.twins: dict[int, SimulatedReplica] = {}
        """Second processes with the keys of a replica that counts in f."""
        self.watchers: list[Callable[[SimulatedReplica], None]] = []
        """Faults that wait for something: they are told of every turn of a correct replica."""
        self.clients = Clients(self.heap, self._rng, self.replicas, self.monitor, make)
        self.lies: dict[int, Lies] = {}
        """What is made of what liars say."""
        for me, name in plan.liars.items():
            self.monitor.faulty.add(me)
            self.report.faults[name] += 1
            seat = partial(getattr, self.replicas[me], "seat")
            liar = Liar(self.genesis.chain, me, places, seat, self._rng)
            self.lies[me] = self.replicas[me].liar = Lies(liar, name)

    def _process(self, place: int) -> SimulatedReplica:
        """A process with the keys of the replica at a place of the network."""

        def keys_in(epoch: Epoch) -> Keys:
            own = keys_of(place, epoch.number, self._voting)
            return own if self.plan.real_signatures else self._cheap.watch(own)

        return self._make(place, keys_in(self.genesis.founding), keys_in=keys_in)

    # --- the run ---------------------------------------------------------------------------------

    def run(self) -> Report:
        """Run the plan, heal, settle and check; raises Violation."""
        for replica in self.replicas:
            self.boot(replica)
        self.network.weather = self.weather
        end = self.plan.seconds * SECOND
        self.clients.start(int(SECOND / self.plan.rate) if self.plan.rate else 0, end)
        self._plan_faults()
        self._drain(end)
        self._change_view()
        self._heal()
        self._recover()
        self._settle()
        self._pass_windows()
        self.monitor.settled(self.correct)
        self.clients.history.check()
        return self._finish()

    def _drain(self, until_us: int) -> None:
        while self.heap.step(until_us):
            pass

    def _plan_faults(self) -> None:
        """When each fault happens: never in the first half second, so that there is a network to hurt."""
        span = range(SECOND // 2, self.plan.seconds * SECOND)
        for name in self.plan.sure:
            if name == VIEW_CHANGE:
                continue
            self.heap.after(self._rng.choice(span), partial(self._surely, name))
        for second in range(self.plan.seconds):
            for name, chance in self.plan.faults.items():
                if self._rng.randrange(1_000) < chance:
                    at = max(span.start, second * SECOND + self._rng.randrange(SECOND))
                    self.heap.after(min(at, span.stop - 1), partial(self._happen, name))

    def _happen(self, name: str) -> bool:
        words = FAULTS[name](self, self._rng)
        if words is not None:
            self.report.faults[name] += 1
            self.note(words)
        return words is not None

    def _surely(self, name: str) -> None:
        """Try again where there was nothing to hurt, all being down."""
        if not self._happen(name):
            self.heap.after(SECOND // 4, partial(self._surely, name))

    def _heal(self) -> None:
        self.note("heal")
        self.healed = True
        self.watchers.clear()
        self.network.heal()
        self.network.weather = self.weather = Weather()
        for replica in self.replicas:
            replica.clock.right()
            replica.slow_us = 0
            replica.shortage = None
            replica.disk.mend()
            replica.resume()
            self.boot(replica)
        self.reconnect()

    def _recover(self) -> None:
        """PL3: after the heal a block is made within ten of the time-outs that views have by then."""
        began, height = self.heap.now_us, self._height
        self.clients.burst(1)
        patience = 1_000 * max(r.engine.replica.patience for r in self.correct)
        while self._height == height:
            if self.heap.now_us > began + PATIENCE * patience:
                raise Violation(f"PL3: no block within {PATIENCE} view time-outs of {patience // 1_000} ms")
            self._drain(self.heap.now_us + STEP_US)
        self.report.recovery_ms = (self.heap.now_us - began) // 1_000

    @property
    def _height(self) -> int:
        return max(r.engine.ledger.height for r in self.correct)

    def _change_view(self) -> None:
        """Where ``sure`` asks for one and no view has changed, the primary is cut off until one does."""
        if VIEW_CHANGE not in self.plan.sure:
            return
        for _ in range(ATTEMPTS):
            if self._views:
                return
            self._happen(ISOLATE)
            self.clients.burst(1)
            self._drain(self.heap.now_us + 2 * SECOND)
        raise Violation("PL1: nobody leaves the view of a primary that is cut off")

    @property
    def _views(self) -> int:
        return sum(self.monitor.highest.values())

    def _settle(self) -> None:
        """Wait until every request is answered and all correct replicas are equal, or the time is over."""
        end = self.heap.now_us + self.plan.settle_seconds * SECOND
        while self.heap.now_us < end:
            self._drain(self.heap.now_us + STEP_US)
            ends = {(r.engine.epoch.number, r.engine.ledger.size) for r in self.correct}
            if not self.clients.waiting and len(ends) == 1:
                return
        where = [(r.me, r.engine.epoch.number, r.engine.ledger.height, *_view_of(r)) for r in self.correct]
        waiting, seconds = len(self.clients.waiting), self.plan.settle_seconds
        raise Violation(f"PL1: {waiting} requests unanswered {seconds} s after the heal; {where}")

    def _pass_windows(self) -> None:
        """Go on until two windows are passed, one block after the other."""
        while self.correct[0].engine.ledger.seq < 2 * self.plan.limits.window:
            self.clients.burst(1)
            self._settle()

    def _finish(self) -> Report:
        ledger = self.correct[0].engine.ledger
        report = self.report
        report.seconds = self.heap.now_us / SECOND
        report.events = self.heap.handled
        report.submitted = self.clients.submitted
        report.acknowledged = len(self.monitor.acknowledged)
        report.reads = sum(operation.kind == "read" for operation in self.clients.history.operations)
        report.height = ledger.height
        report.windows = ledger.seq // self.plan.limits.window
        report.real_signatures = self.plan.real_signatures
        report.views = self._views
        report.epochs = self.correct[0].engine.epoch.number
        report.frames = self.network.sent
        report.leaps = sum(r.engine.counters.leaps for r in self.correct)
        history = b"%d %d %d " % (ledger.height, self.heap.handled, self.network.sent)
        report.digest = digest(history + ledger.root).hex()
        return report

    # --- membership ------------------------------------------------------------------------------

    def reconfigure(self, places: Sequence[int]) -> str:
        """The governor asks for a next epoch with the replicas at these places of the network: in words."""
        heights = {place: self.replicas[place].engine.ledger.height for place in places}
        epoch = max(r.engine.epoch.number for r in self.replicas if r.boots) + 1
        self.memberships.append(places)
        self.clients.govern(open_epoch(self.genesis.chain.origin, epoch, heights, self._voting))
        return f"epoch {epoch} is to have the replicas {list(places)}"

    # --- for faults ------------------------------------------------------------------------------

    @property
    def correct(self) -> list[SimulatedReplica]:
        """The replicas of which everything is expected."""
        return [r for r in self.replicas if r.me not in self.monitor.faulty and not r.damaged]

    def note(self, words: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.heap.now_us / SECOND:9.3f} {words}")

    def living(self, rng: random.Random) -> SimulatedReplica | None:
        """Any replica that runs."""
        alive = [replica for replica in self.replicas if replica.alive]
        return rng.choice(alive) if alive else None

    @property
    def lost(self) -> set[int]:
        """Those that count in f, from then on."""
        return self.monitor.faulty | {r.me for r in self.replicas if r.flipped or r.damaged or r.forgetful}

    def bear(self, lost: set[int], members: Sequence[int]) -> bool:
        """Whether so many of an epoch's ``members`` may be lost."""
        return len(lost.intersection(members)) <= Quorum.of(len(members)).faults

    def may_fail(self, rng: random.Random) -> SimulatedReplica | None:
        """A living replica that may be lost for good, whichever epoch another one is in or comes to."""
        lost = self.lost
        able = [r for r in self.replicas if r.alive and r.me not in lost]
        able = [r for r in able if all(self.bear(lost | {r.me}, members) for members in self.memberships)]
        return rng.choice(able) if able else None

    def boot(self, replica: SimulatedReplica) -> None:
        """Start it where it does not run, and connect it to all that it reaches."""
        if replica.alive or replica.damaged:
            return
        replica.boot()
        if replica.alive:
            if self.plan.snapshots:
                replica.engine.ledger.snapshot_heights = self.plan.snapshots
                replica.engine.ledger.chunk_bytes = CHUNK_BYTES
                replica.engine.catchup.far = FAR_ENTRIES
                replica.engine.catchup.answer_bytes = ANSWER_BYTES
            self.note(f"replica {replica.me} is up, boot {replica.boots}")
            others = [other for other in self.replicas if other is not replica]
            self.join([(replica.me, other.me) for other in others])

    def join(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Mend the paths both ways; where both ends live, each sees that the other is there."""
        for a, b in pairs:
            for sender, to in ((a, b), (b, a)):
                self.network.path(sender, to).cut = False
            self._introduce(a, b)

    def reconnect(self) -> None:
        """Every connection breaks, and is made again."""
        for a in self.replicas:
            for b in self.replicas[: a.me]:
                self._introduce(a.me, b.me)

    def _introduce(self, a: int, b: int) -> None:
        first, second = self.replicas[a], self.replicas[b]
        if not (first.alive and second.alive):
            return
        for one, other in ((first, second), (second, first)):
            one.lost(other.me)
            one.connected(other.me)

    def twin(self, victim: SimulatedReplica, image: SimulatedDisk) -> None:
        """Start a second process with the victim's keys, from another disk. Both count as lying."""
        if victim.me in self.twins:
            return
        second = self._process(victim.me)
        second.disk, second.flipped = image, True
        for process in (victim, second):
            process.liar = process.liar or _as_it_is
        self.twins[victim.me] = second
        second.boot()
        for other in self.replicas:
            if other.me != victim.me:
                second.connected(other.me)

    def _failed(self, replica: SimulatedReplica) -> None:
        self.note(f"replica {replica.me} ends, because its disk or its memory failed")
        self.heap.after(self._rng.randrange(SECOND // 4, 2 * SECOND), lambda: self.boot(replica))

    # --- wiring ----------------------------------------------------------------------------------

    def _send(self, sender: int, to: int, frame: Frame, epoch: Epoch) -> None:
        self.monitor.sent(sender, frame, epoch)
        self.network.send(sender, to, frame)

    def _receive(self, to: int, sender: int, frame: Frame) -> None:
        if to in self.lies:
            self.lies[to].hear(frame)
        self.replicas[to].receive(sender, frame)
        if to in self.twins:
            self.twins[to].receive(sender, frame)

    def _observe(self, replica: SimulatedReplica) -> None:
        self.monitor.turn(replica)
        if self.clients.history.answers:
            self.clients.history.proceed()
        if self.watchers and replica.me not in self.monitor.faulty:
            for watcher in tuple(self.watchers):
                if watcher in self.watchers:  # it may have gone by what another one did
                    watcher(replica)


def _view_of(replica: SimulatedReplica) -> tuple[int, bool]:
    return replica.engine.replica.view, replica.engine.replica.active


def _as_it_is(_to: int, frame: Frame) -> list[tuple[int, Frame]]:
    return [(0, frame)]
