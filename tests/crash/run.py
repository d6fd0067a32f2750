"""One run that goes through everything, and the same run with a crash at a chosen point."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from unittest.mock import patch

from msgspec import Struct

from grootboek.consensus.newview import proposal_in
from grootboek.ledger import Registry, ledger
from grootboek.ledger import files as log_files
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.node import engine, journal
from grootboek.simulation import Plan, Simulation, Weather
from grootboek.simulation.campaign import anchor
from grootboek.simulation.disk import Fate
from grootboek.simulation.monitor import Violation
from grootboek.simulation.replica import SimulatedReplica
from grootboek.types import Epoch, Limits
from grootboek.wire import (
    Commit,
    Envelope,
    Frame,
    Prepare,
    PrePrepare,
    ViewChange,
    block_of,
    decode,
    protocol_messages,
)
from tests.crash.points import CountedReplica, of_journal

MS = 1_000
PERIOD = 60 * MS
"""Between two transactions."""
BURST = 110
"""Transactions at once: with them the log fills a bundle, and begins its second segment."""
END = 2_050 * MS
AFTER = 200 * MS
"""How long a run goes on after the last crash before it is brought to rest."""
AWAY = 600 * MS
"""How long the victim is cut off after its loss of power: others make a snapshot meanwhile."""
DOWN = 40 * MS
"""How long a crashed replica stays down."""
PLAN = Plan(
    weather=Weather(),
    limits=Limits(window=4, view_timer_ms=250, view_timer_cap_ms=1_000),
    settle_seconds=20,
    snapshots=8,
)


class Way(StrEnum):
    """How a process ends, and what becomes of what its disk had not synced."""

    KILL = "SIGKILL"
    HALF = "SIGKILL, half written"
    LOST = "power, all lost"
    TORN = "power, all torn"
    RAGGED = "power, each block torn"
    HOLED = "power, a sector missing"
    JOURNAL = "power, journal lost, log kept"
    LOG = "power, log lost, journal kept"
    ALL = "power of all replicas"


FATES: dict[Way, Callable[[str], Fate]] = {
    Way.LOST: lambda _name: Fate.LOST,
    Way.TORN: lambda _name: Fate.TORN,
    Way.RAGGED: lambda _name: Fate.RAGGED,
    Way.HOLED: lambda _name: Fate.HOLED,
    Way.JOURNAL: lambda name: Fate.LOST if of_journal(name) else Fate.KEPT,
    Way.LOG: lambda name: Fate.KEPT if of_journal(name) else Fate.LOST,
    Way.ALL: lambda _name: Fate.LOST,
}


class Stop(Struct, frozen=True):
    """The victim's process ends before its operation ``at``, counted from its last boot or its first."""

    at: int
    way: Way


class CrashRun(Simulation):
    """Four replicas in fair weather; ``victim`` crashes at each of ``stops`` in turn.

    The second stop counts from the first one's recovery on.
    """

    replica_type = CountedReplica

    def __init__(self, victim: int, *stops: Stop) -> None:
        super().__init__(1, PLAN, Registry.of(Parties, Records), anchor)
        self.victim = victim
        self.crashes = 0
        self.end = END
        self.commits: dict[int, int] = {}
        """By sequence number: the highest view in which the victim sent a COMMIT."""
        self.left = 0
        """The highest view for which the victim sent a VIEW-CHANGE."""
        self.said: set[bytes] = set()
        for replica in self.members:
            replica.count(self._crashed)
        self.stops = list(stops)
        """The crashes to come."""
        self.since = 0
        """The victim's operations up to its last crash."""
        self.arm()

    @property
    def members(self) -> list[CountedReplica]:
        return [replica for replica in self.replicas if isinstance(replica, CountedReplica)]

    # --- the script ------------------------------------------------------------------------------

    def story(self) -> None:
        """What happens, crash or no crash; raises Violation and whatever a replica raises."""
        self._plan()
        for replica in self.replicas:
            self.boot(replica)
        while self.heap.now_us < self.end:
            self._drain(min(self.end, self.heap.now_us + 20 * MS))
        self._heal()
        self._settle()
        self._needs_the_victim()
        self.monitor.settled(self.correct)
        self.clients.history.check()

    def _plan(self) -> None:
        self.clients.start(PERIOD, 0)
        self._at(PERIOD, self._traffic)
        self._at(200 * MS, lambda: self.clients.burst(BURST))
        self._at(400 * MS, lambda: self._alone(0, 400 * MS))  # a view change
        self._at(1_050 * MS, self._power_cut)  # a recovery; and the victim is away
        self._at(1_200 * MS, lambda: self.clients.burst(60))  # for so long that a snapshot spares something

    def _at(self, time_us: int, action: Callable[[], None]) -> None:
        def unless_over() -> None:
            if self.heap.now_us < self.end:
                action()

        self.heap.after(time_us, unless_over)

    def _traffic(self) -> None:
        self.clients.burst(1)
        self._at(PERIOD, self._traffic)

    def _alone(self, one: int, lasts: int) -> None:
        pairs = [(one, other) for other in range(len(self.replicas)) if other != one]
        for a, b in pairs:
            self.network.path(a, b).cut = self.network.path(b, a).cut = True
        self.heap.after(lasts, lambda: self.join(pairs))

    def _power_cut(self) -> None:
        """A loss of power that takes something: it belongs to the run, and its recovery is counted."""
        victim = self.replicas[self.victim]
        if self.crashes or not victim.alive:
            return
        if not victim.disk.unsynced:
            self._at(MS // 10, self._power_cut)
        else:
            victim.kill()
            victim.disk.lose_power(FATES[Way.TORN])
            self.heap.after(DOWN, lambda: self._back_alone(victim))

    def _back_alone(self, victim: SimulatedReplica) -> None:
        self.boot(victim)
        self._alone(victim.me, AWAY)

    def _settle(self) -> None:
        super()._settle()
        while not all(replica.alive for replica in self.replicas):
            self._drain(self.heap.now_us + DOWN)
            super()._settle()

    def _needs_the_victim(self) -> None:
        """Without one of the others a quorum needs the victim: it takes part again."""
        primary = self._views % len(self.replicas)
        other = next(r for r in self.replicas if r.me not in {self.victim, primary})
        pairs = [(other.me, r.me) for r in self.replicas if r is not other]
        self._alone(other.me, 20_000 * MS)
        self.clients.burst(1)
        end = self.heap.now_us + 20_000 * MS
        while self.clients.waiting and self.heap.now_us < end - 20 * MS:
            self._drain(self.heap.now_us + 20 * MS)
        if self.clients.waiting:
            raise Violation("PL1: nothing is ordered where a quorum needs the crashed replica")
        self.join(pairs)
        self._settle()

    # --- the crash -------------------------------------------------------------------------------

    def arm(self) -> None:
        """Have the victim crash at the next of its stops."""
        if self.stops:
            points, stop = self.members[self.victim].points, self.stops[0]
            points.stop_at = self.since + stop.at
            points.halved = stop.way is Way.HALF

    def _crashed(self, replica: CountedReplica) -> None:
        self.crashes += 1
        self.end = min(END, self.heap.now_us + AFTER)
        way = self.stops.pop(0).way
        self.note(f"replica {replica.me} crashed ({way}) before operation {len(replica.points.seen)}")
        for one in self.replicas if way is Way.ALL else [replica]:
            if one.alive:
                one.kill()
            if way in FATES:
                one.disk.lose_power(FATES[way])
            self.heap.after(DOWN, lambda one=one: self.boot(one))  # type: ignore[misc]  # binds the loop's one
        self.since = len(replica.points.seen)
        self.arm()

    # --- what was said ---------------------------------------------------------------------------

    def _send(self, sender: int, to: int, frame: Frame, epoch: Epoch) -> None:
        self.members[sender].points.reach("send")
        # Whoever greets a peer shows it what that one has said: the check is of the victim's own words.
        if sender == self.victim and isinstance(frame, Envelope) and frame.signed.sender == sender:
            self._check(frame.signed.payload)
        super()._send(sender, to, frame, epoch)

    def _check(self, payload: bytes) -> None:
        """Beyond PS4: no new vote in a view that was left, and no VIEW-CHANGE that hides a COMMIT."""
        if payload in self.said:
            return
        self.said.add(payload)
        match decode(protocol_messages, payload):
            case PrePrepare(view) | Prepare(view) if view < self.left:
                raise Violation(f"PS3: a new vote in view {view}, after a VIEW-CHANGE for {self.left}")
            case Commit(view, seq):
                if view < self.left:
                    raise Violation(f"PS3: a new COMMIT in view {view}, after leaving for {self.left}")
                self.commits[seq] = max(view, self.commits.get(seq, 0))
            case ViewChange(view) as message:
                self.left = max(view, self.left)
                self._check_claims(message)

    def _check_claims(self, message: ViewChange) -> None:
        low = block_of(message.stable).seq if message.stable else 0
        claimed = {value.seq: value.view for value in (proposal_in(p.pre_prepare) for p in message.prepared)}
        for seq, view in self.commits.items():
            if seq > low and claimed.get(seq, -1) < view < message.view:
                raise Violation(f"PS3: the VIEW-CHANGE for {message.view} hides a COMMIT at ({view}, {seq})")


@contextmanager
def small_files() -> Iterator[None]:
    """Segments and journals so small that a short run fills them; flushes so often that it has some."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(engine, "COMPACT_BYTES", 30_000))
        stack.enter_context(patch.object(engine, "FLUSH_MS", 150))
        stack.enter_context(patch.object(ledger, "PATIENCE", 1))
        stack.enter_context(patch.object(journal, "SEGMENT_BYTES", 8_000))
        stack.enter_context(patch.object(log_files, "SEGMENT_BYTES", 1))
        yield


def run(victim: int, *stops: Stop) -> CrashRun:
    """The story with these crashes, to its end."""
    with small_files():
        story = CrashRun(victim, *stops)
        story.story()
    return story
