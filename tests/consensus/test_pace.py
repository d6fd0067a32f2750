"""Slow primaries are replaced, and nobody else is (defects D11 and D12; PL5)."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from grootboek._core import digest
from grootboek.consensus import Event
from grootboek.wire import Envelope, Frame, PrePrepare, decode, protocol_messages
from tests.consensus.cluster import Cluster, Member

SECOND = 1_000
LATE_MS = 900
"""A little less than the others' patience."""


def proposes(sender: int, frame: Frame) -> bool:
    """Whether the frame is a PRE-PREPARE of ``sender`` itself."""
    if not isinstance(frame, Envelope) or frame.signed.sender != sender:
        return False
    return isinstance(decode(protocol_messages, frame.signed.payload), PrePrepare)


def load(cluster: Cluster, seconds: int, rate: Callable[[int], int], name: bytes = b"") -> list[bytes]:
    """Batches at ``rate(second)`` a second; what they are."""
    wanted = []
    for second in range(seconds):
        for i in range(rate(second)):
            body = digest(b"%s %d %d" % (name, second, i))
            wanted.append(body)
            cluster.later(second * SECOND + i * SECOND // rate(second), partial(cluster.submit, body))
    return wanted


def views(cluster: Cluster) -> set[int]:
    return {member.core.view for member in cluster.members}


def slow(cluster: Cluster, primary: int, ms: int = LATE_MS) -> None:
    cluster.delay = lambda sender, _to, frame: ms if sender == primary and proposes(primary, frame) else 0


@pytest.mark.parametrize(("n", "rate"), [(4, 1), (4, 20), (7, 20)])
def test_a_primary_just_under_the_time_out_is_replaced(n: int, rate: int) -> None:
    cluster = Cluster(n)
    slow(cluster, 0)
    wanted = load(cluster, 20, lambda _second: rate)
    cluster.run(20 * SECOND)
    assert views(cluster) == {1}
    complaints = [member.complained for member in cluster.members]
    assert sum(complaint == [0] for complaint in complaints) >= cluster.members[0].core.quorum.weak
    cluster.run(5 * SECOND)
    assert all(set(wanted) <= done for done in cluster.executed())


@pytest.mark.parametrize("ms", [250, 500])
def test_a_primary_that_is_many_times_slower_than_the_network_is_replaced(ms: int) -> None:
    cluster = Cluster()
    slow(cluster, 0, ms)
    load(cluster, 15, lambda _second: 50)
    cluster.run(15 * SECOND)
    assert views(cluster) == {1}


def test_a_primary_that_falls_to_a_fraction_of_what_was_seen_is_replaced() -> None:
    """n = 7, one accomplice: it is late for two and for its accomplice's vote; the others wait for votes."""
    cluster = Cluster(7)
    load(cluster, 22, lambda _second: 20)
    cluster.run(12 * SECOND)
    assert views(cluster) == {0}

    def late(sender: int, to: int, frame: Frame) -> int:
        accomplice = sender == 6 and isinstance(frame, Envelope)
        return LATE_MS if (sender == 0 and to in {1, 2} and proposes(0, frame)) or accomplice else 0

    cluster.delay = late
    cluster.run(10 * SECOND)
    assert views(cluster) == {1}


def test_a_primary_that_leaves_out_one_origin_is_replaced() -> None:
    cluster = Cluster()
    wanted = load(cluster, 10, lambda _second: 50)
    censored = {body for body in wanted if cluster.origin_of(body) == 2}
    hold = cluster.hold
    cluster.hold = lambda me, body: hold(me, body) if me or body not in censored else None  # type: ignore[method-assign]  # what the primary will not see, it will not propose
    cluster.run(20 * SECOND)
    assert {member.core.view for member in cluster.members[1:]} == {1}
    cluster.run(5 * SECOND)
    assert all(censored <= done for done in cluster.executed()[1:])


def test_a_batch_that_the_primary_lacks_is_sent_again_while_others_are_ordered() -> None:
    cluster = Cluster()
    load(cluster, 10, lambda _second: 50)
    lost = digest(b"lost on its way to the primary")
    cluster.submit(lost, to=[1, 2, 3])
    cluster.run(2 * SECOND)
    assert all(lost in done for done in cluster.executed())
    assert views(cluster) == {0}


# --- no false alarm ------------------------------------------------------------------------------


def slow_link(cluster: Cluster) -> None:
    cluster.delay = lambda sender, to, _frame: LATE_MS if (sender, to) == (0, 2) else 0


def slow_backup(cluster: Cluster) -> None:
    cluster.delay = lambda sender, _to, _frame: 300 if sender == 3 else 0


def slow_network(cluster: Cluster) -> None:
    cluster.delay = lambda _sender, _to, _frame: 100


def blips(cluster: Cluster) -> None:
    """Every ten seconds nothing reaches anybody for half a second."""

    def lost(_sender: int, _to: int, frame: Frame) -> Frame | None:
        return None if cluster.now % (10 * SECOND) < SECOND // 2 else frame

    cluster.intercept = lost


def hasty_clock(cluster: Cluster) -> None:
    """Every ten seconds the wall clock of one replica jumps ahead by an hour, and then back."""
    core = cluster.members[1].core
    handle = core.handle
    core.handle = lambda event, now: handle(event, now + 3_600_000 * (now // (5 * SECOND) % 2))  # type: ignore[method-assign]  # the clock of one


LOADS: dict[str, Callable[[int], int]] = {
    "even": lambda _second: 10,
    "bursts": lambda second: (1, 1, 60)[second % 3],
    "idle to busy": lambda second: 100 if second % 12 >= 10 else 0,
}


@pytest.mark.parametrize("rate", LOADS)
@pytest.mark.parametrize("trouble", [slow_link, slow_backup, slow_network, blips, hasty_clock])
def test_a_primary_that_is_not_slow_stays(trouble: Callable[[Cluster], None], rate: str) -> None:
    cluster = Cluster()
    trouble(cluster)
    load(cluster, 24, LOADS[rate])
    cluster.run(30 * SECOND)
    assert views(cluster) == {0}
    assert not any(member.complained for member in cluster.members)


def busy(cluster: Cluster, costs: Sequence[int]) -> None:
    """Each replica takes so many milliseconds to execute a block, and hears and says nothing meanwhile."""
    free = [0] * cluster.n
    handle, execute = Member.handle, Member.execute

    def in_turn(self: Member, event: Event) -> None:
        wait = free[self.me] - cluster.now
        if wait > 0:
            cluster.later(wait, lambda: self.handle(event))
        else:
            handle(self, event)

    def at_length(self: Member, seq: int, time: int, batches: tuple[bytes, ...]) -> list[Event]:
        free[self.me] = max(free[self.me], cluster.now) + costs[self.me]
        return execute(self, seq, time, batches)

    for member in cluster.members:
        member.handle = partial(in_turn, member)  # type: ignore[method-assign]  # a busy one
        member.execute = partial(at_length, member)  # type: ignore[method-assign]  # a busy one
    cluster.delay = lambda sender, _to, _frame: max(0, free[sender] - cluster.now)


@pytest.mark.parametrize("ms", [75, 160, 300])
def test_where_all_are_busy_the_primary_stays(ms: int) -> None:
    """It proposes when it has executed: some of the others are ahead of it by a block at any time."""
    cluster = Cluster()
    busy(cluster, [ms] * 4)
    load(cluster, 40, lambda _second: 50)
    cluster.run(40 * SECOND)
    assert views(cluster) == {0}


def test_a_primary_that_is_slower_than_all_others_where_all_are_busy_is_replaced_once() -> None:
    cluster = Cluster()
    busy(cluster, (260, 220, 220, 220))
    load(cluster, 40, lambda _second: 50)
    cluster.run(40 * SECOND)
    assert views(cluster) == {1}


def test_suspicions_of_f_replicas_move_nobody() -> None:
    cluster = Cluster(7)
    for member in cluster.members[1:]:
        for liar in (5, 6):
            member.core.pace.suspect(liar)
        member.core.on_suspect(6, 0)
    load(cluster, 5, lambda _second: 20)
    cluster.run(8 * SECOND)
    assert views(cluster) == {0}


def test_old_suspicions_are_forgotten() -> None:
    """Two that had trouble at different times are no two that agree."""
    cluster = Cluster()
    core = cluster.members[1].core
    core.on_suspect(2, 0)
    load(cluster, 60, lambda _second: 20)
    cluster.run(60 * SECOND)
    assert core.pace.busy > 12 * SECOND
    assert not core.pace.suspecting
    core.on_suspect(3, 0)
    assert core.active
    core.on_suspect(2, 0)
    assert not core.active
