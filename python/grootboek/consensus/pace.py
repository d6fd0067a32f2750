"""Whether the primary is slow, judged by what this replica itself sees pending (defects D11 and D12).

Three questions, each about a view that is open and owes something, so that an idle ledger says nothing:

* **Owed.** Would a correct primary have proposed by now? Nothing is in flight, and batches wait. A primary
  is slow if it owed a proposal for three quarters of the time, and batches waited long for theirs.
* **Passed over.** Does the first batch of some origin wait while others are proposed? It was sent to
  the primary again meanwhile, and a correct one takes the origins in turn.
* **Fallen.** Do batches take eight times as long as when this replica saw at least as many transactions
  executed in the same time? That is what remains of a primary whose accomplices keep back their votes.

Time is what passes between events, in milliseconds, and no step is longer than the patience with a view:
a wall clock that jumps, stands still or goes back changes little. An answer is no proof, so it moves
nobody by itself: f + 1 replicas must find the primary slow at about the same time.
"""

from collections import deque

from msgspec import Struct

from grootboek.types import Limits

__all__ = ["Pace", "Span"]

SPAN = 4
"""Judged every so many ``view_timer_ms`` of time in which something was owed."""
FRESH_SPANS = 3
"""For how many spans a suspicion counts."""
REMEMBERED_SPANS = 32
"""With how many spans the present one is compared."""
WAIT_PART = 8
"""A batch may wait an eighth of ``view_timer_ms`` for its proposal, however small the shares are."""
LATENCY_PART = 4
"""A fall matters where batches take a quarter of ``view_timer_ms`` to be executed."""
FALL = 8
PASSED_OVER_MS = 2
"""How many ``view_timer_ms`` the first batch of an origin may be passed over."""
PASSED_OVER_ROUNDS = 4
"""And for how many rounds through all origins."""


class Span(Struct):
    """What was seen during one span of time, in milliseconds and counts."""

    busy: int = 0
    owed: int = 0
    proposed: int = 0
    waited: int = 0
    """From holding a batch to its proposal, summed."""
    executed: int = 0
    lasted: int = 0
    """From holding a batch to its execution, summed."""
    transactions: int = 0


class _Head(Struct):
    """The first batch of an origin, as long as it waits."""

    digest: bytes
    since: int
    proposals: int = 0
    """How many have left it out."""
    sent: int = 0
    """How often it was sent to the primary again."""


class Pace:
    """The clock, the present span and the memory of past ones. Integers only."""

    def __init__(self, limits: Limits, n: int) -> None:
        """For a replica of an epoch of ``n``."""
        self._timer = limits.view_timer_ms
        self._span_ms = SPAN * self._timer
        self._rounds = PASSED_OVER_ROUNDS * -(-n // limits.block_batches)
        self.clock = 0
        """Milliseconds that passed, as far as this replica noticed."""
        self.moved_at = 0
        """When something was executed last, by that clock."""
        self.busy = 0
        """Those of them in which an open view owed something."""
        self.span = Span()
        self._past: deque[Span] = deque(maxlen=REMEMBERED_SPANS)
        self.last: int | None = None
        """The time of the last event."""
        self.owing = False, False
        """Until the next event: whether the view owes anything, and whether its primary owes a proposal."""
        self._entered_at = 0
        """When the view was left or entered, by that clock: nobody waited for its primary before."""
        self.heads: dict[int, _Head] = {}
        """The first waiting batch of each origin."""
        self._suspicions: dict[int, int] = {}

    # --- what happens ----------------------------------------------------------------------------

    def tick(self, now: int) -> bool:
        """An event comes: what held since the one before it is accounted for. Whether a span is over."""
        last, self.last = self.last, now
        if last is None or now <= last:
            return False
        passed = min(now - last, self._timer)
        self.clock += passed
        busy, owed = self.owing
        if not busy:
            return False
        span = self.span
        self.busy += passed
        span.busy += passed
        if owed:
            span.owed += passed
        return span.busy >= self._span_ms

    def proposed(self, since: int) -> None:
        """The primary proposed a batch that has been here since then, by ``clock``."""
        span = self.span
        span.proposed += 1
        span.waited += self.clock - max(since, self._entered_at)

    def left_out(self) -> None:
        """A proposal is made without the batches that wait."""
        for head in self.heads.values():
            head.proposals += 1

    def done(self, since: int, transactions: int) -> None:
        """A batch that has been here since then is executed, or in the log otherwise."""
        span = self.span
        span.executed += 1
        span.lasted += self.clock - max(since, self._entered_at)
        span.transactions += transactions

    def entered(self) -> None:
        """A view is left, or open: its primary is judged anew, against what others achieved."""
        self.span = Span()
        self._entered_at = self.clock
        self.heads.clear()
        self._suspicions.clear()

    # --- suspicions ------------------------------------------------------------------------------

    def suspect(self, replica: int) -> None:
        """``replica`` finds the primary of this view slow."""
        self._suspicions[replica] = self.busy

    def suspects(self, replica: int) -> bool:
        """Whether ``replica`` does so, and has said it lately."""
        at = self._suspicions.get(replica)
        return at is not None and self.busy - at <= FRESH_SPANS * self._span_ms

    @property
    def suspecting(self) -> int:
        """How many do."""
        return sum(self.suspects(replica) for replica in self._suspicions)

    # --- judging ---------------------------------------------------------------------------------

    def slow(self) -> bool:
        """Whether a span has ended and the primary was slow in it; the next span begins."""
        span = self.span
        if span.busy < self._span_ms:
            return False
        self.span = Span()
        owing = 4 * span.owed >= 3 * span.busy and WAIT_PART * span.waited >= self._timer * span.proposed
        fallen = self._fallen(span)
        if fallen:
            self._past.clear()  # what made it so may be none of the primary's doing: one change, not many
        elif not owing:
            self._past.append(span)
        return owing or fallen

    def _fallen(self, span: Span) -> bool:
        if LATENCY_PART * span.lasted < self._timer * span.executed:
            return False
        comparable = [past for past in self._past if past.transactions >= span.transactions]
        return any(span.lasted * past.executed > FALL * past.lasted * span.executed for past in comparable)

    def watch_heads(self, heads: dict[int, bytes]) -> tuple[bytes, ...]:
        """Follow the first waiting batch of each origin: those that the primary should be sent again."""
        if not heads:
            self.heads = {}
            return ()
        self.heads = {
            origin: head if (head := self.heads.get(origin)) and head.digest == digest else self._new(digest)
            for origin, digest in heads.items()
        }
        half = self._timer // 2
        again = [head for head in self.heads.values() if self._waits(head) > half * (head.sent + 1)]
        for head in again:
            head.sent += 1
        return tuple(head.digest for head in again)

    def passed_over(self) -> bool:
        """Whether the first batch of some origin waits while others are proposed; once for each."""
        late = [
            head
            for head in self.heads.values()
            if self._waits(head) > PASSED_OVER_MS * self._timer and head.proposals >= self._rounds
        ]
        for head in late:
            head.proposals = 0
        return bool(late)

    def _new(self, digest: bytes) -> _Head:
        return _Head(digest, self.clock)

    def _waits(self, head: _Head) -> int:
        return self.clock - head.since
