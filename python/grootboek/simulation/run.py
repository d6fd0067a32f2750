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
from grootboek.simulation.signatures import CheapKey, CheapVerifier, OneJudge
from grootboek.types import Epoch, Limits
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
"""How far behind a replica asks for a snapshot where ``Plan.snapshots`` says so."""
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
        real = plan.real_signatures
        voting = SigningKey if real else CheapKey
        parties = (governor(),) if Replicas.name in modules else ()
        self.genesis, _ = found(plan.replicas, modules, limits=plan.limits, parties=parties, voting=voting)
        keys = [keys_of(place, voting=voting) for place in range(plan.replicas + plan.spares)]
        cheap = CheapVerifier(key.voting for key in keys if isinstance(key.voting, CheapKey))
        verify = verify_replicas if real else cheap
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
            verify=verify,
            judge=judge,
        )
        self._keys = keys

        def keys_in(place: int, epoch: Epoch) -> Keys:
            own = keys_of(place, epoch.number, voting)
            return own if real else cheap.watch(own)

        self.replicas = [self._make(i, key, keys_in=partial(keys_in, i)) for i, key in enumerate(keys)]
        self.twins: dict[int, SimulatedReplica] = {}
        """Second processes with the keys of a replica that counts in f."""
        self.watchers: list[Callable[[SimulatedReplica], None]] = []
        """Faults that wait for something: they are told of every turn of a correct replica."""
        self.clients = Clients(self.heap, self._rng, self.replicas, self.monitor, make)
        for me, name in plan.liars.items():
            self.monitor.faulty.add(me)
            self.report.faults[name] += 1
            liar = Liar(self.genesis.chain, me, plan.replicas, keys[me], self._rng)
            self.replicas[me].liar = Lies(liar, name)

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
        patience = 1_000 * max(r.engine.replica.patience() for r in self.correct)
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
        return max((r.engine.replica.view for r in self.correct if r.boots), default=0)

    def _settle(self) -> None:
        """Wait until every request is answered and all correct replicas are equal, or the time is over."""
        end = self.heap.now_us + self.plan.settle_seconds * SECOND
        while self.heap.now_us < end:
            self._drain(self.heap.now_us + STEP_US)
            sizes = {replica.engine.ledger.size for replica in self.correct}
            if not self.clients.waiting and len(sizes) == 1:
                return
        where = [
            (r.me, r.engine.replica.view, r.engine.replica.active, r.engine.ledger.height)
            for r in self.correct
        ]
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
        report.frames = self.network.sent
        report.leaps = sum(r.engine.counters.leaps for r in self.correct)
        history = b"%d %d %d " % (ledger.height, self.heap.handled, self.network.sent)
        report.digest = digest(history + ledger.root).hex()
        return report

    # --- membership ------------------------------------------------------------------------------

    def reconfigure(self, places: Sequence[int]) -> None:
        """The governor asks for a next epoch with the replicas at these places of the network."""
        heights = {place: self.replicas[place].engine.ledger.height for place in places}
        epoch = max(r.engine.epoch.number for r in self.replicas if r.boots) + 1
        self.note(f"epoch {epoch} is to have the replicas {list(places)}")
        self.clients.govern(open_epoch(self.genesis.chain.origin, epoch, heights))

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

    def may_fail(self, rng: random.Random) -> SimulatedReplica | None:
        """A living replica that may be lost for good, where fewer than f are so far."""
        lost = self.monitor.faulty | {r.me for r in self.replicas if r.flipped or r.damaged or r.forgetful}
        able = [r for r in self.replicas if r.alive and r.me not in lost]
        return rng.choice(able) if able and len(lost) < self.genesis.quorum.weak - 1 else None

    def boot(self, replica: SimulatedReplica) -> None:
        """Start it where it does not run, and connect it to all that it reaches."""
        if replica.alive or replica.damaged:
            return
        replica.boot()
        if replica.alive:
            if self.plan.snapshots:
                replica.engine.ledger.snapshot_heights = self.plan.snapshots
                replica.engine.catchup.far = FAR_ENTRIES
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
        second = self._make(victim.me, self._keys[victim.me])
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

    def _send(self, sender: int, to: int, frame: Frame) -> None:
        self.monitor.sent(sender, frame, self.replicas[sender].engine.epoch)
        self.network.send(sender, to, frame)

    def _receive(self, to: int, sender: int, frame: Frame) -> None:
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


def _as_it_is(_to: int, frame: Frame) -> list[tuple[int, Frame]]:
    return [(0, frame)]
