"""Slow and censoring primaries under the shipping engine: replaced, and the throughput is back (PL5)."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from grootboek.ledger import Registry
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.simulation import Simulation
from grootboek.simulation.byzantine import SLOW
from grootboek.simulation.campaign import anchor
from grootboek.simulation.run import SECOND
from tests.simulation.test_runs import CALM

RATE = 20
WITHIN = 10
"""By so many seconds a slow primary is gone."""


def throughput(liars: dict[int, str], after: int) -> tuple[list[int], set[int]]:
    """What was acknowledged in each second, and the views that all are in."""
    seconds = WITHIN + after
    plan = replace(CALM, seconds=seconds, rate=RATE, liars=liars)
    run = Simulation(5, plan, Registry.of(Parties, Records), anchor)
    for replica in run.replicas:
        run.boot(replica)
    run.clients.start(SECOND // RATE, seconds * SECOND)
    totals = [0]
    for second in range(seconds):
        run._drain((second + 1) * SECOND)
        totals.append(len(run.monitor.acknowledged))
    counts = [there - before for before, there in pairwise(totals)]
    return counts, {replica.engine.replica.view for replica in run.correct}


@pytest.mark.parametrize("after", [10, pytest.param(60, marks=pytest.mark.long)])
@pytest.mark.parametrize("strategy", [SLOW, "6 censoring"])
def test_after_a_bad_primary_is_replaced_the_throughput_is_that_of_no_fault(
    strategy: str, after: int
) -> None:
    fault_free, views = throughput({}, after)
    assert views == {0}
    counts, views = throughput({0: strategy}, after)
    assert views == {1}
    assert counts[0] < fault_free[0] // 2  # it did harm while it was primary
    was, now = sum(fault_free[-after:]), sum(counts[-after:])
    print(f"{strategy}: {now} in {after} s, without a fault {was}")  # noqa: T201  # the figures
    assert 10 * now >= 9 * was
