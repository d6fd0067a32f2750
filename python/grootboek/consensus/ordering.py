"""The normal case: proposals, votes, execution and checkpoints (PBFT sections 4.2 and 4.3)."""

from typing import Final

from msgspec.structs import replace

from grootboek import evidence
from grootboek.consensus.core import Known
from grootboek.consensus.effects import Accuse, CatchUp, Certified, Execute, FetchBodies, Persist, Timer
from grootboek.consensus.events import CaughtUp, Executed, Stored, Submitted
from grootboek.consensus.learning import Learning
from grootboek.consensus.newview import proposal_in
from grootboek.consensus.records import Accepted, Cosigned, HoldsPrepared, Voted
from grootboek.consensus.slots import Slot
from grootboek.wire import (
    Certificate,
    Checkpoint,
    Commit,
    Cosignature,
    Prepare,
    Prepared,
    PrePrepare,
    Signed,
    block_of,
)

__all__ = ["Ordering"]

_STATUS: Final = Timer.STATUS  # a constant, since Python 3.11 is slow to find a member

IN_FLIGHT = 4
"""How many proposals the primary keeps in flight."""
PROMPT = 2
"""How many of them it makes at once, however small; beyond that only full ones."""


class Ordering(Learning):
    """Adds the three phases, execution in order, and L that follows the certificates."""

    __slots__ = ()

    # --- proposing -------------------------------------------------------------------------------

    def on_submitted(self, event: Submitted) -> None:
        """A body is held: it is ordered in its turn, and proposals that waited for it are voted on."""
        digest, origin = event.digest, event.origin
        if event.logged:
            self.finish(digest, self.executed)
        elif digest not in self.done:
            if digest not in self.known:
                self.known[digest] = Known(event.transactions, origin, self.pace.clock)
            if digest not in self.assigned:
                self.backlog.add(digest, origin)
            self.ask_soon()
        if self.slots:
            self.vote_waiting()

    def propose(self) -> None:
        """At once while little is in flight; else only what fills a block (latency, then throughput)."""
        while self.backlog.origins and self.leading:
            flight, seq = self.top - self.executed, self.following
            if seq > self.high or flight >= IN_FLIGHT:
                return
            batches = self.backlog.next(self.room)
            if flight >= PROMPT and self._transactions(batches) < self.config.limits.batch_transactions:
                return
            proposal = PrePrepare(self.view, seq, self.now, batches)
            signed = self.sign(proposal)
            if signed is None:
                return
            self.accept(signed, proposal)

    def _transactions(self, batches: tuple[bytes, ...]) -> int:
        return sum(self.known[digest].transactions for digest in batches)

    def owed(self) -> bool:
        """Whether a correct primary, seeing what this replica sees, would have proposed by now.

        It has ``PROMPT`` proposals in flight as soon as something waits, and may be a block behind this
        replica in executing them: where all are busy, that much says nothing about it.
        """
        waiting = bool(self.backlog.origins)
        return waiting and self.top - self.executed < PROMPT - 1 and self.following <= self.high

    # --- PRE-PREPARE -----------------------------------------------------------------------------

    def on_pre_prepare(self, message: PrePrepare, signed: Signed) -> None:
        """A proposal of the current view's primary."""
        if message.view != self.view or not self.active:
            self.keep_early(message, signed)
            return
        if self.learning or signed.sender != self.primary:
            return
        slot = self.slots.get(message.seq)
        if slot is not None and slot.pre_prepare is not None:
            if slot.pre_prepare.payload != signed.payload:
                self.accuse(slot.pre_prepare, signed)
            return
        within = self.low < message.seq <= self.high
        if within and message.seq > self.base and self._admissible(message):
            self.accept(signed, message)

    def _admissible(self, message: PrePrepare) -> bool:
        """What only a backup judges, once, when the value is first proposed."""
        limits, count = self.config.limits, len(message.batches)
        return (
            0 < count <= limits.block_batches
            and (count == 1 or len(set(message.batches)) == count)
            and message.time <= self.now + limits.clock_bound_ms
        )

    def accept(self, signed: Signed, message: PrePrepare | None = None) -> None:
        """Take a proposal of this view into its slot; vote as soon as its bodies are held."""
        value = message or proposal_in(signed)
        seq, batches = value.seq, value.batches
        slot = self.slots[seq]
        slot.accept(signed, value, self.digest(value))
        if seq > self.top:  # noqa: PLR1730  # max() costs ten times as much
            self.top = seq
        missing = []
        for digest in batches:
            if digest not in self.done:
                self.assigned[digest] = seq
                self.backlog.remove(digest)
                known = self.known.get(digest)
                if known is None:
                    missing.append(digest)
                else:
                    self.pace.proposed(known.since)
        if self.pace.heads:
            self.pace.left_out()
        if missing:
            self.emit(FetchBodies(tuple(missing)))
        else:
            self.vote(slot)

    def vote_waiting(self) -> None:
        """Vote on the proposals that waited for a body, or for the window."""
        for _, slot in sorted(self.slots.items()):
            if not slot.voted and slot.value is not None and not self.missing(slot.value):
                self.vote(slot)

    def vote(self, slot: Slot) -> None:
        """PREPARE, now that the bodies are held; the primary's PRE-PREPARE stands for its own.

        O may reach beyond the window of a replica whose log is behind: such a proposal has its slot at
        once, so that nothing else is proposed or accepted there, and its vote when the window moves.
        What is certified needs no vote: this replica may have voted on it before its memory began. It is
        executed all the same, if q COMMITs come before its entries do by transfer.
        """
        value, signed = slot.value, slot.pre_prepare
        if self.silent or not self.active or slot.voted or value is None or signed is None:
            return
        if not self.low < value.seq <= self.high:
            return
        slot.held = True
        if value.seq > self.certified_seq and not self._cast(slot, signed):
            return
        if len(slot.prepares) + len(slot.commits) >= self.quorum.quorum - 1:
            self.progress(slot)  # fewer votes complete nothing

    def _cast(self, slot: Slot, signed: Signed) -> bool:
        """Say it, once it is persisted; False where the guard does not sign."""
        if signed.sender == self.me:
            self._effects.append(Persist(Accepted(signed)))
            self.tell(signed)
        else:
            mine = self._sign(slot.prepare)
            if mine is None:
                return False
            slot.prepares.setdefault(self.me, mine)
            self._effects += (Persist(Accepted(signed)), Persist(Voted(mine)))
            self.tell(mine)
        slot.voted = True
        return True

    # --- PREPARE and COMMIT ----------------------------------------------------------------------

    def on_prepare(self, message: Prepare, signed: Signed) -> None:
        """A backup's vote; one of the primary counts for nothing."""
        seq, sender = message.seq, signed.sender
        if message.view != self.view or not self.active:
            self.keep_early(message, signed)
        elif sender != self.primary and self.low < seq <= self.high and not self.learning:
            slot = self.slots[seq]
            first = slot.prepares.setdefault(sender, signed)
            if first is not signed and first.payload != signed.payload:
                self.accuse(first, signed)
            if not slot.committing and len(slot.prepares) + len(slot.commits) >= self.quorum.quorum - 1:
                self.progress(slot)  # fewer votes complete nothing

    def on_commit(self, message: Commit, signed: Signed) -> None:
        """The sender holds a prepared certificate."""
        seq = message.seq
        if message.view != self.view or not self.active:
            self.keep_early(message, signed)
        elif self.low < seq <= self.high and not self.learning:
            slot = self.slots[seq]
            first = slot.commits.setdefault(signed.sender, signed)
            if first is not signed and first.payload != signed.payload:
                self.accuse(first, signed)
            if slot.decided is None and (len(slot.commits) >= self.quorum.quorum or not slot.committing):
                self.progress(slot)

    def keep_early(self, message: Prepare | Commit | PrePrepare, signed: Signed) -> None:
        """A vote that overtook its NEW-VIEW waits: one of each kind, sender and number, the newest view's."""
        opened = self.view if self.active else self.view - 1
        if message.view <= opened or self.learning or not self.low < message.seq <= self.high:
            return
        key = (signed.sender, type(message), message.seq)
        held = self.early.get(key)
        if held is None or held[0].view < message.view:
            self.early[key] = (message, signed)

    def progress(self, slot: Slot) -> None:
        """COMMIT when prepared, execute when committed."""
        if not self.active:
            return
        quorum = self.quorum.quorum
        if not (slot.committing or self.silent) and (certificate := slot.prepared(quorum)) is not None:
            self.commit(slot, certificate)
        if slot.decided is None and slot.committed(quorum):
            slot.decided = slot.value
            self.execute_next()

    def commit(self, slot: Slot, certificate: Prepared) -> None:
        """COMMIT, now that the value is prepared."""
        mine = self._sign(slot.commit)
        if mine is None:
            return
        slot.committing = True
        slot.certificate, slot.certificate_view = certificate, self.view
        slot.commits.setdefault(self.me, mine)
        self._effects += (Persist(HoldsPrepared(certificate)), Persist(Voted(mine)))
        self.tell(mine)

    # --- execution -------------------------------------------------------------------------------

    def execute_next(self) -> None:
        """Execute committed values in order, one at a time; a NULL is only stepped over."""
        while (slot := self.slots.get(self.executed + 1)) is not None and slot.decided is not None:
            value = slot.decided
            if value.batches:
                if self.executing < value.seq:
                    self.executing = value.seq
                    self._effects.append(Execute(value.seq, value.time, value.batches))
                return
            self.advance(value.seq)

    def on_executed(self, event: Executed) -> None:
        """The ledger has a block more: cosign it, and go on."""
        if event.seq != self.executed + 1:
            return
        seq = event.seq
        self.advance(seq)
        self.size = event.size
        if self.room < self.config.limits.block_batches:
            self.room += 1
        slot = self.slots.get(seq)
        if slot is not None and slot.decided is not None:
            for digest in slot.decided.batches:
                self.finish(digest, seq)
        if event.closes:
            self.close(seq)
        self.cosign(event)
        self.announce()
        self.execute_next()

    def cosign(self, event: Executed) -> None:
        """Tell our cosignature of the last block, and count it."""
        if self.silent:
            self.withheld = event
            event = replace(event, cosignature=None)
        size, root, cosignature = event.size, event.root, event.cosignature
        if cosignature is not None:
            self.cosigned = cosigned = Cosigned(event.seq, size, root, cosignature)
            self._effects.append(Persist(cosigned))
            self.broadcast(Checkpoint(size, root, event.block, cosignature))
        self.checkpoints.executed(event)
        certified = self.checkpoints.complete(size, root)
        if certified is not None:
            self.certify(*certified)

    def finish(self, digest: bytes, seq: int) -> None:
        """The batch is executed, at ``seq`` or before: it is not ordered again."""
        known = self.known.pop(digest, None)
        if known is not None:
            self.pace.done(known.since, known.transactions)
        if digest in self.backlog.origins:
            self.backlog.remove(digest)
        self.assigned.pop(digest, None)
        self.done.pop(digest, None)  # so that the last one is at the end
        self.done[digest] = seq

    # --- checkpoints -----------------------------------------------------------------------------

    def on_checkpoint(self, message: Checkpoint) -> None:
        """A peer's cosignature."""
        checkpoints, size, root = self.checkpoints, message.size, message.root
        if size > checkpoints.size:
            first = checkpoints.count(size, root, message.cosignature)
            if first is not None:
                self._accuse_of_roots(message, *first)
            certified = checkpoints.complete(size, root)
            if certified is not None:
                self.certify(*certified)
                self.announce()
                return
        if size > self.size and checkpoints.ahead(self.size) >= self.quorum.weak:
            self.ask_soon()

    def _accuse_of_roots(self, message: Checkpoint, root: bytes, earlier: Cosignature) -> None:
        later = message.cosignature
        first = evidence.cosigned(message.size, root, earlier.time, earlier.signature)
        second = evidence.cosigned(message.size, message.root, later.time, later.signature)
        self.emit(Accuse(evidence.pair(self.config.epoch, later.replica, first, second)))

    def ask_soon(self) -> None:
        """Something is missing here or there: exchange STATUS, beginning a moment from now."""
        if self.peers and _STATUS not in self._running:
            self.asked_at = self.executed
            self.start_timer(_STATUS, self.config.limits.view_timer_ms // 2)

    def announce(self) -> None:
        """Report the stable checkpoint, once the log has reached it."""
        checkpoints = self.checkpoints
        if self.announced < checkpoints.size <= self.size and checkpoints.stable is not None:
            self.announced = checkpoints.size
            self._effects.append(Certified(checkpoints.stable))

    def learn(self, certificate: Certificate, source: int) -> None:
        """A certificate from a peer, checked: where the log is behind it, it is transferred."""
        if certificate.size > self.size:
            self.emit(CatchUp(certificate, source))
        if self.certify(block_of(certificate).seq, certificate):
            self.announce()

    def on_caught_up(self, event: CaughtUp) -> None:
        """The log reached a certificate, by transfer or by ordering meanwhile."""
        seq = block_of(event.certificate).seq
        if event.certificate.size > self.size:
            self.advance(seq)
            self.size = event.certificate.size
            if event.closes:
                self.close(seq)
        self.certify(seq, event.certificate)
        self.announce()
        self.execute_next()

    def on_stored(self, event: Stored) -> None:
        """The log is synced through a block: what is certified, too, needs no votes any more."""
        if event.seq > self.stored:  # noqa: PLR1730  # max() costs ten times as much
            self.stored = event.seq
        if self.certificates:
            self.settle()
