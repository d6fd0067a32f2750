"""Epochs: other replicas run the ledger from a block on, under load and faults; nothing is lost."""

from collections.abc import Sequence
from functools import partial

import pytest

from grootboek.ledger import Epochs, Registry
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.modules.replicas import Replicas
from grootboek.simulation import Plan, Simulation, Weather
from grootboek.simulation.run import SECOND
from grootboek.types import Limits
from tests.simulation.test_runs import anchor

CALM = Plan(weather=Weather(), seconds=12, spares=1, real_signatures=True)


def simulation(plan: Plan, epochs: Sequence[tuple[int, Sequence[int]]], seed: int = 1) -> Simulation:
    """A run in which the governor asks for ``epochs``: at so many seconds, the replicas at these places."""
    run = Simulation(seed, plan, Registry.of(Parties, Records, Replicas), anchor)
    for second, places in epochs:
        run.heap.after(second * SECOND, partial(run.reconfigure, places))
    return run


def test_keys_are_rotated_under_load() -> None:
    run = simulation(CALM, [(3, (0, 1, 2, 3))])
    report = run.run()
    assert report.acknowledged == report.submitted > 400
    assert {r.engine.epoch.number for r in run.replicas} == {1}


def test_a_fifth_replica_joins_a_key_is_rotated_and_a_replica_leaves() -> None:
    run = simulation(CALM, [(3, range(5)), (6, range(5)), (9, (1, 2, 3, 4))])
    report = run.run()
    assert report.acknowledged == report.submitted > 400
    assert report.reads > 2 * report.acknowledged
    assert [r.engine.epoch.number for r in run.replicas] == [3] * 5
    assert [r.engine.me for r in run.replicas] == [4, 0, 1, 2, 3]
    assert [len(epoch.replicas) for epoch in run.replicas[1].engine.ledger.epochs.all] == [4, 5, 5, 4]
    chain = Epochs(run.genesis, run.replicas[2].engine.ledger.epochs.handovers)
    certificate = run.replicas[3].engine.ledger.certificate
    assert certificate is not None
    assert chain.check(certificate).epoch == 3


@pytest.mark.parametrize("seed", range(20))
def test_epochs_change_under_faults(seed: int) -> None:
    faults = {
        "6 partition": 50,
        "15 kill": 100,
        "28 power cut": 30,
        "28 power cut of all": 20,
        "17 pause": 50,
    }
    plan = Plan(
        real_signatures=True,
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
