"""The simulator's power: each defect of the catalogue is found, and by the defect alone."""

import pytest

from grootboek.simulation.campaign import Failure, outcome_of
from tests.defects.catalogue import DEFECTS

SEEDS = range(200)
FOUND_BY = {
    "a_second_proposal_is_taken": 5,
    "a_weak_quorum_is_enough": 5,
    "bodies_are_not_journalled": 2,
    "bodies_dropped_early": 0,
    "certificates_are_not_journalled": 67,
    "certificates_believed": 5,
    "digest_not_compared": 12,
    "executed_again": 0,
    "journal_is_not_synced": 0,
    "new_view_of_an_old_view": 0,
    "no_water_marks": 5,
    "nothing_is_said_twice": 0,
    "numbers_begin_anew_in_a_view": 1,
    "o_beyond_the_window_is_dropped": 114,
    "one_bad_view_change_spoils_others": 5,
    "own_votes_are_not_journalled": 0,
    "prepared_certificate_dropped": 1,
    "progress_timer_never_starts": 0,
    "roots_not_compared": 38,
    "transfer_not_proven": 6,
    "votes_outlive_their_view": 1,
    "window_ahead_of_the_disk": 32,
}
"""The first seed that finds each: a change of what seeds stand for needs a new search (``--long``)."""


def test_each_defect_has_a_seed() -> None:
    assert set(FOUND_BY) == set(DEFECTS)


@pytest.mark.parametrize("name", sorted(FOUND_BY))
def test_a_known_seed_finds_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    DEFECTS[name](monkeypatch.setattr)
    assert isinstance(outcome_of(FOUND_BY[name]), Failure)


@pytest.mark.parametrize("seed", sorted(set(FOUND_BY.values())))
def test_the_same_seed_finds_nothing_in_the_code_as_it_is(seed: int) -> None:
    assert not isinstance(outcome_of(seed), Failure)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", sorted(DEFECTS))
def test_the_search_finds_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    DEFECTS[name](monkeypatch.setattr)
    found = next((seed for seed in SEEDS if isinstance(outcome_of(seed), Failure)), None)
    assert found is not None
    print(f"{name}: seed {found}")  # noqa: T201  # what FOUND_BY says, for whoever changes plans
