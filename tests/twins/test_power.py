"""The power of both searches: each known slip is found, and by the slip alone."""

from collections.abc import Callable, Iterator

import pytest

from grootboek.simulation.forgeries import cases, outcome_of_case
from grootboek.simulation.space import Space, sample
from grootboek.simulation.twins import Failure, desk_of, outcome_of
from tests.defects.catalogue import DEFECTS
from tests.twins.slips import SLIPS, Patch

ALL: dict[str, Callable[[Patch], None]] = {**DEFECTS, **SLIPS}
WITHIN = 400
BY_TWINS = {
    "a_second_proposal_is_taken": 0,
    "a_weak_quorum_is_enough": 0,
    "certificates_forgotten_in_a_view": 295,
    "commits_count_alone": 46,
    "digest_not_compared": 0,
    "gaps_are_closed": 25,
    "lower_view_preferred": 266,
    "new_view_of_an_old_view": 0,
    "no_water_marks": 2,
    "nothing_is_said_twice": 3,
    "numbers_begin_anew_in_a_view": 2,
    "o_is_ignored": 2,
    "one_vote_short": 27,
    "prepared_certificate_dropped": 2,
    "progress_timer_never_starts": 149,
    "quorum_minus_one": 0,
    "value_without_its_number": 2,
    "votes_outlive_their_view": 5,
}
"""Which scenario of the sample is the first that finds each (``--long`` searches anew)."""
BY_MUTATION = {
    "join_on_one_wish": 5721,
    "o_is_believed": 13843,
    "prepares_are_not_verified": 6169,
}
"""A case that finds each of those that honest replicas, and their twins, never show."""
NUMBERS = list(sample(Space(4), WITHIN, 0))
CASES = list(cases())


@pytest.fixture(autouse=True)
def checked_anew() -> Iterator[None]:
    """What was checked before a slip, or with it, says nothing about the other."""
    desk_of.cache_clear()
    yield
    desk_of.cache_clear()


def test_each_slip_is_found_by_one_search_at_least() -> None:
    assert set(SLIPS) <= BY_TWINS.keys() | BY_MUTATION.keys()


@pytest.mark.parametrize("name", sorted(BY_TWINS))
def test_a_known_scenario_finds_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ALL[name](monkeypatch.setattr)
    assert isinstance(outcome_of(4, NUMBERS[BY_TWINS[name]]), Failure)


@pytest.mark.parametrize("at", sorted(set(BY_TWINS.values())))
def test_the_same_scenario_finds_nothing_in_the_code_as_it_is(at: int) -> None:
    assert not isinstance(outcome_of(4, NUMBERS[at]), Failure)


@pytest.mark.parametrize("name", sorted(BY_MUTATION))
def test_a_known_case_finds_it_and_by_the_slip_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[BY_MUTATION[name]]
    assert not isinstance(outcome_of_case(case), str)
    desk_of.cache_clear()
    ALL[name](monkeypatch.setattr)
    assert isinstance(outcome_of_case(case), str)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", sorted(BY_TWINS))
def test_the_search_finds_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ALL[name](monkeypatch.setattr)
    found = next(
        (at for at, number in enumerate(NUMBERS) if isinstance(outcome_of(4, number), Failure)), None
    )
    assert found is not None
    print(f"{name}: {found}")  # noqa: T201  # what BY_TWINS says, for whoever changes scenarios
