"""What replicas say of each other reaches every log: evidence, and complaints about slow primaries."""

import random

from grootboek.evidence import pair
from grootboek.evidence import signed as said
from grootboek.ledger import Registry
from grootboek.modules.conduct import Conduct, Passed, passed_over
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.node.signers import Signers
from grootboek.simulation.byzantine import SLOW, Liar, Lies
from grootboek.wire import Checkpoint, Envelope, Evidence, Prepare, Signed, encode
from tests.node.cluster import Cluster

REGISTRY = Registry.of(Conduct, Parties, Records)


def contradiction(cluster: Cluster, by: int, seq: int = 1) -> Evidence:
    one, other = (_signed(cluster, by, Prepare(0, seq, bytes([i]) * 32)) for i in (1, 2))
    return pair(0, by, said(one), said(other))


def _signed(cluster: Cluster, by: int, message: Prepare) -> Signed:
    """By a signer that remembers nothing: a correct one's guard would refuse the second."""
    signed = Signers(cluster.genesis.chain, 0, by, cluster.engine(by).signers.keys).message(encode(message))
    assert signed is not None
    return signed


def convicted(cluster: Cluster, me: int) -> list[tuple[int, str, int]]:
    found = cluster.engine(me).ledger.query("conduct", "convicted", Conduct.queries["convicted"].type(0))
    return [(row.replica, row.kind, row.number) for row in found.convictions]


def test_evidence_that_one_replica_holds_is_told_to_all_and_recorded_once() -> None:
    cluster = Cluster(registry=REGISTRY).start()
    evidence = contradiction(cluster, 3)
    cluster.replicas[1].receive(2, evidence)
    cluster.run(2_000)
    assert [cluster.engine(me).testimony.evidence for me in range(4)] == [(evidence,)] * 4
    assert [convicted(cluster, me) for me in range(4)] == [[(3, "prepare", 1)]] * 4
    assert cluster.equal()
    sizes = cluster.engine(0).ledger.size
    cluster.commit(1)
    cluster.run(120_000)
    assert cluster.engine(0).ledger.size == sizes + 3


def test_evidence_survives_a_crash_and_what_is_not_recorded_yet_is_submitted_again() -> None:
    cluster = Cluster(registry=REGISTRY).start()
    for me in (0, 2, 3):
        cluster.replicas[me].kill()
    evidence = contradiction(cluster, 3)
    cluster.replicas[1].receive(2, evidence)
    cluster.run(50)
    cluster.replicas[1].power_cut(random.Random(1))
    for me in range(3):
        cluster.boot(me)
    cluster.run(5_000)
    assert cluster.engine(1).testimony.evidence == (evidence,)
    assert convicted(cluster, 0) == [(3, "prepare", 1)]


def test_a_lie_about_a_correct_replica_is_not_believed() -> None:
    cluster = Cluster(registry=REGISTRY).start()
    evidence = contradiction(cluster, 3)
    wrong = [
        Evidence(0, 2, evidence.first, evidence.second),
        Evidence(1, 3, evidence.first, evidence.second),
        Evidence(0, 9, evidence.first, evidence.second),
        Evidence(0, 3, evidence.first, evidence.first),
    ]
    for one in wrong:
        cluster.replicas[1].receive(3, one)
    assert not cluster.engine(1).testimony.evidence


def test_two_cosigned_roots_of_one_size_are_evidence() -> None:
    cluster = Cluster(registry=REGISTRY).start()
    liar = Liar(cluster.genesis.chain, 3, 4, lambda: (0, 3, cluster.keys[3]), random.Random(1))
    lies = Lies(liar, "14 wrong CHECKPOINT")
    cluster.replicas[3].liar = lambda to, frame: [*lies(to, frame), (0, frame)]
    cluster.lost = lambda sender, _to, frame: sender == 1 and isinstance(frame, Checkpoint)
    cluster.commit(1)  # without the cosignature of 1 that of the liar is waited for
    cluster.run(3_000)
    cluster.lost = lambda _sender, _to, _frame: False
    cluster.commit(2)
    cluster.run(3_000)
    assert {row[:2] for row in convicted(cluster, 1)} == {(3, "checkpoint")}


def test_a_slow_primary_is_listed_and_passed_over_for_the_rest_of_the_epoch() -> None:
    cluster = Cluster(registry=REGISTRY).start()
    liar = Liar(cluster.genesis.chain, 0, 4, lambda: (0, 0, cluster.keys[0]), random.Random(1))
    cluster.replicas[0].liar = Lies(liar, SLOW)
    number = 0
    while cluster.engine(1).replica.view == 0:
        number += 1
        assert number < 20
        cluster.commit(number, replica=1 + number % 3)
    cluster.run(3_000)
    state = cluster.engine(2).ledger.view("conduct")
    assert passed_over(state, 0) == (0,)
    assert cluster.engine(2).ledger.query("conduct", "passed_over", b'{"epoch": 0}') == Passed((0,))
    assert [cluster.engine(me).replica.passed_over for me in range(4)] == [{0}] * 4
    core = cluster.engine(2).replica
    core.view = 3
    assert core.next_view == 5
    cluster.replicas[1].kill()
    cluster.boot(1)
    assert cluster.engine(1).replica.passed_over == {0}


def test_without_the_module_evidence_is_kept_and_told_only() -> None:
    cluster = Cluster().start()
    evidence = contradiction(cluster, 3)
    cluster.replicas[1].receive(2, evidence)
    cluster.run()
    assert all(cluster.engine(me).testimony.evidence == (evidence,) for me in range(4))
    assert cluster.engine(0).ledger.height == 0
    assert not cluster.frames(Envelope)
