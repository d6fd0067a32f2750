"""Pre- and postconditions of every event, checked in tests and in the simulator."""

from msgspec import Struct

from grootboek.consensus.effects import Broadcast, Effect, Execute, Persist, Send, Timer
from grootboek.consensus.events import Event
from grootboek.consensus.records import Accepted, Cosigned, EnteredView, LeftView, Voted
from grootboek.consensus.replica import Replica
from grootboek.wire import Checkpoint, Envelope, Signed

__all__ = ["CheckedReplica", "ContractBroken"]


class ContractBroken(AssertionError):
    """The state machine broke one of its own rules; the text starts with the rule."""


class _Before(Struct, frozen=True):
    view: int
    executed: int
    low: int
    executing: int


class CheckedReplica(Replica):
    """A Replica that checks itself around each event."""

    def handle(self, event: Event, now: int) -> list[Effect]:
        """As Replica.handle; raises ContractBroken."""
        before = _Before(self.view, self.executed, self.low, self.executing)
        effects = super().handle(event, now)
        self._check_state(before)
        self._check_effects(before, effects)
        return effects

    def _check_state(self, before: _Before) -> None:
        _require(self.view >= before.view, "view never goes back (PS10)")
        _require(self.executed >= before.executed, "execution never goes back (PS5)")
        _require(self.low >= before.low, "L never goes back (PS10)")
        _require(min(self.slots, default=self.low + 1) > self.low, "slots lie above L (PS13)")
        if max(self.slots, default=0) > self.high:
            self._check_beyond()
        done = self.done.keys()
        _require(
            done.isdisjoint(self.known) and done.isdisjoint(self.assigned),
            "an executed batch is not ordered again (PS7)",
        )
        self._check_wishes()
        _require(len(self.early) <= 3 * self.config.n * self.config.limits.window, "early votes (PS13)")

    def _check_wishes(self) -> None:
        """Nobody stays behind f + 1 others, nor waits for a view without end."""
        if self.wanted and not self.silent:
            views = [message.view for message, _ in self.wanted.values()]
            above = sum(view > self.view for view in views)
            _require(above < self.quorum.weak, "f + 1 wishes for higher views are joined (PL3)")
            left = sum(view >= self.view for view in views)
            waits = self.active or left < self.quorum.quorum or self.running(Timer.NEW_VIEW)
            _require(waits, "a view that q replicas want has its time (PL3)")

    def _check_beyond(self) -> None:
        beyond = [slot for seq, slot in self.slots.items() if seq > self.high]
        _require(len(beyond) <= self.config.limits.window, "O reaches one window at most (PS13)")
        _require(all(slot.value and not slot.told_by(self.me) for slot in beyond), "no vote beyond H")

    def _check_effects(self, before: _Before, effects: list[Effect]) -> None:
        """Everything of ours that goes out was persisted before it, now or earlier (PS4)."""
        seq = max(before.executing, before.executed)
        persisted: set[bytes] = set()
        for effect in effects:
            match effect:
                case Persist(Accepted(signed) | Voted(signed) | LeftView(signed) | EnteredView(signed)):
                    persisted.add(signed.payload)
                case Persist(Cosigned(_, size, root, _)):
                    persisted.add(b"%d %s" % (size, root))
                case Broadcast(Envelope(signed)):
                    self._check_said(signed, persisted)
                case Broadcast(Checkpoint(size, root, _, _)):
                    _require(b"%d %s" % (size, root) in persisted, "cosignature synced before it is sent")
                case Execute(at):
                    _require(at > seq, "each sequence number is executed once, in order (PS5)")
                    seq = at
                case Send(to):
                    _require(to != self.me, "no message to oneself")

    def _check_said(self, signed: Signed, persisted: set[bytes]) -> None:
        again = [wish[1].payload for wish in (self.wanted.get(self.me),) if wish is not None]
        known = signed.payload in persisted or signed.payload in again
        _require(signed.sender != self.me or known, "synced before it is sent (PS4)")


def _require(holds: bool, rule: str) -> None:  # noqa: FBT001  # reads like an assert
    if not holds:
        raise ContractBroken(rule)
