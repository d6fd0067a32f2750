"""Epochs: other replicas run the ledger from a block on, under load and faults; nothing is lost."""

from collections.abc import Sequence
from functools import partial

import pytest

from grootboek.ledger import Epochs
from grootboek.simulation import Plan, Simulation, Weather
from grootboek.simulation.campaign import simulation_of
from grootboek.simulation.replica import SimulatedReplica
from grootboek.simulation.run import SECOND
from grootboek.types import Limits

CALM = Plan(weather=Weather(), seconds=12, rate=20, spares=1)
BRIEF = Plan(weather=Weather(), seconds=4, rate=10, spares=1)


def simulation(plan: Plan, epochs: Sequence[tuple[int, Sequence[int]]], seed: int = 1) -> Simulation:
    """A run in which the governor asks for ``epochs``: at so many seconds, the replicas at these places."""
    run = simulation_of(seed, plan)
    for second, places in epochs:
        run.heap.after(second * SECOND, partial(run.reconfigure, places))
    return run


def test_keys_are_rotated_under_load() -> None:
    run = simulation(CALM, [(3, (0, 1, 2, 3))])
    report = run.run()
    assert report.acknowledged == report.submitted > 200
    assert {r.engine.epoch.number for r in run.replicas} == {1}


def test_a_fifth_replica_joins_a_key_is_rotated_and_a_replica_leaves() -> None:
    run = simulation(CALM, [(3, range(5)), (6, range(5)), (9, (1, 2, 3, 4))])
    report = run.run()
    assert report.acknowledged == report.submitted > 200
    assert report.reads > 2 * report.acknowledged
    assert [r.engine.epoch.number for r in run.replicas] == [3] * 5
    assert [r.engine.me for r in run.replicas] == [4, 0, 1, 2, 3]
    assert [len(epoch.replicas) for epoch in run.replicas[1].engine.ledger.epochs.all] == [4, 5, 5, 4]
    chain = Epochs(run.genesis, run.replicas[2].engine.ledger.epochs.handovers)
    certificate = run.replicas[3].engine.ledger.certificate
    assert certificate is not None
    assert chain.check(certificate).epoch == 3


@pytest.mark.parametrize("seed", range(4))
def test_epochs_change_under_faults(seed: int) -> None:
    faults = {
        "6 partition": 50,
        "15 kill": 100,
        "28 power cut": 30,
        "28 power cut of all": 20,
        "17 pause": 50,
    }
    plan = Plan(
        seconds=16,
        spares=2,
        faults=faults,
        weather=Weather(loss=10, duplicate=10),
        limits=Limits(window=6),
    )
    epochs = [(2, (0, 1, 2, 3, 4)), (5, (4, 3, 2, 1, 0)), (8, (4, 3, 2, 1)), (11, range(6))]
    run = simulation(plan, epochs, seed)
    report = run.run()
    assert report.acknowledged == report.submitted
    assert len({r.engine.ledger.root for r in run.correct}) == 1


@pytest.mark.parametrize("victim", [1, 4], ids=["member", "newcomer"])
@pytest.mark.parametrize("operations", range(1, 5))
def test_whoever_crashes_while_it_hands_over_remembers_what_it_says_then(
    victim: int, operations: int
) -> None:
    """Found by the simulator (seed 20066): the journal did not say that the epoch was opened, so a later
    restart took the votes in it for those of the old one.
    """
    run = simulation(BRIEF, [(1, range(5))])
    place = run.replicas[victim]

    def watch(replica: SimulatedReplica) -> None:
        if replica is place and place.engine.ledger.closed:
            place.disk.fail_after, place.cut_power_at_failure = operations, True
            run.watchers.remove(watch)

    def restart() -> None:
        place.kill()
        run.boot(place)

    run.watchers.append(watch)
    run.heap.after(3_500_000, restart)
    report = run.run()
    assert report.acknowledged == report.submitted
    assert (place.boots, place.engine.epoch.number) == (3, 1)
    assert place.engine.replica.amnesia is None


def test_a_replica_that_lost_its_disk_and_came_back_has_forgotten_nothing_of_the_next_epoch() -> None:
    plan = Plan(weather=Weather(), seconds=16, rate=20, limits=Limits(window=4))
    run = simulation(plan, [(11, (0, 1, 2, 3))])
    place = run.replicas[3]

    def wipe() -> None:
        place.lose_disk()
        run.monitor.wiped.add(place.me)
        run.boot(place)

    def came_back() -> None:
        core = place.engine.replica
        assert core.amnesia is not None
        assert not core.silent

    run.heap.after(2 * SECOND, wipe)
    run.heap.after(10 * SECOND, came_back)
    report = run.run()
    assert report.acknowledged == report.submitted > 200
    assert place.engine.epoch.number == 1
    assert place.engine.replica.amnesia is None
    assert not place.engine.replica.silent
