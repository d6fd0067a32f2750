"""The simulator: a minute of four replicas without faults. 300 times real time is 200 ms for it."""

import pytest

from benches.measuring import Measure
from grootboek.simulation import Plan, Weather
from grootboek.simulation.campaign import simulation_of

pytestmark = pytest.mark.benchmark(group="simulation")

SECONDS, BRIEF_SECONDS = 60, 5


@pytest.mark.parametrize("rate", [1, 20])
def test_a_minute(measure: Measure, rate: int) -> None:
    """``rate`` transactions a second, each in a block of its own."""
    seconds = BRIEF_SECONDS if measure.brief else SECONDS
    plan = Plan(weather=Weather(), seconds=seconds, rate=rate)

    def simulate() -> None:
        assert simulation_of(1, plan).run().height >= rate * seconds

    measure(simulate, items=seconds, of="simulated seconds")
