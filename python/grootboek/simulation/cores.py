"""Consensus cores on a network that does exactly what it is told: who hears whom, and which timers fire.

The core, the checks and the codec are those that ship. Signatures are keyed digests: cheap, the same
everywhere, and a changed message does not verify. The ledger holds block entries in a real log. Several
instances may be one replica, with the same keys.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial

from msgspec import Struct

from grootboek._core import Log, digest
from grootboek.consensus import (
    Accuse,
    Broadcast,
    CatchUp,
    CaughtUp,
    Certified,
    CheckedReplica,
    Checks,
    Config,
    Effect,
    Event,
    Execute,
    Executed,
    FetchBodies,
    Heard,
    Obligation,
    Persist,
    Position,
    Received,
    Relay,
    Remember,
    Replica,
    Send,
    StartTimer,
    StopTimer,
    Stored,
    Submitted,
    Timer,
    TimerFired,
    decode_record,
)
from grootboek.errors import PeerError
from grootboek.notes import cosigned_bytes
from grootboek.simulation.safety import Safety
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
    decode,
    encode,
    frames,
    message_bytes,
)

__all__ = ["CHAIN", "LIMITS", "START_MS", "Cores", "Desk", "Image", "Instance", "cosign", "sign"]

CHAIN = Chain("twins.invalid/ledger", bytes(32))
LIMITS = Limits(window=4, view_timer_ms=1_000, view_timer_cap_ms=8_000)
START_MS = 1_000_000
DELIVERIES = 20_000
"""More frames than any one moment of a run can bring about: beyond it replicas answer without end."""


# --- signatures ----------------------------------------------------------------------------------


def voting_key(me: int) -> bytes:
    """What stands for a replica's voting key, public and private."""
    return digest(b"voting %d" % me)


def cosigning_key(me: int) -> bytes:
    """What stands for its cosigning key."""
    return digest(b"cosigning %d" % me)


def stub_signature(key: bytes, message: bytes) -> bytes:
    """A signature that only fits this key and message."""
    return digest(key + message) * 2


def sign(me: int, payload: bytes, chain: Chain = CHAIN, epoch: int = 0) -> Signed:
    """A protocol message under the voting key of ``me``."""
    message = message_bytes(chain, epoch, me, payload)
    return Signed(me, payload, stub_signature(voting_key(me), message))


def cosign(me: int, size: int, root: bytes, time: int, origin: str = CHAIN.origin) -> Cosignature:
    """A cosignature of ``me``."""
    message = cosigned_bytes(origin, size, root, time)
    return Cosignature(me, time, stub_signature(cosigning_key(me), message))


class Desk:
    """Turns bytes into events as the gate does; what it found of the same bytes before still holds."""

    def __init__(self, n: int) -> None:
        keys = ([voting_key(i) for i in range(n)], [cosigning_key(i) for i in range(n)])
        self.checks = Checks(CHAIN, 0, *keys, LIMITS.window)
        self.event = lru_cache(50_000)(self._event)

    def _event(self, peer: int, data: bytes) -> Received | Heard | None:
        """What ``peer`` said, or None where it is refused."""
        try:
            event, obligations = self._checked(peer, decode(frames, data))
        except PeerError:
            return None
        return event if verified(obligations) else None

    def _checked(self, peer: int, frame: Frame) -> tuple[Received | Heard | None, list[Obligation]]:
        match frame:
            case Envelope(signed):
                message, obligations = self.checks.signed(signed)
                return Received(signed.sender, message, signed), obligations
            case Checkpoint():
                return Heard(peer, frame), self.checks.checkpoint(frame)
            case Status(_, _, _, stable):
                obligations = [] if stable is None else self.checks.certificate(stable)
                return Heard(peer, frame), obligations
        return None, []


def holds(certificate: Certificate, n: int) -> bool:
    """Whether q replicas cosigned it: found without the checks, which may be what is wrong."""
    size, root, given = certificate.size, certificate.root, certificate.cosignatures
    good = {each.replica for each in given if each == cosign(each.replica, size, root, each.time)}
    return len(good) >= (n + (n - 1) // 3 + 2) // 2


def verified(obligations: Iterable[Obligation]) -> bool:
    """Whether all these signatures are good."""
    return all(stub_signature(key, message) == signature for key, message, signature in obligations)


# --- the ledger ----------------------------------------------------------------------------------


class Ledger:
    """Block entries in a real log: sizes, roots and paths are those of a ledger."""

    def __init__(self) -> None:
        self.log = Log()
        self.blocks: list[tuple[int, tuple[bytes, ...], bytes]] = []
        """Sequence number, batches and raw entry of each block."""

    @property
    def seq(self) -> int:
        """The sequence number of the last block."""
        return self.blocks[-1][0] if self.blocks else 0

    @property
    def size(self) -> int:
        """How many entries the log has."""
        return len(self.blocks)

    @property
    def root(self) -> bytes:
        """The log's root."""
        return self.log.root(self.size)

    def execute(self, seq: int, time: int, batches: tuple[bytes, ...]) -> None:
        """Append the block of a committed value."""
        state = digest(encode((seq, time, batches)))
        entry = BlockEntry(self.size + 1, seq, time, 0, 1, 1, 0, 0, state, ())
        self.append(seq, batches, BLOCK_ENTRY + encode(entry))

    def append(self, seq: int, batches: tuple[bytes, ...], raw: bytes) -> None:
        """Append a block as it is."""
        self.log.append(len(raw).to_bytes(2, "big") + raw)
        self.blocks.append((seq, batches, raw))

    def last(self, cosignature: Cosignature) -> Executed:
        """The last block, as the core is told of it."""
        path = tuple(self.log.inclusion(self.size - 1, self.size))
        return Executed(self.seq, self.size, self.root, self.blocks[-1][2], path, cosignature)


class Image(Struct, frozen=True):
    """What was on an instance's disk at one moment."""

    journal: int
    """How many records."""
    blocks: int
    bodies: int
    certificate: Certificate | None


# --- instances -----------------------------------------------------------------------------------


class Instance:
    """One process: a core with its disk."""

    def __init__(self, cores: "Cores", number: int, me: int, *, faulty: bool) -> None:
        self.cores = cores
        self.number = number
        self.me = me
        self.faulty = faulty
        """Whether nothing is promised of it: one of a pair of twins, or a liar."""
        self.journal: list[bytes] = []
        self.ledger = Ledger()
        self.bodies: dict[bytes, None] = {}
        self.certificate: Certificate | None = None
        self.core: Replica
        self.timers: dict[Timer, int] = {}
        """When each running timer is due."""
        self.unsynced = 0
        """The block up to which the log will be synced next."""

    def boot(self) -> None:
        """Start, or start again with what is on the disk."""
        kind = Replica if self.faulty else CheckedReplica
        config = Config(CHAIN, 0, self.me, self.cores.n, LIMITS)
        self.timers = {}
        self.core = kind(config, lambda payload: sign(self.me, payload))
        last = self.ledger.last(self.cosignature()) if self.ledger.size else None
        records = [decode_record(data) for data in self.journal]
        self._do(self.core.start(Position(last, self.certificate), records, self.cores.now))
        for body in list(self.bodies):
            self.hold(body)
        self.unsynced = self.ledger.seq

    def image(self) -> Image:
        """The disk as it is now, to go back to."""
        return Image(len(self.journal), self.ledger.size, len(self.bodies), self.certificate)

    def revert(self, image: Image) -> None:
        """Put an old disk in."""
        del self.journal[image.journal :]
        self.bodies = dict.fromkeys(list(self.bodies)[: image.bodies])
        self.certificate = image.certificate
        old, self.ledger = self.ledger, Ledger()
        for block in old.blocks[: image.blocks]:
            self.ledger.append(*block)

    def cosignature(self) -> Cosignature:
        """Ours of the log as it stands."""
        return cosign(self.me, self.ledger.size, self.ledger.root, self.cores.now // 1_000)

    def hold(self, body: bytes) -> None:
        """A batch arrived, or was there at the start."""
        self.bodies[body] = None
        logged = any(body in batches for _, batches, _ in self.ledger.blocks)
        self.handle(Submitted(body, 10, 1_000, own=False, logged=logged))

    def receive(self, peer: int, data: bytes) -> None:
        """Bytes of a peer."""
        event = self.cores.desk.event(peer, data)
        if event is not None and not self.core.settled(event.sender, event.message):
            self.handle(event)

    def fire(self, timer: Timer) -> None:
        """A timer runs out, if it runs."""
        if self.timers.pop(timer, None) is not None:
            if timer is not Timer.STATUS:
                self.cores.safety.lost_patience(self)
            self.handle(TimerFired(timer))

    def sync(self) -> None:
        """The log is synced."""
        seq, self.unsynced = self.unsynced, 0
        self.handle(Stored(seq))

    def handle(self, event: Event) -> None:
        """One event, with all that follows from it at once."""
        self._do(self.core.handle(event, self.cores.now))

    def _do(self, effects: list[Effect]) -> None:
        queue = deque(effects)
        while queue:
            for event in self._perform(queue.popleft()):
                queue += self.core.handle(event, self.cores.now)
        self.cores.safety.step(self)

    def _perform(self, effect: Effect) -> Iterable[Event]:
        match effect:
            case Persist(record) | Remember(record):
                self.journal.append(encode(record))
            case Broadcast(frame):
                self.cores.send(self, None, frame)
            case Send(to, frame):
                self.cores.send(self, to, frame)
            case StartTimer(timer, delay_ms):
                self.timers[timer] = self.cores.now + delay_ms
            case StopTimer(timer):
                self.timers.pop(timer, None)
            case Execute(seq, time, batches):
                return self._execute(seq, time, batches)
            case CatchUp(certificate, source):
                return self._transfer(certificate, source)
            case _:
                self._other(effect)
        return ()

    def _other(self, effect: Effect) -> None:
        match effect:
            case FetchBodies(digests):
                for body in digests:
                    self.cores.fetch(self, body)
            case Relay(to, digests):
                for body in digests:
                    self.cores.relay(self, to, body)
            case Certified(certificate):
                self.certificate = certificate
                self.cores.safety.certified(self, holds=holds(certificate, self.cores.n))
            case Accuse(evidence):
                self.cores.safety.accused(self, evidence)

    def _execute(self, seq: int, time: int, batches: tuple[bytes, ...]) -> Iterable[Event]:
        if seq <= self.ledger.seq:
            return ()
        self.ledger.execute(seq, time, batches)
        self.unsynced = seq
        return (self.ledger.last(self.cosignature()),)

    def _transfer(self, certificate: Certificate, source: int) -> Iterable[Event]:
        """Log entries from an instance of ``source`` that has them, proven by the certificate."""
        giver = self.cores.holder(self, source, certificate)
        if giver is None or certificate.size <= self.ledger.size:
            return ()
        for block in giver.ledger.blocks[self.ledger.size : certificate.size]:
            self.ledger.append(*block)
        self.cores.safety.transferred(self, certificate)
        self.unsynced = self.ledger.seq
        logged = {body for _, batches, _ in self.ledger.blocks for body in batches}
        known = [Submitted(b, 10, 1_000, own=False, logged=True) for b in self.bodies if b in logged]
        return (CaughtUp(certificate), *known)


# --- the network ---------------------------------------------------------------------------------

Rule = Callable[[Instance, Instance, Frame], Sequence[Frame]]
"""What arrives at one instance when this frame is sent to it."""


def unchanged(_sender: Instance, _to: Instance, frame: Frame) -> Sequence[Frame]:
    """The rule of a network that does no harm."""
    return (frame,)


class Cores:
    """All instances, who hears whom, and what is on its way."""

    def __init__(self, desk: Desk, n: int, twins: Sequence[int] = (), liars: Iterable[int] = ()) -> None:
        """Replicas 0 to n - 1, then a second instance of each of ``twins``."""
        self.desk = desk
        self.n = n
        self.now = START_MS
        self.rule: Rule = unchanged
        self.late = False
        """Whether what does not get through arrives when the groups change, or never."""
        self.held: list[tuple[Instance, int, bytes]] = []
        self.queue: deque[Callable[[], None]] = deque()
        faulty = {*twins, *liars}
        self.safety = Safety(faulty)
        replicas = [*range(n), *twins]
        self.instances = [Instance(self, i, me, faulty=me in faulty) for i, me in enumerate(replicas)]
        self.of = [[i for i in self.instances if i.me == me] for me in range(n)]
        self.group = [0] * len(replicas)
        for instance in self.instances:
            instance.boot()

    @property
    def correct(self) -> list[Instance]:
        """Those of whom everything is promised."""
        return [instance for instance in self.instances if not instance.faulty]

    def together(self, a: Instance, b: Instance) -> bool:
        """Whether they hear each other now."""
        return self.group[a.number] == self.group[b.number]

    def send(self, sender: Instance, to: int | None, frame: Frame) -> None:
        """To all instances of one replica, or of all others."""
        self.safety.monitor.sent(sender.me, frame)
        same = encode(frame)
        for instance in self.instances if to is None else self.of[to]:
            if instance.me == sender.me:
                continue
            for arriving in self.rule(sender, instance, frame):
                self._carry(sender, instance, same if arriving is frame else encode(arriving))

    def _carry(self, sender: Instance, to: Instance, data: bytes) -> None:
        if self.together(sender, to):
            self.queue.append(partial(to.receive, sender.me, data))
        elif self.late:
            self.held.append((to, sender.me, data))

    def fetch(self, asker: Instance, body: bytes) -> None:
        """The body from whoever has it and is heard."""
        if any(body in peer.bodies and self.together(asker, peer) for peer in self.instances):
            self.queue.append(partial(asker.hold, body))

    def relay(self, sender: Instance, to: int, body: bytes) -> None:
        """The body to a replica that may lack it."""
        for peer in self.of[to]:
            if body not in peer.bodies and self.together(sender, peer):
                self.give(peer, body)

    def give(self, to: Instance, body: bytes) -> None:
        """A batch comes in."""
        self.queue.append(partial(to.hold, body))

    def holder(self, asker: Instance, source: int, certificate: Certificate) -> Instance | None:
        """An instance of ``source`` whose log contains the certified one."""
        size, root = certificate.size, certificate.root
        peers = [p for p in self.of[source] if self.together(asker, p) and p.ledger.size >= size]
        return next((p for p in peers if p.ledger.log.root(size) == root), None)

    def partition(self, group: Sequence[int], *, late: bool = False) -> None:
        """From now on only those of one group hear each other; what was held up arrives first."""
        self.group = list(group)
        self.late = late
        held, self.held = self.held, []
        self.queue.extend(partial(to.receive, peer, data) for to, peer, data in held)

    def settle(self) -> None:
        """Deliver until nothing is under way and all logs are synced."""
        count = 0
        while self.queue or self._sync():
            while self.queue:
                self.queue.popleft()()
                count += 1
                if count > DELIVERIES:
                    self.safety.endless()

    def _sync(self) -> bool:
        waiting = [instance for instance in self.instances if instance.unsynced]
        for instance in waiting:
            instance.sync()
        return bool(waiting)

    def next_timer(self) -> tuple[int, int, Timer] | None:
        """When the next timer is due, of which instance, and which."""
        due = [
            (at, i.number, order, t) for i in self.instances for order, (t, at) in enumerate(i.timers.items())
        ]
        if not due:
            return None
        at, number, _, timer = min(due)
        return at, number, timer
