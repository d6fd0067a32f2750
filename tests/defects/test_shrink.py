"""A failing seed is shrunk to the smallest plan that fails in the same way."""

import pytest
from msgspec.structs import replace

from grootboek.simulation import Plan, Weather
from grootboek.simulation.campaign import Failure, outcome_of, smallest_plan
from grootboek.simulation.scenario import plan_of
from grootboek.simulation.shrink import shrink
from tests.defects.catalogue import DEFECTS

WAR = Plan(
    replicas=13,
    seconds=20,
    weather=Weather(loss=20),
    faults={"1 loss": 5, "15 kill": 5},
    sure=("6 partition", "28 power cut"),
    liars={1: "16 replay", 9: "4 silent primary"},
    spares=2,
    snapshots=8,
)


def test_what_does_not_matter_goes() -> None:
    def fails(plan: Plan) -> bool:
        return "15 kill" in plan.faults and 1 in plan.liars and plan.seconds >= 7

    small = shrink(WAR, fails)
    needed = Plan(replicas=4, seconds=7, rate=1, weather=Weather(), faults={"15 kill": 5})
    assert small == replace(needed, liars={1: "16 replay"})
    assert small == shrink(WAR, fails)


def test_what_matters_stays() -> None:
    assert shrink(WAR, lambda plan: plan == WAR) == WAR


def test_a_defect_is_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    DEFECTS["nobody_joins"](monkeypatch.setattr)
    small, drawn = smallest_plan(0), plan_of(0)
    outcome = outcome_of(0, small)
    assert isinstance(outcome, Failure)
    assert "wishes" in outcome.what
    assert (small.replicas, small.weather, small.liars) == (4, Weather(), {})
    assert small.seconds < drawn.seconds
    assert len(small.sure) < len(drawn.sure)
