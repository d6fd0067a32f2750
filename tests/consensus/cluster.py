"""Replica cores on a small seeded network, with stub signatures and a ledger of block entries only."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from functools import partial

from grootboek._core import Log, digest
from grootboek.consensus import (
    Accuse,
    Broadcast,
    CatchUp,
    CaughtUp,
    Certified,
    CheckedReplica,
    Complain,
    Config,
    Effect,
    Event,
    Execute,
    Executed,
    FetchBodies,
    Heard,
    Persist,
    Position,
    Received,
    Record,
    Relay,
    Remember,
    Send,
    StartTimer,
    StopTimer,
    Stored,
    Submitted,
    Timer,
    TimerFired,
    decode_record,
)
from grootboek.types import Chain, Limits
from grootboek.wire import (
    BLOCK_ENTRY,
    BlockEntry,
    Certificate,
    Checkpoint,
    Cosignature,
    Envelope,
    Frame,
    Signed,
    Status,
    Suspect,
    decode,
    encode,
    frames,
    protocol_messages,
)

CHAIN = Chain("test.invalid/ledger", bytes(32))
FRAMES = frames
LIMITS = Limits(window=8)
START_MS = 1_000_000


def stub_signature(sender: int, payload: bytes) -> bytes:
    return digest(b"%d " % sender + payload) * 2


def signer(me: int) -> Callable[[bytes], Signed]:
    return lambda payload: Signed(me, payload, stub_signature(me, payload))


class Ledger:
    """Block entries in a real tree: sizes, roots and paths are those of a log."""

    def __init__(self) -> None:
        self.log = Log()
        self.entries: list[bytes] = []
        self.values: list[tuple[int, tuple[bytes, ...]]] = []
        self.ordered: set[bytes] = set()
        self.seq = 0

    def execute(self, seq: int, time: int, batches: tuple[bytes, ...]) -> Executed:
        state = digest(repr((seq, time, batches)).encode())
        entry = BlockEntry(len(self.entries) + 1, seq, time, 0, 1, 1, 0, 0, state, ())
        self.append(BLOCK_ENTRY + encode(entry), seq, batches)
        size = self.log.size
        return Executed(seq, size, self.log.root(size), self.entries[-1], self.path(size), None)

    def append(self, raw: bytes, seq: int, batches: tuple[bytes, ...]) -> None:
        self.log.append(len(raw).to_bytes(2, "big") + raw)
        self.entries.append(raw)
        self.values.append((seq, batches))
        self.ordered.update(batches)
        self.seq = seq

    def path(self, size: int) -> tuple[bytes, ...]:
        return tuple(self.log.inclusion(size - 1, size))


class Member:
    """One core with its journal; a crash loses everything else but the ledger."""

    def __init__(self, cluster: "Cluster", me: int) -> None:
        self.cluster = cluster
        self.me = me
        self.journal: list[bytes] = []
        self.bodies: dict[bytes, None] = {}
        self.ledger = Ledger()
        self.certificate: Certificate | None = None
        self.accused: list[Accuse] = []
        self.complained: list[int] = []
        self.boot()

    def boot(self) -> None:
        self.alive = True
        self.timers: dict[Timer, int] = {}
        config = Config(CHAIN, 0, self.me, self.cluster.n, self.cluster.limits)
        self.core = CheckedReplica(config, signer(self.me))
        records: list[Record] = [decode_record(data) for data in self.journal]
        position = Position(self.last(), self.certificate)
        now = self.cluster.now
        self.do(self.core.start(position, records, now))
        for body in self.bodies:
            self.hold(body)

    def last(self) -> Executed | None:
        size = len(self.ledger.entries)
        if not size:
            return None
        root = self.ledger.log.root(size)
        path = self.ledger.path(size)
        return Executed(self.ledger.seq, size, root, self.ledger.entries[-1], path, self.cosign(size, root))

    def cosign(self, size: int, root: bytes) -> Cosignature:
        signature = digest(b"cosigned %d %d" % (self.me, size) + root) * 2
        return Cosignature(self.me, self.cluster.now // 1_000, signature)

    def crash(self) -> None:
        self.alive = False

    def hold(self, body: bytes) -> None:
        self.bodies[body] = None
        logged = body in self.ledger.ordered
        origin = self.cluster.origin_of(body)
        self.handle(Submitted(body, 10, 1_000, own=False, logged=logged, origin=origin))

    def handle(self, event: Event) -> None:
        if self.alive:
            self.do(self.core.handle(event, self.cluster.now))

    def do(self, effects: list[Effect]) -> None:
        queue = deque(effects)
        while queue and self.alive:
            for event in self.perform(queue.popleft()):
                queue += self.core.handle(event, self.cluster.now)

    def perform(self, effect: Effect) -> list[Event]:
        match effect:
            case Execute(seq, time, batches):
                return self.execute(seq, time, batches)
            case CatchUp(certificate, source):
                return self.transfer(certificate, self.cluster.members[source])
            case Certified(certificate):
                self.certificate = certificate
            case Accuse():
                self.accused.append(effect)
            case Complain(view):
                self.complained.append(view)
            case Persist() | Remember():
                self.persist(effect)
            case StartTimer() | StopTimer():
                self.set_timer(effect)
            case _:
                self.speak(effect)
        return []

    def persist(self, effect: Persist | Remember) -> None:
        chance = self.cluster.crash_at_persist if isinstance(effect, Persist) else 0
        if self.cluster.rng.randrange(1_000) < chance:
            self.crash()
            self.cluster.later(2_000, self.boot)
        else:
            self.journal.append(encode(effect.record))

    def set_timer(self, effect: StartTimer | StopTimer) -> None:
        if isinstance(effect, StopTimer):
            self.timers.pop(effect.timer, None)
            return
        timer = effect.timer
        token = self.timers[timer] = self.cluster.made = self.cluster.made + 1
        self.cluster.later(effect.delay_ms, lambda: self.fire(timer, token))

    def speak(self, effect: Effect) -> None:
        match effect:
            case Broadcast(frame):
                for peer in range(self.cluster.n):
                    if peer != self.me:
                        self.cluster.send(self.me, peer, frame)
            case Send(to, frame):
                self.cluster.send(self.me, to, frame)
            case FetchBodies(digests):
                for body in digests:
                    self.fetch(body)
            case Relay(to, digests):
                for body in digests:
                    self.cluster.later(5, partial(self.cluster.hold, to, body))

    def execute(self, seq: int, time: int, batches: tuple[bytes, ...]) -> list[Event]:
        if seq <= self.ledger.seq:
            return []
        done = self.ledger.execute(seq, time, batches)
        self.cluster.agree(self.me, seq, done.root)
        cosignature = self.cosign(done.size, done.root)
        self.cluster.later(50, lambda: self.handle(Stored(seq)))
        return [Executed(done.seq, done.size, done.root, done.block, done.path, cosignature)]

    def transfer(self, certificate: Certificate, source: "Member") -> list[Event]:
        if not source.alive or len(source.ledger.entries) < certificate.size:
            return []
        start = len(self.ledger.entries)
        for i in range(start, certificate.size):
            self.ledger.append(source.ledger.entries[i], *source.ledger.values[i])
        assert self.ledger.log.root(certificate.size) == certificate.root
        reached: list[Event] = [CaughtUp(certificate)]
        logged = {body for _, batches in self.ledger.values for body in batches}
        reached += [Submitted(b, 10, 1_000, own=False, logged=True) for b in self.bodies if b in logged]
        reached.append(Stored(self.ledger.seq))
        return reached

    def fetch(self, body: bytes) -> None:
        cluster = self.cluster
        peer = cluster.members[cluster.rng.randrange(cluster.n)]
        if body in peer.bodies:
            cluster.later(5, partial(self.hold, body))

    def fire(self, timer: Timer, token: int) -> None:
        if self.alive and self.timers.get(timer) == token:
            del self.timers[timer]
            self.handle(TimerFired(timer))

    def receive(self, sender: int, data: bytes) -> None:
        frame = decode(FRAMES, data)
        if isinstance(frame, Envelope):
            signed = frame.signed
            self.handle(Received(signed.sender, decode(protocol_messages, signed.payload), signed))
        elif isinstance(frame, Checkpoint | Status | Suspect):
            self.handle(Heard(sender, frame))


class Cluster:
    """n members, their links and the invariants between them."""

    def __init__(self, n: int = 4, seed: int = 0, limits: Limits = LIMITS) -> None:
        self.n = n
        self.limits = limits
        self.rng = random.Random(seed)
        self.now = START_MS
        self.made = 0
        self.loss = 0
        self.duplicate = 0
        self.crash_at_persist = 0
        self.cut: set[tuple[int, int]] = set()
        self.agreed: dict[int, bytes] = {}
        self.said: dict[tuple[int, str, int, int], bytes] = {}
        self.events: list[tuple[int, int, Callable[[], None]]] = []
        self.intercept: Callable[[int, int, Frame], Frame | None] = lambda _sender, _to, frame: frame
        self.delay: Callable[[int, int, Frame], int] = lambda _sender, _to, _frame: 0
        self.members: list[Member] = []
        for me in range(n):
            self.members.append(Member(self, me))

    def later(self, delay: int, action: Callable[[], None]) -> None:
        self.made += 1
        heapq.heappush(self.events, (self.now + delay, self.made, action))

    def send(self, sender: int, to: int, frame: Frame) -> None:
        changed = self.intercept(sender, to, frame)
        if changed is None or (sender, to) in self.cut or self.rng.randrange(1_000) < self.loss:
            return
        if changed is frame:
            self.once(sender, frame)
        data = encode(changed)
        for _ in range(2 if self.rng.randrange(1_000) < self.duplicate else 1):
            delay = self.rng.randint(1, 20) + self.delay(sender, to, frame)
            self.later(delay, lambda: self.members[to].receive(sender, data))

    def once(self, sender: int, frame: Frame) -> None:
        """PS4: nobody signs two different things in one role."""
        if isinstance(frame, Envelope) and frame.signed.sender == sender:
            message = decode(protocol_messages, frame.signed.payload)
            role = (sender, type(message).__name__, message.view, getattr(message, "seq", 0))
            assert self.said.setdefault(role, frame.signed.payload) == frame.signed.payload, role

    def agree(self, me: int, seq: int, root: bytes) -> None:
        """PS1: one value at each sequence number."""
        assert self.agreed.setdefault(seq, root) == root, (me, seq)

    def submit(self, body: bytes, to: list[int] | None = None) -> None:
        for me in range(self.n) if to is None else to:
            self.later(self.rng.randint(1, 10), partial(self.hold, me, body))

    def origin_of(self, body: bytes) -> int:
        """Any replica, the same for everybody."""
        return body[0] % self.n

    def hold(self, me: int, body: bytes) -> None:
        if self.members[me].alive:
            self.members[me].hold(body)

    def run(self, milliseconds: int) -> None:
        end = self.now + milliseconds
        while self.events and self.events[0][0] <= end:
            self.now, _, action = heapq.heappop(self.events)
            action()
        self.now = end

    def partition(self, group: list[int]) -> None:
        others = [i for i in range(self.n) if i not in group]
        self.cut |= {(a, b) for a in group for b in others} | {(b, a) for a in group for b in others}

    def heal(self) -> None:
        self.cut.clear()
        self.loss = self.duplicate = self.crash_at_persist = 0
        for member in self.members:
            if not member.alive:
                member.boot()
        for a in self.members:
            for b in self.members:
                if a is not b:
                    self.send(a.me, b.me, a.core.status())

    def executed(self) -> list[set[bytes]]:
        return [{d for _, batches in m.ledger.values for d in batches} for m in self.members]
