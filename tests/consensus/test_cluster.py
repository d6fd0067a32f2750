"""The whole core on a lossy network: safety after every event, progress after the heal."""

from functools import partial

import pytest

from grootboek._core import digest
from tests.consensus.cluster import Cluster, Member


def bodies(count: int, start: int = 0) -> list[bytes]:
    return [digest(b"body %d" % i) for i in range(start, start + count)]


def assert_all_execute(cluster: Cluster, wanted: list[bytes], patience_ms: int = 60_000) -> None:
    for _ in range(patience_ms // 1_000):
        cluster.run(1_000)
        sizes = {len(member.ledger.entries) for member in cluster.members}
        if all(set(wanted) <= done for done in cluster.executed()) and len(sizes) == 1:
            return
    state = [(m.core.view, m.core.active, m.core.executed, m.core.low) for m in cluster.members]
    pytest.fail(f"no progress: {state}")


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7])
def test_without_faults_no_view_changes(n: int) -> None:
    cluster = Cluster(n)
    wanted = bodies(60)
    for i, body in enumerate(wanted):
        cluster.later(i * 37, partial(cluster.submit, body))
    assert_all_execute(cluster, wanted)
    assert {member.core.view for member in cluster.members} == {0}


def test_idle_replicas_have_no_timer() -> None:
    cluster = Cluster()
    cluster.submit(bodies(1)[0])
    cluster.run(120_000)
    assert cluster.events == []
    assert all(not member.timers for member in cluster.members)


@pytest.mark.parametrize("seed", range(150))
def test_faults_of_every_kind(seed: int) -> None:
    cluster = Cluster(n=(4, 4, 7)[seed % 3], seed=seed)
    rng = cluster.rng
    wanted = bodies(30)
    for i, body in enumerate(wanted):
        cluster.later(rng.randrange(8_000), partial(cluster.submit, body))
        cluster.later(9_000 + i, partial(cluster.submit, body))
    cluster.loss, cluster.duplicate = rng.choice([(0, 0), (100, 50), (300, 100)])
    cluster.crash_at_persist = rng.choice([0, 5, 20])
    for _ in range(3):
        group = rng.sample(range(cluster.n), rng.randrange(1, cluster.n))
        cluster.later(rng.randrange(6_000), partial(cluster.partition, group))
        cluster.later(rng.randrange(6_000, 9_000), cluster.cut.clear)
        victim = rng.randrange(cluster.n)
        cluster.later(rng.randrange(8_000), partial(restart, cluster, victim))
    cluster.run(10_000)
    cluster.heal()
    assert_all_execute(cluster, wanted)


def restart(cluster: Cluster, victim: int) -> None:
    member = cluster.members[victim]
    if member.alive:
        member.crash()
        cluster.later(1_000, partial(boot, member))


def boot(member: Member) -> None:
    if not member.alive:
        member.boot()
