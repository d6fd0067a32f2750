"""Defects that the simulator must find: each is a small change of the code that ships.

D1 to D16 are known from other implementations of PBFT; the rest are slips that nearly happened here.
``patch(owner, name, value)`` is pytest's ``monkeypatch.setattr``.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from grootboek import evidence, wire
from grootboek.consensus import checks, core, ordering
from grootboek.consensus.checkpoints import Checkpoints
from grootboek.consensus.checks import Checks
from grootboek.consensus.core import Core
from grootboek.consensus.effects import Persist, Remember
from grootboek.consensus.learning import Learning
from grootboek.consensus.ordering import Ordering
from grootboek.consensus.records import Voted
from grootboek.consensus.replica import Replica
from grootboek.consensus.slots import Slot
from grootboek.consensus.suspecting import Suspecting
from grootboek.consensus.viewchange import ViewChanging
from grootboek.ledger import Ledger, certificates, epochs, execution
from grootboek.ledger.execution import _BlockRun
from grootboek.node import engine, signers
from grootboek.node.bodies import Bodies
from grootboek.node.engine import Engine
from grootboek.node.gate import Gate
from grootboek.node.intake import Intake
from grootboek.node.journal import Journal
from grootboek.simulation import byzantine
from grootboek.types import Quorum
from grootboek.wire import ViewChange, decode, protocol_messages

Patch = Callable[[object, str, Any], None]
Defect = Callable[[Patch], None]


def _nothing(*_: object, **__: object) -> None:
    """In place of a method that matters."""


def prepared_certificate_dropped(patch: Patch) -> None:
    """D1: VIEW-CHANGEs claim nothing."""
    sign = Core.sign

    def forgetful(self: Core, message: Any) -> Any:
        if isinstance(message, ViewChange):
            message = ViewChange(message.view, message.stable, ())
        return sign(self, message)

    patch(Core, "sign", forgetful)


def one_bad_view_change_spoils_others(patch: Patch) -> None:
    """D2: a message with an invalid certificate makes a replica ignore the valid ones beside it."""
    events = Gate.events

    def all_or_nothing(self: Gate, arrived: Any, settled: Any = None) -> Any:
        found = events(self, arrived, settled)
        refused = any(self._refused)
        return [e for e in found if not (refused and isinstance(getattr(e, "message", None), ViewChange))]

    patch(Gate, "events", all_or_nothing)


def numbers_begin_anew_in_a_view(patch: Patch) -> None:
    """D7: a new primary proposes from what it has executed, whatever its O holds."""
    enter = ViewChanging.enter

    def forgetful(self: ViewChanging, message: Any, signed: Any) -> None:
        enter(self, message, signed)
        self.top = 0

    patch(ViewChanging, "enter", forgetful)


def new_view_of_an_old_view(patch: Patch) -> None:
    """D8: a NEW-VIEW is entered whatever view this replica is in."""

    def anything(self: ViewChanging, message: Any, signed: Any) -> None:
        if signed.sender == self.config.primary(message.view):
            self.enter(message, signed)

    patch(ViewChanging, "on_new_view", anything)


def journal_is_not_synced(patch: Patch) -> None:
    """D14: votes leave before they are on the disk."""
    patch(Journal, "sync", _nothing)


def own_votes_are_not_journalled(patch: Patch) -> None:
    """A restart forgets what was voted."""

    def persist(record: Any) -> Any:
        return Remember(record) if isinstance(record, Voted) else Persist(record)

    patch(ordering, "Persist", persist)
    patch(Engine, "_persist", _without(Voted))


def _without(kind: type) -> Callable[[Engine, Any], None]:
    persist = Engine._persist

    def partly(self: Engine, effects: Any) -> None:
        persist(self, [e for e in effects if not isinstance(getattr(e, "record", None), kind)])

    return partly


def bodies_are_not_journalled(patch: Patch) -> None:
    """A vote may name a batch that nobody holds after a power cut."""
    append = Journal.append
    patch(Journal, "append", lambda self, record: append(self, record) if record[:1] != b"\x00" else None)


def digest_not_compared(patch: Patch) -> None:
    """Votes count whatever they name."""
    patch(Slot, "prepared", _counting("prepares", "prepare", Slot.prepared, lambda _vote, _own: True))
    patch(Slot, "committed", _counting("commits", "commit", Slot.committed, lambda _vote, _own: True))


def _counting(
    votes: str, payload: str, count: Callable[..., Any], counts: Callable[[bytes, bytes], bool]
) -> Callable[..., Any]:
    """Count a vote as one for the proposal if ``counts`` says so of its payload, and of what it should be."""

    def counted(self: Slot, quorum: int) -> Any:
        held, own = getattr(self, votes), getattr(self, payload)
        agreed = {
            sender: replace(vote, payload=own) if counts(vote.payload, own) else vote
            for sender, vote in held.items()
        }
        setattr(self, votes, agreed)
        try:
            return count(self, quorum)
        finally:
            setattr(self, votes, held)

    return counted


def a_second_proposal_is_taken(patch: Patch) -> None:
    """The last PRE-PREPARE counts, not the first."""

    def last(self: Ordering, message: Any, signed: Any) -> None:
        self.keep_early(message, signed)
        fits = self.active and message.view == self.view and signed.sender == self.primary
        if fits and self.low < message.seq <= self.high and self._admissible(message):
            self.slots.pop(message.seq, None)
            self.accept(signed, message)

    patch(Ordering, "on_pre_prepare", last)


def votes_outlive_their_view(patch: Patch) -> None:
    """Votes of the view that was left count in the next one."""
    on_prepare = Ordering.on_prepare

    def keep(self: Slot) -> None:
        self.voted = self.committing = False
        self.pre_prepare = self.value = None

    def once(self: Ordering, message: Any, signed: Any) -> None:
        slot = self.slots.get(message.seq) if self.active and message.view == self.view else None
        on_prepare(self, message, signed if slot is None else slot.prepares.get(signed.sender, signed))

    def same_value(vote: bytes, own: bytes) -> bool:
        return vote[-32:] == own[-32:]  # the value digest comes last

    patch(Slot, "enter_view", keep)
    patch(Slot, "prepared", _counting("prepares", "prepare", Slot.prepared, same_value))
    patch(Slot, "committed", _counting("commits", "commit", Slot.committed, same_value))
    patch(Ordering, "on_prepare", once)


def no_water_marks(patch: Patch) -> None:
    """Any sequence number is voted on."""
    for name in ("on_pre_prepare", "on_prepare", "on_commit", "keep_early", "vote"):
        patch(Ordering, name, _without_high(getattr(Ordering, name)))


def _without_high(method: Callable[..., None]) -> Callable[..., None]:
    def anywhere(self: Ordering, *args: Any) -> None:
        high, self.high = self.high, 2**53
        try:
            method(self, *args)
        finally:
            self.high = high

    return anywhere


def o_beyond_the_window_is_dropped(patch: Patch) -> None:
    """A replica whose log is behind forgets the end of O."""
    accept = Ordering.accept

    def within_only(self: Any, signed: Any, message: Any = None) -> None:
        if message is not None or decode(protocol_messages, signed.payload).seq <= self.high:
            accept(self, signed, message)

    patch(Ordering, "accept", within_only)


def progress_timer_never_starts(patch: Patch) -> None:
    """D16 and others: a silent primary is never left, since none is found slow either."""
    patch(Learning, "watch", _nothing)
    patch(Suspecting, "judge", _nothing)


def nothing_is_said_twice(patch: Patch) -> None:
    """What the network lost stays lost: no STATUS."""
    patch(Replica, "on_status_timer", _nothing)
    patch(Replica, "on_status", _nothing)


def window_ahead_of_the_disk(patch: Patch) -> None:
    """L follows the certificates, synced log or not."""
    settle = Core.settle

    def early(self: Core) -> None:
        self.stored = max(self.stored, self.executed)
        settle(self)

    patch(Core, "settle", early)


def roots_not_compared(patch: Patch) -> None:
    """Cosignatures count by size alone."""
    count = Checkpoints.count

    def any_root(self: Checkpoints, size: int, root: bytes, cosignature: Any) -> Any:
        ballot = self._ballots.get(size)
        mine = None if ballot is None else ballot.executed
        return count(self, size, root if mine is None else mine.root, cosignature)

    patch(Checkpoints, "count", any_root)


def certificates_believed(patch: Patch) -> None:
    """D3 of the gate: forms are checked, signatures are not."""
    init = Gate.__init__

    def credulous(self: Gate, *args: Any) -> None:
        init(self, *args)
        self._verify = lambda obligations: bytes([1]) * len(obligations)

    patch(Gate, "__init__", credulous)


def transfer_not_proven(patch: Patch) -> None:
    """Log entries of a peer are executed as they come."""
    replay = Ledger.replay
    patch(Ledger, "replay", lambda self, start, body, _proven: replay(self, start, body, lambda *_: True))


def executed_again(patch: Patch) -> None:
    """The ids in the log are not looked up."""
    extend = _BlockRun.extend

    def amnesiac(self: _BlockRun, parsed: Any) -> None:
        for item in parsed:
            self._seen = set()
            extend(self, [item])

    patch(execution, "_known", lambda *_: set())
    patch(_BlockRun, "extend", amnesiac)
    patch(Engine, "_logged", lambda _self, _batch: False)
    patch(Intake, "submit", _always_new(Intake.submit))


def _always_new(submit: Callable[..., None]) -> Callable[..., None]:
    def new(self: Intake, batch: Any, now: int, done: Any) -> None:
        ledger = self._ledger
        self._ledger = _Blind(ledger)  # type: ignore[assignment]  # it stands in for a Ledger
        try:
            submit(self, batch, now, done)
        finally:
            self._ledger = ledger

    return new


class _Blind:
    """A ledger that finds no transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def known(self, batch: Any) -> list[None]:
        return [None] * len(batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


def a_weak_quorum_is_enough(patch: Patch) -> None:
    """D6 again: f + 1 everywhere, so that two quorums need not meet."""

    def weak(cls: type[Quorum], n: int) -> Quorum:
        faults = (n - 1) // 3
        return cls(n=n, faults=faults, quorum=faults + 1, weak=faults + 1)

    patch(Quorum, "of", classmethod(weak))


def prepared_by_one_vote_less(patch: Patch) -> None:
    """D6: q - 2 backups' PREPAREs make a certificate, here and in what others are believed."""
    prepared, checked = Slot.prepared, Checks._prepared

    def lax(self: Checks, certificate: Any) -> Any:
        strict = self._quorum
        self._quorum = replace(strict, quorum=strict.quorum - 1)
        try:
            return checked(self, certificate)
        finally:
            self._quorum = strict

    patch(Slot, "prepared", lambda self, quorum: prepared(self, quorum - 1))
    patch(Checks, "_prepared", lax)


def certificates_are_wiped(patch: Patch) -> None:
    """D1: entering a view forgets what was prepared before it."""
    enter_view = Slot.enter_view

    def wipe(self: Slot) -> None:
        enter_view(self)
        self.certificate, self.certificate_view = None, -1

    patch(Slot, "enter_view", wipe)


def o_is_believed(patch: Patch) -> None:
    """A NEW-VIEW is entered whatever its O, which nobody computes again."""

    def believe(self: ViewChanging, message: Any, signed: Any) -> None:
        old = message.view < self.view or (message.view == self.view and self.active)
        if not old and signed.sender == self.config.primary(message.view):
            self.enter(message, signed)

    patch(ViewChanging, "on_new_view", believe)


def one_wish_is_enough(patch: Patch) -> None:
    """A replica follows whoever wants a higher view."""
    patch(ViewChanging, "consider", _joining(lambda _quorum: 1))


def nobody_joins(patch: Patch) -> None:
    """A replica leaves a view by its own timer only."""
    patch(ViewChanging, "consider", _joining(lambda quorum: quorum.n + 1))


def _joining(weak: Callable[[Quorum], int]) -> Callable[..., None]:
    consider = ViewChanging.consider

    def other(self: ViewChanging, *args: Any) -> None:
        quorum = self.quorum
        self.quorum = replace(quorum, weak=weak(quorum))
        try:
            consider(self, *args)
        finally:
            self.quorum = quorum

    return other


def new_view_timer_counts_one_view(patch: Patch) -> None:
    """Whoever went further is waited for: the timer needs q wishes for the very same view."""
    enough = ViewChanging._enough

    def same(self: ViewChanging) -> None:
        wanted = self.wanted
        self.wanted = {s: wish for s, wish in wanted.items() if wish[0].view == self.view}
        try:
            enough(self)
        finally:
            self.wanted = {
                s: wish for s, wish in wanted.items() if not self.active or wish[0].view > self.view
            }

    patch(ViewChanging, "_enough", same)


def bodies_dropped_early(patch: Patch) -> None:
    """A body is forgotten as soon as it is executed."""
    executed = Bodies.executed

    def forget(self: Bodies, digests: Any, seq: int) -> None:
        executed(self, digests, seq)
        for digest in digests:
            self._held.pop(digest, None)
        self._executed.clear()

    patch(Bodies, "executed", forget)


# --- epochs --------------------------------------------------------------------------------------


def the_epoch_is_not_signed(patch: Patch) -> None:
    """What replicas sign says nothing of the epoch: votes of a closed one are good in the next."""
    signed, hashed = wire.message_bytes, wire.value_digest
    for module in (checks, core, signers, byzantine, evidence):
        for name, value in (("message_bytes", signed), ("value_digest", hashed)):
            if hasattr(module, name):
                patch(module, name, _timeless(value))


def _timeless(function: Callable[..., bytes]) -> Callable[..., bytes]:
    return lambda chain, _epoch, *rest: function(chain, 0, *rest)


def a_closed_epoch_goes_on(patch: Patch) -> None:
    """What is ordered beyond the closing block is executed under the old epoch."""
    patch(Core, "close", _nothing)
    patch(Ledger, "_not_closed", _nothing)


def hand_over_by_one_cosignature_less(patch: Patch) -> None:
    """q(e) - 1 cosignatures of a closing block begin the next epoch."""
    complete, checked, signatures = Checkpoints.complete, Checks.certificate, certificates._check_signatures

    def lax(self: Checkpoints, size: int, root: bytes) -> Any:
        ballot = self._ballots.get(size)
        event = None if ballot is None else ballot.executed
        strict = self._quorum
        self._quorum = strict - (event is not None and event.closes)
        try:
            return complete(self, size, root)
        finally:
            self._quorum = strict

    def laxly_checked(self: Checks, certificate: Any) -> Any:
        strict = self._quorum
        self._quorum = replace(strict, quorum=min(strict.quorum, len(certificate.cosignatures)))
        try:
            return checked(self, certificate)
        finally:
            self._quorum = strict

    def believed(chain: Any, _epoch: Any, certificate: Any) -> Any:
        signatures(chain, _epoch, certificate)
        return wire.block_of(certificate)

    patch(Checkpoints, "complete", lax)
    patch(Checks, "certificate", laxly_checked)
    patch(epochs, "check_certificate", believed)


def what_was_said_in_a_closed_epoch_is_recalled(patch: Patch) -> None:
    """A restart takes all that the journal holds for what was said in the present epoch."""
    patch(engine, "said_in", lambda _epoch, records: records)


def the_guard_outlives_its_epoch(patch: Patch) -> None:
    """The view that was left in the old epoch counts for the next one."""
    patch(engine, "replace", lambda high, **_: high)


def cosigning_keys_are_kept(patch: Patch) -> None:
    """A replica goes on with the keys of the epoch that was closed."""
    enter = Engine._enter

    def same(self: Engine, me: int, keys: Any) -> None:
        enter(self, me, self.signers.keys if hasattr(self, "signers") else keys)

    patch(Engine, "_enter", same)


def nobody_is_told_how_an_epoch_ended(patch: Patch) -> None:
    """Whoever missed the end of an epoch waits for votes that nobody casts any more."""
    patch(Engine, "_tell_of_epochs", _nothing)


DEFECTS: dict[str, Defect] = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", "") == __name__ and not name.startswith("_")
}
