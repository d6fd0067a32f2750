"""One simulated run: a seed in, a report out."""

import random
from collections.abc import Callable

import msgspec
from msgspec import Struct

from grootboek._core import SigningKey, command_root, digest
from grootboek.ledger import Registry
from grootboek.node.intake import Request
from grootboek.simulation.founding import found, known_key
from grootboek.simulation.heap import EPOCH_MS, Heap
from grootboek.simulation.monitor import Monitor, Violation
from grootboek.simulation.network import Network, Weather
from grootboek.simulation.replica import SimulatedReplica
from grootboek.types import Chain, Limits
from grootboek.wire import Command, Frame, Header, Transaction, encode, transaction_bytes

__all__ = ["Plan", "Report", "Simulation"]

SECOND = 1_000_000


class Plan(Struct, frozen=True, kw_only=True):
    """What a run goes through. Times in simulated seconds, chances in thousandths a second."""

    replicas: int = 4
    seconds: int = 20
    rate: int = 50
    """Transactions a second, all clients together."""
    weather: Weather = Weather(loss=20, duplicate=20, late=5)
    kills: int = 100
    """SIGKILL of a replica."""
    power_cuts: int = 30
    """Power loss of one replica."""
    blackouts: int = 0
    """Power loss of all replicas at once."""
    partitions: int = 50
    settle_seconds: int = 60
    """How long after the heal all replicas must be equal."""
    limits: Limits = Limits(window=16)


class Report(Struct, kw_only=True):
    """What happened in a run."""

    seed: int
    events: int = 0
    submitted: int = 0
    acknowledged: int = 0
    height: int = 0
    views: int = 0
    kills: int = 0
    power_cuts: int = 0
    blackouts: int = 0
    partitions: int = 0
    frames: int = 0
    digest: str = ""
    """Of the final history: equal for equal seeds."""


class Simulation:
    """All replicas, their network and their clients on one heap of events."""

    def __init__(self, seed: int, plan: Plan, registry: Registry, make: Callable[[int], Command]) -> None:
        """``make(i)`` gives the command of the i-th transaction."""
        modules = {name: registry.load(name).version for name in registry.names}
        self.genesis, keys = found(plan.replicas, modules, limits=plan.limits)
        self.plan = plan
        self.report = Report(seed=seed)
        self.heap = Heap()
        self.monitor = Monitor()
        self._rng = random.Random(seed)  # noqa: S311  # a seeded simulation, not a secret
        self._make = make
        self._clients = [known_key("client", i) for i in range(8)]
        self._open: dict[int, bytes] = {}
        self.network = Network(self.heap, self._rng, self._receive)
        self.replicas = [
            SimulatedReplica(
                self.genesis,
                i,
                key,
                registry,
                heap=self.heap,
                send=self._send,
                observe=self.monitor.turn,
            )
            for i, key in enumerate(keys)
        ]

    # --- the run ---------------------------------------------------------------------------------

    def run(self) -> Report:
        """Run the plan, heal, settle and check; raises Violation."""
        for replica in self.replicas:
            self._boot(replica)
        self.network.weather = self.plan.weather
        self._every_second(0)
        self._submit_next(0)
        self._drain(self.plan.seconds * SECOND)
        self._heal()
        self._settle()
        self.monitor.settled(self.replicas)
        return self._finish()

    def _drain(self, until_us: int) -> None:
        while self.heap.step(until_us):
            pass

    def _heal(self) -> None:
        self.network.heal()
        for replica in self.replicas:
            if not replica.alive:
                self._boot(replica)
        self._introduce(self.replicas)

    def _settle(self) -> None:
        """Wait until every request is answered and all replicas are equal, or the time is over."""
        end = self.heap.now_us + self.plan.settle_seconds * SECOND
        while self.heap.now_us < end:
            self._drain(self.heap.now_us + SECOND)
            for number in list(self._open):
                self._submit(number)
            heights = {replica.engine.ledger.size for replica in self.replicas}
            if not self._open and len(heights) == 1:
                return
        raise Violation(
            f"PL1: {len(self._open)} requests unanswered {self.plan.settle_seconds} s after the heal"
        )

    def _finish(self) -> Report:
        ledger = self.replicas[0].engine.ledger
        self.report.events = self.heap.handled
        self.report.acknowledged = len(self.monitor.acknowledged)
        self.report.height = ledger.height
        self.report.views = max(replica.engine.replica.view for replica in self.replicas)
        self.report.frames = self.network.sent
        history = b"%d %d %d " % (ledger.height, self.heap.handled, self.network.sent)
        self.report.digest = digest(history + ledger.root).hex()
        return self.report

    # --- clients ---------------------------------------------------------------------------------

    def _submit_next(self, number: int) -> None:
        if self.heap.now_us >= self.plan.seconds * SECOND:
            return
        self._open[number] = transaction(self.genesis.chain, self._key(number), number, self._make(number))
        self.report.submitted += 1
        self._submit(number)
        self.heap.after(SECOND // self.plan.rate, lambda: self._submit_next(number + 1))

    def _key(self, number: int) -> SigningKey:
        return self._clients[number % len(self._clients)]

    def _submit(self, number: int) -> None:
        """Send to a random live replica; until it is answered, the same bytes are sent again later."""
        alive = [replica for replica in self.replicas if replica.alive]
        if not alive or number not in self._open:
            return
        body = self._open[number]
        identity = digest(transaction_bytes(self.genesis.chain, _header_of(body)))

        def done(request: Request) -> None:
            self.monitor.answered([identity], request)
            self._open.pop(number, None)

        self._rng.choice(alive).submit(body, done)

    # --- faults ----------------------------------------------------------------------------------

    def _every_second(self, second: int) -> None:
        if second >= self.plan.seconds:
            return
        for chance, fault in (
            (self.plan.kills, self._kill),
            (self.plan.power_cuts, self._power_cut),
            (self.plan.blackouts, self._blackout),
            (self.plan.partitions, self._partition),
        ):
            if self._rng.randrange(1_000) < chance:
                self.heap.after(self._rng.randrange(SECOND), fault)
        for number in list(self._open)[:20]:
            self._submit(number)
        self.heap.after(SECOND, lambda: self._every_second(second + 1))

    def _kill(self) -> None:
        replica = self._rng.choice(self.replicas)
        if replica.alive:
            replica.kill()
            self.report.kills += 1
            self._boot_later(replica)

    def _power_cut(self) -> None:
        replica = self._rng.choice(self.replicas)
        if replica.alive:
            replica.power_cut(self._rng)
            self.report.power_cuts += 1
            self._boot_later(replica)

    def _blackout(self) -> None:
        self.report.blackouts += 1
        for replica in self.replicas:
            if replica.alive:
                replica.power_cut(self._rng)
                self._boot_later(replica)

    def _partition(self) -> None:
        self.report.partitions += 1
        order = self._rng.sample(range(len(self.replicas)), len(self.replicas))
        size = self._rng.randrange(1, len(order))
        self.network.partition(order[:size], order[size:])
        self.heap.after(self._rng.randrange(1, 6) * SECOND, self._rejoin)

    def _rejoin(self) -> None:
        weather = self.network.weather
        self.network.heal()
        self.network.weather = weather
        self._introduce([replica for replica in self.replicas if replica.alive])

    def _boot_later(self, replica: SimulatedReplica) -> None:
        self.heap.after(self._rng.randrange(50_000, 4 * SECOND), lambda: self._boot(replica))

    def _boot(self, replica: SimulatedReplica) -> None:
        if not replica.alive:
            replica.boot()
            self._introduce([other for other in self.replicas if other.alive], only=replica)

    def _introduce(self, group: list[SimulatedReplica], only: SimulatedReplica | None = None) -> None:
        """The connections come up: each side tells the other where it is."""
        for a in group:
            for b in group:
                if a is not b and (only is None or only in (a, b)):
                    a.connected(b.me)

    # --- wiring ----------------------------------------------------------------------------------

    def _send(self, sender: int, to: int, frame: Frame) -> None:
        self.monitor.sent(sender, frame)
        self.network.send(sender, to, frame)

    def _receive(self, to: int, sender: int, frame: Frame) -> None:
        self.replicas[to].receive(sender, frame)


def transaction(chain: Chain, key: SigningKey, nonce: int, command: Command) -> bytes:
    """A framed transaction of one command that stays valid for the whole run."""
    raw = encode(command)
    header = encode(
        Header(
            chain=chain.id,
            signers=(key.public,),
            nonce=nonce,
            expiry=EPOCH_MS + 500_000,
            atomic=True,
            count=1,
            root=command_root([raw]),
        )
    )
    signature = key.sign(transaction_bytes(chain, header))
    body = encode(Transaction(header=header, signatures=(signature,), commands=(raw,)))
    return len(body).to_bytes(4, "big") + body


def _header_of(framed: bytes) -> bytes:
    return msgspec.msgpack.decode(framed[4:], type=Transaction).header
