"""The simulator's power: each defect of the catalogue is found, and by the defect alone."""

import pytest

from grootboek.simulation.campaign import Failure, outcome_of
from tests.defects.catalogue import DEFECTS
from tests.defects.search import found_by, search

FOUND_BY = found_by()


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
def test_the_search_finds_it(name: str) -> None:
    assert search(name) is not None
