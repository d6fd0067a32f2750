"""What the replicas of a run did, as steps of the model in ``spec/``.

The journal's records are the model's steps, because a replica journals whatever it is about to say.
Execution, transfer and restarts are seen as the events that they are. A step that neither the
journal recalls after a crash nor anybody has heard of has not happened, and is taken back.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile

from msgspec import Struct

from grootboek.consensus import (
    Amnesia,
    CaughtUp,
    CheckedReplica,
    Effect,
    Event,
    Executed,
    Persist,
    Position,
    Received,
    Record,
    Remember,
    StableCheckpoint,
)
from grootboek.consensus.newview import proposal_in, view_change_in
from grootboek.consensus.records import Accepted, EnteredView, LeftView, Voted
from grootboek.simulation import replica as simulated
from grootboek.wire import (
    Commit,
    NewView,
    Prepare,
    PrePrepare,
    Signed,
    ViewChange,
    block_of,
    decode,
    protocol_messages,
)

__all__ = ["Prepared", "Recorder", "Step", "Wish", "recording"]


class Prepared(Struct, frozen=True):
    """A prepared certificate, without its signatures."""

    seq: int
    view: int
    value: bytes


class Wish(Struct, frozen=True):
    """A VIEW-CHANGE."""

    sender: int
    view: int
    low: int
    prepared: tuple[Prepared, ...]


class Step(Struct, frozen=True, kw_only=True):
    """One step of one replica; fields that its kind does not need are empty."""

    kind: str
    """``propose``, ``prepare``, ``commit``, ``execute``, ``catch up``, ``stabilize``, ``leave``, ``open``,
    ``enter`` or ``restart``.
    """
    replica: int
    view: int = 0
    seq: int = 0
    value: bytes = b""
    """The digest of a value; empty for NULL."""
    wishes: tuple[Wish, ...] = ()
    """What ``leave`` says, or what ``open`` and ``enter`` rest on."""
    base: int = 0
    order: tuple[bytes, ...] = ()
    """O, from the number after ``base``."""
    payload: bytes = b""
    """What was signed."""


class Recorder:
    """Collects the steps of all replicas of one run."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._heard: set[tuple[int, bytes]] = set()
        """By whom, and what: equal votes of two replicas are equal bytes."""
        self._lengths: dict[int, int] = {}

    def steps(self, liars: Iterable[int]) -> list[Step]:
        """All that happened, without the replicas that lied."""
        return [step for step in self._steps if step.replica not in set(liars)]

    def add(self, step: Step) -> None:
        """One step more."""
        self._steps.append(step)
        if step.kind in {"execute", "catch up", "restart"}:
            self._lengths[step.replica] = step.seq

    def heard(self, event: Event) -> None:
        """Somebody received this: its sender has said it."""
        if isinstance(event, Received):
            self._heard.add((event.signed.sender, event.signed.payload))

    def restarted(self, me: int, length: int, low: int, journal: Sequence[Record]) -> None:
        """A replica came up with a log and an L, and with what its journal recalls."""
        if me in self._lengths:
            self._take_back(me, low, journal)
            if length > self._lengths[me]:  # a transfer had begun
                self.add(Step(kind="catch up", replica=me, seq=length))
        self.add(Step(kind="restart", replica=me, seq=length))
        if low > self._low(me):
            self.add(Step(kind="stabilize", replica=me, seq=low))

    def _take_back(self, me: int, low: int, journal: Sequence[Record]) -> None:
        kept = {payload for record in journal for payload in _signed_in(record)}
        kept |= {payload for sender, payload in self._heard if sender == me}
        mine = [step for step in reversed(self._steps) if step.replica == me]
        lost = list(takewhile(lambda step: not step.payload or step.payload not in kept, mine))
        gone = {id(step) for step in lost if step.payload}
        gone |= {id(step) for step in mine if step.kind == "stabilize" and step.seq > low}
        self._steps = [step for step in self._steps if id(step) not in gone]

    def _low(self, me: int) -> int:
        return max((s.seq for s in self._steps if s.replica == me and s.kind == "stabilize"), default=0)

    def core(self) -> type[CheckedReplica]:
        """The consensus core that tells this recorder what it does."""
        recorder = self

        class Recorded(_Recorded):
            add = staticmethod(recorder.add)
            listen = staticmethod(recorder.heard)
            restarted = staticmethod(recorder.restarted)

        return Recorded


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record all simulated replicas that boot within: one simulation at a time."""
    engine, recorder = simulated._CheckedEngine, Recorder()  # noqa: SLF001  # the one place that chooses
    plain, engine.core = engine.core, recorder.core()
    try:
        yield recorder
    finally:
        engine.core = plain


class _Recorded(CheckedReplica):
    """A CheckedReplica that tells what it does."""

    add: Callable[[Step], None]
    listen: Callable[[Event], None]
    restarted: Callable[[int, int, int, Sequence[Record]], None]

    def start(
        self, position: Position, records: Sequence[Record], now: int, lost: Amnesia | None = None
    ) -> list[Effect]:
        """As Replica.start."""
        effects = super().start(position, records, now, lost)
        length = 0 if position.last is None else position.last.seq
        self.restarted(self.config.me, length, self.low, records)
        self._tell(effects)
        self._skip(length)
        return effects

    def handle(self, event: Event, now: int) -> list[Effect]:
        """As Replica.handle."""
        self.listen(event)
        before = self.executed
        slot = self.slots.get(before + 1)
        value = b"" if slot is None or slot.decided is None else self.value_of(slot.decided)
        effects = super().handle(event, now)
        reached = before
        match event:
            case Executed(seq) if seq == before + 1:
                reached = seq
                self._step("execute", seq=seq, value=value)
            case CaughtUp(certificate) if self.executed >= block_of(certificate).seq > before:
                reached = block_of(certificate).seq
                self._step("catch up", seq=reached)
        self._tell(effects)
        self._skip(reached)
        return effects

    def value_of(self, value: PrePrepare) -> bytes:
        """The digest; empty for NULL."""
        return self.digest(value) if value.batches else b""

    def _skip(self, reached: int) -> None:
        """What is executed beyond is NULL."""
        for seq in range(reached + 1, self.executed + 1):
            self._step("execute", seq=seq)

    def _tell(self, effects: Sequence[Effect]) -> None:
        nulls = {self.digest(PrePrepare(0, seq, 0, ())) for seq in self.slots}
        for effect in effects:
            match effect:
                case Remember(StableCheckpoint(certificate)):
                    self._step("stabilize", seq=block_of(certificate).seq)
                case Persist(Accepted(signed)) if signed.sender == self.config.me:
                    value = proposal_in(signed)
                    self._vote("propose", signed, value.view, value.seq, self.value_of(value))
                case Persist(Voted(signed)):
                    self._voted(signed, nulls)
                case Persist(LeftView(signed)):
                    wish = self._wish(signed)
                    self._step("leave", view=wish.view, wishes=(wish,), payload=signed.payload)
                case Persist(EnteredView(signed)):
                    self._entered(signed)

    def _voted(self, signed: Signed, nulls: set[bytes]) -> None:
        message = decode(protocol_messages, signed.payload)
        if isinstance(message, Prepare | Commit):
            kind = "prepare" if isinstance(message, Prepare) else "commit"
            value = b"" if message.digest in nulls else message.digest
            self._vote(kind, signed, message.view, message.seq, value)

    def _entered(self, signed: Signed) -> None:
        message = decode(protocol_messages, signed.payload)
        if not isinstance(message, NewView):
            return
        wishes = tuple(map(self._wish, message.view_changes))
        self._step(
            "open" if signed.sender == self.config.me else "enter",
            view=message.view,
            wishes=wishes,
            base=max(wish.low for wish in wishes),
            order=tuple(self.value_of(proposal_in(proposal)) for proposal in message.pre_prepares),
            payload=signed.payload,
        )

    def _wish(self, signed: Signed) -> Wish:
        message: ViewChange = view_change_in(signed)
        low = 0 if message.stable is None else block_of(message.stable).seq
        values = [proposal_in(certificate.pre_prepare) for certificate in message.prepared]
        prepared = tuple(Prepared(value.seq, value.view, self.value_of(value)) for value in values)
        return Wish(signed.sender, message.view, low, prepared)

    def _vote(self, kind: str, signed: Signed, view: int, seq: int, value: bytes) -> None:
        self._step(kind, view=view, seq=seq, value=value, payload=signed.payload)

    def _step(  # noqa: PLR0917  # the fields of a step
        self,
        kind: str,
        view: int = 0,
        seq: int = 0,
        value: bytes = b"",
        wishes: tuple[Wish, ...] = (),
        base: int = 0,
        order: tuple[bytes, ...] = (),
        payload: bytes = b"",
    ) -> None:
        self.add(
            Step(
                kind=kind,
                replica=self.config.me,
                view=view,
                seq=seq,
                value=value,
                wishes=wishes,
                base=base,
                order=order,
                payload=payload,
            )
        )


def _signed_in(record: Record) -> list[bytes]:
    match record:
        case Accepted(signed) | Voted(signed) | LeftView(signed) | EnteredView(signed):
            return [signed.payload]
    return []
