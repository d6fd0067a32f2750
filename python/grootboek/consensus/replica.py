"""The PBFT state machine of one replica: a pure function of values, events in and effects out.

Source: Castro and Liskov, "Practical Byzantine Fault Tolerance", OSDI 1999, section 4, in the
variant with signatures, where a certificate convinces anybody. Nothing here reads a clock, a socket
or a file: ``now`` is an argument; bodies, signature checks, durability and execution are the driver's.
"""

from collections.abc import Callable, Sequence

from grootboek.consensus.config import Config
from grootboek.consensus.core import Position
from grootboek.consensus.effects import Effect, FetchBodies, Relay, Send, Timer
from grootboek.consensus.events import (
    CaughtUp,
    Event,
    Executed,
    Heard,
    Listed,
    Received,
    Stored,
    Submitted,
    TimerFired,
)
from grootboek.consensus.newview import proposal_in, view_change_in
from grootboek.consensus.records import (
    Accepted,
    Amnesia,
    Cosigned,
    EnteredView,
    HoldsPrepared,
    LeftView,
    Record,
    StableCheckpoint,
    Voted,
)
from grootboek.consensus.slots import Slot
from grootboek.consensus.suspecting import Suspecting
from grootboek.wire import (
    Certificate,
    Checkpoint,
    Commit,
    Envelope,
    Frame,
    NewView,
    Prepare,
    PrePrepare,
    ProtocolMessage,
    Signed,
    Status,
    Suspect,
    ViewChange,
    block_of,
    decode,
    protocol_messages,
)

__all__ = ["Replica"]


class Replica(Suspecting):
    """Feed it events with ``handle``; perform the effects in their order."""

    __slots__ = ("answered", "turn")

    def __init__(self, config: Config, sign: Callable[[bytes], Signed | None]) -> None:
        """See ViewChanging."""
        super().__init__(config, sign)
        self.turn = 0
        self.answered: dict[int, int] = {}
        """When each peer was last told our STATUS in answer to its own."""

    # --- driving ---------------------------------------------------------------------------------

    def handle(self, event: Event, now: int) -> list[Effect]:
        """One event; ``now`` is the local clock in milliseconds since 1970.

        Nine of the twelve events of a decision among four replicas are votes and cosignatures, which take
        the shortest way; and until there are enough of them, nothing is due.
        """
        self.now = now
        if now != self.pace.last:
            self.tick(now)
        if type(event) is Received:
            if event.signed.sender == self.me:
                self._on_own(event.message, event.signed)
            else:
                self._received(event.message, event.signed)
        elif type(event) is Heard:
            heard = event.message
            if type(heard) is Checkpoint:
                self.on_checkpoint(heard)
            else:
                self._heard(event.sender, heard)
        elif type(event) is Stored:
            self.on_stored(event)
        else:
            self._told(event)
        if self.due:
            self._follow_up()
        effects, self._effects = self._effects, []
        return effects

    def _told(self, event: Submitted | TimerFired | Executed | CaughtUp | Listed) -> None:
        self.due = True
        if type(event) is Executed:
            self.on_executed(event)
        elif type(event) is Submitted:
            self.on_submitted(event)
        elif type(event) is TimerFired:
            self._fired(event.timer)
        elif type(event) is CaughtUp:
            self.on_caught_up(event)
        else:
            self.passed_over = frozenset(event.replicas)

    def _fired(self, timer: Timer) -> None:
        if not self.running(timer):
            return
        self.fired(timer)
        if timer is Timer.PROGRESS:
            self.on_progress_timer()
        elif timer is Timer.NEW_VIEW:
            self.on_new_view_timer()
        else:
            self.on_status_timer()

    def _heard(self, sender: int, message: Status | Suspect) -> None:
        self.due = True
        if type(message) is Status:
            self.on_status(sender, message)
        else:
            self.on_suspect(sender, message.view)

    def _received(self, message: ProtocolMessage, signed: Signed) -> None:
        """A message of a peer."""
        if type(message) is Commit:
            self.on_commit(message, signed)
        elif type(message) is Prepare:
            self.on_prepare(message, signed)
        else:
            self._of_view(message, signed)

    def _of_view(self, message: PrePrepare | ViewChange | NewView, signed: Signed) -> None:
        self.due = True
        if type(message) is PrePrepare:
            self.on_pre_prepare(message, signed)
            if message.view <= self.view:
                self.watch_origins()
        elif type(message) is ViewChange:
            self.on_view_change(message, signed)
        else:
            self.on_new_view(message, signed)
            self._replay_early()

    def _replay_early(self) -> None:
        """The votes that overtook their NEW-VIEW."""
        if self.active and self.early:
            votes, self.early = self.early, {}
            for message, signed in votes.values():
                if message.view >= self.view:
                    self._received(message, signed)

    def _follow_up(self) -> None:
        """What an event brings about beyond its own rule."""
        if self.silent and self.wakes():
            self._begin()
        if self.window_moved:
            self.vote_waiting()
        if self.backlog.origins:
            self.propose()
        self.due = self.noted = False
        if self.over:
            self.judge()
        self.watch()
        self.progressed = self.window_moved = False

    def settled(self, sender: int, message: ProtocolMessage | Checkpoint | Status | Suspect) -> bool:
        """Whether a vote comes too late to change anything, so that nobody need check its signature.

        A vote that contradicts an earlier one of its sender is evidence, and never settled.
        """
        if type(message) is Checkpoint:
            return message.size <= self.checkpoints.size
        if type(message) is Prepare or type(message) is Commit:
            return (self.learning and sender != self.me) or self._late(sender, message)
        return type(message) is PrePrepare and self.learning and sender != self.me

    def _late(self, sender: int, vote: Prepare | Commit) -> bool:
        if vote.view != self.view:
            return False
        slot = self.slots.get(vote.seq)
        if slot is None:
            return vote.seq <= self.low
        if type(vote) is Prepare:
            return slot.committing and sender not in slot.prepares
        return slot.decided is not None and sender not in slot.commits

    # --- STATUS ----------------------------------------------------------------------------------

    def status(self) -> Status:
        """What this replica has: peers answer with what it lacks."""
        epoch = self.config.epoch
        return Status(self.view, self.active, self.executed, self.stable, epoch, asking=self.silent)

    def greet(self, peer: int) -> list[Frame]:
        """For a peer that may have forgotten: the votes of its own that are held here, then our STATUS."""
        slots = [slot for _, slot in sorted(self.slots.items())]
        held = [signed for slot in slots for signed in slot.signed_by(peer)]
        held += [signed for key, (_, signed) in self.early.items() if key[0] == peer]
        held += [wish[1] for wish in (self.wanted.get(peer),) if wish is not None]
        if self.opening is not None and self.opening.sender == peer:
            held.append(self.opening)
        return [*(Envelope(signed) for signed in held), self.status()]

    def on_status_timer(self) -> None:
        """Ask and tell again, for as long as something is missing here or unheard of there.

        An observer and a learner are told nothing by themselves, so they ask for ever.
        """
        if self.silent:
            self.find_bound()
            self._ask_everybody()
            self.start_timer(Timer.STATUS, self.config.limits.view_timer_ms // 2)
            return
        if not self.active or self.ordering_work() or self.checkpoints.ahead(self.size):
            if not self.active or self.executed == self.asked_at or self._left_behind():
                self._ask_everybody()
            self.asked_at = self.executed
            self.start_timer(Timer.STATUS, self.config.limits.view_timer_ms // 2)
            return
        silent = [peer for peer in self.peers if self.checkpoints.unconfirmed(peer)]
        for peer in silent:
            self.emit(Send(peer, self.status()))
        if silent:
            self.start_timer(Timer.STATUS, self.config.limits.view_timer_cap_ms)

    def _left_behind(self) -> bool:
        """Whether f + 1 peers are ahead, and nothing was executed here for a while.

        To ask only at the second time that the timer finds the same would be too late for the view, which
        is not to blame: its patience is as long as that.
        """
        waited = self.pace.clock - self.pace.moved_at >= self.config.limits.view_timer_ms // 4
        return waited and self.checkpoints.ahead(self.size) >= self.quorum.weak

    def _ask_everybody(self) -> None:
        self.broadcast(self.status())
        mine = self.wanted.get(self.me)
        if not self.active and mine is not None:
            self.tell(mine[1])
        for slot in self.slots.values():
            if (value := slot.unvoted) is not None and (missing := self.missing(value)):
                self.emit(FetchBodies(tuple(missing)))
        unassigned = self.backlog.next(self.config.limits.block_batches)
        if unassigned and not self.leading:
            self.emit(Relay(self._who_may_order(), unassigned))

    def _who_may_order(self) -> int:
        """The primary; outside a view each peer in turn, since the others may have gone on without us."""
        self.turn += 1
        return self.primary if self.active else self.peers[self.turn % len(self.peers)]

    def on_status(self, sender: int, message: Status) -> None:
        """Learn from a peer that is ahead, help one that is behind."""
        if message.stable is not None:
            self.learn(message.stable, sender)
        if sender == self.me:
            return
        self.hear(sender, message)
        behind = message.view < self.view or (
            message.view == self.view and self.active and not message.active
        )
        if behind:
            self._help_into_view(sender)
        size = 0 if message.stable is None else message.stable.size
        if (behind or size < self.checkpoints.size or message.asking) and self.may_answer(sender):
            for frame in self.greet(sender) if message.asking else [self.status()]:
                self.emit(Send(sender, frame))
        self._help_order(sender, message)

    def may_answer(self, peer: int) -> bool:
        """Two replicas that are each behind in something must not answer each other without end."""
        last = self.answered.get(peer, 0)
        if self.now < last + self.config.limits.view_timer_ms // 4:
            return False
        self.answered[peer] = self.now
        return True

    def _help_into_view(self, peer: int) -> None:
        mine = self.wanted.get(self.me)
        if self.active and self.opening is not None:
            self.send_signed(peer, self.opening)
        elif not self.active and mine is not None:
            self.send_signed(peer, mine[1])

    def _help_order(self, peer: int, message: Status) -> None:
        """Tell the votes of this view above what the peer has executed, and cosignatures not yet stable."""
        for checkpoint in self.checkpoints.own(self.me):
            self.emit(Send(peer, checkpoint))
        if not self.active or message.view != self.view:
            return
        for seq, slot in sorted(self.slots.items()):
            if seq > message.executed:
                for signed in slot.told_by(self.me):
                    self.send_signed(peer, signed)

    # --- amnesia ---------------------------------------------------------------------------------

    def _on_own(self, message: ProtocolMessage, signed: Signed) -> None:
        """A peer shows us a message of our own: is it one that we remember?"""
        self.due = True
        seq = 0 if isinstance(message, ViewChange | NewView) else message.seq
        if self.learning:
            self.shown(message.view, seq)
        elif message.view > self.view or (message.view == self.view and not self._said(message, signed)):
            self.forget_votes(message.view)

    def _said(self, message: ProtocolMessage, signed: Signed) -> bool:
        """Whether the journal has, or had, this message of ours about the view that we are in, or want."""
        if self.amnesia is not None and isinstance(message, ViewChange | NewView):
            return message.view <= self.amnesia.view or self._said_of_view(message, signed)
        if isinstance(message, ViewChange | NewView):
            return self._said_of_view(message, signed)
        closed = self.closing is not None and message.seq > self.closing  # void, and dropped at the close
        if closed or message.seq <= max(self.low, self.bound):
            return True
        slot = self.slots.get(message.seq)
        return slot is not None and any(s.payload == signed.payload for s in slot.signed_by(self.me))

    def _said_of_view(self, message: ViewChange | NewView, signed: Signed) -> bool:
        if isinstance(message, NewView):
            return self.active and self.opening is not None and self.opening.payload == signed.payload
        mine = self.wanted.get(self.me)
        return self.active or (mine is not None and mine[1].payload == signed.payload)

    def _begin(self) -> None:
        """From here on this replica votes: on all that it was silent about."""
        last = self.withheld
        if last is not None and self.bound < last.seq == self.executed:
            self.cosign(last)
        if self.opening is not None and self.active:
            opening = decode(protocol_messages, self.opening.payload)
            if isinstance(opening, NewView):
                self.accept_all(opening)
        self.follow_wishes()
        mine = self.wanted.get(self.me)
        if not self.active and (mine is None or mine[0].view < self.view):
            self.start_timer(Timer.NEW_VIEW, self.patience)  # it cannot ask again for the view it waits for
        for slot in list(self.slots.values()):
            self.progress(slot)
        self.vote_waiting()
        self.announce()
        self.execute_next()

    # --- recovery --------------------------------------------------------------------------------

    def start(
        self, position: Position, records: Sequence[Record], now: int, lost: Amnesia | None = None
    ) -> list[Effect]:
        """Begin, or go on where the journal ends: one code path.

        ``lost``: what the driver knows where ``records`` are not all that this replica has said.
        """
        self.now = now
        last = position.last
        if last is not None:
            self.executed = self.executing = last.seq
            self.size = last.size
        if position.certificate is not None:
            self._recall_stable(position.certificate)
        for record in records:
            self._recall(record)
        if lost is not None:
            self.recall_amnesia(lost)
            self.remember_amnesia()
        if last is not None:
            if last.closes:
                self.close(last.seq)
            self.cosign(last)
        self.forget()
        if self.wakes():
            self._begin()
        self.broadcast(self.status())
        self.ask_soon()
        self.announce()
        self.execute_next()
        self.progressed = self.window_moved = False
        effects, self._effects = self._effects, []
        return effects

    def records(self) -> list[Record]:
        """What the journal must hold now: replaces all records so far, in an order that recovers."""
        records: list[Record] = []
        if self.durable is not None:
            records.append(StableCheckpoint(self.durable))
        if self.amnesia is not None:
            records.append(self.amnesia)
        if self.opening is not None:
            records.append(EnteredView(self.opening))
        mine = self.wanted.get(self.me)
        if not self.active and mine is not None:
            records.append(LeftView(mine[1]))
        for _, slot in sorted(self.slots.items()):
            if slot.certificate is not None:
                records.append(HoldsPrepared(slot.certificate))
            if slot.pre_prepare is not None and slot.voted:
                records.append(Accepted(slot.pre_prepare))
            votes = (slot.prepares.get(self.me), slot.commits.get(self.me))
            records += [Voted(vote) for vote in votes if vote is not None]
        if self.cosigned is not None:
            records.append(self.cosigned)
        return records

    def _recall(self, record: Record) -> None:
        match record:
            case StableCheckpoint(certificate):
                self._recall_stable(certificate)
            case LeftView(signed):
                self._recall_left(signed)
            case EnteredView(signed):
                self._recall_entered(signed)
            case Accepted(signed):
                self._recall_accepted(signed)
            case Voted(signed):
                self._recall_vote(signed)
            case HoldsPrepared(certificate):
                value = proposal_in(certificate.pre_prepare)
                slot = self.slots[value.seq]
                if value.view > slot.certificate_view:
                    slot.certificate, slot.certificate_view = certificate, value.view
            case Cosigned():
                self.cosigned = record
            case Amnesia():
                self.recall_amnesia(record)

    def _recall_stable(self, certificate: Certificate) -> None:
        """It was journalled, or written, after the log was synced up to it."""
        if certificate.size <= self.size and self.checkpoints.adopt(certificate):
            self.durable = certificate
            self.low = self.certified_seq = block_of(certificate).seq
            self.reach()

    def _recall_left(self, signed: Signed) -> None:
        message = view_change_in(signed)
        if message.view >= self.view:
            self.turn_to(message.view, active=False)
            self.wanted[self.me] = (message, signed)

    def _recall_entered(self, signed: Signed) -> None:
        message = decode(protocol_messages, signed.payload)
        if isinstance(message, NewView) and message.view >= self.view:
            self.adopt_view(message, signed)
            for proposal in message.pre_prepares:
                self._recall_proposal(proposal)

    def _recall_accepted(self, signed: Signed) -> None:
        slot = self._recall_proposal(signed)
        if slot is not None:
            slot.held = slot.voted = True

    def _recall_proposal(self, signed: Signed) -> Slot | None:
        value = proposal_in(signed)
        if value.view != self.view or not self.active or value.seq <= self.low:
            return None
        slot = self.slots[value.seq]
        slot.accept(signed, value, self.digest(value))
        self.top = max(self.top, value.seq)
        for digest in value.batches:
            self.assigned[digest] = value.seq
        return slot

    def _recall_vote(self, signed: Signed) -> None:
        message = decode(protocol_messages, signed.payload)
        if not self.active:
            return
        match message:
            case Prepare(view, seq) if view == self.view:
                self.slots[seq].prepares.setdefault(self.me, signed)
            case Commit(view, seq) if view == self.view:
                slot = self.slots[seq]
                slot.commits.setdefault(self.me, signed)
                slot.committing = True
            case _:
                pass
