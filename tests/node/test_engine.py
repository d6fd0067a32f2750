"""The engine: what a replica does with bodies, timers, peers and its journal."""

import random
from itertools import pairwise

import pytest

from grootboek._core import TransactionBatch
from grootboek.consensus import Timer
from grootboek.evidence import pair
from grootboek.evidence import signed as said
from grootboek.node import engine as engines
from grootboek.node import journal as journals
from grootboek.node.engine import KEPT_BLOCKS, Engine
from grootboek.node.journal import Journal
from grootboek.node.journalled import Held, cosigned_in
from grootboek.node.signers import Signers
from grootboek.types import Limits
from grootboek.wire import (
    Batch,
    Envelope,
    FetchBatch,
    Frame,
    NewView,
    PrePrepare,
    Signed,
    Status,
    ViewChange,
    decode,
    encode,
    protocol_messages,
)
from tests.node.cluster import Cluster


def proposal(cluster: Cluster, seq: int, *batches: bytes, time: int | None = None) -> Signed:
    """A PRE-PREPARE of replica 0, the primary of view 0."""
    value = PrePrepare(0, seq, cluster.heap.now_ms if time is None else time, batches)
    signed = Signers(cluster.genesis.chain, 0, 0, cluster.keys[0]).message(encode(value))
    assert signed is not None
    return signed


def batch(cluster: Cluster, *numbers: int, commands: int = 1) -> TransactionBatch:
    frames = [cluster.prepared(number, commands=commands).frame for number in numbers]
    return TransactionBatch(b"".join(frames), cluster.genesis.chain.digest)


def is_signed(frame: Frame, kind: type) -> bool:
    return isinstance(frame, Envelope) and isinstance(decode(protocol_messages, frame.signed.payload), kind)


def left_views(cluster: Cluster, sender: int) -> int:
    return sum(s == sender and is_signed(frame, ViewChange) for s, _, frame in cluster.sent)


# --- the normal case -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_every_replica_takes_transactions(n: int) -> None:
    cluster = Cluster(n).start()
    for number in range(n):
        cluster.commit(number, replica=number)
    cluster.run()
    assert cluster.equal()
    assert cluster.engine(0).counters.transactions == n


def test_an_idle_ledger_writes_nothing() -> None:
    cluster = Cluster().start()
    cluster.commit(1)
    cluster.run(20_000)
    before = [(replica.disk.writes, replica.engine.ledger.size) for replica in cluster.replicas]
    cluster.run(60_000)
    assert [(replica.disk.writes, replica.engine.ledger.size) for replica in cluster.replicas] == before


def test_one_turn_syncs_the_journal_once() -> None:
    cluster = Cluster(1).start()
    before = cluster.engine(0).journal.syncs
    cluster.commit(*range(50))
    assert cluster.engine(0).journal.syncs - before <= 3


# --- peers that come and go ----------------------------------------------------------------------


def test_a_batch_that_others_ordered_meanwhile_costs_no_view() -> None:
    """Replica 3 stops with a batch of its own; the same transactions get in by replica 0."""
    cluster = Cluster().start()
    cluster.commit(1)
    cluster.lost = lambda sender, _to, _frame: sender == 3
    cluster.submit(3, cluster.prepared(2).frame)
    cluster.run(50)
    cluster.replicas[3].kill()
    cluster.lost = lambda _sender, _to, _frame: False
    cluster.commit(2)
    cluster.boot(3)
    cluster.run(30_000)
    assert cluster.equal()
    assert left_views(cluster, 3) == 0
    assert not cluster.engine(3).replica.backlog
    assert cluster.engine(3).counters.transactions == 1


def test_a_replica_without_a_quorum_stays_in_its_view() -> None:
    cluster = Cluster().start()
    for peer in (0, 1, 2):
        cluster.engine(3).lost(peer)
    cluster.network.partition([3], [0, 1, 2])
    cluster.submit(3, cluster.prepared(1).frame)
    cluster.run(60_000)
    assert left_views(cluster, 3) == 0
    cluster.network.heal()
    cluster.introduce(0, 1, 2, 3)
    cluster.run(5_000)
    assert cluster.equal()
    assert cluster.engine(0).counters.transactions == 1


def test_a_replica_with_a_quorum_leaves_the_view_of_a_silent_primary() -> None:
    cluster = Cluster().start()
    cluster.replicas[0].kill()
    answered = cluster.submit(1, cluster.prepared(1).frame)
    cluster.run_until(lambda: bool(answered))
    assert {cluster.engine(i).replica.view for i in (1, 2, 3)} == {1}
    assert cluster.engine(1).counters.view_changes == 1
    assert any(is_signed(frame, NewView) for _, _, frame in cluster.sent)


def test_who_comes_back_is_told_where_we_are_and_what_waits() -> None:
    cluster = Cluster().start()
    cluster.lost = lambda _sender, _to, _frame: True
    cluster.submit(2, cluster.prepared(1).frame)
    out = cluster.engine(2).connected(1, cluster.heap.now_ms)
    assert [(to, type(frame)) for to, frame in out.frames] == [(1, Status), (1, Batch)]


# --- bodies --------------------------------------------------------------------------------------


def test_a_peer_has_a_quota_of_waiting_bodies() -> None:
    cluster = Cluster(limits=Limits(window=16, pool_bytes=2_000)).start()
    cluster.lost = lambda _sender, _to, _frame: True
    engine, now = cluster.engine(1), cluster.heap.now_ms
    taken = [engine.body(2, batch(cluster, number), now) for number in range(10)]
    assert sum(bool(out.frames or out.timers) for out in taken) >= 1
    held = len(engine.bodies)
    assert 0 < held < 10
    assert engine.counters.batches_refused == 10 - held
    engine.body(3, batch(cluster, 50), now)
    assert len(engine.bodies) == held + 1


def test_a_body_that_a_proposal_needs_is_taken_over_the_quota() -> None:
    cluster = Cluster(limits=Limits(window=16, pool_bytes=2_000)).start()
    engine, now = cluster.engine(1), cluster.heap.now_ms
    large = batch(cluster, 1, commands=40)
    engine.body(2, large, now)
    assert large.digest not in engine.bodies
    out = engine.frames([(0, Envelope(proposal(cluster, 1, large.digest)))], now)
    asked = [frame for _, frame in out.frames if isinstance(frame, FetchBatch)]
    assert asked == [FetchBatch((large.digest,))]
    engine.body(2, large, now)
    assert large.digest in engine.bodies


def test_missing_bodies_are_asked_of_one_peer_after_the_other() -> None:
    cluster = Cluster().start()
    cluster.lost = lambda _sender, _to, frame: isinstance(frame, Batch)
    cluster.submit(0, cluster.prepared(1).frame)
    cluster.run(3_000)
    asked = {to for sender, to, frame in cluster.sent if sender == 1 and isinstance(frame, FetchBatch)}
    assert asked == {0, 2, 3}


@pytest.mark.parametrize("age", [2, KEPT_BLOCKS + 5, 3 * KEPT_BLOCKS])
def test_a_primary_that_proposes_an_old_batch_again_harms_nobody(age: int) -> None:
    cluster = Cluster().start()
    cluster.commit(1)
    old = next(frame for _, _, frame in cluster.sent if isinstance(frame, Batch))
    again = TransactionBatch(old.body, cluster.genesis.chain.digest)
    for number in range(2, age + 1):
        cluster.commit(number)
    cluster.run()
    signed = proposal(cluster, cluster.engine(1).ledger.seq + 1, again.digest)
    for backup in (1, 2, 3):
        cluster.replicas[backup].receive(0, Envelope(signed))
    cluster.run(500)
    for backup in (1, 2, 3):
        cluster.replicas[backup].receive(0, old)
    cluster.run(20_000)
    cluster.commit(1_000, replica=1)
    cluster.run()
    assert cluster.equal()
    assert cluster.engine(1).counters.transactions == age + 1


def test_bodies_of_certified_blocks_are_forgotten() -> None:
    cluster = Cluster().start()
    for number in range(4 * KEPT_BLOCKS):
        cluster.commit(number)
    cluster.run()
    assert all(len(replica.engine.bodies) <= KEPT_BLOCKS + 1 for replica in cluster.replicas)


def test_digests_that_nobody_has_are_not_asked_for_ever() -> None:
    cluster = Cluster().start()
    cluster.commit(1)
    engine = cluster.engine(1)
    engine.frames([(0, Envelope(proposal(cluster, 2, bytes(32))))], cluster.heap.now_ms)
    assert engine._wanted
    cluster.replicas[0].kill()
    for number in range(2, 30):
        cluster.commit(number, replica=1)
    cluster.run()
    assert not engine._wanted


# --- evidence ------------------------------------------------------------------------------------


def test_two_proposals_for_one_number_are_evidence() -> None:
    cluster = Cluster().start()
    engine, now = cluster.engine(1), cluster.heap.now_ms
    first, second = (proposal(cluster, 1, bytes([i]) * 32) for i in (1, 2))
    engine.frames([(0, Envelope(first)), (0, Envelope(first))], now)
    assert not engine.testimony.evidence
    engine.frames([(2, Envelope(second))], now)
    assert engine.testimony.evidence == (pair(0, 0, said(first), said(second)),)


# --- the journal ---------------------------------------------------------------------------------


def small_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compact at every opportunity, with a segment for each group."""
    monkeypatch.setattr(engines, "COMPACT_BYTES", 1)
    monkeypatch.setattr(journals, "SEGMENT_BYTES", 1)


class Memory:
    """What of a replica must come back after its process ended."""

    def __init__(self, engine: Engine) -> None:
        core = engine.replica
        self.low = core.low
        self.where = core.view, core.active, core.opening
        self.reached = core.executed, core.size
        self.silent = core.silent
        self.cosigned = None if core.cosigned is None else (core.cosigned.size, core.cosigned.root)
        self.said = {seq: slot.told_by(engine.me) for seq, slot in core.slots.items() if slot.voted}
        self.prepared = {seq: slot.certificate for seq, slot in core.slots.items() if slot.certificate}

    def assert_back_in(self, engine: Engine) -> None:
        """L may be lower by what was not synced; then there are more votes, never fewer.

        What it executed while it was silent after a start it has neither voted for nor cosigned: that it
        may execute again.
        """
        now = Memory(engine)
        assert (now.where, now.cosigned) == (self.where, self.cosigned)
        assert now.reached == self.reached or (self.silent and now.reached < self.reached)
        assert now.low <= self.low
        assert {seq: said for seq, said in now.said.items() if seq > self.low} == self.said
        assert {seq: held for seq, held in now.prepared.items() if seq > self.low} == self.prepared


@pytest.mark.parametrize("n", [1, 4])
def test_the_journal_is_compacted_and_says_the_same(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "COMPACT_BYTES", 20_000)
    monkeypatch.setattr(journals, "SEGMENT_BYTES", 4_000)
    cluster = Cluster(n).start()
    sizes = []
    for number in range(120):
        cluster.commit(number)
        cluster.run(50)
        sizes.append(cluster.engine(0).journal.size)
    assert max(sizes) < 60_000
    assert any(b < a for a, b in pairwise(sizes))
    for me in range(n):
        before = Memory(cluster.engine(me))
        cluster.replicas[me].kill()
        cluster.replicas[me].boot()
        before.assert_back_in(cluster.engine(me))
    cluster.introduce(*range(n))
    cluster.commit(500)
    cluster.run()
    assert cluster.equal()


def test_a_clean_stop_leaves_what_is_still_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "SEGMENT_BYTES", 4_000)
    cluster = Cluster().start()
    for number in range(60):
        cluster.commit(number)
        cluster.run(50)
    before, grown = Memory(cluster.engine(0)), cluster.engine(0).journal.size
    cluster.engine(0).close()
    assert cluster.engine(0).journal.size < grown // 2
    cluster.replicas[0].kill()
    cluster.replicas[0].boot()
    before.assert_back_in(cluster.engine(0))
    cluster.introduce(0)
    cluster.commit(500)
    cluster.run()
    assert cluster.equal()


def test_what_must_be_kept_is_not_written_again_at_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies that wait are more than the threshold; the journal grows to twice their size first."""
    small_journal(monkeypatch)
    cluster = Cluster().start()
    cluster.lost = lambda sender, _to, frame: sender == 1 and isinstance(frame, Batch)
    engine = cluster.engine(1)
    for number in range(100, 104):
        engine.body(1, batch(cluster, number, commands=200), cluster.heap.now_ms)
    compactions = []
    release = engine.journal.release

    def count(at: int) -> None:
        compactions.append(at)
        release(at)

    monkeypatch.setattr(engine.journal, "release", count)
    for number in range(40):
        cluster.commit(number)
        cluster.run(120)
    assert len(engine.bodies.waiting(1)) == 4
    assert 1 <= len(compactions) <= 3


@pytest.mark.parametrize("power", [False, True])
def test_recovery_from_a_compacted_journal_after_every_step(
    power: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """End one replica after ever more events of a short run: what it has cosigned and voted stays said."""
    small_journal(monkeypatch)
    rng = random.Random(4)
    cluster = Cluster().start()
    victim = cluster.replicas[3]
    for number in range(60):
        cluster.submit(number % 4, cluster.prepared(number).frame)
        for _ in range(number):
            cluster.heap.step(cluster.heap.now_us + 5_000)
        before = Memory(victim.engine)
        if power:
            victim.power_cut(rng)
        else:
            victim.kill()
        _, records = Journal.open(victim.disk)
        assert before.cosigned in {None, *cosigned_in(Held.of(records).records)}
        victim.boot()
        if not power:
            before.assert_back_in(victim.engine)
        cluster.introduce(0, 1, 2, 3)
    cluster.run(30_000)
    assert cluster.equal()
    assert cluster.engine(0).counters.transactions >= 45
    assert not any(replica.engine.testimony.evidence for replica in cluster.replicas)


def test_a_body_that_a_slot_names_survives_compaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of the log that is proposed again: after a restart the vote for it still has its body."""
    small_journal(monkeypatch)
    cluster = Cluster().start()
    cluster.commit(1)
    old = next(frame for _, _, frame in cluster.sent if isinstance(frame, Batch))
    again = TransactionBatch(old.body, cluster.genesis.chain.digest)
    for number in range(2, 6):
        cluster.commit(number)
    cluster.run(500)
    seq = cluster.engine(1).ledger.seq + 2
    signed = proposal(cluster, seq, again.digest)
    for backup in (1, 2, 3):
        cluster.replicas[backup].receive(0, Envelope(signed))
    cluster.run(500)
    assert all(cluster.engine(backup).replica.slots[seq].committing for backup in (1, 2, 3))
    for number in range(6, 9):
        cluster.submit(1, cluster.prepared(number).frame)
    for backup in (1, 2, 3):
        cluster.replicas[backup].kill()
        cluster.boot(backup)
    cluster.run(30_000)
    cluster.commit(99, replica=1)
    cluster.run(2_000)
    assert cluster.equal()
    assert cluster.engine(0).replica.learning  # it has never signed that proposal, as far as it knows


def test_timers_that_nobody_started_do_nothing() -> None:
    cluster = Cluster().start()
    cluster.run(5_000)
    for timer in (*Timer, "transfer", "sync", "flush"):
        out = cluster.engine(1).timer(timer, cluster.heap.now_ms)
        assert not out.frames
