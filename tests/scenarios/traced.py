"""The shipping engine, with what it does told in words as it does it."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import ClassVar

from grootboek._core import TransactionBatch
from grootboek.consensus import (
    Accuse,
    CatchUp,
    Certified,
    CheckedReplica,
    Effect,
    Event,
    Execute,
    Persist,
    Remember,
    Replica,
    Timer,
)
from grootboek.consensus.records import Amnesia, EnteredView, LeftView
from grootboek.node.engine import Engine
from grootboek.node.outbox import Outbox
from grootboek.simulation.replica import SimulatedReplica
from grootboek.wire import Frame, NewView, block_of, decode, protocol_messages
from tests.scenarios.words import Words, place, replicas


class TracedEngine(Engine):
    """Tells each effect when it is performed: the trace is in the order of the durability contract."""

    core: ClassVar[type[Replica]] = CheckedReplica
    words: Words
    tell: Callable[[str], None]
    """Takes what is rare: it is shown even where the rest is summed up."""
    mention: Callable[[str], None]
    """Takes what is common."""

    def _admit(self, batch: TransactionBatch, origin: int, *, logged: bool = False) -> list[Event]:
        self.words.learn(batch)
        return super()._admit(batch, origin, logged=logged)

    def _persist(self, effects: Sequence[Effect]) -> None:
        super()._persist(effects)
        written = [effect for effect in effects if isinstance(effect, Persist | Remember)]
        names = ", ".join(type(effect.record).__name__ for effect in written)
        if any(isinstance(effect, Persist) for effect in written):
            self.mention(f"syncs {names}")
        elif written:
            self.mention(f"remembers {names}")
        for effect in written:
            self._tell_of_views(effect)

    def _tell_of_views(self, effect: Persist | Remember) -> None:
        match effect.record:
            case LeftView(signed):
                self.tell(f"leaves for view {self.words.wish(signed)}")
            case EnteredView(signed):
                message = decode(protocol_messages, signed.payload)
                assert isinstance(message, NewView)
                self.tell(f"enters view {message.view}")
            case Amnesia(view, bound):
                until = "it knows how far it voted" if bound is None else f"L reaches n{bound}"
                self.tell(f"may have forgotten votes: none below view {view}, and none until {until}")

    def _perform(self, effect: Effect, now: int, out: Outbox) -> Sequence[Event]:
        match effect:
            case Execute(seq, _, batches) if seq > self.ledger.seq:
                self.mention(f"executes n{seq} {self.words.batches(batches)}")
            case Certified(certificate):
                signers = replicas(self.epoch, (c.replica for c in certificate.cosignatures))
                self.mention(f"has block {block_of(certificate).height} certified by {signers}")
            case CatchUp(certificate) if not self.catchup.running:
                self.tell(f"is behind block {block_of(certificate).height}")
            case Accuse(found):
                self.tell(f"accuses r{place(self.epoch, found.replica)}")
        return super()._perform(effect, now, out)

    def _serve(self, sender: int, frame: Frame, out: Outbox) -> Sequence[Event]:
        height = self.ledger.height
        events = super()._serve(sender, frame, out)
        if self.ledger.height > height:
            self.tell(f"takes blocks {height + 1}..{self.ledger.height} from r{place(self.epoch, sender)}")
        return events

    def timer(self, timer: Hashable, now: int) -> Outbox:
        if isinstance(timer, Timer):
            tell = self.mention if timer is Timer.STATUS else self.tell
            tell(f"its {timer.value} timer runs out")
        return super().timer(timer, now)


class TracedReplica(SimulatedReplica):
    """A replica that runs the traced engine."""

    engine_type: ClassVar[type[Engine]] = TracedEngine
    words: Words
    tell: Callable[[int, str], None]
    mention: Callable[[int, str], None]

    def turn(self, action: Callable[[int], Outbox]) -> None:
        engine = self.engine
        assert isinstance(engine, TracedEngine)
        engine.words = self.words
        engine.tell = partial(self.tell, self.me)
        engine.mention = partial(self.mention, self.me)
        core, leaps = engine.replica, engine.counters.leaps
        learning = core.learning
        super().turn(action)
        if engine.counters.leaps > leaps:
            self.tell(self.me, f"leaps to the snapshot of block {engine.ledger.height}")
        if learning and engine.replica is core and not core.learning:
            self.tell(self.me, "has learned enough, and votes again")

    def _do(self, out: Outbox) -> None:
        for to, frame in out.frames:
            if to is not None or self.engine.epoch.quorum.n > 1:
                whom = "all" if to is None else f"r{self._place(to)}"
                words = self.words.frame(frame, self.engine.epoch)
                self.mention(self.me, f"-> {whom}: {words}")
        super()._do(out)

    def run_out(self, timer: Timer) -> bool:
        """Let a timer run out now; False where it does not run."""
        if self._timers.pop(timer, None) is None:
            return False
        self.turn(lambda now: self.engine.timer(timer, now))
        return True

    @property
    def timers(self) -> list[Timer]:
        """The timers of the protocol that run."""
        return [timer for timer in Timer if timer in self._timers]
