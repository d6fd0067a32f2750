"""One replica without its sockets, clock and threads: consensus, ledger, journal and client intake joined.

Every public method is one turn: it takes what happened, runs the consensus core until it is still,
makes durable what must be durable, and returns the frames and timers that follow. The daemon and the
simulator run this same code; they differ in who delivers the frames and what lies under the disk.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence

from msgspec.structs import replace

from grootboek import consensus
from grootboek._core import TransactionBatch
from grootboek.consensus import (
    Accuse,
    Amnesia,
    Broadcast,
    CaughtUp,
    Certified,
    Complain,
    Cosigned,
    Effect,
    Event,
    Execute,
    Executed,
    FetchBodies,
    OpenedEpoch,
    Persist,
    Position,
    Relay,
    Release,
    Remember,
    Send,
    StartTimer,
    StopTimer,
    Stored,
    Timer,
    TimerFired,
)
from grootboek.errors import Damaged
from grootboek.ledger import Block
from grootboek.node.catchup import TRANSFER_TIMER
from grootboek.node.intake import Request
from grootboek.node.journalled import (
    EVIDENCE,
    RECORD,
    Held,
    body_record,
    entering,
    opened_in,
    said_in,
)
from grootboek.node.judging import judge_request
from grootboek.node.outbox import Outbox
from grootboek.node.parts import Parts
from grootboek.transfer import Chunk, FetchChunk, FetchSnapshot, Offer
from grootboek.types import Epoch
from grootboek.wire import (
    Batch,
    Certificate,
    Checkpoint,
    Entries,
    Envelope,
    Evidence,
    FetchBatch,
    FetchEntries,
    Frame,
    Path,
    Status,
    Suspect,
    block_of,
    encode,
)

__all__ = ["Engine"]

SYNC_TIMER = "sync"
SYNC_MS = 100
"""How long the log's file may stay behind what was executed, at most a quarter of the window."""
FLUSH_TIMER = "flush"
FLUSH_MS = 1_000
"""How long what follows from the log may stay behind it; the state ``ledger.PATIENCE`` times as long."""
KEPT_BLOCKS = 16
"""For how many certified blocks batch bodies stay at hand for replicas that are a little behind."""
COMPACT_BYTES = 32 << 20
"""How much the journal grows before what is still needed is written again and the rest dropped."""
_MESSAGES = (Envelope, Checkpoint, Status, Suspect)
_JOURNALLED = (Persist, Remember)


class Engine(Parts):
    """The replica's whole behaviour as one deterministic, synchronous object."""

    # --- what happens to a replica ---------------------------------------------------------------

    def start(self, now: int) -> Outbox:
        """Recover from the journal, or begin: one code path."""
        self._compact_at = COMPACT_BYTES
        held, self._held = self._held, Held()
        events = [event for item in held.bodies for event in self._recovered_body(item)]
        said = said_in(self.epoch.number, held.records)
        cosigned = [record for record in held.records if isinstance(record, Cosigned)]
        self.signers.restore([*cosigned, *said, *([self._lost] if self._lost else [])], self._high)
        effects = self.replica.start(self._position(now), said, now, self._lost)
        if opened_in(held.records) < self.epoch.number:  # a crash before its first record
            self._rewrite()
        out = Outbox()
        out.sync = True
        return self._turn(events, now, out, effects)

    def frames(self, arrived: Sequence[tuple[int, Frame]], now: int) -> Outbox:
        """Frames from authenticated peers, all but Batch (see ``body``)."""
        out = Outbox()
        messages: list[tuple[int, Frame]] = []
        others: list[tuple[int, Frame]] = []
        for sender, frame in arrived:
            if self._of_another_epoch(sender, frame, out):
                continue
            if isinstance(frame, _MESSAGES):
                messages.append((sender, frame))
            else:
                others.append((sender, frame))
        events = self.gate.events(messages, self.replica.settled)
        for sender, frame in others:
            events += self._serve(sender, frame, out)
        return self._turn(events, now, out) if events or others else out

    def body(self, sender: int, batch: TransactionBatch, now: int) -> Outbox:
        """A batch from a peer, parsed, with every verdict good.

        Unasked it is taken within its sender's quota, and only where ordering it could add something:
        what is never executed would count against no quota.
        """
        asked = self._wanted.pop(batch.digest, None) is not None
        admissible = asked or self.bodies.within_quota(sender, len(batch.buffer), len(batch))
        logged = admissible and self._logged(batch)
        if not admissible or (logged and not asked):
            self.counters.batches_refused += 1
            return Outbox()
        self.counters.batches_received += 1
        self.counters.transaction_signatures += len(batch)
        return self._turn(self._admit(batch, sender, logged=logged), now, Outbox())

    def submit(self, batch: TransactionBatch, now: int, done: Callable[[Request], None]) -> Outbox:
        """A client's request, parsed and judged; ``done`` is called when it can be answered."""
        self.counters.transaction_signatures += len(batch)
        self.intake.submit(batch, now, done)
        return self._turn([], now, Outbox())

    def timer(self, timer: Hashable, now: int) -> Outbox:
        """A timer that an outbox started has run out."""
        out = Outbox()
        events: list[Event] = []
        if timer == SYNC_TIMER:
            out.sync = True
        elif timer == FLUSH_TIMER:
            self._flush_due = False
            out.flush = True
        elif timer == TRANSFER_TIMER:
            self.catchup.retry(out)
        elif timer is Timer.PROGRESS and not self._may_judge:
            out.start(timer, self.limits.view_timer_ms)
        elif isinstance(timer, Timer):
            events += [*self._overtaken(), TimerFired(timer)]
        return self._turn(events, now, out)

    def connected(self, peer: int, now: int) -> Outbox:
        """A peer is reachable (again): tell it where we are, so that each learns what it lacks."""
        alone = not self._in_touch
        self.reachable.add(peer)
        out = Outbox()
        if alone and self._in_touch and self.replica.running(Timer.PROGRESS):
            out.start(Timer.PROGRESS, self.replica.patience)  # only now can the view order anything
        for frame in self.replica.greet(peer):
            out.send(peer, frame)
        for batch in self.bodies.waiting(self.me):
            out.send(peer, Batch(batch.buffer))
        for evidence in self.testimony.evidence:
            out.send(peer, evidence)
        return self._turn([], now, out)

    def lost(self, peer: int) -> None:
        """The connection to a peer is gone."""
        self.reachable.discard(peer)

    @property
    def _in_touch(self) -> bool:
        """Whether a quorum is connected; guests have no vote."""
        quorum = self.epoch.quorum
        return sum(peer < quorum.n for peer in self.reachable) + 1 >= quorum.quorum

    @property
    def _may_judge(self) -> bool:
        """Whether a standstill here is the fault of the view. A replica without a quorum helps nobody by
        leaving, and one that is behind a certificate saw others make progress: once out of the view it
        could not vote until the next one.
        """
        return self._in_touch and not self.catchup.running

    def stored(self, seq: int, now: int) -> Outbox:
        """The log is synced through the block of ``seq``."""
        self.counters.log_syncs += 1
        self._stored = max(self._stored, seq)
        out = Outbox()
        self._syncing = self.ledger.seq > seq
        if self._syncing:
            out.start(SYNC_TIMER, SYNC_MS)
        if self.ledger.unflushed:
            self._flush_soon(out)
        events: list[Event] = [Stored(seq)]
        if self.catchup.landed():
            self.counters.leaps += 1
            self.intake.skipped()
            events += self._reached(self.catchup.progress(out))
        return self._turn(events, now, out)

    # --- one turn --------------------------------------------------------------------------------

    def _turn(self, events: Sequence[Event], now: int, out: Outbox, effects: Sequence[Effect] = ()) -> Outbox:
        """Run the core until it is still.

        All that is queued is drained first, then one sync covers what must be durable, then the
        effects are performed in their order: group commit without a protocol for it.
        """
        queue = deque(events)
        pending = list(effects)
        view = self.replica.view
        while True:
            while queue:
                pending += self.replica.handle(queue.popleft(), now)
            if pending:
                self._persist(pending)
                for effect in pending:
                    queue += self._perform(effect, now, out)
                pending = []
            else:
                self._testify(now)
                queue += self.testimony.listed()
                queue += self._cut(out)
                if not queue:
                    self.counters.view_changes += self.replica.view - view
                    self._close(out)
                    return out

    def _persist(self, effects: Sequence[Effect]) -> None:
        """Journal all records, in order; one sync covers them."""
        due = False
        for effect in effects:
            if isinstance(effect, _JOURNALLED):
                if isinstance(effect.record, Amnesia):
                    self.signers.forget(effect.record)
                self.journal.append(RECORD + encode(effect.record))
                due = due or isinstance(effect, Persist)
        if due:
            amnesia = self.replica.amnesia
            known = amnesia is None or amnesia.bound is not None
            self.journal.high = self.signers.high if known else None
            self.journal.sync()
            self.counters.journal_syncs += 1

    def _perform(self, effect: Effect, now: int, out: Outbox) -> Sequence[Event]:
        """Do what an effect says; the events that follow from it."""
        match effect:
            case Persist() | Remember():
                return ()
            case Execute():
                return self._execute(effect, now, out)
            case Certified(certificate):
                return self._certified(certificate, out)
            case Broadcast(frame):
                out.send(None, frame)
            case Send(to, frame):
                out.send(to, frame)
            case StartTimer(timer, delay_ms):
                out.start(timer, delay_ms)
            case StopTimer(timer):
                out.stop(timer)
            case _:
                self._perform_rare(effect, out)
        return ()

    def _perform_rare(self, effect: Effect, out: Outbox) -> None:
        """What the normal case does not see."""
        match effect:
            case FetchBodies(digests):
                self._fetch(digests, out)
            case Relay(to, digests):
                for digest in digests:
                    self._offer(to, digest, out)
            case consensus.CatchUp(certificate, source):
                self.counters.transfers += not self.catchup.running
                self.catchup.want(certificate, source, out)
            case Release():
                self._release()
            case Accuse(evidence):
                self._learn(evidence, out)
            case Complain(view):
                self.testimony.complain(view)

    # --- what is said of other replicas ---------------------------------------------------------

    def _learn(self, evidence: Evidence, out: Outbox) -> None:
        """Each replica passes on what is new to it, once."""
        if self.testimony.learn(evidence):
            out.send(None, evidence)

    def _testify(self, now: int) -> None:
        for frame in self.testimony.due(now):
            self.intake.submit(judge_request(frame, self.genesis), now, lambda _request: None)

    # --- epochs ----------------------------------------------------------------------------------

    def _close(self, out: Outbox) -> None:
        """Where the epoch is closed and that is certified: sync the log, then hand over."""
        if not self.ledger.closed:
            return
        certificate = self.ledger.certificate
        if certificate is not None and certificate.size == self.ledger.size:
            out.opens = self.ledger.synced_size >= certificate.size
            out.sync = out.sync or not out.opens

    def open_epoch(self, now: int) -> Outbox:
        """Begin the next epoch, after an outbox that ``opens`` it: what it leaves is for that epoch's
        replicas, to whom the network is to be turned. Raises StorageError.

        What was said in the old one is forgotten; batches that wait are ordered in the new one.
        """
        certificate = self.ledger.certificate
        if certificate is None:
            raise Damaged("an epoch was closed, and nothing is certified", where="log")
        before = self.epoch
        self.ledger.hand_over(certificate)
        after, high = self.ledger.epochs.last, self.signers.high
        if self._began is None and not self.replica.silent:
            self._began = high  # it has come back in this epoch, so it has been in no later one
        self._lost = entering(self._began, after.number)
        self._enter(*self._seat_in(after))
        self.signers.restore([] if self._lost is None else [self._lost], replace(high, view=0, seq=0))
        self.testimony.enter(self.signers.keys.voting)
        self.reachable.clear()
        self._elsewhere.clear()
        self._wanted.clear()
        self.catchup.among(self.me, after.quorum.n)
        self.bodies.renumber(_renumbered(before, after), self.me)
        out = Outbox()
        for timer in (*Timer, TRANSFER_TIMER):
            out.stop(timer)
        effects = self.replica.start(self._position(now), (), now, self._lost)
        self._rewrite()
        events = [self._submitted(body.batch, body.origin) for body in self.bodies.needed(self.ledger.seq)]
        return self._turn(events, now, out, effects)

    def _of_another_epoch(self, sender: int, frame: Frame, out: Outbox) -> bool:
        """Whether the frame belongs to another epoch, so that it says nothing here.

        A peer in an older one is told how that one ended; one in a newer one, where we are.
        """
        if isinstance(frame, Status):
            if frame.epoch == self.epoch.number:
                return False
            if not self._tells_how_it_ended(frame):
                if frame.epoch > self.epoch.number:
                    self._elsewhere.add(sender)
                self._tell_of_epochs(sender, frame.epoch, out)
            return True
        return isinstance(frame, Envelope) and sender in self._elsewhere

    def _tells_how_it_ended(self, status: Status) -> bool:
        """Whether it is such news of an earlier epoch: whoever tells it has left that one. To take it for
        where the sender is would drop its votes, and to answer it would have two replicas tell each other
        the same without end.
        """
        handovers = self.ledger.epochs.handovers
        if status.epoch >= len(handovers) or status.stable is None:
            return False
        return status.stable.size == handovers[status.epoch].certificate.size

    def _tell_of_epochs(self, peer: int, epoch: int, out: Outbox) -> None:
        handovers = self.ledger.epochs.handovers
        if epoch > self.epoch.number:
            if self.replica.may_answer(peer):
                out.send(peer, self.replica.status())
        elif epoch < len(handovers):
            ended = handovers[epoch].certificate
            out.send(peer, Status(0, True, block_of(ended).seq, ended, epoch))  # noqa: FBT003  # by place

    # --- execution and certificates --------------------------------------------------------------

    def _execute(self, effect: Execute, now: int, out: Outbox) -> Sequence[Event]:
        """Execute a committed value, unless a transfer has brought its block meanwhile, or will."""
        if effect.seq <= self.ledger.seq or self.ledger.incoming:
            return ()
        block = self.ledger.execute(effect.seq, effect.time, self.bodies.all_of(effect.batches))
        self.bodies.executed(effect.batches, effect.seq)
        self._advanced(block, out)
        return (self._executed(effect.seq, block.size, block.root, block.raw, block.path, now),)

    def _executed(  # noqa: PLR0917  # the fields of a block, in their order
        self, seq: int, size: int, root: bytes, raw: bytes, path: Path, now: int
    ) -> Executed:
        """The last block as an event, cosigned unless it is of an earlier epoch, or this is an observer."""
        ours = size > self.epoch.start and self.me < self.epoch.quorum.n
        cosignature = self.signers.cosign(size, root, now // 1_000) if ours else None
        return Executed(seq, size, root, raw, path, cosignature, closes=self.ledger.closed)

    def _advanced(self, block: Block, out: Outbox) -> None:
        self.counters.block(block.entry)
        self.intake.executed(block)
        self._flush_soon(out)
        if not self._syncing:
            self._syncing = True
            out.start(SYNC_TIMER, SYNC_MS)
        if block.entry.seq - self._stored >= self.limits.window // 4:
            out.sync = True

    def _flush_soon(self, out: Outbox) -> None:
        if not self._flush_due:
            self._flush_due = True
            out.start(FLUSH_TIMER, FLUSH_MS)

    def _certified(self, certificate: Certificate, out: Outbox) -> Sequence[Event]:
        self.ledger.certify(certificate)
        self._drop_bodies(block_of(certificate).seq - KEPT_BLOCKS)
        self.intake.certified(certificate.size)
        return self._reached(self.catchup.progress(out)) if self.catchup.running else ()

    def _reached(self, caught_up: CaughtUp | None) -> Sequence[Event]:
        """The end of a transfer."""
        return () if caught_up is None else (caught_up, *self._overtaken())

    def _overtaken(self) -> Sequence[Event]:
        """Waiting bodies whose transactions are in the log by other ways are not to be ordered again."""
        logged = [body for body in self.bodies.needed(self.ledger.seq) if self._logged(body.batch)]
        self.bodies.executed([body.batch.digest for body in logged], self.ledger.seq)
        return [self._submitted(body.batch, body.origin, logged=True) for body in logged]

    def _release(self) -> None:
        """Write again what is still needed and drop the rest, once the journal has grown enough.

        Every body that is held stays: a proposal may name one that is executed, and a vote for it
        rests on the journal as any other.
        """
        if self.journal.size >= self._compact_at:
            self._rewrite()

    def close(self) -> None:
        """After the last turn: leave a journal of what is still needed, and no more. Raises StorageError."""
        self._rewrite()

    def _rewrite(self) -> None:
        position = self.journal.mark()
        written = [body_record(b.batch, b.origin) for b in self.bodies.held()]
        written += [EVIDENCE + encode(evidence) for evidence in self.testimony.evidence]
        if self.epoch.number:
            written.append(RECORD + encode(OpenedEpoch(self.epoch.number)))
        written += [RECORD + encode(record) for record in self.replica.records()]
        for item in written:
            self.journal.append(item)
        self.journal.release(position)
        self.journal.sync()
        self._compact_at = max(COMPACT_BYTES, 2 * sum(map(len, written)))

    # --- serving ---------------------------------------------------------------------------------

    def _serve(self, sender: int, frame: Frame, out: Outbox) -> Sequence[Event]:
        match frame:
            case FetchBatch(digests):
                for digest in dict.fromkeys(digests):
                    self._offer(sender, digest, out)
            case Evidence():
                self._learn(frame, out)
            case FetchEntries() | FetchSnapshot() | Offer() | FetchChunk() | Chunk():
                self.catchup.serve(sender, frame, out)
            case Entries():
                blocks, reached = self.catchup.received(sender, frame, out)
                for block in blocks:
                    self._advanced(block, out)
                return self._reached(reached)
        return ()

    def _position(self, now: int) -> Position:
        """Where the recovered log ends, cosigned (again)."""
        ledger = self.ledger
        if not ledger.height:
            return Position(None, None)
        path = ledger.inclusion(ledger.size - 1, ledger.size)
        raw = ledger.block(ledger.height).raw
        last = self._executed(ledger.seq, ledger.size, ledger.root, raw, path, now)
        known = [one for one in (ledger.certificate, self._opened) if one is not None]
        return Position(last, max(known, key=lambda one: one.size, default=None))


def _renumbered(before: Epoch, after: Epoch) -> dict[int, int]:
    """The index in ``after`` of those replicas of ``before`` that are in it."""
    found = {i: after.index(replica.name) for i, replica in enumerate(before.replicas)}
    return {i: index for i, index in found.items() if index is not None}
