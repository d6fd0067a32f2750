"""The shipping code under simulated faults. Seeds are fixed; a failing one replays exactly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from grootboek.ledger import Registry
from grootboek.modules.parties import Parties
from grootboek.modules.records import Anchor, Records
from grootboek.simulation import Plan, Report, Simulation, Weather
from grootboek.wire import Command, encode

CALM = Plan(weather=Weather(), kills=0, power_cuts=0, partitions=0)


def anchor(number: int) -> Command:
    body = Anchor(key=f"doc-{number % 40}", digest=number.to_bytes(32, "big"))
    salt = number.to_bytes(16, "big")
    return Command(module="records", name="Anchor", version=Records.version, body=encode(body), salt=salt)


def run(seed: int, plan: Plan) -> Report:
    return Simulation(seed, plan, Registry.of(Parties, Records), anchor).run()


@pytest.mark.parametrize("replicas", [1, 2, 4, 7])
def test_without_faults_everything_commits_and_no_view_changes(replicas: int) -> None:
    report = run(1, replace(CALM, replicas=replicas, seconds=10))
    assert report.acknowledged == report.submitted > 400
    assert report.views == 0


@pytest.mark.parametrize("seed", range(20))
def test_power_cut_of_all_replicas_loses_nothing_acknowledged(seed: int) -> None:
    plan = replace(CALM, seconds=8, blackouts=700, weather=Weather(loss=10, duplicate=10))
    report = run(seed, plan)
    assert report.acknowledged == report.submitted
    assert report.blackouts >= 1


@pytest.mark.parametrize("seed", range(100, 120))
def test_loss_partitions_kills_and_power_cuts(seed: int) -> None:
    report = run(seed, Plan(seconds=12, replicas=(4, 7)[seed % 2]))
    assert report.acknowledged == report.submitted


def test_the_same_seed_gives_the_same_digest_under_any_hash_seed() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_runs as t;"
        "print(t.run(7, t.Plan(seconds=5, kills=300, power_cuts=200)).digest)"
    )
    here = str(Path(__file__).parent)
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, here],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
