"""Replicas beside their twins: a sample of all scenarios keeps every invariant."""

import itertools

import pytest

from grootboek.consensus import Timer, decode_record
from grootboek.consensus.records import Accepted, Voted
from grootboek.simulation.cores import LIMITS
from grootboek.simulation.monitor import Violation
from grootboek.simulation.space import (
    Loss,
    Restart,
    Scenario,
    Space,
    canonical,
    mixture,
    renamed,
    sample,
    symmetries,
)
from grootboek.simulation.twins import Failure, Run, Summary, campaign, desk_of, outcome_of

CI = 500
ALL = 50_000


def ran(count: int, seed: int) -> Summary:
    return campaign(mixture(count, seed), lambda _: None)


def test_a_sample_keeps_every_invariant_and_does_what_twins_are_for() -> None:
    summary = ran(CI, 1)
    assert summary.failures == []
    assert summary.replicas == {4: CI * 9 // 10, 7: CI // 10}
    for name in ("accusations", "views", "blocks before the heal", "timers after the heal"):
        assert summary.scenarios_with[name] > CI // 20, name


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_fifty_thousand_scenarios_keep_every_invariant() -> None:
    summary = ran(ALL, 0)
    assert summary.scenarios == ALL
    assert summary.failures == []


def test_a_number_replays_its_run() -> None:
    for number in sample(Space(4), 10, 3):
        first, second = (Run(Space(4).scenario(number), desk_of(4)) for _ in range(2))
        assert first.run() == second.run()
        assert first.trace == second.trace


def test_each_number_is_a_scenario_of_its_own() -> None:
    space = Space(4, rounds=1)
    # Before the first round no timer runs, so what fires there makes no difference.
    every = {space.scenario(number) for number in range(space.size)}
    assert len(every) == space.size // 4
    assert {s.twins for s in every} == {(0,), (1,), (2,), (3,)}
    assert len({s.rounds[0].groups for s in every}) == 41


def test_scenarios_that_are_alike_have_one_name_and_are_drawn_once() -> None:
    space = Space(7)
    for number in sample(space, 5, 0):
        scenario = space.scenario(number)
        alike = [renamed(scenario, names) for names in symmetries(scenario)]
        assert len({canonical(other) for other in alike}) == 1
    drawn = list(sample(Space(4, rounds=1), 3_000, 0))
    names = {canonical(Space(4, rounds=1).scenario(number)) for number in drawn}
    assert len(drawn) == len(names) == 3_000


def test_a_space_smaller_than_what_is_asked_for_is_run_through() -> None:
    assert list(sample(Space(4, rounds=0), 10, 0)) == [0, 1, 2, 3]


def test_the_space_holds_losses_restarts_and_old_disks() -> None:
    scenarios = [Space(4).scenario(number) for number in sample(Space(4), 2_000, 0)]
    restarts = [s.restart for s in scenarios if s.restart is not None]
    assert any(r.image < r.at for r in restarts)
    assert all(r.instance == 4 for r in restarts if r.image < r.at)
    assert {r.instance for r in restarts} == set(range(5))
    losses = {(r.loss.kind, r.loss.which) for s in scenarios for r in s.rounds if r.loss is not None}
    assert len(losses) == 15


def test_twins_that_lead_both_halves_are_found_out() -> None:
    """Replica 0 leads {0, 1, 2} and its twin leads {0', 3}: after the heal the evidence is there."""
    apart = Space(4).scenario(0).rounds[0]
    halves = type(apart)((0, 0, 0, 1, 1), "nobody", None, late=True)
    run = Run(Scenario(4, (0,), (halves, halves), None), desk_of(4))
    counts = run.run()
    assert counts["blocks before the heal"] >= 2
    assert counts["accusations"] > 0


def test_a_twin_with_an_empty_disk_learns_that_it_has_forgotten() -> None:
    """It is shown its own votes, so it signs nothing, follows the certificates and harms nobody."""
    whole = Space(4).scenario(0).rounds[0]
    together = type(whole)((0,) * 5, "nobody", Loss("COMMIT", "all", -1), late=False)
    run = Run(Scenario(4, (1,), (together, together, together), Restart(2, 4, 0)), desk_of(4))
    run.run()
    forgetful = run.cores.instances[4]
    assert forgetful.core.learning
    run.cores.now += LIMITS.view_timer_ms
    forgetful.fire(Timer.STATUS)
    run.cores.settle()
    assert forgetful.ledger.size == run.cores.instances[0].ledger.size == 3
    assert not any(isinstance(decode_record(data), Voted | Accepted) for data in forgetful.journal)


def test_what_ends_a_replica_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise Violation("PS1: as if")

    monkeypatch.setattr(Run, "heal", broken)
    (number,) = itertools.islice(sample(Space(4), 1, 0), 1)
    assert outcome_of(4, number) == Failure(4, number, "PS1: as if")
