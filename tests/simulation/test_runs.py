"""The shipping code under simulated faults and lies. Seeds are fixed; a failing one replays exactly."""

import pytest
from msgspec.structs import replace

from grootboek.ledger import Registry
from grootboek.modules.parties import Parties
from grootboek.modules.records import Records
from grootboek.simulation import Plan, Report, Simulation, Weather
from grootboek.simulation.byzantine import SLOW, STRATEGIES
from grootboek.simulation.campaign import anchor, simulation_of
from grootboek.simulation.faults import FAULTS
from grootboek.simulation.scenario import REIGN, REIGNS

CALM = Plan(weather=Weather())


def run(seed: int, plan: Plan) -> Report:
    return Simulation(seed, plan, Registry.of(Parties, Records), anchor).run()


@pytest.mark.parametrize("replicas", [1, 2, 4, 7])
def test_without_faults_everything_commits_and_no_view_changes(replicas: int) -> None:
    report = run(1, replace(CALM, replicas=replicas, seconds=10))
    assert report.acknowledged == report.submitted > 400
    assert report.views == 0


@pytest.mark.parametrize(
    ("rate", "hours"),
    [
        (0, 24),
        (1, 1 / 6),
        pytest.param(0.2, 24, marks=[pytest.mark.long, pytest.mark.timeout(1_800)]),
    ],
    ids=["idle", "loaded", "loaded for a day"],
)
def test_no_view_changes_without_faults(rate: float, hours: float) -> None:
    seconds = int(hours * 3_600)
    simulation = Simulation(
        1, replace(CALM, rate=rate, seconds=seconds), Registry.of(Parties, Records), anchor
    )
    report = simulation.run()
    assert report.views == 0
    assert report.seconds >= seconds
    assert report.acknowledged == report.submitted >= rate * seconds * 0.99
    assert report.frames < 3_000 + 60 * rate * seconds, "an idle ledger is silent"


def test_a_run_with_real_signatures() -> None:
    report = run(3, Plan(seconds=4, faults={"12 changed bytes": 500}, real_signatures=True))
    assert report.acknowledged == report.submitted
    assert report.real_signatures


@pytest.mark.parametrize("seed", range(20))
def test_power_cut_of_all_replicas_loses_nothing_acknowledged(seed: int) -> None:
    plan = replace(
        CALM,
        seconds=8,
        faults={"28 power cut of all": 700},
        sure=("28 power cut of all",),
        weather=Weather(loss=10, duplicate=10),
    )
    report = run(seed, plan)
    assert report.acknowledged == report.submitted
    assert report.faults["28 power cut of all"] >= 1


@pytest.mark.parametrize("seed", range(100, 120))
def test_loss_partitions_kills_and_power_cuts(seed: int) -> None:
    faults = {"6 partition": 50, "15 kill": 100, "28 power cut": 30}
    report = run(seed, Plan(seconds=12, replicas=(4, 7)[seed % 2], faults=faults))
    assert report.acknowledged == report.submitted


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_each_kind_of_fault_alone(name: str) -> None:
    replicas, spares = (5, 1) if name.startswith("37") else (4, 0)
    plan = Plan(replicas=replicas, spares=spares, seconds=6, rate=20, faults={name: 500}, sure=(name,))
    report = simulation_of(7, plan).run()
    assert report.acknowledged == report.submitted
    assert report.faults[name] >= 1
    assert report.epochs >= name.startswith("37")


@pytest.mark.parametrize("name", [*STRATEGIES, SLOW])
def test_each_strategy_of_a_lying_replica(name: str) -> None:
    """Replica 1 lies: it is the second primary, and others get their turn by crashes."""
    report = run(
        8, Plan(seconds=6, rate=20, faults={"15 kill": 300, "8 primary isolated": 300}, liars={1: name})
    )
    assert report.acknowledged == report.submitted


@pytest.mark.parametrize("seed", range(12))
def test_drawn_plans(seed: int) -> None:
    """Each passes two windows, with a kill, a partition and a view change; some have several epochs."""
    simulation = simulation_of(seed)
    report = simulation.run()
    assert report.height >= simulation.plan.limits.window
    assert report.views > 0
    assert report.epochs >= (seed % REIGNS == REIGN)
    assert report.faults["15 kill"]
    assert report.faults["6 partition"]
