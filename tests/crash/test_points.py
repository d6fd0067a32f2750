"""A process may end anywhere: it recovers, contradicts nothing it said, and nothing acknowledged is lost.

A sample of the points runs always; ``--long`` runs all, and prints the table of docs/crash.md (``-s``).
"""

from functools import cache

import pytest

from grootboek.consensus import Replica
from grootboek.node import parts
from tests.crash.enumeration import (
    RECOVERY,
    VICTIMS,
    double,
    outcome,
    outcomes,
    points_of,
    single,
    table,
)
from tests.crash.forks import Case, Outcome
from tests.crash.points import Points
from tests.crash.run import Stop, Way, run

KINDS = {"answer", "append", "flush", "overwrite", "remove", "replace", "send", "sync"}
SAMPLE = 50
"""How many crashes of each victim run always."""


@cache
def counted(victim: int) -> Points:
    return points_of(victim)


@cache
def cases(victim: int) -> list[Case]:
    return single(victim, counted(victim))


def spread(chosen: list[Case], count: int) -> list[Case]:
    return chosen[:: max(1, len(chosen) // count)][:count]


def failures(chosen: list[Case]) -> list[Outcome]:
    return [outcome for outcome in outcomes(chosen) if outcome.what]


@pytest.mark.parametrize("victim", VICTIMS)
def test_the_story_has_points_of_every_kind(victim: int) -> None:
    points = counted(victim)
    assert len(points.seen) >= 500
    assert set(points.seen) >= KINDS
    assert {case.stops[0].way for case in cases(victim)} == set(Way)
    assert counted(victim).seen == points_of(victim).seen


@pytest.mark.parametrize("number", VICTIMS)
def test_the_story_goes_through_everything(number: int) -> None:
    story = run(number)
    victim = story.members[number]
    assert victim.boots == 2
    assert victim.engine.replica.view > 0
    assert victim.engine.counters.leaps == 1
    assert victim.engine.ledger.seq > 4 * story.plan.limits.window
    files = victim.disk.files()
    assert "journal/0000000000000001" not in files
    assert "log/0000000000000256" in files
    assert "log/bundles" in files
    assert any(name.startswith("snapshots/") for name in files)


def test_the_checks_see_what_they_should() -> None:
    """A journal that is never synced is found by the same runs: the replica notices what it has forgotten;
    and where it could not notice, it would contradict itself.
    """
    chosen = spread([case for case in cases(1) if case.kind == "send"], 12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grootboek.node.journal.Journal.sync", lambda _journal: None)
        noticed = [outcome(case) for case in chosen]
        patch.setattr(parts, "loss", lambda *_args, **_rest: None)
        patch.setattr(Replica, "_on_own", lambda *_args: None)
        patch.setattr(Replica, "_own_cosignature", lambda *_args: None)
        unnoticed = [outcome(case) for case in chosen]
    assert any("believes to have forgotten" in what for what in noticed)
    assert any(what.startswith("Violation: PS") for what in unnoticed)


def test_a_forked_run_is_the_run_itself() -> None:
    first = spread(cases(1), 3)
    chosen = [*first, *double(first[1:2])[::RECOVERY]]
    found = outcomes(chosen)
    assert {one.case for one in found} == set(chosen)
    for one in found:
        alone = run(one.case.victim, *one.case.stops)
        assert (one.what, one.events, alone.stops) == ("", alone.heap.handled, [])


def test_a_crash_at_points_all_over_the_run() -> None:
    assert failures([case for victim in VICTIMS for case in spread(cases(victim), SAMPLE)]) == []


def test_a_crash_in_the_recovery_too() -> None:
    """SIGKILL before the sync of the marker's slot leaves most to be done; then again at each operation."""
    seen = counted(2).seen
    at = next(i for i in range(300, len(seen)) if seen[i - 1 : i + 1] == ["overwrite", "sync"])
    assert failures(double([Case(2, (Stop(at, Way.KILL),), "sync")])) == []


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_a_crash_at_every_point() -> None:
    chosen = [case for victim in VICTIMS for case in cases(victim)]
    print(table(chosen))  # noqa: T201  # the table of docs/crash.md
    assert failures(chosen) == []


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_a_second_crash_at_every_operation_after_the_first() -> None:
    chosen = double([case for victim in VICTIMS for case in spread(cases(victim), 12)])
    print(f"{len(chosen):,} runs with a second crash")  # noqa: T201  # the same
    assert failures(chosen) == []
