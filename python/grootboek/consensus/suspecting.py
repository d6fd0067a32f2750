"""Leaving a view whose primary is slow: each replica judges, f + 1 of them act (``pace``).

A replica that finds the primary slow tells the others by SUSPECT and stays in the view, since a slow path
to it alone would look the same. With f + 1 recent suspicions of this view, a correct replica's among them,
it sends its VIEW-CHANGE; if it holds one of those itself, it also complains in the log.
"""

from collections.abc import Callable

from grootboek.consensus.config import Config
from grootboek.consensus.effects import Complain, Relay
from grootboek.consensus.viewchange import ViewChanging
from grootboek.wire import Signed, Suspect

__all__ = ["Suspecting"]


class Suspecting(ViewChanging):
    """Adds SUSPECT."""

    __slots__ = ("noted", "over")

    def __init__(self, config: Config, sign: Callable[[bytes], Signed | None]) -> None:
        """See ViewChanging."""
        super().__init__(config, sign)
        self.over = False
        """Whether a span of time has ended with the present event."""
        self.noted = True
        """Whether ``pace`` knows what holds since the last event from which something was due."""

    def tick(self, now: int) -> None:
        """Time has passed since the event before: first account for what held meanwhile."""
        if not self.noted:
            self._note()
        if self.pace.tick(now):
            self.over = self.due = True

    def _note(self) -> None:
        self.noted = True
        pending = self.top > self.executed or bool(self.known)
        busy = pending and self.active and self.certified_seq <= self.executed
        self.pace.owing = busy, busy and self.owed()

    def judge(self) -> None:
        """A span is over: was the primary slow in it?"""
        self.over = False
        self._note()
        if self.active and self.pace.slow() and not self.leading:
            self._suspect()

    def watch_origins(self) -> None:
        """After a proposal: does the primary leave batches out? It may lack them, so it gets them again."""
        if not self.backlog.origins and not self.pace.heads:
            return  # nothing waits, and nothing did
        if not self.active or self.learning or self.leading:
            return
        heads = self.backlog.heads()
        again = self.pace.watch_heads(heads)
        if again:
            self.emit(Relay(self.primary, again))
        if heads and self.pace.passed_over():
            self._suspect()

    def on_suspect(self, sender: int, view: int) -> None:
        """A peer finds the primary of ``view`` slow."""
        if self.active and view == self.view:
            self.pace.suspect(sender)
            self._enough_suspicion()

    def _suspect(self) -> None:
        self.pace.suspect(self.me)
        self.broadcast(Suspect(self.view))
        self._enough_suspicion()

    def _enough_suspicion(self) -> None:
        if self.pace.suspecting < self.quorum.weak:
            return
        if self.pace.suspects(self.me):
            self.emit(Complain(self.view))
        self.leave_for(self.next_view)
