"""The simulator: a minute of four replicas without faults. 300 times real time is 200 ms for it."""

import pytest

from benches.conftest import Measure
from grootboek.simulation import Plan, Weather
from grootboek.simulation.campaign import simulation_of

SECONDS = 60


@pytest.mark.parametrize("rate", [1, 20])
def test_a_minute(measure: Measure, rate: int) -> None:
    """``rate`` transactions a second, each in a block of its own."""
    plan = Plan(weather=Weather(), seconds=SECONDS, rate=rate)

    def simulate() -> int:
        return simulation_of(1, plan).run().height

    assert simulate() >= rate * SECONDS
    measure(simulate)
