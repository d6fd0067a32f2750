"""Whether this replica may vote: it asks first, and learns for a while where it has forgotten (amnesia).

A replica that starts is in doubt until q - 1 others have told it where they are, each after the votes
of ours that it holds: one vote that is not in our journal unmasks an old disk. A replica that has
forgotten is a learner: it follows certificates and serves, and signs nothing, until all that it may have
voted for lies at or below its own L. docs/spec/consensus.md has the argument.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Final

from grootboek.consensus.config import Config
from grootboek.consensus.core import Core
from grootboek.consensus.effects import Timer
from grootboek.consensus.events import Executed
from grootboek.consensus.records import Amnesia
from grootboek.consensus.slots import Slot
from grootboek.wire import Certificate, Signed, Status, block_of

__all__ = ["Learning"]

_PROGRESS: Final = Timer.PROGRESS  # a constant, since Python 3.11 is slow to find a member


class Learning(Core):
    """Adds doubt at the start, and learner mode."""

    __slots__ = ("amnesia", "heard", "in_doubt", "judges", "learning", "reports", "silent", "withheld")

    def __init__(self, config: Config, sign: Callable[[bytes], Signed | None]) -> None:
        """See Core."""
        super().__init__(config, sign)
        self.amnesia: Amnesia | None = None
        """What this replica knows of its last loss; kept for good: no vote below its view may follow."""
        self.learning = False
        self.heard: set[int] = set()
        """The peers whose STATUS came since the start."""
        self.in_doubt = True
        self.reports: dict[int, tuple[int, int]] | None = None
        """The certified sequence number and the view of each peer, since a learner first asked."""
        self.silent = True
        """Whether nothing may be signed: in doubt, while learning, and by an observer."""
        self.withheld: Executed | None = None
        """The last block that was executed while nothing was signed."""
        self.judges = config.votes and config.n > 1
        """Whether there is a primary that this replica holds to account, unless it is a learner."""

    @property
    def leading(self) -> bool:
        """Whether it leads an open view: a learner leaves it to the others' timers to pass it over."""
        return self.active and self.primary == self.me and not self.silent

    @property
    def bound(self) -> int:
        """No vote at or below it, if there is a bound."""
        return 0 if self.amnesia is None or self.amnesia.bound is None else self.amnesia.bound

    @property
    def may_open(self) -> bool:
        """Whether no NEW-VIEW of ours for the present view can be forgotten: it would be another one."""
        return self.amnesia is None or self.view > self.amnesia.view

    def watch(self) -> None:
        """Keep the progress timer running exactly while the open view owes something."""
        if not (self.active and self.judges and self.ordering_work()) or self.learning:
            self.stop_timer(_PROGRESS)
        elif self.progressed or _PROGRESS not in self._running:
            self.start_timer(_PROGRESS, self.patience)

    # --- doubt -----------------------------------------------------------------------------------

    def hear(self, sender: int, status: Status) -> None:
        """A peer says where it is, after what it holds of our own votes."""
        seq = 0 if status.stable is None else block_of(status.stable).seq
        if not self.learning and status.stable is not None and seq > self.bound:
            self._own_cosignature(status.stable)
        self.heard.add(sender)
        if self.reports is not None:
            self.reports[sender] = (seq, status.view)

    def _own_cosignature(self, certificate: Certificate) -> None:
        """A certificate with a cosignature of ours that we do not remember: the disk is an old one.

        The one that opened the epoch has cosignatures of the epoch before, by the indexes of that one.
        """
        remembered = 0 if self.cosigned is None else self.cosigned.size
        mine = block_of(certificate).epoch == self.config.epoch and any(
            cosignature.replica == self.me for cosignature in certificate.cosignatures
        )
        if mine and certificate.size > remembered:
            self.forget_votes(self.view)

    def wakes(self) -> bool:
        """Whether it may vote from now on: asked once, when the silence can end."""
        if not self.silent:
            return False
        if self.amnesia is None or (self.amnesia.bound is not None and self.low >= self.bound):
            self.learning, self.reports = False, None
        self.in_doubt = self.in_doubt and len(self.heard) < self.quorum.quorum - 1
        self.silent = self.learning or self.in_doubt or not self.config.votes
        return not self.silent

    # --- learning --------------------------------------------------------------------------------

    def forget_votes(self, view: int) -> None:
        """Something shows that votes of ours, in views up to ``view`` or more, are not in the journal."""
        self.recall_amnesia(Amnesia(max(self.view, view), None))
        self.remember_amnesia()
        self.stop_timer(Timer.NEW_VIEW)
        self.start_timer(Timer.STATUS, self.config.limits.view_timer_ms // 2)

    def recall_amnesia(self, record: Amnesia) -> None:
        """From the journal, or a moment ago: what was recalled before it is only a part of what was said."""
        self.amnesia = record
        self.learning = self.silent = self.due = True
        self.reports = None
        self.slots, self.early, self.assigned = defaultdict(Slot), {}, {}
        self.top = 0
        self._raise_view()

    def remember_amnesia(self) -> None:
        """Before anything else is said: a crash must not make us forget that we forgot."""
        if self.amnesia is not None:
            self.persist(self.amnesia)

    def shown(self, view: int, seq: int) -> None:
        """A learner is shown a vote of its own: its bound was too low, or is still to be found."""
        known = self.amnesia
        if known is None or (view <= known.view and (known.bound is None or seq <= known.bound)):
            return
        bound = None if known.bound is None else max(known.bound, seq)
        self._bind(max(known.view, view), bound)

    def find_bound(self) -> None:
        """Once q others have reported, no vote of ours can lie above two windows from their certificates.

        The (f+1)-th highest view is one that a correct replica is in or wants.
        """
        known = self.amnesia
        if known is None or known.bound is not None:
            return
        if self.reports is None:
            self.reports = {}
        elif len(self.reports) >= self.quorum.quorum:
            highest = max(seq for seq, _ in self.reports.values())
            views = sorted((view for _, view in self.reports.values()), reverse=True)
            bound = highest + 2 * self.config.limits.window
            self._bind(max(known.view, views[self.quorum.weak - 1]), bound)

    def _bind(self, view: int, bound: int | None) -> None:
        self.amnesia = Amnesia(view, bound)
        self.remember_amnesia()
        self._raise_view()

    def _raise_view(self) -> None:
        """Wait at the view below which nothing may be said, until its NEW-VIEW comes."""
        if self.amnesia is not None and self.amnesia.view > self.view:
            self.turn_to(self.amnesia.view, active=False)
