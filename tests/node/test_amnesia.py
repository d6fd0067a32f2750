"""A replica that may have forgotten its votes learns, says nothing, and comes back."""

import pytest

from grootboek.errors import Damaged
from grootboek.node.journal import MARKER, Journal
from grootboek.simulation.disk import SimulatedDisk
from grootboek.types import Limits, Quorum
from grootboek.wire import Checkpoint, Commit, Envelope, Frame, Prepare, Signed, decode, protocol_messages
from tests.node.cluster import Cluster

WINDOW = 4
VICTIM = 3


@pytest.fixture
def cluster() -> Cluster:
    """Four replicas with some blocks, all of them durable."""
    made = Cluster(limits=Limits(window=WINDOW)).start()
    commit(made, range(6))
    return made


def commit(cluster: Cluster, numbers: range, replica: int = 0) -> None:
    for number in numbers:
        cluster.commit(number, replica=replica)
    cluster.run(1_500)


def said(cluster: Cluster, sender: int) -> list[Signed | Checkpoint]:
    """What ``sender`` has signed and sent, in order."""
    found: list[Signed | Checkpoint] = []
    for who, _, frame in cluster.sent:
        if who == sender and isinstance(frame, Checkpoint):
            found.append(frame)
        elif who == sender and isinstance(frame, Envelope) and frame.signed.sender == sender:
            found.append(frame.signed)
    return found


def votes(cluster: Cluster, sender: int) -> list[Prepare | Commit]:
    messages = [decode(protocol_messages, s.payload) for s in said(cluster, sender) if isinstance(s, Signed)]
    return [message for message in messages if isinstance(message, Prepare | Commit)]


def wipe(cluster: Cluster, victim: int = VICTIM) -> None:
    cluster.replicas[victim].lose_disk()
    cluster.sent.clear()
    cluster.boot(victim)


def go_back(cluster: Cluster, image: SimulatedDisk, *, guard: bool) -> None:
    cluster.replicas[VICTIM].restore(image, guard=guard)
    cluster.sent.clear()
    cluster.boot(VICTIM)


def comes_back(cluster: Cluster, first: int = 100, victim: int = VICTIM) -> None:
    """It says nothing until L has reached its bound; then it votes, and all are equal."""
    core = cluster.engine(victim).replica
    for number in range(first, first + 20 * WINDOW):
        cluster.commit(number, replica=1)
        cluster.run(250)
        if not core.learning:
            break
        assert said(cluster, victim) == []
    assert not core.silent
    assert core.amnesia is not None
    assert core.low >= core.bound > 0
    commit(cluster, range(first + 500, first + 505), replica=1)
    assert votes(cluster, victim)
    assert all(vote.seq > core.bound for vote in votes(cluster, victim))
    assert cluster.equal()
    assert not any(replica.engine.testimony.evidence for replica in cluster.replicas)


# --- the first start of a ledger -----------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_new_ledger_starts_with_all_replicas_or_a_quorum(n: int) -> None:
    for present in {n, Quorum.of(n).quorum}:
        cluster = Cluster(n)
        for me in range(present):
            cluster.boot(me)
        cluster.run(2_000)
        cluster.commit(1)
        assert not any(cluster.engine(me).replica.silent for me in range(present))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_new_ledger_starts_where_the_network_loses_the_first_frames(n: int) -> None:
    cluster = Cluster(n)
    cluster.lost = lambda _sender, _to, _frame: True
    cluster.start()
    cluster.run(1_000)
    assert all(replica.engine.replica.silent for replica in cluster.replicas)
    cluster.lost = lambda _sender, _to, _frame: False
    cluster.run(3_000)
    cluster.commit(1)


def test_who_starts_late_for_the_first_time_has_forgotten_nothing() -> None:
    cluster = Cluster(4)
    for me in range(3):
        cluster.boot(me)
    cluster.run(2_000)
    cluster.commit(1, 2)
    cluster.boot(3)
    cluster.run(2_000)
    assert cluster.engine(3).replica.amnesia is None
    commit(cluster, range(10, 14))
    assert votes(cluster, 3)
    assert cluster.equal()


def test_nobody_votes_before_a_quorum_is_heard() -> None:
    cluster = Cluster(4)
    cluster.boot(0)
    cluster.boot(1)
    cluster.submit(0, cluster.prepared(1).frame)
    cluster.run(60_000)
    assert said(cluster, 0) == said(cluster, 1) == []


# --- a lost disk ---------------------------------------------------------------------------------


def test_a_wiped_replica_learns_and_comes_back(cluster: Cluster) -> None:
    wipe(cluster)
    cluster.run(2_000)
    core = cluster.engine(VICTIM).replica
    assert core.learning
    assert core.bound == cluster.engine(0).replica.certified_seq + 2 * WINDOW
    assert cluster.engine(VICTIM).ledger.size == cluster.engine(0).ledger.size
    comes_back(cluster)


def test_a_wiped_primary_is_left_by_the_others(cluster: Cluster) -> None:
    wipe(cluster, 0)
    comes_back(cluster, victim=0)
    assert cluster.engine(1).replica.view > 0


def test_a_learner_needs_q_reports(cluster: Cluster) -> None:
    """With one of the others down there are only two: nothing is known, and nothing is said."""
    cluster.replicas[2].kill()
    wipe(cluster)
    cluster.run(10_000)
    assert cluster.engine(VICTIM).replica.bound == 0
    assert said(cluster, VICTIM) == []
    cluster.boot(2)
    cluster.run(2_000)
    comes_back(cluster)


@pytest.mark.parametrize("after_ms", [1, 300, 1_500, 4_000])
def test_a_crash_does_not_make_a_learner_forget_that_it_is_one(cluster: Cluster, after_ms: int) -> None:
    wipe(cluster)
    for power in (False, True):
        cluster.run(after_ms)
        victim = cluster.replicas[VICTIM]
        if power:
            victim.power_cut(cluster.network._rng)
        else:
            victim.kill()
        cluster.boot(VICTIM)
        assert victim.engine.replica.learning
    comes_back(cluster)


def test_a_learner_that_has_come_back_votes_after_a_restart(cluster: Cluster) -> None:
    wipe(cluster)
    comes_back(cluster)
    cluster.replicas[VICTIM].kill()
    cluster.boot(VICTIM)
    cluster.run(100)
    assert not cluster.engine(VICTIM).replica.silent


@pytest.mark.parametrize("n", [1, 2])
def test_where_the_others_are_no_quorum_a_wiped_replica_does_not_start(n: int) -> None:
    cluster = Cluster(n).start()
    cluster.commit(1)
    cluster.replicas[n - 1].lose_disk()
    with pytest.raises(Damaged, match="the others are no quorum"):
        cluster.replicas[n - 1].boot()


# --- an old disk ---------------------------------------------------------------------------------


def test_an_old_disk_is_unmasked_by_the_guard_alone(cluster: Cluster) -> None:
    """It knows at once how far it has signed, and says nothing up to there."""
    image = cluster.replicas[VICTIM].disk.copy()
    commit(cluster, range(10, 14))
    high = cluster.engine(VICTIM).signers.high
    cluster.network.partition([VICTIM], [0, 1, 2])
    go_back(cluster, image, guard=False)
    core = cluster.engine(VICTIM).replica
    assert core.learning
    assert core.bound == high.seq >= 10
    assert core.amnesia is not None
    assert core.amnesia.view == high.view
    cluster.network.heal()
    cluster.introduce(0, 1, 2, 3)
    comes_back(cluster)


@pytest.mark.parametrize("witness", [0, 1, 2])
def test_an_old_guard_is_unmasked_by_one_peer(cluster: Cluster, witness: int) -> None:
    """Only one peer has a vote of the replica's that the old disk has not, and nothing is certified."""
    image = cluster.replicas[VICTIM].disk.copy()

    def lost(sender: int, to: int, frame: Frame) -> bool:
        return isinstance(frame, Checkpoint) or (sender == VICTIM and to != witness)

    cluster.lost = lost
    cluster.submit(1, cluster.prepared(50).frame)
    cluster.run(300)
    assert any(vote.seq > 6 for vote in votes(cluster, VICTIM))
    cluster.lost = lambda _sender, _to, _frame: False
    cluster.replicas[VICTIM].restore(image, guard=True)
    cluster.sent.clear()
    cluster.replicas[VICTIM].boot()
    cluster.introduce(VICTIM, witness)
    cluster.run(50)
    assert cluster.engine(VICTIM).replica.learning
    cluster.introduce(0, 1, 2, 3)
    cluster.run(2_000)
    comes_back(cluster)


def test_a_certificate_with_its_own_cosignature_unmasks_an_old_guard(cluster: Cluster) -> None:
    image = cluster.replicas[VICTIM].disk.copy()
    cluster.replicas[2].kill()
    commit(cluster, range(10, 14))  # by 0, 1 and the victim: each certificate has its cosignature
    cluster.run(2_000)
    for me in (0, 1):
        cluster.engine(me).replica.slots.clear()
    go_back(cluster, image, guard=True)
    cluster.run(50)
    assert cluster.engine(VICTIM).replica.learning


def test_restarts_of_every_kind_make_nobody_a_learner(cluster: Cluster) -> None:
    for number in range(20, 50):
        cluster.submit(number % 4, cluster.prepared(number).frame)
        cluster.run(number % 7 * 5)
        victim = cluster.replicas[number % 4]
        if number % 2:
            victim.power_cut(cluster.network._rng)
        else:
            victim.kill()
        cluster.boot(number % 4)
    cluster.run(30_000)
    assert all(replica.engine.replica.amnesia is None for replica in cluster.replicas)
    assert cluster.equal()


# --- damage --------------------------------------------------------------------------------------


def test_with_a_damaged_journal_a_replica_learns(cluster: Cluster) -> None:
    victim = cluster.replicas[VICTIM]
    high = cluster.engine(VICTIM).signers.high
    victim.kill()
    (segment,) = victim.disk.names("journal")
    victim.disk.flip(f"journal/{segment}", 40)
    cluster.sent.clear()
    cluster.boot(VICTIM)
    assert cluster.engine(VICTIM).replica.bound == high.seq
    comes_back(cluster)


@pytest.mark.parametrize("slots", [(0,), (0, 1)])
def test_with_a_damaged_journal_and_marker_nothing_is_known(cluster: Cluster, slots: tuple[int, ...]) -> None:
    victim = cluster.replicas[VICTIM]
    victim.kill()
    (segment,) = victim.disk.names("journal")
    victim.disk.flip(f"journal/{segment}", 40)
    for slot in slots:
        victim.disk.flip(MARKER, slot * 4_096 + 30)
    cluster.sent.clear()
    cluster.boot(VICTIM)
    assert cluster.engine(VICTIM).replica.learning
    assert cluster.engine(VICTIM).replica.bound == 0
    comes_back(cluster)


def test_a_lost_guard_alone_is_a_loss(cluster: Cluster) -> None:
    cluster.replicas[VICTIM].kill()
    cluster.replicas[VICTIM].disk.remove(MARKER)
    cluster.sent.clear()
    cluster.boot(VICTIM)
    assert cluster.engine(VICTIM).replica.learning
    comes_back(cluster)


def test_a_log_that_lacks_what_was_durable_is_transferred_anew(cluster: Cluster) -> None:
    """Damage where the log was synced and is not marked so yet looks torn: the journal knows better."""
    victim = cluster.replicas[VICTIM]
    high = cluster.engine(VICTIM).signers.high
    victim.kill()
    for name in victim.disk.names("log"):
        victim.disk.remove(f"log/{name}")
    cluster.sent.clear()
    cluster.boot(VICTIM)
    assert cluster.engine(VICTIM).replica.bound == high.seq
    comes_back(cluster)


def test_a_founding_marker_replaces_none() -> None:
    disk = SimulatedDisk()
    journal, _ = Journal.open(disk)
    assert journal.high is None
    Journal.found(disk)
    assert Journal.open(disk)[0].high is None
