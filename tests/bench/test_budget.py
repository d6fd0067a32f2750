"""The account of one transaction: nothing counts twice, and every stage that is named happens."""

import json
import subprocess
import sys
import time

import pytest
from msgspec.structs import replace

from grootboek.bench.budget import Budget, measure
from grootboek.bench.stages import WATCHED, Stages
from grootboek.errors import ConfigError
from grootboek.ledger import Ledger

QUICK = {"batch": 40, "request": 20, "rounds": 2}


@pytest.fixture(scope="module")
def budget() -> Budget:
    return measure(**QUICK)


def test_each_stage_that_is_named_happens(budget: Budget) -> None:
    times = {stage.stage: stage.times for stage in budget.stages}
    assert all(times.values()), times
    assert times.keys() > {name for name, _, _ in WATCHED}


def test_what_each_replica_does_is_counted_once_for_each(budget: Budget) -> None:
    times = {stage.stage: stage.times for stage in budget.stages}
    blocks = budget.batch / budget.transactions_per_block
    assert times["client signatures"] == 4
    assert times["execution"] == 4 * blocks
    assert times["batches over TLS"] == 2 * 3, "each request is a batch of the replica that it came to"
    assert times["API: TLS, HTTP, encoding"] == 2
    assert times["votes over TLS"] == blocks * (3 + 3 * 3 + 4 * 3 + 4 * 3), "one of each kind to each peer"


def test_the_sum_is_that_of_the_stages(budget: Budget) -> None:
    for stage in budget.stages:
        assert stage.total_us_per_tx == pytest.approx(stage.us_per_tx * stage.times)
    assert budget.sum_us_per_tx == pytest.approx(sum(stage.total_us_per_tx for stage in budget.stages))
    compared = replace(budget, sum_us_per_tx=170.0).beside(200.0)
    assert (compared.cluster_us_per_tx, compared.not_accounted_us_per_tx) == (200.0, 30.0)


@pytest.mark.parametrize("wrong", [{"batch": 50}, {"rounds": 0}, {"replicas": 1}, {"request": 0}])
def test_what_cannot_be_measured_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        measure(**(QUICK | wrong))


def test_time_inside_another_stage_is_not_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0, 10, 15, 100])
    monkeypatch.setattr(time, "process_time_ns", lambda: next(now))
    stages = Stages()
    with stages.stage("outer"), stages.stage("inner"):
        pass
    assert stages.spent_ns == {"outer": 10 + 85, "inner": 5}
    assert stages.calls == {"outer": 1, "inner": 1}


def test_the_classes_are_as_before_when_it_is_over() -> None:
    before = Ledger.execute
    with Stages():
        assert Ledger.execute is not before
    assert Ledger.execute is before


def test_the_command_prints_one_value() -> None:
    command = ["bench", "budget", "--batch", "20", "--request", "20", "--rounds", "1", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "grootboek.cli", *command], capture_output=True, check=True, text=True
    )
    found = json.loads(done.stdout)
    assert found["stages"][0].keys() == {"stage", "us_per_tx", "times", "total_us_per_tx"}
    assert found["cluster_us_per_tx"] is None
