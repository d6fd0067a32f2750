"""View changes, one core at a time: what it is told, and what it says."""

from collections.abc import Sequence

import pytest

from grootboek._core import digest
from grootboek.consensus import (
    Amnesia,
    Broadcast,
    CaughtUp,
    CheckedReplica,
    Config,
    Effect,
    Event,
    Execute,
    FetchBodies,
    Heard,
    Persist,
    Position,
    Received,
    Remember,
    StartTimer,
    Stored,
    Submitted,
    Timer,
    TimerFired,
)
from grootboek.consensus.newview import proposal_in
from grootboek.wire import (
    Certificate,
    Commit,
    Envelope,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    ProtocolMessage,
    Status,
    ViewChange,
    decode,
    encode,
    protocol_messages,
    value_digest,
)
from tests.consensus.cluster import CHAIN, LIMITS, START_MS, Ledger, signer

BODY = digest(b"the body that O names")


class Told:
    """A core, and all that it has said."""

    def __init__(self, me: int, lost: Amnesia | None = None) -> None:
        self.core = CheckedReplica(Config(CHAIN, 0, me, 4, LIMITS), signer(me))
        self.effects: list[Effect] = list(self.core.start(Position(None, None), [], START_MS, lost))
        others = [peer for peer in range(4) if peer != me]
        self.tell(*(Heard(i, Status(0, active=True, executed=0, stable=None)) for i in others))

    def tell(self, *events: Event) -> None:
        for event in events:
            self.effects += self.core.handle(event, START_MS)

    def restart(self) -> None:
        """Nothing is left but the journal."""
        records = [effect.record for effect in self.effects if isinstance(effect, Persist | Remember)]
        self.core = CheckedReplica(self.core.config, signer(self.core.config.me))
        self.effects += self.core.start(Position(None, None), records, START_MS)

    @property
    def said(self) -> list[ProtocolMessage]:
        return [
            decode(protocol_messages, effect.frame.signed.payload)
            for effect in self.effects
            if isinstance(effect, Broadcast) and isinstance(effect.frame, Envelope)
        ]


def signed(sender: int, message: ProtocolMessage) -> Received:
    return Received(sender, message, signer(sender)(encode(message)))


def certificate_of(blocks: int) -> Certificate:
    """Of a log that ends with the block of sequence number ``blocks``."""
    ledger = Ledger()
    for seq in range(1, blocks + 1):
        event = ledger.execute(seq, START_MS, (digest(b"body %d" % seq),))
    return Certificate(event.size, event.root, event.block, event.path, ())


def prepared(seq: int, *, primary: int = 0, backups: Sequence[int] = (2, 3)) -> Prepared:
    value = PrePrepare(0, seq, START_MS, (BODY,))
    vote = encode(Prepare(0, seq, value_digest(CHAIN, 0, seq, START_MS, value.batches)))
    return Prepared(signer(primary)(encode(value)), tuple((i, signer(i)(vote).signature) for i in backups))


@pytest.fixture
def stable() -> Certificate:
    return certificate_of(LIMITS.window + 2)


def behind(me: int, stable: Certificate, forced: int = 2) -> Told:
    """A core with an empty log, in a view whose O begins above its window and has ``forced`` values."""
    seq = LIMITS.window + 3
    numbers = range(seq, seq + forced)
    replica = Told(me)
    wishes = [signed(i, ViewChange(1, stable, tuple(map(prepared, numbers)))) for i in (2, 3)]
    replica.tell(*wishes)
    if me != 1:
        own = next(m for m in replica.said if isinstance(m, ViewChange))
        view_changes = [signed(0, own), *wishes]
        message = NewView(
            1,
            tuple(v.signed for v in view_changes if v.signed is not None),
            tuple(signer(1)(encode(PrePrepare(1, n, START_MS, (BODY,)))) for n in numbers),
        )
        replica.tell(signed(1, message))
    assert replica.core.active
    assert replica.core.high < seq
    return replica


def test_a_primary_behind_its_own_new_view_proposes_nothing_else_in_its_place(stable: Certificate) -> None:
    primary = behind(1, stable)
    primary.tell(
        Submitted(digest(b"another"), LIMITS.batch_transactions, 1_000, own=False),
        CaughtUp(stable),
        Stored(LIMITS.window + 2),
        Submitted(BODY, 10, 1_000, own=False),
    )
    proposed = {(m.view, m.seq): m for m in primary.said if isinstance(m, PrePrepare)}
    (opening,) = [m for m in primary.said if isinstance(m, NewView)]
    forced = {(m.view, m.seq): m for m in map(proposal_in, opening.pre_prepares)}
    assert forced == {key: proposed[key] for key in forced}
    assert max(seq for _, seq in proposed) == LIMITS.window + 5


def test_a_backup_votes_for_o_when_its_window_has_moved_and_never_for_another_value(
    stable: Certificate,
) -> None:
    backup = behind(0, stable)
    other = PrePrepare(1, LIMITS.window + 3, START_MS, (digest(b"another"),))
    backup.tell(Submitted(BODY, 10, 1_000, own=False), Submitted(other.batches[0], 10, 1_000, own=False))
    assert not [m for m in backup.said if isinstance(m, Prepare)]
    backup.tell(CaughtUp(stable), Stored(LIMITS.window + 2), signed(1, other))
    votes = [m for m in backup.said if isinstance(m, Prepare)]
    assert [vote.seq for vote in votes] == [LIMITS.window + 3, LIMITS.window + 4]
    assert votes[0].digest == value_digest(CHAIN, 0, votes[0].seq, START_MS, (BODY,))


def test_nothing_is_accepted_at_or_below_the_checkpoint_that_the_view_began_with(stable: Certificate) -> None:
    """What a quorum executed there is not in O any more, and this log does not hold it durably yet."""
    backup = behind(0, stable)
    body = digest(b"another")
    backup.tell(Submitted(body, 10, 1_000, own=False), signed(1, PrePrepare(1, 3, START_MS, (body,))))
    backup.restart()
    backup.tell(Submitted(body, 10, 1_000, own=False), signed(1, PrePrepare(1, 3, START_MS, (body,))))
    assert not [m for m in backup.said if isinstance(m, Prepare)]


def test_a_primary_that_restarts_proposes_nothing_at_or_below_that_checkpoint(stable: Certificate) -> None:
    primary = behind(1, stable, forced=0)
    primary.restart()
    primary.tell(Submitted(digest(b"another"), LIMITS.batch_transactions, 1_000, own=False))
    assert not [m for m in primary.said if isinstance(m, PrePrepare)]


def test_a_view_is_given_time_when_others_have_gone_further_already() -> None:
    """Two at view 1, one at view 2, one gone: neither view has q wishes, and nobody may wait for ever."""
    replica = Told(0)
    replica.tell(Submitted(BODY, 10, 1_000, own=False), TimerFired(Timer.PROGRESS))
    replica.tell(signed(2, ViewChange(1, None, ())))
    waits = StartTimer(Timer.NEW_VIEW, 2 * LIMITS.view_timer_ms)
    assert waits not in replica.effects
    replica.tell(signed(3, ViewChange(2, None, ())))
    assert waits in replica.effects
    replica.tell(TimerFired(Timer.NEW_VIEW))
    assert [m.view for m in replica.said if isinstance(m, ViewChange)] == [1, 2]


def test_a_block_that_is_not_certified_is_waited_for_and_then_the_view_is_left() -> None:
    """All is executed here, and others that left the view are too few to take this replica along."""
    replica = Told(0)
    block = Ledger().execute(1, START_MS, (BODY,))
    replica.tell(Submitted(BODY, 10, 1_000, own=False))
    value = next(m for m in replica.said if isinstance(m, PrePrepare))
    vote = value_digest(CHAIN, 0, 1, value.time, value.batches)
    replica.tell(*(signed(i, Prepare(0, 1, vote)) for i in (1, 2)))
    replica.tell(*(signed(i, Commit(0, 1, vote)) for i in (1, 2)))
    assert Execute(1, value.time, value.batches) in replica.effects
    replica.tell(block)
    assert not replica.core.known
    assert replica.core.running(Timer.PROGRESS)
    replica.tell(TimerFired(Timer.PROGRESS))
    assert [m.view for m in replica.said if isinstance(m, ViewChange)] == [1]


def test_bodies_that_o_names_are_fetched_at_once(stable: Certificate) -> None:
    backup = behind(0, stable)
    assert FetchBodies((BODY,)) in backup.effects


@pytest.mark.parametrize("forgotten", [0, 1])
def test_a_primary_opens_no_view_that_it_may_have_opened_before_its_loss(forgotten: int) -> None:
    """Seed 1055: its guard had to refuse the second NEW-VIEW."""
    replica = Told(1, lost=Amnesia(forgotten, 0))
    replica.tell(*(signed(i, ViewChange(1, None, ())) for i in (0, 2, 3)))
    opened = any(isinstance(m, NewView) for m in replica.said)
    assert opened == replica.core.active == (forgotten == 0)
    if not opened:
        replica.tell(TimerFired(Timer.NEW_VIEW))
        assert [m.view for m in replica.said if isinstance(m, ViewChange)] == [2]
