"""What one frame, and what any number of frames, can make a correct replica hold (PS13)."""

import tracemalloc

import pytest

from grootboek.evidence import pair
from grootboek.evidence import signed as said
from grootboek.modules.conduct import CONVICTIONS_MAX
from grootboek.types import Limits
from grootboek.wire import (
    Envelope,
    FetchBatch,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    Signed,
    ViewChange,
    encode,
)
from tests.hostile.faulty import FAULTY, LOGGED, SIGNATURE, VICTIM, D, Faulty, founded
from tests.node.cluster import Cluster

LIMITS = Limits(window=2 * CONVICTIONS_MAX)
"""One role of a kind for each number: more of them than convictions."""


@pytest.mark.parametrize("view_change", [True, False], ids=["VIEW-CHANGE", "NEW-VIEW"])
def test_messages_that_contain_each_other_cost_no_more_than_their_bytes(*, view_change: bool) -> None:
    """No certificate holds a message of its own kind: the second level is refused unread."""
    cluster = founded()
    inner = Signed(0, encode(PrePrepare(4, 5, 0, (D,) * 30_000)), SIGNATURE)
    for _ in range(200):
        outer: ViewChange | NewView = ViewChange(
            5, None, (Prepared(inner, ((1, SIGNATURE), (3, SIGNATURE))),)
        )
        if not view_change:
            outer = NewView(4, (inner, Signed(1, b"", SIGNATURE), Signed(2, b"", SIGNATURE)), ())
        inner = Signed(0, encode(outer), SIGNATURE)
    payload = encode(Envelope(inner))
    tracemalloc.start()
    cluster.hand(VICTIM, FAULTY, payload)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(payload)
    assert cluster.engine(VICTIM).counters.messages_refused == 1
    cluster.commit(2)


def test_a_new_view_names_at_most_one_window_of_proposals() -> None:
    """More than that no V forces: it is refused before each signature costs something."""
    cluster = founded()
    faulty = Faulty(cluster)
    surplus = tuple(faulty.sign(PrePrepare(2, seq, 0, ())) for seq in range(200))
    message = faulty.sign(NewView(2, faulty.wishes(2), surplus))
    before = cluster.engine(VICTIM).counters.message_signatures
    cluster.hand(VICTIM, FAULTY, encode(Envelope(message)))
    counters = cluster.engine(VICTIM).counters
    assert (counters.messages_refused, counters.message_signatures - before) == (1, 0)


@pytest.mark.parametrize("kind", ["expired", "logged"])
def test_bodies_that_order_nothing_are_not_held(kind: str) -> None:
    """They count against no quota, since nothing will execute them: so nobody keeps them unasked."""
    cluster = founded()
    faulty, engine = Faulty(cluster), cluster.engine(VICTIM)
    held, journalled = len(engine.bodies), len(engine.journal._records)
    for number in range(50):
        again = cluster.prepared(LOGGED).frame * (number + 1)
        faulty.give(faulty.body(1_000 + number, expiry=1) if kind == "expired" else again)
    assert len(engine.bodies) == held
    assert len(engine.journal._records) == journalled
    assert engine.counters.batches_refused == 50
    cluster.commit(2)


def test_an_origin_may_have_no_more_transactions_waiting_than_the_pool_takes() -> None:
    """Small bodies cost more than their bytes: they are counted, too."""
    cluster = Cluster(limits=Limits(window=16, pool_transactions=20)).start()
    cluster.commit(LOGGED)
    cluster.run()
    cluster.lost = lambda _sender, _to, _frame: True
    faulty, engine = Faulty(cluster), cluster.engine(VICTIM)
    held = len(engine.bodies)
    for number in range(50):
        faulty.give(faulty.body(1_000 + number))
    assert len(engine.bodies) - held == 20
    assert engine.counters.batches_refused == 30


def test_a_body_is_offered_once_however_often_a_frame_names_it() -> None:
    cluster = founded()
    engine = cluster.engine(VICTIM)
    (digest,) = (body.batch.digest for body in engine.bodies.held())
    out = engine.frames([(FAULTY, FetchBatch((digest,) * 64))], cluster.heap.now_ms)
    assert len(out.frames) == 1


def test_old_wishes_of_another_replica_do_not_flood_it() -> None:
    """The faulty one repeats what replica 3 said long ago; each NEW-VIEW in answer is large."""
    cluster = founded()
    cluster.replicas[0].kill()
    cluster.commit(2, replica=VICTIM)
    cluster.run(2_000)
    assert cluster.engine(VICTIM).replica.view == 1
    wish = Faulty(cluster).sign(ViewChange(1, None, ()), by=3)
    engine, now = cluster.engine(VICTIM), cluster.heap.now_ms
    frames = [f for _ in range(100) for f in engine.frames([(FAULTY, Envelope(wish))], now).frames]
    assert [to for to, _ in frames] == [3]
    later = engine.frames([(3, Envelope(wish))], now + engine.limits.view_timer_ms)
    assert [to for to, _ in later.frames] == [3]


def test_evidence_of_one_liar_leaves_room_for_that_of_another() -> None:
    cluster = Cluster(limits=LIMITS).start()
    cluster.commit(LOGGED)
    cluster.run()
    faulty, engine = Faulty(cluster), cluster.engine(VICTIM)
    for number in range(2 * LIMITS.window):
        prepare = faulty.prepare(0, faulty.next + number // 2, bytes([number % 2]) * 32)
        engine.frames([(FAULTY, Envelope(prepare))], cluster.heap.now_ms)
    assert len(engine.testimony.evidence) == CONVICTIONS_MAX
    first, second = [faulty.sign(Prepare(0, faulty.next, bytes([i]) * 32), by=3) for i in range(2)]
    for signed in (first, second):
        engine.frames([(3, Envelope(signed))], cluster.heap.now_ms)
    assert pair(0, 3, said(first), said(second)) in engine.testimony.evidence
