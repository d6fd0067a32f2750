"""What the parts of the state machine share: its state, its outgoing effects, its timers."""

from collections import defaultdict
from collections.abc import Callable

from msgspec import Struct

from grootboek import evidence
from grootboek.consensus.backlog import Backlog
from grootboek.consensus.checkpoints import Checkpoints
from grootboek.consensus.config import Config
from grootboek.consensus.effects import (
    Accuse,
    Broadcast,
    Effect,
    Persist,
    Release,
    Remember,
    Send,
    StartTimer,
    StopTimer,
    Timer,
)
from grootboek.consensus.events import Executed
from grootboek.consensus.pace import Pace
from grootboek.consensus.records import Cosigned, Record, StableCheckpoint
from grootboek.consensus.slots import Slot
from grootboek.wire import (
    Certificate,
    Commit,
    Envelope,
    Frame,
    Prepare,
    PrePrepare,
    ProtocolMessage,
    Signed,
    encode,
    value_digest,
)

__all__ = ["Core", "Known", "Position"]


class Position(Struct, frozen=True):
    """Where the ledger is when the replica starts."""

    last: Executed | None
    """The last executed block, with this replica's cosignature of it; None before the first."""
    certificate: Certificate | None
    """The newest certificate that the ledger holds, of its own log."""


class Known(Struct, frozen=True, gc=False):
    """A batch whose body is held and that is not executed."""

    transactions: int
    origin: int
    """The replica that it came from."""
    since: int
    """When it came, by the clock of ``pace``."""


class Core:
    """State and output. The parts above add one group of rules each."""

    __slots__ = (
        "_effects",
        "_running",
        "_sign",
        "active",
        "announced",
        "asked_at",
        "assigned",
        "backlog",
        "base",
        "calm",
        "certificates",
        "certified_seq",
        "checkpoints",
        "closing",
        "config",
        "cosigned",
        "done",
        "due",
        "durable",
        "early",
        "executed",
        "executing",
        "high",
        "known",
        "low",
        "me",
        "now",
        "pace",
        "patience",
        "peers",
        "primary",
        "progressed",
        "quorum",
        "room",
        "size",
        "slots",
        "stored",
        "top",
        "view",
        "window_moved",
    )

    def __init__(  # noqa: PLR0915  # one line for each part of the state
        self, config: Config, sign: Callable[[bytes], Signed | None]
    ) -> None:
        self.config, self.me = config, config.me
        self.quorum = config.quorum
        self.peers = [peer for peer in range(config.n) if peer != config.me]
        """All other replicas."""
        self.now = 0
        self.view = 0
        """The view this replica is in, or wants."""
        self.active = True
        """False from the VIEW-CHANGE that leaves a view until the NEW-VIEW that opens the next."""
        self.primary = config.primary(0)
        """Of that view."""
        self.base = 0
        """The stable checkpoint that the view began with: O is silent there, because it is settled."""
        self.executed = 0
        """The last sequence number that is executed, or skipped as NULL."""
        self.top = 0
        """The highest sequence number proposed in this view."""
        self.executing = 0
        """The last sequence number that the driver was told to execute."""
        self.size = 0
        """The log size after it."""
        self.low = 0
        """L: the sequence number of the last block that is certified and durable in this log."""
        self.high = config.limits.window
        """H: the highest sequence number that may be proposed; the closing block's, once that is known."""
        self.durable: Certificate | None = None
        """The certificate of L: what a VIEW-CHANGE claims."""
        self.certificates: list[tuple[int, Certificate]] = []
        """Certificates above L, with their sequence numbers: L follows them as the log is synced."""
        self.certified_seq = 0
        """The sequence number of the newest certificate known; nothing is proposed at or below it."""
        self.slots = defaultdict[int, Slot](Slot)
        self.known: dict[bytes, Known] = {}
        """Batches to be ordered, in the order they came."""
        self.done: dict[bytes, int] = {}
        """Batches executed within the last two windows, with their sequence numbers, which ascend."""
        self.assigned: dict[bytes, int] = {}
        """Batches that a proposal of this view names, with its sequence number."""
        self.backlog = Backlog()
        """Those of ``known`` that are not ``assigned``."""
        self.pace = Pace(config.limits, config.n)
        self.checkpoints = Checkpoints(self.quorum.quorum, config.limits.window)
        self.early: dict[tuple[int, type, int], tuple[Prepare | Commit | PrePrepare, Signed]] = {}
        """Votes that came before the NEW-VIEW of their view: by sender, kind and sequence number."""
        self.patience = self.calm = min(config.limits.view_timer_ms, config.limits.view_timer_cap_ms)
        """How long a view may go without progress, in ms: ``calm``, doubled for each that failed, capped."""
        self.room = config.limits.block_batches
        """How many batches a proposal of ours names at most: what is too large for the time that a view
        has must not be proposed again in the next one.
        """
        self.stored = 0
        """The log is synced through the block of this sequence number."""
        self.closing: int | None = None
        """The sequence number whose block closes the epoch, once it is executed."""
        self.announced = 0
        """The log size of the last certificate that was reported."""
        self.cosigned: Cosigned | None = None
        """This replica's last cosignature."""
        self.asked_at = -1
        """What was executed when the status timer last ran out: only a standstill is worth asking about."""
        self.due = False
        """Whether more may follow than what the rule of an event itself does: not from an unneeded vote."""
        self.progressed = self.window_moved = False
        """Since what was due was last done: whether something was executed or certified, and L moved."""
        self._sign = sign
        self._effects: list[Effect] = []
        self._running: set[Timer] = set()

    # --- properties ------------------------------------------------------------------------------

    @property
    def stable(self) -> Certificate | None:
        """The last stable checkpoint known, of this replica's own log or ahead of it."""
        return self.checkpoints.stable

    @property
    def following(self) -> int:
        """The next sequence number to be proposed in this view."""
        return max(self.base, self.certified_seq, self.executed, self.top) + 1

    # --- output ----------------------------------------------------------------------------------

    def emit(self, effect: Effect) -> None:
        """Add an effect to what this event returns; the normal case appends its own, to save the call."""
        self._effects.append(effect)

    def persist(self, record: Record) -> None:
        """Whatever is emitted after this waits until the record is synced."""
        self._effects.append(Persist(record))

    def broadcast(self, frame: Frame) -> None:
        """To all others; nothing where there are none."""
        if self.peers:
            self._effects.append(Broadcast(frame))

    def tell(self, signed: Signed) -> None:
        """Broadcast a signed message."""
        if self.peers:
            self._effects.append(Broadcast(Envelope(signed)))

    def send_signed(self, to: int, signed: Signed) -> None:
        """Send a signed message to one replica."""
        if to != self.me:
            self.emit(Send(to, Envelope(signed)))

    def sign(self, message: ProtocolMessage) -> Signed | None:
        """The message under this replica's voting key; None where its guard refuses: then it is not said."""
        return self._sign(encode(message))

    def accuse(self, first: Signed, second: Signed) -> None:
        """Report a pair of contradicting signatures."""
        epoch, sender = self.config.epoch, second.sender
        self.emit(Accuse(evidence.pair(epoch, sender, evidence.signed(first), evidence.signed(second))))

    # --- small shared rules ----------------------------------------------------------------------

    def turn_to(self, view: int, *, active: bool) -> None:
        """Be in ``view``, or want it."""
        self.view, self.active = view, active
        self.primary = self.config.primary(view)
        self.due = True

    def advance(self, seq: int) -> None:
        """Everything through ``seq`` is executed."""
        self.executed = seq
        self.patience = self.calm
        self.pace.moved_at = self.pace.clock
        self.progressed = self.due = True

    def digest(self, value: PrePrepare) -> bytes:
        """The value digest of a proposal, called d in the protocol."""
        return value_digest(self.config.chain, self.config.epoch, value.seq, value.time, value.batches)

    def missing(self, value: PrePrepare) -> list[bytes]:
        """The bodies of a proposal that are not held here."""
        return [d for d in value.batches if d not in self.known and d not in self.done]

    # --- timers ----------------------------------------------------------------------------------

    def start_timer(self, timer: Timer, delay_ms: int) -> None:
        """Start or restart a timer."""
        self._running.add(timer)
        self._effects.append(StartTimer(timer, delay_ms))

    def stop_timer(self, timer: Timer) -> None:
        """Stop a timer, if it runs."""
        if timer in self._running:
            self._running.discard(timer)
            self._effects.append(StopTimer(timer))

    def running(self, timer: Timer) -> bool:
        """Whether the timer runs."""
        return timer in self._running

    def fired(self, timer: Timer) -> None:
        """The driver says that it ran out."""
        self._running.discard(timer)

    def ordering_work(self) -> bool:
        """Whether something waits for this view: to be ordered, executed, or certified.

        What is executed here and not certified may be missing at replicas that have left the view, and
        be too few to take the others along: without a timer all would wait for ever.
        """
        if self.size > self.checkpoints.size:
            return True
        return self.closing is None and (bool(self.known) or self.top > self.executed)

    # --- L ---------------------------------------------------------------------------------------

    def certify(self, seq: int, certificate: Certificate) -> bool:
        """Take a newer certificate, of the block of ``seq``; False where it is not newer."""
        if not self.checkpoints.adopt(certificate):
            return False
        self.certified_seq = seq
        self.certificates.append((seq, certificate))
        self.progressed = self.due = True
        self.settle()
        return True

    def settle(self) -> None:
        """L follows the certificates up to what the log holds durably.

        The certificate is journalled before any vote that the moved window allows, so after a crash L
        is back where those votes need it; and everything at or below L is in the synced log.
        """
        certificate, synced = None, min(self.stored, self.executed)
        while self.certificates and self.certificates[0][0] <= synced:
            self.low, certificate = self.certificates.pop(0)
        if certificate is None:
            return
        self.durable = certificate
        self.window_moved = self.due = True
        self.reach()
        self._effects += (Remember(StableCheckpoint(certificate)), Release(self.low))
        self.forget()

    def reach(self) -> None:
        """H follows L, up to the closing block."""
        high = self.low + self.config.limits.window
        self.high = high if self.closing is None else min(high, self.closing)

    def close(self, seq: int) -> None:
        """The block of ``seq`` closes the epoch: what was proposed and voted above it is void.

        What remains is to see its block certified, changing views if need be.
        """
        self.closing = seq
        self.reach()
        for at in [at for at in self.slots if at > seq]:
            del self.slots[at]
        self.early = {key: vote for key, vote in self.early.items() if key[2] <= seq}
        self.top = min(self.top, seq)

    def forget(self) -> None:
        """Drop what lies at or below L."""
        low, slots, done = self.low, self.slots, self.done
        for seq in tuple(slots):
            if seq <= low:
                del slots[seq]
        if self.early:
            self.early = {key: vote for key, vote in self.early.items() if key[2] > low}
        horizon = low - 2 * self.config.limits.window
        while done and done[oldest := next(iter(done))] <= horizon:
            del done[oldest]
