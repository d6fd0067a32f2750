"""What must hold of consensus cores after every step, seen from outside: PS1 to PS6, PS10 and PS15.

Views do not run ahead either: one costs the patience of at least one correct replica (PL3).
Only what correct instances hold and say counts. A breach raises Violation, the invariant's id first.
"""

import typing

from grootboek.consensus.newview import proposal_in, stable_of, view_change_in
from grootboek.consensus.slots import Slot
from grootboek.errors import BadMessage
from grootboek.evidence import role_of
from grootboek.simulation.monitor import Monitor, Violation
from grootboek.wire import (
    Certificate,
    Evidence,
    NewView,
    PrePrepare,
    Signed,
    block_of,
    decode,
    protocol_messages,
)

if typing.TYPE_CHECKING:
    from grootboek.simulation.cores import Instance

__all__ = ["Safety"]

Value = tuple[int, tuple[bytes, ...]]
"""Time and batches: what a proposal says, whichever view it is of."""


def value_in(proposal: PrePrepare) -> Value:
    """The value that is proposed."""
    return proposal.time, proposal.batches


class Opening(typing.NamedTuple):
    """A NEW-VIEW that a correct instance entered by."""

    view: int
    low: int
    forced: dict[int, Value]

    def carries(self, seq: int, value: Value) -> bool:
        """Whether it leaves ``value`` its place."""
        return seq <= self.low or self.forced.get(seq) == value

    @classmethod
    def of(cls, signed: Signed) -> "Opening":
        """What a NEW-VIEW says; twins may make several of one view."""
        message = decode(protocol_messages, signed.payload)
        if not isinstance(message, NewView):
            raise Violation("PS3: a view was opened by something else than a NEW-VIEW")
        stable = stable_of([view_change_in(signed) for signed in message.view_changes])
        forced = {p.seq: value_in(p) for p in map(proposal_in, message.pre_prepares)}
        return cls(message.view, 0 if stable is None else block_of(stable).seq, forced)


class Safety:
    """Compares correct instances with each other and with their own past."""

    def __init__(self, faulty: set[int]) -> None:
        self.monitor = Monitor()
        """PS4: nobody correct signs two different things in one role."""
        self.monitor.faulty = faulty
        self.decided: dict[int, tuple[int, Value]] = {}
        """The lowest view and the value committed at each sequence number."""
        self.prepared: dict[tuple[int, int], Value] = {}
        self.openings: dict[bytes, Opening] = {}
        """By the bytes of the NEW-VIEW."""
        self.roots: dict[int, bytes] = {}
        self.accusations = 0
        self.timeouts = 0
        """How often a correct instance lost patience with a view."""
        self._seen: dict[tuple[int, str, int], object] = {}
        self._reached: dict[int, tuple[int, int, int]] = {}

    def step(self, instance: "Instance") -> None:
        """An instance has handled an event."""
        if instance.faulty:
            return
        core = instance.core
        for seq, slot in core.slots.items():
            if slot.decided is not None or slot.certificate is not None:
                self._slot(instance, seq, slot)
        if core.opening is not None and self._new(instance, "opening", 0, core.opening):
            self._opened(core.opening)
        if core.view > self.timeouts:
            raise Violation(f"PL3: view {core.view} after {self.timeouts} timers of correct replicas")
        reached = core.view, core.executed, core.low
        before = self._reached.get(instance.number, reached)
        if reached != before and any(now < then for now, then in zip(reached, before, strict=True)):
            raise Violation(f"PS10: replica {instance.me} went back from {before} to {reached}")
        self._reached[instance.number] = reached
        self._log(instance)

    def _new(self, instance: "Instance", what: str, at: int, value: object) -> bool:
        """Whether this was not looked at before: what the core holds it does not change."""
        key = instance.number, what, at
        if self._seen.get(key) is value:
            return False
        self._seen[key] = value
        return True

    def _slot(self, instance: "Instance", seq: int, slot: Slot) -> None:
        if slot.decided is not None and self._new(instance, "decided", seq, slot.decided):
            self._committed(instance, slot.decided)
        if slot.certificate is not None and self._new(instance, "prepared", seq, slot.certificate):
            proposal = proposal_in(slot.certificate.pre_prepare)
            role = proposal.view, proposal.seq
            if self.prepared.setdefault(role, value_in(proposal)) != value_in(proposal):
                raise Violation(f"PS2: two values are prepared at {role}")

    def _committed(self, instance: "Instance", proposal: PrePrepare) -> None:
        seq, value = proposal.seq, value_in(proposal)
        view, first = self.decided.get(seq, (proposal.view, value))
        if first != value:
            raise Violation(f"PS1: replica {instance.me} committed another value at {seq}")
        self.decided[seq] = min(view, proposal.view), value
        for opening in self.openings.values():
            self._carried(opening, seq)

    def _opened(self, signed: Signed) -> None:
        if signed.payload not in self.openings:
            opening = self.openings[signed.payload] = Opening.of(signed)
            for seq in self.decided:
                self._carried(opening, seq)

    def _carried(self, opening: Opening, seq: int) -> None:
        view, value = self.decided[seq]
        if view < opening.view and not opening.carries(seq, value):
            raise Violation(f"PS3: view {opening.view} opened without the value committed at {seq}")

    def _log(self, instance: "Instance") -> None:
        """PS5: at equal sizes, equal logs, and no block twice."""
        size = instance.ledger.size
        if size and self._new(instance, "log", 0, instance.ledger.blocks[-1]):
            root = instance.ledger.root
            if self.roots.setdefault(size, root) != root:
                raise Violation(f"PS5: replica {instance.me} has another log of {size} entries")
            seqs = [seq for seq, _, _ in instance.ledger.blocks]
            if seqs != sorted(set(seqs)):
                raise Violation(f"PS5: replica {instance.me} executed out of order: {seqs}")

    def lost_patience(self, instance: "Instance") -> None:
        """A timer that waits for progress, or for a NEW-VIEW, has run out."""
        self.timeouts += not instance.faulty

    def restarted(self, instance: "Instance") -> None:
        """NULLs at the end of what was executed leave no block, so a restart may step over them again."""
        view, _, low = self._reached.get(instance.number, (0, 0, 0))
        self._reached[instance.number] = view, instance.ledger.seq, low

    def certified(self, instance: "Instance", *, holds: bool) -> None:
        """PS6: what is reported as stable is certified."""
        if not holds and not instance.faulty:
            raise Violation(f"PS6: replica {instance.me} reports a certificate that is none")

    def transferred(self, instance: "Instance", certificate: Certificate) -> None:
        """PS5: what was executed here is a prefix of what is certified."""
        if instance.ledger.root != certificate.root and not instance.faulty:
            raise Violation(f"PS5: the log of replica {instance.me} is no prefix of the certified one")

    def accused(self, instance: "Instance", evidence: Evidence) -> None:
        """PS15: evidence names nobody correct, and is evidence."""
        if instance.faulty:
            return
        self.accusations += 1
        if evidence.replica not in self.monitor.faulty:
            raise Violation(f"PS15: replica {instance.me} accuses {evidence.replica}")
        try:
            role_of(evidence)
        except BadMessage as error:
            raise Violation(f"PS15: {error.detail}") from error

    def endless(self) -> typing.NoReturn:
        """PS13: what one moment brings about is bounded."""
        raise Violation("PS13: replicas answer each other without end")
