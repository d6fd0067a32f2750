"""Leaving a view and opening the next (PBFT section 4.4)."""

from collections.abc import Callable

from grootboek.consensus.config import Config
from grootboek.consensus.effects import Timer
from grootboek.consensus.newview import proposal_in, proposals, stable_of, view_change_in
from grootboek.consensus.ordering import Ordering
from grootboek.consensus.records import EnteredView, LeftView
from grootboek.wire import Certificate, NewView, Signed, ViewChange, block_of, encode

__all__ = ["ViewChanging"]


class ViewChanging(Ordering):
    """Adds VIEW-CHANGE, NEW-VIEW and the timers that lead to them."""

    __slots__ = ("opening", "passed_over", "reopened", "wanted")

    def __init__(self, config: Config, sign: Callable[[bytes], Signed | None]) -> None:
        """``sign(payload)`` puts this replica's voting key under a message: Ed25519 is deterministic."""
        super().__init__(config, sign)
        self.wanted: dict[int, tuple[ViewChange, Signed]] = {}
        """The VIEW-CHANGE of the highest view from each sender, this replica included."""
        self.opening: Signed | None = None
        """The NEW-VIEW of the current view, for those who missed it; None in view 0."""
        self.reopened: dict[int, int] = {}
        """When each peer was last told it in answer to an old VIEW-CHANGE."""
        self.passed_over: frozenset[int] = frozenset()
        """The replicas that the log lists as too slow to be primaries."""

    # --- leaving ---------------------------------------------------------------------------------

    def on_progress_timer(self) -> None:
        """The open view owed an execution for too long."""
        if self.active and self.ordering_work():
            self.leave_for(self.next_view)

    def on_new_view_timer(self) -> None:
        """A quorum waited for this view's NEW-VIEW in vain."""
        if not self.active:
            self.leave_for(self.next_view)

    @property
    def next_view(self) -> int:
        """The first view above this one whose primary the log does not list as slow.

        Views may be skipped at will, and the list is shorter than the replicas are many.
        """
        views = range(self.view + 1, self.view + 1 + self.config.n)
        return next((v for v in views if self.config.primary(v) not in self.passed_over), self.view + 1)

    def leave_for(self, view: int) -> None:
        """Leave all views below ``view``: no vote in them from here on."""
        if self.silent:
            return
        self.patience = min(2 * self.patience, self.config.limits.view_timer_cap_ms)
        self.room = max(1, self.room // 2)
        self.turn_to(view, active=False)
        self.pace.entered()
        self.stop_timer(Timer.PROGRESS)
        self.stop_timer(Timer.NEW_VIEW)
        prepared = tuple(
            slot.certificate for _, slot in sorted(self.slots.items()) if slot.certificate is not None
        )
        message = ViewChange(view, self.durable, prepared)
        signed = self.sign(message)
        self.start_timer(Timer.STATUS, self.config.limits.view_timer_ms // 2)
        if signed is not None:
            self.persist(LeftView(signed))
            self.tell(signed)
            self.consider(self.me, message, signed)

    # --- VIEW-CHANGE -----------------------------------------------------------------------------

    def on_view_change(self, message: ViewChange, signed: Signed) -> None:
        """A peer left its view. An older wish of it is forgotten, never another sender's."""
        if message.view < self.view or (message.view == self.view and self.active):
            self._reopen(signed.sender)
            return
        self.consider(signed.sender, message, signed)

    def _reopen(self, peer: int) -> None:
        """Tell who missed it, and not too often: others may repeat to us what ``peer`` said long ago."""
        interval = self.config.limits.view_timer_ms // 4
        if self.opening is not None and self.now >= self.reopened.get(peer, 0) + interval:
            self.reopened[peer] = self.now
            self.send_signed(peer, self.opening)

    def consider(self, sender: int, message: ViewChange, signed: Signed) -> None:
        """Count a wish; join on f + 1, wait or open on q."""
        held = self.wanted.get(sender)
        if held is not None and held[0].view >= message.view:
            return
        self.wanted[sender] = (message, signed)
        self.follow_wishes()

    def follow_wishes(self) -> None:
        """Join the smallest view that f + 1 want above ours; else see whether q want this one."""
        above = sorted(m.view for m, _ in self.wanted.values() if m.view > self.view)
        if len(above) >= self.quorum.weak:
            self.leave_for(above[0])
        else:
            self._enough()

    def _enough(self) -> None:
        """With q wishes for the view we want, its primary opens it, unless it may have done so already.

        The others give it time from when q replicas want that view or a higher one: whoever went
        further has left this one, too, and would else be waited for without end.
        """
        if self.active or self.silent:
            return
        if self.primary == self.me and self.may_open:
            chosen = [wish for _, wish in sorted(self.wanted.items()) if wish[0].view == self.view]
            if len(chosen) >= self.quorum.quorum:
                self._open(chosen[: self.quorum.quorum])
                return
        left = sum(message.view >= self.view for message, _ in self.wanted.values())
        if left >= self.quorum.quorum and not self.running(Timer.NEW_VIEW):
            self.start_timer(Timer.NEW_VIEW, self.patience)

    def _open(self, chosen: list[tuple[ViewChange, Signed]]) -> None:
        forced = [self.sign(value) for value in proposals(self.view, [m for m, _ in chosen])]
        signed = tuple(value for value in forced if value is not None)
        message = NewView(self.view, tuple(s for _, s in chosen), signed)
        opening = self.sign(message) if len(signed) == len(forced) else None
        if opening is not None:
            self.enter(message, opening)

    # --- NEW-VIEW --------------------------------------------------------------------------------

    def on_new_view(self, message: NewView, signed: Signed) -> None:
        """The primary opens its view: O is recomputed from V, byte for byte."""
        if message.view < self.view or (message.view == self.view and self.active):
            return
        if signed.sender != self.config.primary(message.view):
            return
        forced = proposals(message.view, [view_change_in(s) for s in message.view_changes])
        if [encode(value) for value in forced] == [s.payload for s in message.pre_prepares]:
            self.enter(message, signed)

    def enter(self, message: NewView, signed: Signed) -> None:
        """Open the view: the proposals of O are accepted, everything else waits to be proposed anew."""
        self.persist(EnteredView(signed))
        stable = self.adopt_view(message, signed)
        if self.primary == self.me:
            self.tell(signed)
        if stable is not None:
            self.learn(stable, signed.sender)
        self.accept_all(message)
        self.ask_soon()

    def accept_all(self, message: NewView) -> None:
        """Take the proposals of O that are not taken yet."""
        for proposal in message.pre_prepares:
            seq = proposal_in(proposal).seq
            if seq > self.low and self.slots[seq].pre_prepare is None:
                self.accept(proposal)

    def adopt_view(self, message: NewView, signed: Signed) -> Certificate | None:
        """Be in the view: votes of older views are gone, prepared certificates and decisions stay.

        Returns the checkpoint that it begins with. This replica may not hold it durably yet, so that its
        L is lower: what a quorum settled in between must not be proposed to it again.
        """
        view = message.view
        stable = stable_of([view_change_in(s) for s in message.view_changes])
        self.base = 0 if stable is None else block_of(stable).seq
        self.turn_to(view, active=True)
        self.opening = signed
        self.stop_timer(Timer.NEW_VIEW)
        self.assigned = {}
        self.pace.entered()
        for digest, known in self.known.items():
            self.backlog.add(digest, known.origin)
        self.top = 0
        self.wanted = {s: wish for s, wish in self.wanted.items() if wish[0].view > view}
        for seq, slot in list(self.slots.items()):
            if slot.certificate or slot.decided:
                slot.enter_view()
            else:
                del self.slots[seq]
        return stable
