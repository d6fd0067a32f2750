"""Epochs: other replicas run the ledger from a block on, under load and faults; nothing is lost."""

from collections.abc import Sequence
from functools import partial

import pytest
from msgspec.structs import replace

from grootboek.ledger import Registry
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.modules.replicas import Replicas
from grootboek.simulation import Plan, Simulation, Weather
from grootboek.simulation.run import SECOND
from tests.simulation.test_runs import anchor

CALM = Plan(weather=Weather(), seconds=12, spares=1)


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
