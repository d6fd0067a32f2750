"""Replicas that were away for many windows come back by snapshot under load, while others lie and fail."""

import pytest
from msgspec.structs import replace

from grootboek.simulation import Plan, Weather
from grootboek.types import Limits
from tests.simulation.test_runs import run

AWAY = Plan(
    seconds=20,
    rate=20,
    snapshots=8,
    weather=Weather(loss=10, duplicate=10, late=5),
    faults={"15 kill": 200, "9 one isolated": 200},
    sure=("15 kill", "9 one isolated"),
    limits=Limits(window=8),
)


def leaps(plan: Plan, seeds: range) -> int:
    total = 0
    for seed in seeds:
        report = run(seed, plan)
        assert report.acknowledged == report.submitted
        total += report.leaps
    return total


def test_replicas_that_were_away_come_back_by_snapshot() -> None:
    assert leaps(AWAY, range(3)) >= 3


def test_with_a_liar_that_poisons_all_it_serves() -> None:
    """With one of four lying, both others must offer the same snapshot."""
    assert leaps(replace(AWAY, liars={1: "15 poisoned transfer"}), range(14, 18)) >= 2


def test_among_seven_with_two_liars() -> None:
    lying = {1: "15 poisoned transfer", 4: "15 poisoned transfer"}
    assert leaps(replace(AWAY, replicas=7, liars=lying), range(20, 25)) >= 2


def test_loss_of_power_and_failing_disks_on_the_way() -> None:
    faults = AWAY.faults | {"28 power cut": 200, "27 torn write": 200, "16 kill in recovery": 200}
    leaps(replace(AWAY, faults=faults), range(30, 33))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_seeds(seed: int) -> None:
    faults = AWAY.faults | {"28 power cut": 100, "27 torn write": 100, "6 partition": 100, "32 full disk": 50}
    liars = {1: "15 poisoned transfer"} if seed % 2 else {}
    leaps(replace(AWAY, replicas=(4, 7)[seed % 3 // 2], faults=faults, liars=liars), range(seed, seed + 1))
